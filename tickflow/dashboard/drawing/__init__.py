"""Rows become figures, and figures become the page."""
