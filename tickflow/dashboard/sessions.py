"""Sign-in sessions, kept on the server; a cookie holds only the session's random key."""

import secrets
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

IDLE_SECONDS = 8 * 3600.0
LONGEST_SECONDS = 24 * 3600.0
MAX_SESSIONS = 1_000
COOKIE = "__Host-tickflow"


@dataclass(slots=True)
class Session:
    """One sign-in: its number for forms, which is not its key; the user, the stamp of the account and the client's
    address at sign-in; and when the session began and was last used (monotonic).
    """

    id: str
    name: str
    stamp: str
    address: str
    begun: float
    seen: float

    def is_over(self, now: float) -> bool:
        """Whether the session is too old or has been idle for too long."""
        return now - self.seen > IDLE_SECONDS or now - self.begun > LONGEST_SECONDS


class Sessions:
    """All sessions; if there are too many, the session that has been idle longest ends. Thread-safe."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}

    @property
    def now(self) -> float:
        """The time by the clock of the sessions."""
        return self._monotonic()

    def begin(self, name: str, stamp: str, address: str) -> str:
        """Begin a session; return its key of 256 random bits. An earlier cookie never determines the key (session
        fixation).
        """
        key, now = secrets.token_urlsafe(32), self._monotonic()
        with self._lock:
            if len(self._sessions) >= MAX_SESSIONS:
                del self._sessions[min(self._sessions, key=lambda each: self._sessions[each].seen)]
            self._sessions[key] = Session(secrets.token_hex(8), name, stamp, address, now, now)
        return key

    def find(self, key: str | None) -> Session | None:
        """The session with the key `key`, unless it has ended."""
        now = self._monotonic()
        with self._lock:
            found = self._sessions.get(key) if key else None
            if found is None:
                return None
            if found.is_over(now):
                del self._sessions[key or ""]
                return None
            found.seen = now
            return found

    def of(self, name: str, stamp: str) -> list[Session]:
        """The sessions of a user that began with this stamp of the account, the most recently used first."""
        now = self._monotonic()
        with self._lock:
            found = [
                each
                for each in self._sessions.values()
                if (each.name, each.stamp) == (name, stamp) and not each.is_over(now)
            ]
        return sorted(found, key=lambda each: -each.seen)

    def end_of(self, name: str, ids: Collection[str]) -> int:
        """End those sessions of the user whose `id` is among `ids`; return their number."""
        with self._lock:
            keys = [key for key, each in self._sessions.items() if each.name == name and each.id in ids]
            for key in keys:
                del self._sessions[key]
        return len(keys)

    def end(self, key: str | None) -> None:
        """End the session with the key `key`, if there is one."""
        with self._lock:
            self._sessions.pop(key or "", None)
