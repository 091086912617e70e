"""The ranges a reader can choose, counted back from a symbol's newest point."""

MINUTE_NS = 60 * 1_000_000_000

RANGES: dict[str, int | None] = {
    "5m": 5 * MINUTE_NS,
    "15m": 15 * MINUTE_NS,
    "1h": 60 * MINUTE_NS,
    "6h": 360 * MINUTE_NS,
    "1d": 1440 * MINUTE_NS,
    "all": None,
}
"""By name, its length in ns; `None` is everything."""
DEFAULT = "15m"


def start(name: str, newest_ns: int) -> int:
    """Where the range begins that ends at `newest_ns`, in ns since 1970.

    It is a whole millisecond: a point's time has its log position in the digits below (see `points`).

    >>> start("5m", 300_000_000_000 + 1_700_000)
    1000000
    """
    length = RANGES[name]
    return 0 if length is None else (newest_ns - length) // 1_000_000 * 1_000_000
