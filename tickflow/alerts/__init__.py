"""Alerts: decides which findings of the detectors a person should read, and how often, and delivers them."""
