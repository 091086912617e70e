"""The names of the detectors that raise alerts, in order; apart from the detectors, whose modules load numpy."""

DETECTORS = ("move", "volume", "volatility", "bad_print", "silence")
