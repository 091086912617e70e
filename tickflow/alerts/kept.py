"""A kept backtest: how often alerts would have been raised, in the form in which stores keep it and the page shows it.

Its size is bounded, so that the page can read all of them in one request.
"""

from collections.abc import Iterable, Sequence

import msgspec

MAX_BYTES = 48_000
"""The maximum size of a kept backtest as JSON. InfluxDB accepts strings of up to 65,535 bytes."""
MAX_ALERTS = 100
MAX_ROWS = 100


class Raised(msgspec.Struct, frozen=True):
    """One alert: its symbol, when it opened (ms since 1970), its text, and whether its move lasted a minute (`None` if
    that is not known).
    """

    symbol: str
    at_ms: int
    words: str
    lasted: bool | None


class Row(msgspec.Struct, frozen=True):
    """The alerts that one detector (or rule) raised for one symbol in `days` trading days. `low` and `high` are the
    95 % interval of the number of alerts per day; of the `judged` alerts whose fate is known, `lasted` lasted a minute.
    """

    symbol: str
    detector: str
    alerts: int
    days: int
    low: float
    high: float
    lasted: int
    judged: int


class CurvePoint(msgspec.Struct, frozen=True):
    """With a budget of `budget` alerts per symbol and day, `alerts` would be raised, `per_day` per symbol and day."""

    budget: float
    alerts: int
    per_day: float


class Kept(msgspec.Struct, frozen=True):
    """A backtest of the ticks from `first_ms` to `last_ms`, made at `made_ms`, which identifies it; in ms since 1970.

    `source` names the topic or the file, `terms` describes the detectors, the budget and the rules. Of all `raised`
    alerts, `alerts` has the newest; of all `groups` of symbol and detector, `rows` has those with the most alerts,
    ordered by name. `quiet` symbols had no alert. The `curve` is empty if no budget applies.
    """

    made_ms: int
    first_ms: int
    last_ms: int
    source: str
    terms: str
    raised: int
    groups: int
    quiet: int
    rows: Sequence[Row]
    alerts: Sequence[Raised]
    curve: Sequence[CurvePoint]


def fitted(kept: Kept) -> Kept:
    """The backtest without the alerts and rows that do not fit into `MAX_BYTES`.

    >>> many = [Raised("AAPL", 0, "x" * 900, None)] * 90
    >>> cut = fitted(Kept(0, 0, 0, "stock-ticks", "move", 90, 1, 0, [], many, []))
    >>> len(cut.alerts), cut.raised
    (45, 90)
    """
    most = sorted(kept.rows, key=lambda row: row.alerts, reverse=True)[:MAX_ROWS]
    alerts = kept.alerts[-MAX_ALERTS:]
    while True:
        rows = sorted(most, key=lambda row: (row.symbol, row.detector))
        cut = msgspec.structs.replace(kept, rows=rows, alerts=alerts)
        if len(encode(cut)) <= MAX_BYTES or not (alerts or most):
            return cut
        if alerts:
            alerts = alerts[len(alerts) - len(alerts) // 2 :]
        else:
            most = most[: len(most) // 2]


encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Kept).decode


def decoded(bodies: Iterable[str]) -> list[Kept]:
    """The backtests in these bodies, without those that another version wrote in a different form.

    >>> decoded(['{"made_ms": 1, "another": "form"}'])
    []
    """
    found = []
    for body in bodies:
        try:
            found.append(_decode(body))
        except msgspec.DecodeError:
            continue
    return found
