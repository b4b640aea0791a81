"""What the expensive steps cost, as ratios measured in one go."""
