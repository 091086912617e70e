"""The verb `backtest`: counts how often alerts would have been raised, with the workers' own watch over recorded ticks.

It reads all recorded ticks, since thresholds and open episodes depend on earlier ones, and counts the alerts that
opened within the requested time. For a recorded day it gives the same alerts as the live workers, bit for bit.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from tickflow.alerts.alert import Alert, sentence
from tickflow.alerts.budget import Budget, poisson_interval
from tickflow.alerts.watch import Terms, Watch
from tickflow.verbs.audit import moment
from tickflow.verbs.recorded import Recorded

CURVE = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
"""The budgets of the curve: alerts per symbol and trading day."""
DAY_NS = 86_400 * 10**9
Key = tuple[str, str, int]


@dataclass(slots=True)
class Findings:
    """The alerts in time order, and by symbol the days (since 1970) on which the symbol traded within the requested
    time.
    """

    alerts: list[Alert] = field(default_factory=list)
    days: dict[str, set[int]] = field(default_factory=dict)


def run(recorded: Recorded, terms: Terms, since_ns: int, until_ns: int) -> Findings:
    """The alerts that recorded ticks raise under these terms, in [`since_ns`, `until_ns`)."""
    watches: dict[int, Watch] = {}
    alerts: dict[Key, Alert] = {}
    days: defaultdict[str, set[int]] = defaultdict(set)
    for partition, ticks in recorded:
        watch = watches.setdefault(partition, Watch(partition, terms))
        alerts |= {alert.key: alert for alert in watch.advance(ticks)}
        time_ns = ticks.time_us * 1000
        inside = np.flatnonzero((time_ns >= since_ns) & (time_ns < until_ns))
        dates = time_ns[inside] // DAY_NS
        for symbol, date in {*zip((ticks.symbols[at] for at in inside.tolist()), dates.tolist(), strict=True)}:
            days[symbol].add(date)
    chosen = (alert for alert in alerts.values() if since_ns <= alert.time_ns < until_ns)
    return Findings(sorted(chosen, key=lambda alert: (alert.time_ns, alert.symbol, alert.detector)), dict(days))


def lines(found: Findings, listed: int, link: Callable[[Alert], str]) -> list[str]:
    """The result as human-readable lines: the newest alerts with their links, then one line per symbol and detector."""
    shown = found.alerts[max(0, len(found.alerts) - listed) :]
    said = [f"{moment(each.time_ns)}  {sentence(each)}  {_fate(each)}  {link(each)}" for each in shown]
    if len(shown) < len(found.alerts):
        said.insert(0, f"the newest {len(shown):,} of {len(found.alerts):,} alerts (--limit lists more):")
    groups: defaultdict[tuple[str, str], list[Alert]] = defaultdict(list)
    for alert in found.alerts:
        groups[alert.symbol, alert.detector].append(alert)
    for (symbol, detector), alerts in sorted(groups.items()):
        days = max(1, len(found.days.get(symbol, ())))
        low, high = poisson_interval(len(alerts))
        judged = [each.lasted for each in alerts if each.lasted is not None]
        lasting = f", {sum(judged)} of {len(judged)} lasted a minute" if judged else ""
        said.append(
            f"{symbol} {detector}: {len(alerts):,} in {days} {'day' if days == 1 else 'days'}, "
            f"{len(alerts) / days:.2g} a day (95 %: {low / days:.2g} to {high / days:.2g}){lasting}"
        )
    quiet = sorted(symbol for symbol in found.days if not any(symbol == name for name, _ in groups))
    if quiet:
        said.append(f"no alert: {', '.join(quiet)}")
    return said or ["there are no ticks in that time"]


def curve(
    recorded: Callable[[], Recorded], terms: Terms, since_ns: int, until_ns: int
) -> list[tuple[float, int, float]]:
    """For each budget of `CURVE`: the budget, the number of alerts, and the number per symbol and day."""
    points = []
    for rate in CURVE:
        found = run(recorded(), replace(terms, budget=Budget(rate)), since_ns, until_ns)
        count = sum(alert.budget is not None for alert in found.alerts)
        points.append((rate, count, count / max(1, sum(map(len, found.days.values())))))
    return points


def _fate(alert: Alert) -> str:
    return "" if alert.lasted is None else "lasted" if alert.lasted else "came back"
