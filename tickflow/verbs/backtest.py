"""The verb `backtest`: counts how often alerts would have been raised, with the workers' own watch over recorded ticks.

It reads all recorded ticks, since thresholds and open episodes depend on earlier ones, and counts the alerts that
opened within the requested time. For a recorded day it gives the same alerts as the live workers, bit for bit.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tickflow.alerts.alert import Alert, sentence
from tickflow.alerts.budget import Budget, poisson_interval
from tickflow.alerts.kept import CurvePoint, Kept, Raised, Row, fitted
from tickflow.alerts.standing import Change
from tickflow.alerts.watch import Terms, Watch
from tickflow.verbs.audit import moment
from tickflow.verbs.recorded import Recorded

CURVE = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
"""The budgets of the curve: alerts per symbol and trading day."""
DAY_NS = 86_400 * 10**9
MS_NS = 10**6
MAX_SOURCE = 80
MAX_TERMS = 1_000
"""The maximum number of characters in the name of a kept backtest's source and in its terms."""
Key = tuple[str, str, int]


@dataclass(slots=True)
class Findings:
    """The alerts in time order, by symbol the days (since 1970) on which the symbol traded within the requested time,
    and the times (ns since 1970) of the first and the last tick in it, both 0 if there is none.
    """

    alerts: list[Alert] = field(default_factory=list)
    days: dict[str, set[int]] = field(default_factory=dict)
    first_ns: int = 0
    last_ns: int = 0

    @property
    def quiet(self) -> list[str]:
        """The symbols without an alert, by name."""
        return sorted(self.days.keys() - {alert.symbol for alert in self.alerts})


def run(recorded: Recorded, terms: Terms, since_ns: int, until_ns: int, changes: Iterable[Change] = ()) -> Findings:
    """The alerts that recorded ticks raise under these terms, in [`since_ns`, `until_ns`), with the changes of standing
    rules in `changes`.
    """
    changes, watches = tuple(changes), dict[int, Watch]()
    alerts: dict[Key, Alert] = {}
    days: defaultdict[str, set[int]] = defaultdict(set)
    first_ns = last_ns = 0
    for partition, ticks in recorded:
        watch = watches.setdefault(partition, Watch(partition, terms, changes))
        alerts |= {alert.key: alert for alert in watch.advance(ticks)}
        time_ns = ticks.time_us * 1000
        inside = np.flatnonzero((time_ns >= since_ns) & (time_ns < until_ns))
        if len(inside):
            begin, end = int(time_ns[inside].min()), int(time_ns[inside].max())
            first_ns, last_ns = min(first_ns or begin, begin), max(last_ns, end)
        dates = time_ns[inside] // DAY_NS
        for symbol, date in {*zip((ticks.symbols[at] for at in inside.tolist()), dates.tolist(), strict=True)}:
            days[symbol].add(date)
    chosen = (alert for alert in alerts.values() if since_ns <= alert.time_ns < until_ns)
    alerts_in_order = sorted(chosen, key=lambda alert: (alert.time_ns, alert.symbol, alert.detector))
    return Findings(alerts_in_order, dict(days), first_ns, last_ns)


def rows(found: Findings) -> list[Row]:
    """The alerts by symbol and detector, ordered by name."""
    groups: defaultdict[tuple[str, str], list[Alert]] = defaultdict(list)
    for alert in found.alerts:
        groups[alert.symbol, alert.detector].append(alert)
    made = []
    for (symbol, detector), alerts in sorted(groups.items()):
        days = max(1, len(found.days.get(symbol, ())))
        low, high = poisson_interval(len(alerts))
        judged = [each.lasted for each in alerts if each.lasted is not None]
        made.append(Row(symbol, detector, len(alerts), days, low / days, high / days, sum(judged), len(judged)))
    return made


def lines(found: Findings, listed: int, link: Callable[[Alert], str], *, per_tick: bool = False) -> list[str]:
    """The result as human-readable lines: the newest alerts with their links, then one line per symbol and
    detector. `per_tick` says whether the budget is one per ticks.
    """
    shown = found.alerts[max(0, len(found.alerts) - listed) :]
    said = [
        f"{moment(each.time_ns)}  {sentence(each, per_tick=per_tick)}  {_fate(each)}  {link(each)}" for each in shown
    ]
    if len(shown) < len(found.alerts):
        said.insert(0, f"the newest {len(shown):,} of {len(found.alerts):,} alerts (--limit lists more):")
    for row in rows(found):
        lasting = f", {row.lasted} of {row.judged} lasted a minute" if row.judged else ""
        said.append(
            f"{row.symbol} {row.detector}: {row.alerts:,} in {row.days} {'day' if row.days == 1 else 'days'}, "
            f"{row.alerts / row.days:.2g} a day (95 %: {row.low:.2g} to {row.high:.2g}){lasting}"
        )
    if found.quiet:
        said.append(f"no alert: {', '.join(found.quiet)}")
    return said or ["there are no ticks in that time"]


def curve(recorded: Callable[[], Recorded], terms: Terms, since_ns: int, until_ns: int) -> list[CurvePoint]:
    """The number of alerts for each budget of `CURVE`."""
    points = []
    for rate in CURVE:
        found = run(recorded(), replace(terms, budget=Budget(rate)), since_ns, until_ns)
        count = sum(alert.budget is not None for alert in found.alerts)
        points.append(CurvePoint(rate, count, count / max(1, sum(map(len, found.days.values())))))
    return points


def described(terms: Terms) -> str:
    """The terms in words.

    >>> described(Terms(detectors=frozenset({"volume", "move"})))
    'move, volume; budget: 1 a day, followed'
    """
    rules = "; ".join(map(str, terms.rules))
    if not terms.detectors:
        return rules
    rate = terms.budget.rate
    budget = f"1 in {round(1 / rate):,} ticks" if terms.budget.per_tick else f"{rate:g} a day"
    parts = [", ".join(sorted(terms.detectors)), f"budget: {budget}, {'followed' if terms.follows else 'not followed'}"]
    return "; ".join([*parts, rules] if rules else parts)


def to_keep(found: Findings, points: Sequence[CurvePoint], source: str, terms: Terms, made_ms: int) -> Kept:
    """The result for the page; `source` names the topic or the file."""
    groups = rows(found)
    return fitted(
        Kept(
            made_ms=made_ms,
            first_ms=found.first_ns // MS_NS,
            last_ms=found.last_ns // MS_NS,
            source=source[-MAX_SOURCE:],
            terms=described(terms)[:MAX_TERMS],
            raised=len(found.alerts),
            groups=len(groups),
            quiet=len(found.quiet),
            rows=groups,
            alerts=[
                Raised(each.symbol, each.opened // MS_NS, sentence(each, per_tick=terms.budget.per_tick), each.lasted)
                for each in found.alerts
            ],
            curve=points,
        )
    )


def _fate(alert: Alert) -> str:
    return "" if alert.lasted is None else "lasted" if alert.lasted else "came back"
