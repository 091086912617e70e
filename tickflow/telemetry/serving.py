"""Telemetry as the settings want it: served at `METRICS_PORT` if that is set, and at no other address."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from prometheus_client import CollectorRegistry

from tickflow.errors import LogUnavailable, Stopped
from tickflow.telemetry.health import Health
from tickflow.telemetry.server import TelemetryServer
from tickflow.telemetry.worker import WorkerTelemetry, follow_unknown_lag
from tickflow.ticklog.base import Bounds, TickLog

_logger = logging.getLogger(__name__)


class TelemetrySettings(Protocol):
    """The settings that say where telemetry is served; `config.Settings` has them."""

    @property
    def metrics_host(self) -> str: ...  # noqa: D102 - each is a key of .env.example
    @property
    def metrics_port(self) -> int | None: ...  # noqa: D102


class Telemetry(Protocol):
    """What any script has to report."""

    registry: CollectorRegistry
    health: Health


@contextmanager
def serving(settings: TelemetrySettings, telemetry: Telemetry) -> Iterator[None]:
    """Serve a script's metrics and health meanwhile, if `METRICS_PORT` is set. Raises `SettingError` for the port."""
    if settings.metrics_port is None:
        yield
        return
    with TelemetryServer(settings.metrics_host, settings.metrics_port, telemetry.registry, telemetry.health):
        yield


@contextmanager
def serving_worker(
    settings: TelemetrySettings, telemetry: WorkerTelemetry, open_log: Callable[[], TickLog], stop: threading.Event
) -> Iterator[None]:
    """The same for a worker; a log of its own, from `open_log`, says how old the records are that wait unread."""
    with serving(settings, telemetry):
        if settings.metrics_port is not None:
            threading.Thread(target=_follow, args=(telemetry, open_log(), stop), name="lag", daemon=True).start()
        yield


def _follow(telemetry: WorkerTelemetry, log: TickLog, stop: threading.Event) -> None:
    def append_ms(partition: int, offset: int) -> int | None:
        try:
            for records in log.read(partition, Bounds(offset, offset + 1)):
                return records[0].timestamp if records else None
        except LogUnavailable as error:
            _logger.debug("the append time of partition %d, offset %d is not known: %s", partition, offset, error)
        return None

    try:
        with log:
            log.connect(create=False)
            follow_unknown_lag(telemetry.lag, append_ms, stop)
    except Stopped:
        return
