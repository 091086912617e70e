"""What one analytics worker does between a poll and its commit, and what it says of that."""
