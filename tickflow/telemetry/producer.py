"""The metrics and the health of the producer."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Gauge, ProcessCollector
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from tickflow.telemetry.health import LIVE_SECONDS, Health, Report, State


@dataclass(frozen=True, slots=True)
class Published:
    """How many ticks were sent so far, and how many the log acknowledged."""

    sent: int
    acknowledged: int


class ProducerTelemetry:
    """What the producer reports. Each scrape reads the counters of `published`, which are plain integers."""

    def __init__(self, version: str, published: Callable[[], Published]) -> None:
        self.health = Health()
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.registry.register(_Collector(published))
        Gauge("tickflow_build_info", "The program.", ("version",), registry=self.registry).labels(version).set(1)

    def wait_for_log(self, where: str) -> None:
        """Record that the producer is now connecting to the log, which may take any length of time."""
        self.health.note(Report(State.WAITING_FOR_LOG, f"connecting to {where}"), patient=True)

    def turn(self, *, trouble: str = "", pause: bool = False) -> None:
        """Note an iteration of the loop; `trouble` says why ticks are not acknowledged, `pause` that the source is now
        waiting.
        """
        self.health.note(_report(trouble), patient=pause)

    def publish(self, *, trouble: str = "") -> None:
        """Record that a batch is now handed to the log, which blocks while too many ticks are not acknowledged.

        The producer stays live: a restart would lose the ticks that the log has not acknowledged.
        """
        self.health.note(_report(trouble), patient=True, ready_seconds=LIVE_SECONDS, overdue=State.WAITING_FOR_LOG)


def _report(trouble: str) -> Report:
    return Report(State.WAITING_FOR_LOG if trouble else State.FINE, trouble or "ticks are published and acknowledged")


class _Collector(Collector):
    def __init__(self, published: Callable[[], Published]) -> None:
        self._published = published

    def collect(self) -> Iterator[Metric]:
        now = self._published()
        yield CounterMetricFamily("tickflow_ticks_sent", "Ticks handed to the log.", value=now.sent)
        yield CounterMetricFamily(
            "tickflow_ticks_acknowledged", "Ticks that the log acknowledged.", value=now.acknowledged
        )
