"""The metrics and the health of the dashboard."""

import threading
import time
from collections.abc import Callable, Iterator

from flask import Flask, Response, g, request
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tickflow.errors import Stopped, StoreError
from tickflow.telemetry.health import Health, Report, State

VIEWER_SECONDS = 30.0
"""After this many seconds without a request, a browser no longer counts as a viewer."""
MAX_VIEWERS = 1_000
PROBE_LOOK_SECONDS = 5.0
"""A new probe's age is measured only if the page was read at most this many seconds earlier, and did not have the probe
yet: otherwise it could have had the probe for longer.
"""
ASK_SECONDS = 2.0
ANSWER_SECONDS = 8.0
"""After this many seconds without an answer the store counts as down, even if the request is still waiting."""
DATA_PATH = "_dash-update-component"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class PageTelemetry:
    """What the dashboard reports; `clock` is in seconds, monotonic, `wall` in ns since 1970."""

    def __init__(
        self, version: str, clock: Callable[[], float] = time.monotonic, wall: Callable[[], int] = time.time_ns
    ) -> None:
        self.health = Health(clock)
        self.registry = CollectorRegistry()
        self._clock, self._wall = clock, wall
        self._viewers: dict[str, float] = {}
        ProcessCollector(registry=self.registry)
        self.registry.register(_Viewers(self))
        Gauge("tickflow_build_info", "The program.", ("version",), registry=self.registry).labels(version).set(1)
        self._seconds = Histogram(
            "tickflow_page_request_seconds",
            "Time to answer one request for data.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._probe_ns: int | None = None
        self._probe_looked = -PROBE_LOOK_SECONDS
        self._probe_seconds = Histogram(
            "tickflow_probe_shown_seconds",
            "Age of a probe when the page first had it.",
            buckets=(*_SECONDS, 10.0, 30.0),
            registry=self.registry,
        )
        self._answers = Counter("tickflow_page_answers", "Answers by status.", ("status",), registry=self.registry)
        self.health.note(Report(State.WAITING_FOR_STORE, "connecting to the store"), patient=True)

    def answered(self, viewer: str, status: int, seconds: float, *, is_data: bool) -> None:
        """Note one answered request of `viewer`; only requests for data are timed."""
        self._answers.labels(f"{status // 100}xx").inc()
        if is_data:
            self._seconds.observe(seconds)
            if viewer in self._viewers or len(self._viewers) < MAX_VIEWERS:
                self._viewers[viewer] = self._clock()

    def shown(self, probe_ns: int) -> None:
        """Record that a page was read, and the event time of the newest probe in it."""
        before, looked, now = self._probe_ns, self._probe_looked, self._clock()
        self._probe_ns, self._probe_looked = probe_ns, now
        if before is not None and probe_ns > before and now - looked <= PROBE_LOOK_SECONDS:
            self._probe_seconds.observe(max(0, self._wall() - probe_ns) / 1e9)

    def follow(self, statuses: Callable[[], object], stop: threading.Event) -> None:
        """Read the workers' statuses from the store repeatedly until `stop` is set; runs in a separate thread."""
        while not stop.is_set():
            try:
                statuses()
            except StoreError as error:
                self.health.note(Report(State.WAITING_FOR_STORE, str(error)), patient=True)
            except Stopped:
                return
            else:
                self.health.note(Report(State.FINE, "the store answers"), patient=True, ready_seconds=ANSWER_SECONDS)
            stop.wait(ASK_SECONDS)

    @property
    def viewers(self) -> int:
        """How many browsers requested data recently."""
        oldest = self._clock() - VIEWER_SECONDS
        self._viewers = {name: at for name, at in list(self._viewers.items()) if at >= oldest}
        return len(self._viewers)


def watch(app: Flask, telemetry: PageTelemetry) -> None:
    """Let `telemetry` see every request of the page."""

    def begin() -> None:
        g.began = time.perf_counter()

    def end(response: Response) -> Response:
        began = g.get("began")
        if began is not None:
            viewer = f"{request.remote_addr} {request.user_agent.string[:200]}"
            is_data = request.path.endswith(DATA_PATH)
            telemetry.answered(viewer, response.status_code, time.perf_counter() - began, is_data=is_data)
        return response

    app.before_request(begin)
    app.after_request(end)


class _Viewers(Collector):
    def __init__(self, telemetry: PageTelemetry) -> None:
        self._telemetry = telemetry

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("tickflow_page_viewers", "Browsers that asked for data.", value=self._telemetry.viewers)
        yield GaugeMetricFamily("tickflow_ready", "1 while the store answers.", value=self._telemetry.health.is_ready)
