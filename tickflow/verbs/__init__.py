"""The other jobs of `stock_analytics.py`, one module per verb: `status`, `audit`, `rewind` and others."""
