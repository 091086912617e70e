"""What makes a tick remarkable: one pure, vectorised module per detector."""
