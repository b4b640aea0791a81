"""Studies of the method itself; no run carries them."""
