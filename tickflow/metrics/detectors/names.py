"""The names of the detectors that raise alerts, in order. In a module of their own, since the detectors load numpy."""

DETECTORS = ("move", "volume", "volatility", "bad_print", "silence")
