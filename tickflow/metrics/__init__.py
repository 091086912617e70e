"""Turns the ticks of a symbol into the points that are stored: windows, formulas, detectors, points."""
