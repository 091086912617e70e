"""What one worker does between a poll and its commit, and what it reports while it runs."""
