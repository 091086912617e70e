"""The names of the detectors that raise alerts, in their order; apart from them, since they load numpy."""

DETECTORS = ("move", "volume", "volatility", "bad_print", "silence")
