"""What one browser asks for, and the rows that answer it."""
