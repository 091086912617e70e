"""Stores alerts: in the measurement `stock_anomalies`, or in the table `store_anomalies` of the embedded file.

A changed alert overwrites its stored form; values that are unknown leave the stored ones unchanged.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from tickflow.alerts.alert import Alert


class AlertStore(ABC):
    """Alerts by (symbol, detector, time). Calls may raise `StoreUnavailable` and `StoreMisconfigured`."""

    where: str
    """The store and the setting that names it, for messages."""

    @abstractmethod
    def write(self, alerts: Sequence[Alert]) -> None:
        """Store the alerts in one attempt; they are stored when this returns. If `notified` is unknown, the field is
        unchanged.
        """

    @abstractmethod
    def mark_notified(self, alerts: Sequence[Alert], *, sent: bool = True) -> None:
        """Record that messages about these stored alerts were sent or abandoned; no other field changes."""

    @abstractmethod
    def alerts(
        self, since_ns: int, until_ns: int | None = None, count: int | None = None, symbols: Sequence[str] | None = None
    ) -> list[Alert]:
        """The alerts in [`since_ns`, `until_ns`), in time order; with `count`, only the newest `count`.

        With `symbols`, only the alerts of these symbols. Attributes that are not stored (such as `said`) have their
        defaults.
        """

    @abstractmethod
    def close(self) -> None:
        """Close all connections."""
