"""The time ranges that a reader can choose; each ends at a symbol's newest point."""

MINUTE_NS = 60 * 1_000_000_000

RANGES: dict[str, int | None] = {
    "5m": 5 * MINUTE_NS,
    "15m": 15 * MINUTE_NS,
    "1h": 60 * MINUTE_NS,
    "6h": 360 * MINUTE_NS,
    "1d": 1440 * MINUTE_NS,
    "all": None,
}
"""The length of each range in ns, by name; `None` means everything."""
DEFAULT = "15m"


def start(name: str, newest_ns: int) -> int:
    """The start, in ns since 1970, of the range that ends at `newest_ns`.

    It is a whole millisecond: the digits below hold the log position of a point (see `tickflow/metrics/points.py`).

    >>> start("5m", 300_000_000_000 + 1_700_000)
    1000000
    """
    length = RANGES[name]
    return 0 if length is None else (newest_ns - length) // 1_000_000 * 1_000_000


CANDLES = {"1s": 1, "5s": 5, "15s": 15, "1m": 60, "5m": 300, "15m": 900, "1h": 3600}
"""Widths of a candle by name, in seconds."""
MAX_CANDLES = 1_500
GOOD_CANDLES = 150


def candle_width(name: str, length_ns: int) -> int:
    """The width of candles in ns: the named width, or for `auto` a width that gives about 150 candles in the range.

    A width that would give far too many candles for a screen is increased.

    >>> [candle_width(name, 15 * MINUTE_NS) // 10**9 for name in ("auto", "1m", "1s")]
    [15, 60, 1]
    >>> candle_width("1s", 1440 * MINUTE_NS) // 10**9
    60
    """
    seconds = length_ns / 1e9
    least = seconds / (MAX_CANDLES if name in CANDLES else GOOD_CANDLES)
    least = max(least, CANDLES.get(name, 0))
    return next((width for width in CANDLES.values() if width >= least), 3600) * 1_000_000_000
