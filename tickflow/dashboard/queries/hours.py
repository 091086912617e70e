"""What an exchange's session adds to a symbol: its previous close, high, low and average price (VWAP)."""

from collections.abc import Sequence
from typing import Any, TypedDict

import numpy as np

from tickflow.dashboard.drawing import clock
from tickflow.metrics.points import Points
from tickflow.sessions import ALWAYS, Session, Sessions
from tickflow.store.base import DAY_NS, PageQueries

SIMULATED = "simulated"
"""A source that sends ticks day and night, so an exchange's hours do not apply to it."""
MOST = 400
"""The maximum number of sessions that a picture lists."""
AHEAD_NS = 5 * DAY_NS
"""Sessions are listed up to this long after the end of the picture: a page that stays open reaches them."""


class Day(TypedDict):
    """A symbol's session, in us since 1970. `previous`: the last price of the session before, `None` if none is stored.
    `high`, `low` and the sums `volume` and `value` (price times volume) cover the regular hours so far; `high` and
    `low` are `None` before the first tick in these hours.
    """

    open_us: int
    close_us: int
    previous: float | None
    high: float | None
    low: float | None
    volume: float
    value: float


def applies(sessions: Sessions, source: str) -> bool:
    """Whether the exchange's hours apply to ticks from `source`."""
    return source != SIMULATED or sessions.market == ALWAYS


def session_at(sessions: Sessions, time_ns: int) -> Session | None:
    """The session that a moment belongs to, or else the last session before the moment."""
    return sessions.session_of(time_ns) or sessions.latest(time_ns)


def day_of(store: PageQueries, sessions: Sessions, symbol: str, source: str, newest_ns: int) -> Day | None:
    """The session of the symbol's newest tick; `None` where no exchange's hours apply. Raises `StoreError`."""
    session = session_at(sessions, newest_ns) if applies(sessions, source) else None
    if session is None:
        return None
    before = sessions.previous(session)
    previous = {} if before is None else store.last_prices(before.open, before.close, [symbol])
    found = store.totals(symbol, session.open, session.close)
    return Day(
        open_us=session.open // 1000,
        close_us=session.close // 1000,
        previous=previous.get(symbol),
        high=None if found is None else found.high,
        low=None if found is None else found.low,
        volume=0.0 if found is None else found.volume,
        value=0.0 if found is None else found.value,
    )


def further(day: Day | None, sessions: Sessions, new: Points) -> Day | None:
    """The session with the symbol's new ticks added; `None` if they already belong to the next session."""
    if day is None or session_at(sessions, int(new.time_ns[-1])) != session_at(sessions, day["open_us"] * 1000):
        return None
    inside = (new.time_ns >= day["open_us"] * 1000) & (new.time_ns < day["close_us"] * 1000)
    price, volume = new.price[inside], new.volume[inside]
    if not len(price):
        return day
    high, low = (float(pick(price)) for pick in (np.max, np.min))
    return Day(
        open_us=day["open_us"],
        close_us=day["close_us"],
        previous=day["previous"],
        high=high if day["high"] is None else max(day["high"], high),
        low=low if day["low"] is None else min(day["low"], low),
        volume=day["volume"] + float(volume.sum()),
        value=day["value"] + float((price * volume).sum()),
    )


def closes(store: PageQueries, sessions: Sessions, latest: Points, names: Sequence[str] | None) -> dict[str, float]:
    """The previous close of each symbol to which an exchange's hours apply. It is the close of the session before that
    of the newest tick of all symbols, so that all changes count from the same session. Raises `StoreError`.
    """
    counts = [at for at, source in enumerate(latest.source) if applies(sessions, source)]
    if not counts:
        return {}
    session = session_at(sessions, int(latest.time_ns[counts].max()))
    before = None if session is None else sessions.previous(session)
    if before is None:
        return {}
    found = store.last_prices(before.open, before.close, names)
    return {latest.symbol[at]: found[latest.symbol[at]] for at in counts if latest.symbol[at] in found}


def named(sessions: Sessions, source: str, begin_ns: int, end_ns: int) -> list[list[float]]:
    """The sessions from `begin_ns` until some days after `end_ns`, each as four moments of the wall clock, in ms: the
    start of its early hours, its open, its close, and the end of its late hours. Empty if there are too many sessions.
    """
    if not applies(sessions, source):
        return []
    found = sessions.between(begin_ns, end_ns + AHEAD_NS)
    if len(found) > MOST:
        return []
    bounds = np.array([[each.before, each.open, each.close, each.after] for each in found], dtype=np.int64)
    result: Any = clock.wall_ms(bounds.ravel()).reshape(-1, 4).tolist() if len(bounds) else []
    return list(result)
