"""What one browser requests, and the rows that answer it."""
