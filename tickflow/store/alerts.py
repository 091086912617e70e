"""Where alerts are kept: the measurement `stock_anomalies`, or the table `store_anomalies` of the embedded file.

An alert is written again whenever it changes, over itself; what is not known keeps what is there.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from tickflow.alerts.alert import Alert


class AlertStore(ABC):
    """Alerts by (symbol, detector, time). Calls may raise `StoreUnavailable` and `StoreMisconfigured`."""

    where: str
    """For messages: what it is and which setting names it."""

    @abstractmethod
    def write(self, alerts: Sequence[Alert]) -> None:
        """Store the alerts, one attempt: they are stored when it returns. Without `notified` that stays as it is."""

    @abstractmethod
    def mark_notified(self, alerts: Sequence[Alert]) -> None:
        """Note that messages about these stored alerts were sent; nothing else of them changes."""

    @abstractmethod
    def alerts(
        self, since_ns: int, until_ns: int | None = None, count: int | None = None, symbols: Sequence[str] | None = None
    ) -> list[Alert]:
        """The alerts from `since_ns` on, before `until_ns`, in the order of time; of `count` the newest ones.

        Those of `symbols` alone, where given. What is not stored of an alert (`said` and the like) has its default.
        """

    @abstractmethod
    def close(self) -> None:
        """Close all connections."""
