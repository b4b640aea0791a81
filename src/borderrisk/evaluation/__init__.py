"""How well a model did: its scorecard, and the tests behind it."""
