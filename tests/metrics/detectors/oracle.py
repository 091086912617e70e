"""The scores that detectors must return, computed tick by tick from plain lists with independent formulas."""

import itertools
import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple


class Trade(NamedTuple):
    """One trade, as a tick reports it."""

    symbol: str
    time_us: int
    price: float
    volume: float


@dataclass
class Second:
    """A traded second: its last price and its volume."""

    stamp: int
    close: float
    volume: float


@dataclass
class History:
    """The history of a symbol: all its traded seconds, the newest one last, and its last price."""

    seconds: list[Second] = field(default_factory=list)
    last_price: float | None = None


def usual_move(logs: list[float]) -> float:
    """The usual move that follows from 58 log prices."""
    assert len(logs) == 58
    returns = [after - before for before, after in itertools.pairwise(logs)]
    weights = [0.94**age for age in range(len(returns) - 1, -1, -1)]
    square = sum(w * r * r for w, r in zip(weights, returns, strict=True)) / sum(weights)
    steps = [abs(r) for r in returns if r]
    return max(math.sqrt(square), min(steps) / 2 if steps else 0.0)


class Expected(NamedTuple):
    """The finding that a detector must return for a tick."""

    score: float = 0.0
    direction: int = 0
    price: float = 0.0
    reference: float = 0.0


def move(window: list[Second], least: float) -> Expected:
    """The finding of `move`; the score is 0 if there was no move."""
    logs = [math.log(each.close) for each in window]
    base, held = logs[55:58], logs[58:60]
    up, down = max(0.0, min(held) - max(base)), max(0.0, min(base) - max(held))
    if not up and not down:
        return Expected()
    prices, bases = [each.close for each in window[58:]], [each.close for each in window[55:58]]
    part = min(prices) / max(bases) - 1 if up else max(prices) / min(bases) - 1
    scale = usual_move(logs[:58])
    if abs(part) < least or not scale:
        return Expected()
    return Expected((up + down) / scale, 1 if up else -1, prices[-1], max(bases) if up else min(bases))


def volume(window: list[Second]) -> float:
    """The score of `volume`."""
    logs = [math.log1p(each.volume) for each in window]
    before = logs[:50]
    deviation = max(statistics.stdev(before), 0.3)
    return (statistics.fmean(logs[50:]) - statistics.fmean(before)) / deviation * math.sqrt(10)


def volatility(window: list[Second]) -> float:
    """The score of `volatility`."""
    logs = [math.log(each.close) for each in window]
    returns = [abs(after - before) for before, after in itertools.pairwise(logs)]
    cut = 5 * statistics.fmean(returns)
    before, last = ([min(each, cut) for each in part] for part in (returns[:39], returns[39:]))
    if not sum(before) or not sum(last):
        return 0.0
    return math.log(statistics.fmean(last) / statistics.fmean(before)) / 0.2


def bad_print(window: list[Second], was_within: bool, before: float, least: float) -> Expected:
    """The finding of `bad_print`: `before` is the price of the previous tick, in this second or an earlier one."""
    price = window[59].close
    base = [each.close for each in (window[56:59] if was_within else window[55:58])]
    logs = [math.log(each.close) for each in (window[1:59] if was_within else window[:58])]
    if not min(base) <= price <= max(base) or min(base) <= before <= max(base):
        return Expected()
    reference = max(base) if before > max(base) else min(base)
    scale = usual_move(logs)
    if abs(before - reference) < reference * least or not scale:
        return Expected()
    score = abs(math.log(before / reference)) / scale
    return Expected(score, 1 if before > reference else -1, before, reference)


def scores(trades: Iterable[Trade], least: float = 0.0) -> Iterator[dict[str, Expected]]:
    """For each trade, the finding that each detector must return; empty during warm-up."""
    histories: defaultdict[str, History] = defaultdict(History)
    for trade in trades:
        history = histories[trade.symbol]
        seconds, before = history.seconds, history.last_price
        stamp = trade.time_us // 1_000_000
        was_within = bool(seconds) and stamp <= seconds[-1].stamp
        if was_within:
            seconds[-1].close = trade.price
            seconds[-1].volume += trade.volume
        else:
            seconds.append(Second(stamp, trade.price, trade.volume))
        history.last_price = trade.price
        window = seconds[-60:]
        if len(window) < 60 or before is None:
            yield {}
            continue
        yield {
            "move": move(window, least),
            "volume": Expected(volume(window), 0, trade.price, window[58].close),
            "volatility": Expected(volatility(window), 0, trade.price, window[58].close),
            "bad_print": bad_print(window, was_within, before, least),
        }
