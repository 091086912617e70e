"""Log lines: one per event, in UTC, without control characters, and at most ten of the same kind per second."""

import json
import logging
import re
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

MOST_LINES_PER_SECOND = 10
MOST_KINDS = 1_000
FORMAT = "%(asctime)s %(levelname)s %(message)s"

# This includes characters that end a line outside terminals, and characters that change the direction of text.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")


def one_line(text: str) -> str:
    r"""The text with each control character escaped, so that it stays one line and cannot forge another.

    >>> one_line("AAPL\n\x1b[31mERROR forged")
    'AAPL\\n\\x1b[31mERROR forged'
    """
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], text)


class LineFormatter(logging.Formatter):
    """Formats a record as one line; the lines of a traceback are joined."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - logging's name
        """The time of the record in UTC, to the millisecond, with the zone."""
        return datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"

    def formatException(self, ei: object) -> str:  # noqa: N802 - logging's name
        """A traceback in one line."""
        text: str = super().formatException(ei)  # type: ignore[arg-type]  # its type is not exported by logging
        return " | ".join(line.strip() for line in text.splitlines())

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line."""
        record.message = record.getMessage()
        record.asctime = self.formatTime(record)
        parts = [self.formatMessage(record)]
        if record.exc_info and record.exc_info[0] is not None:
            parts.append(self.formatException(record.exc_info))
        if record.stack_info:
            parts.append(" | ".join(line.strip() for line in record.stack_info.splitlines()))
        if left_out := getattr(record, LEFT_OUT, 0):
            parts.append(f"(and {left_out:,} more of this kind, left out)")
        return one_line(" ".join(parts))


LEFT_OUT = "left_out"
_STANDARD = frozenset({*logging.LogRecord("", 0, "", 0, "", (), None).__dict__, "message", "asctime", LEFT_OUT})


class JsonFormatter(LineFormatter):
    """Formats a record as one JSON object in one line: time, level, name, message, and the values in `extra`."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def format(self, record: logging.LogRecord) -> str:
        """The record as a JSON object."""
        fields: dict[str, object] = {
            "time": self.formatTime(record),
            "level": record.levelname,
            "name": self._name or record.name,
            "message": record.getMessage(),
            **{key: value for key, value in record.__dict__.items() if key not in _STANDARD},
        }
        if record.exc_info and record.exc_info[0] is not None:
            fields["exception"] = self.formatException(record.exc_info)
        if left_out := getattr(record, LEFT_OUT, 0):
            fields[LEFT_OUT] = left_out
        return json.dumps(fields, default=str)  # the result is ASCII, so no control character remains unescaped


class Throttle(logging.Filter):
    """Passes ten records per second and kind; a kind is one logger, level and message template.

    The next record of the kind says how many were left out. DEBUG lines are not limited, since somebody has requested
    them.
    """

    def __init__(self, most: int = MOST_LINES_PER_SECOND, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._most = most
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._kinds: dict[
            tuple[str, int, str], list[float]
        ] = {}  # by kind: when its current second began, and how many records passed or were left out since

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record may be logged."""
        if record.levelno < logging.INFO:
            return True
        message = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
        now = self._monotonic()
        with self._lock:
            if len(self._kinds) >= MOST_KINDS:
                self._kinds.clear()
            window = self._kinds.setdefault((record.name, record.levelno, message), [now, 0, 0])
            if now - window[0] >= 1:
                setattr(record, LEFT_OUT, int(window[2]))
                window[:] = [now, 0, 0]
            window[1] += 1
            if window[1] <= self._most:
                return True
            window[2] += 1
            return False
