"""Decides which findings of the detectors become alerts, how often people are notified of them, and delivers them."""
