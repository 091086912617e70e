"""An alert: one episode of one symbol, in the forms in which it is stored, published and sent."""

import hashlib
import urllib.parse
from collections.abc import Sequence

import msgspec

from tickflow.alerts.budget import Budget, at_most
from tickflow.figures import percent, plain, price

MEASUREMENT = "stock_anomalies"
MOVE = "move"
MARKET = "*"
"""The symbol of an alert about many symbols."""

FLOATS = ("score", "threshold", "price", "reference", "move_percent", "volume_ratio", "budget")
INTEGERS = ("direction", "opened", "closed", "ticks", "partition", "offset")
BOOLEANS = ("lasted", "notified")


class Alert(msgspec.Struct, frozen=True, omit_defaults=True):
    """One episode; a value that is not known yet is `None`. Times in ns since 1970.

    `time_ns` is the time of the point whose tick raised the alert; together with symbol and detector it identifies the
    alert. `score` and `threshold` belong to the tick that raised it, or to the last tick that repeated it (`said`
    counts the messages). `move_percent` is the change of `price` from `reference`. `closed` is the end of the 60 s
    without a flag that closed the episode, `ticks` the number of flagged ticks, `lasted` says whether at least half of
    the move was left after 60 s, `notified` whether a message was sent (`False`: a channel never accepted it, and it
    was abandoned). For a move, `within_us` is its duration, and `held_us` how long it has held.
    """

    symbol: str
    detector: str
    time_ns: int
    score: float
    threshold: float
    price: float
    reference: float
    move_percent: float
    direction: int
    opened: int
    partition: int
    offset: int
    ticks: int = 1
    budget: float | None = None
    volume_ratio: float | None = None
    closed: int | None = None
    lasted: bool | None = None
    notified: bool | None = None
    members: str | None = None
    said: int = 1
    held_us: int = 0
    within_us: int = 0

    @property
    def key(self) -> tuple[str, str, int]:
        """The identity of the alert."""
        return self.symbol, self.detector, self.time_ns

    @property
    def id(self) -> str:
        """A short id for messages; it is the same for every attempt to send the message."""
        return hashlib.sha256("|".join(map(str, self.key)).encode()).hexdigest()[:16]

    @property
    def message_id(self) -> str:
        """The id of the current message about this alert: a repetition is a new message and has a new id."""
        return self.id if self.said == 1 else f"{self.id}.{self.said}"


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Alert).decode


def to_line(alert: Alert) -> str:
    """The alert as a line of InfluxDB's line protocol."""
    fields = [f"{name}={value!r}" for name in FLOATS if (value := getattr(alert, name)) is not None]
    fields += [f"{name}={value}i" for name in INTEGERS if (value := getattr(alert, name)) is not None]
    fields += [f"{name}={str(value).lower()}" for name in BOOLEANS if (value := getattr(alert, name)) is not None]
    if alert.members is not None:
        members = alert.members.replace("\\", "\\\\").replace('"', '\\"')
        fields.append(f'members="{members}"')
    return f"{_series(alert)} {','.join(fields)} {alert.time_ns}"


def to_notified_line(alert: Alert, *, sent: bool = True) -> str:
    """A line of line protocol that sets only the field `notified`: a message was sent or abandoned."""
    return f"{_series(alert)} notified={str(sent).lower()} {alert.time_ns}"


def _series(alert: Alert) -> str:
    symbol, detector = (_escaped(text) for text in (alert.symbol, alert.detector))
    return f"{MEASUREMENT},symbol={symbol},detector={detector}"


def _escaped(text: str) -> str:
    for character in ("\\", " ", ",", "="):
        text = text.replace(character, f"\\{character}")
    return text


def link(page: str, alert: Alert) -> str:
    """The address of the alert's moment on the page that is served at `page`.

    >>> link("http://localhost:8050", Alert("BRK.B", "move", 9_000_000_000, 1, 1, 1, 1, 1, 1, 9_000_000_000, 0, 7))
    'http://localhost:8050/?symbol=BRK.B&at=9000'
    """
    return f"{page}/?{urllib.parse.urlencode({'symbol': alert.symbol, 'at': alert.opened // 1_000_000})}"


def sentence(alert: Alert, earlier: Sequence[Alert] = (), *, per_tick: bool = False) -> str:
    """The text of an alert; it ends with the limit on the number of such alerts.

    >>> alert = Alert("AAPL", "move", 0, 11.2, 8.0, 100.42, 100.0, 0.42, 1, 0, 0, 7, budget=1.0, held_us=2_000_000,
    ...               within_us=3_000_000)
    >>> sentence(alert)
    'AAPL +0.42 % in 3 s to 100.42, 11 usual moves, held 2 s. At most 1 a day for this symbol.'
    >>> sentence(msgspec.structs.replace(alert, detector="bad_print", price=168.9, move_percent=-1.5, budget=None))
    'AAPL: a lone trade at 168.90, −1.50 %, and back.'
    >>> sentence(msgspec.structs.replace(alert, detector="change_5m < -3", score=-3.214, budget=None))
    'AAPL: change_5m < -3 (−3.21 %).'
    >>> sentence(msgspec.structs.replace(alert, detector="price > 200", score=200.5, budget=None))
    'AAPL: price > 200 (200.50).'
    """
    if alert.symbol == MARKET:
        said = (
            f"{len((alert.members or '').split(','))} symbols moved {'up' if alert.direction > 0 else 'down'} at once: "
        )
        return f"{said}{alert.members}."
    if alert.detector == "move":
        words = f"{alert.symbol} {percent(alert.move_percent)} in {max(1, round(alert.within_us / 1e6))} s"
        words += f" to {price(alert.price)}, {alert.score:.0f} usual moves"
        words += f", held {max(1, round(alert.held_us / 1e6))} s."
    elif alert.detector == "volume":
        words = f"{alert.symbol}: {alert.volume_ratio or 0:.1f} times the usual volume for ten traded seconds."
    elif alert.detector == "volatility":
        words = f"{alert.symbol}: prices move {2.718281828 ** (alert.score * 0.2):.1f} times as much as before."
    elif alert.detector == "bad_print":
        words = f"{alert.symbol}: a lone trade at {price(alert.price)}, {percent(alert.move_percent)}, and back."
    elif alert.detector == "silence":
        words = f"{alert.symbol}: no trade for {alert.score:.0f} s; usually at most {alert.threshold:.0f} s."
    else:
        words = f"{alert.symbol}: {alert.detector} ({_measured(alert)})."
    if alert.budget is not None:
        words += f" {at_most(Budget(alert.budget, per_tick))}"
    judged = [each.lasted for each in earlier if each.lasted is not None]
    if judged:
        words += f" Of the last {len(judged)} such alerts {sum(judged)} lasted a minute."
    return words


def _measured(alert: Alert) -> str:
    """What a user's rule compared, in its unit: a price, a change in percent, or a plain number."""
    metric = alert.detector.split("_")[0].split()[0]
    return {"price": price, "change": percent}.get(metric, plain)(alert.score)
