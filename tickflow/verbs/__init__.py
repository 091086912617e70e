"""The other jobs of `stock_analytics.py`: audit, dead-letters, status."""
