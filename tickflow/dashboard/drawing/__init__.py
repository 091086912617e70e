"""Turns rows into figures, and figures into the page."""
