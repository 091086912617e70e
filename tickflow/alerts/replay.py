"""The alerts of recorded ticks: the worker's own watch, over a range of a log."""

from collections.abc import Iterable

from tickflow.alerts.alert import BOOLEANS, FLOATS, INTEGERS, MARKET, Alert
from tickflow.alerts.standing import Change
from tickflow.alerts.watch import Terms, Watch
from tickflow.ticklog.base import Bounds, TickLog
from tickflow.ticks.names import Names
from tickflow.ticks.tick import Limits, decode

Key = tuple[str, str, int]
COMPARED = (*FLOATS, *INTEGERS, *(name for name in BOOLEANS if name != "notified"))
"""The stored fields of an alert that the ticks alone determine."""


def alerts_of_log(
    log: TickLog, partition: int, stretch: Bounds, terms: Terms, limits: Limits, changes: Iterable[Change] = ()
) -> dict[Key, Alert]:
    """The alerts of a partition's ticks in a range, in their state after the last tick, with the changes of standing
    rules in `changes`. See `TickLog.read`.
    """
    watch, names = Watch(partition, terms, changes), Names(limits)
    found: dict[Key, Alert] = {}
    for records in log.read(partition, stretch):
        # The worker's watch sees only ticks within the limits of names.
        ticks, _ = names.admit(decode(list(records), limits)[0])
        found |= {alert.key: alert for alert in watch.advance(ticks)}
    return found


def differences(wanted: Alert, found: Alert) -> list[str]:
    """The stored fields in which two alerts differ by any bit."""
    return [name for name in COMPARED if repr(getattr(wanted, name)) != repr(getattr(found, name))]


def judged(alerts: Iterable[Alert]) -> Iterable[Alert]:
    """The alerts that the ticks of one partition alone determine: all except market alerts."""
    return (alert for alert in alerts if alert.symbol != MARKET)
