"""What each command does, from opening the inputs to writing the results."""
