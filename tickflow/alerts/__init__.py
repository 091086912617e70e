"""Alerts: which of the detectors' findings a person should read, how often, and how they reach that person."""
