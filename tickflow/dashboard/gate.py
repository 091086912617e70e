"""Connects to the store in the background, so that the page is up before the store is."""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress

from tickflow.backoff import Backoff, Saying, sleep
from tickflow.dashboard.as_of import AsOf
from tickflow.dashboard.rationed import Rationed
from tickflow.errors import SettingError, Stopped, StoreError, StoreUnavailable
from tickflow.store.base import MetricsStore

_logger = logging.getLogger(__name__)


class Gate:
    """Gives access to the store only once it is connected.

    `failed` is the error of a setting that makes connecting impossible, once it is known. `shown` is passed on to
    `Rationed`. `moment` gives the time in ns at which the page shows the store, and the jump that led there (see
    `AsOf`); `None`: the present.
    """

    def __init__(
        self,
        store: MetricsStore,
        shown: Callable[[int], None] = lambda _: None,
        moment: Callable[[], tuple[int, str] | None] = lambda: None,
    ) -> None:
        self.failed: SettingError | None = None
        self._moment = moment
        self._store = store
        self._rationed = Rationed(store, shown)
        self._open = threading.Event()
        self._trouble = ""

    def start(self) -> threading.Thread:
        """Connect in a separate thread."""
        thread = threading.Thread(target=self._connect, name="store", daemon=True)
        thread.start()
        return thread

    @property
    def store(self) -> Rationed | AsOf:
        """The store, with the limits for requests (see `rationed`), at the moment that the page shows. Raises
        `StoreUnavailable` until it is connected.
        """
        if not self._open.is_set():
            raise StoreUnavailable(self._trouble or self._store.trouble or f"{self._store.where} does not answer yet.")
        moment = self._moment()
        return self._rationed if moment is None else AsOf(self._rationed, *moment)

    def _connect(self) -> None:
        saying = Saying(_logger)
        for delay in Backoff():
            try:
                self._store.connect()
            except Stopped:
                return
            except SettingError as error:
                self.failed = error
                self._store.stop.set()
                return
            except StoreError as error:
                self._trouble = str(error)
                saying(f"waiting: {error}")
            else:
                self._open.set()
                with suppress(StoreError):  # the data are only read in advance, so a failure does no harm
                    self._store.prepare(self._store.stop)
                return
            if sleep(self._store.stop, delay):
                return
