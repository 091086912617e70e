"""From the ticks of a symbol to the points that are stored: windows, formulas, detectors, points."""
