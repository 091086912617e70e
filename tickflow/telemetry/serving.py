"""Serves telemetry as the settings say: at `METRICS_PORT` if that is set, and nowhere else."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from tickflow.telemetry.health import Health

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


class TelemetrySettings(Protocol):
    """The settings that say where telemetry is served; `config.Settings` has them."""

    @property
    def metrics_host(self) -> str: ...  # noqa: D102 - .env.example documents each of these settings
    @property
    def metrics_port(self) -> int | None: ...  # noqa: D102


class Telemetry(Protocol):
    """What any script has to report."""

    registry: "CollectorRegistry"
    health: Health


@contextmanager
def serving(settings: TelemetrySettings, telemetry: Telemetry) -> Iterator[None]:
    """Serve a script's metrics and health during the block, if `METRICS_PORT` is set. Raises `SettingError` for
    the port.
    """
    if settings.metrics_port is None:
        yield
        return
    from tickflow.telemetry.server import TelemetryServer  # loads prometheus_client: not needed to refuse a setting

    with TelemetryServer(settings.metrics_host, settings.metrics_port, telemetry.registry, telemetry.health):
        yield
