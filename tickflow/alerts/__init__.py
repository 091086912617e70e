"""Alerts: what of the detectors' findings a person should read, how often, and how it reaches them."""
