"""A store that keeps nothing, for workers and notifiers that only raise alerts (`--alerts-only`)."""

import threading
from collections.abc import Sequence

from tickflow.alerts.alert import Alert
from tickflow.metrics.points import Points
from tickflow.store.alerts import AlertStore
from tickflow.store.base import PointReader, PointWriter, StatusBoard, WorkerStatus, Written

WHERE = "no store (--alerts-only)"


class NowhereStore(PointWriter, PointReader, StatusBoard):
    """Accepts points and statuses, and discards them; reads find nothing."""

    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop
        self.where = WHERE

    def connect(self) -> None:
        """Return at once: there is nothing to wait for."""

    def close(self) -> None:
        """Do nothing: there is nothing to close."""

    def write(self, points: Points) -> Written:  # noqa: D102 - documented in PointWriter, PointReader and StatusBoard
        return Written(len(points))

    def write_status(self, status: WorkerStatus) -> None:  # noqa: D102
        pass

    def statuses(self) -> list[WorkerStatus]:  # noqa: D102
        return []

    def points(  # noqa: D102
        self, symbol: str, since_ns: int, until_ns: int | None = None, most: int | None = None
    ) -> Points:
        return Points.from_rows([])

    def newest(self, symbol: str, count: int, until_ns: int | None = None) -> Points:  # noqa: D102
        return Points.from_rows([])

    def latest(  # noqa: D102
        self, symbols: Sequence[str] | None = None, most: int | None = None, until_ns: int | None = None
    ) -> Points:
        return Points.from_rows([])

    def count(self, symbol: str, since_ns: int, until_ns: int) -> int:  # noqa: D102
        return 0

    def first_prices(  # noqa: D102
        self, since_ns: int, symbols: Sequence[str] | None = None, until_ns: int | None = None
    ) -> dict[str, float]:
        return {}

    def keeps(self, time_ns: int, appended_ms: int) -> bool:  # noqa: D102
        return False


class NowhereAlerts(AlertStore):
    """Accepts alerts and discards them; they are still published to the topic."""

    where = WHERE

    def write(self, alerts: Sequence[Alert]) -> None:  # noqa: D102 - documented in AlertStore, like all below
        pass

    def mark_notified(self, alerts: Sequence[Alert], *, sent: bool = True) -> None:  # noqa: D102
        pass

    def alerts(  # noqa: D102
        self, since_ns: int, until_ns: int | None = None, count: int | None = None, symbols: Sequence[str] | None = None
    ) -> list[Alert]:
        return []

    def close(self) -> None:  # noqa: D102
        pass
