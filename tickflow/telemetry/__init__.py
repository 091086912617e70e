"""What a script reports to its operator: whether it is alive, whether it is ready, and its metrics."""
