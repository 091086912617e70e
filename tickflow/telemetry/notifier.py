"""The metrics and the health of the notifier: how many messages wait per channel, and the outcome of the others."""

import time
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tickflow.telemetry.health import Health, Report, State


class NotifierTelemetry:
    """What the notifier reports; a channel is named without its secrets. `clock` is in seconds since 1970."""

    def __init__(self, version: str, clock: Callable[[], float] = time.time) -> None:
        self.health = Health()
        self.registry = CollectorRegistry()
        self._clock = clock
        self._waiting: dict[str, tuple[int, float]] = {}
        ProcessCollector(registry=self.registry)
        self.registry.register(_Collector(self))
        Gauge("tickflow_build_info", "The program.", ("version",), registry=self.registry).labels(version).set(1)
        self._sent = self._counter("sent", "Messages that a channel accepted, those sent along with another included.")
        self._given_up = self._counter("given_up", "Messages that a channel did not accept within ALERT_GIVE_UP.")
        self.health.note(Report(State.STARTING, "opening the outbox, the log and the store"), patient=True)

    def turn(self, trouble: str = "", *, patient: bool = False) -> None:
        """Note an iteration of the loop; `trouble` says why alerts cannot be read. With `patient`, the loop is now
        calling the store and the channels, which may take as long as their time-outs.
        """
        report = Report(State.WAITING_FOR_LOG, trouble) if trouble else Report(State.FINE, "alerts are read and sent")
        self.health.note(report, patient=patient)

    def waiting(self, channel: str, messages: int, oldest: float) -> None:
        """Note how many messages wait for a channel, and when the oldest was written, in seconds since 1970."""
        self._waiting[channel] = messages, oldest

    def sent(self, channel: str, messages: int) -> None:
        """Record that a channel accepted messages."""
        self._sent.labels(channel).inc(messages)

    def given_up(self, channel: str, messages: int) -> None:
        """Record that messages to a channel were abandoned."""
        self._given_up.labels(channel).inc(messages)

    def outbox(self) -> dict[str, tuple[int, float]]:
        """For each channel, how many messages wait, and the age of the oldest one in seconds; 0 if none waits."""
        now = self._clock()
        return {
            channel: (count, max(now - oldest, 0.0) if count else 0.0)
            for channel, (count, oldest) in self._waiting.items()
        }

    def _counter(self, name: str, meaning: str) -> Counter:
        return Counter(f"tickflow_messages_{name}", meaning, ("channel",), registry=self.registry)


class _Collector(Collector):
    def __init__(self, telemetry: NotifierTelemetry) -> None:
        self._telemetry = telemetry

    def collect(self) -> Iterator[Metric]:
        count = GaugeMetricFamily("tickflow_outbox_messages", "Messages that wait for a channel.", labels=["channel"])
        age = GaugeMetricFamily(
            "tickflow_outbox_oldest_seconds", "Age of the oldest message that waits for a channel.", labels=["channel"]
        )
        for channel, (messages, seconds) in self._telemetry.outbox().items():
            count.add_metric([channel], messages)
            age.add_metric([channel], seconds)
        yield from (count, age)
        ready = self._telemetry.health.is_ready
        yield GaugeMetricFamily("tickflow_ready", "1 while alerts are read.", value=ready)
