"""Sign-in sessions, kept on the server; a cookie holds only the session's random key."""

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

IDLE_SECONDS = 8 * 3600.0
LONGEST_SECONDS = 24 * 3600.0
MAX_SESSIONS = 1_000
COOKIE = "__Host-tickflow"


@dataclass(slots=True)
class Session:
    """One sign-in: the user, the stamp of the account at sign-in, and when the session began and was last used
    (monotonic).
    """

    name: str
    stamp: str
    begun: float
    seen: float


class Sessions:
    """All sessions; if there are too many, the session that has been idle longest ends. Thread-safe."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}

    def begin(self, name: str, stamp: str) -> str:
        """Begin a session; return its key of 256 random bits. An earlier cookie never determines the key (session
        fixation).
        """
        key, now = secrets.token_urlsafe(32), self._monotonic()
        with self._lock:
            if len(self._sessions) >= MAX_SESSIONS:
                del self._sessions[min(self._sessions, key=lambda each: self._sessions[each].seen)]
            self._sessions[key] = Session(name, stamp, now, now)
        return key

    def find(self, key: str | None) -> Session | None:
        """The session with the key `key`, unless it has ended."""
        now = self._monotonic()
        with self._lock:
            found = self._sessions.get(key) if key else None
            if found is None:
                return None
            if now - found.seen > IDLE_SECONDS or now - found.begun > LONGEST_SECONDS:
                del self._sessions[key or ""]
                return None
            found.seen = now
            return found

    def end(self, key: str | None) -> None:
        """End the session with the key `key`, if there is one."""
        with self._lock:
            self._sessions.pop(key or "", None)
