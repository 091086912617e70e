"""Points for tests: single ones by hand, and any number of them by hypothesis."""

from hypothesis import strategies as st

from tickflow.metrics.fields import ALWAYS, FLOAT_FIELDS, NAMES
from tickflow.metrics.points import Points

MORNING = 1_767_623_400_000_000_000
"""2026-01-05, 14:30 UTC, in ns."""
SECOND = 10**9
DAY = 86_400 * SECOND

Row = tuple[object, ...]
OPTIONAL = tuple(name for name in FLOAT_FIELDS if name not in ALWAYS)
"""The float fields that a point may lack."""

_PLAIN: dict[str, object] = {
    **dict.fromkeys(NAMES),
    "symbol": "AAPL",
    "source": "simulated",
    "time_ns": MORNING,
    "price": 187.25,
    "volume": 100.0,
    "partition": 0,
    "offset": 0,
    "is_anomaly": False,
}


class Clock:
    """A clock, in seconds since 1970, that the test sets."""

    def __init__(self) -> None:
        self.now = MORNING / 1e9

    def __call__(self) -> float:
        return self.now


def a_row(**values: object) -> Row:
    """One point as a row; fields that are not given have simple values or are absent."""
    assert values.keys() <= _PLAIN.keys()
    return tuple((_PLAIN | values).values())


def points_of(*rows: Row) -> Points:
    """The points of these rows."""
    return Points.from_rows(rows)


def bits(points: Points) -> list[str]:
    """A string for each point. Strings are equal only for equal bits, so -0.0 and 0.0 differ; an absent value is
    `None`.
    """
    return [repr(row) for row in points.rows()]


_any_float = st.none() | st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def rows(draw: st.DrawFn, symbol: str = "AAPL", min_size: int = 0, max_size: int = 20) -> list[Row]:
    """Rows of one symbol in time order, with distinct times within two days."""
    times = draw(st.lists(st.integers(MORNING, MORNING + DAY), min_size=min_size, max_size=max_size, unique=True))
    return [
        a_row(
            symbol=symbol,
            source=draw(st.sampled_from(["simulated", "replay"])),
            time_ns=time_ns,
            **{name: draw(_any_float) for name in OPTIONAL},
            price=draw(st.floats(1e-9, 1e12)),
            volume=draw(st.integers(0, 2**53 - 1).map(float) | st.floats(0, 2**53, exclude_max=True)),
            partition=draw(st.integers(0, 9_999)),
            offset=draw(st.integers(0, 2**63 - 1)),
            is_anomaly=draw(st.booleans()),
        )
        for time_ns in sorted(times)
    ]
