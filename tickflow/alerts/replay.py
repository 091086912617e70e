"""The alerts of recorded ticks: the worker's own watch, over a range of a log."""

from collections.abc import Iterable

from tickflow.alerts.alert import BOOLEANS, FLOATS, INTEGERS, MARKET, Alert
from tickflow.alerts.watch import Terms, Watch
from tickflow.ticklog.base import Bounds, Record, TickLog
from tickflow.ticks.tick import Limits, decode

Key = tuple[str, str, int]
COMPARED = (*FLOATS, *INTEGERS, *(name for name in BOOLEANS if name != "notified"))
"""The stored fields of an alert that the ticks alone determine."""


def alerts_of_log(log: TickLog, partition: int, stretch: Bounds, terms: Terms, limits: Limits) -> dict[Key, Alert]:
    """The alerts of a partition's ticks in a range, in their state after the last tick. See `TickLog.read`."""
    watch = Watch(partition, terms)
    found: dict[Key, Alert] = {}
    for records in log.read(partition, stretch):
        found |= alerts_of(watch, records, limits)
    return found


def alerts_of(watch: Watch, records: Iterable[Record], limits: Limits) -> dict[Key, Alert]:
    """The alerts that a watch raises for these records."""
    ticks, _ = decode(list(records), limits)
    return {alert.key: alert for alert in watch.advance(ticks)}


def differences(wanted: Alert, found: Alert) -> list[str]:
    """The stored fields in which two alerts differ by any bit."""
    return [name for name in COMPARED if repr(getattr(wanted, name)) != repr(getattr(found, name))]


def judged(alerts: Iterable[Alert]) -> Iterable[Alert]:
    """The alerts that the ticks of one partition alone determine: all except market alerts."""
    return (alert for alert in alerts if alert.symbol != MARKET)
