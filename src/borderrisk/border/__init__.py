"""The border: segments, what lies behind them, ways across."""
