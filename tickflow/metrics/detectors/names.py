"""The names of the detectors that raise alerts, in order. They have their own module because the detectors' modules
load numpy.
"""

DETECTORS = ("move", "volume", "volatility", "bad_print", "silence")
