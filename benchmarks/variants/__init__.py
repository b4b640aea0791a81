"""What each part of the pooled model is worth: forms that differ from it in one thing."""
