"""What a script reports to whoever operates it: whether it lives, whether it is ready, and its metrics."""
