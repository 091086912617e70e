"""The metrics store: where points are kept, and read by the page."""
