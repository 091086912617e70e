"""The telemetry of a worker, including what a separate connection to the log looks up: the age of unread records, and
the ends of the log while the worker is busy.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tickflow.errors import LogUnavailable, Stopped
from tickflow.telemetry.serving import TelemetrySettings, serving
from tickflow.telemetry.worker import WorkerTelemetry, follow_lag
from tickflow.ticklog.base import Bounds, TickLog

_logger = logging.getLogger(__name__)


@contextmanager
def serving_worker(
    settings: TelemetrySettings, telemetry: WorkerTelemetry, open_log: Callable[[], TickLog], stop: threading.Event
) -> Iterator[None]:
    """Like `serving`, for a worker; a second log, made by `open_log`, looks up unread records and the ends."""
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

    def end_of(partition: int) -> int | None:
        try:
            return log.bounds(partition, log.topic).end
        except LogUnavailable as error:
            _logger.debug("the end of partition %d is not known: %s", partition, error)
        return None

    try:
        with log:
            log.connect(create=False)
            follow_lag(telemetry, end_of, append_ms, stop)
    except Stopped:
        return
