"""The errors that this project raises on purpose.

    TickflowError
    ├── SettingError            a setting or a flag is wrong: exit code 2
    ├── Stopped                 asked to stop while waiting
    ├── SourceError             a source cannot deliver; the message has the reason
    ├── LogError                the tick log failed
    │   ├── LogUnavailable      the log does not answer at present: try again
    │   │   └── LogRefused      the log answers, but a permission is missing: an operator must grant it, then try again
    │   └── NotAcknowledged     records were sent, but the log never confirmed them
    ├── Overloaded              the page has more requests than it can answer
    └── StoreError              the metrics store failed
        ├── StoreUnavailable    the store does not answer or is overloaded at present: try again
        │   └── StoreSlow       the store has the request, but takes too long for it
        └── StoreMisconfigured  the store answers and refuses: an operator must change something

Each error carries its data as attributes. Its text is a message for people.
"""


class TickflowError(Exception):
    """The base of all errors of this project."""


class SettingError(TickflowError):
    """A setting is missing or malformed; the error names the key, the value and what was expected."""

    def __init__(self, key: str, value: str | None, expected: str) -> None:
        self.key = key
        self.value = value
        self.expected = expected
        found = "is not set" if value is None else f"is {value!r}"
        super().__init__(f"{key} {found}; expected {expected}.")


class Stopped(TickflowError):
    """The process was asked to stop while it waited for something."""


class SourceError(TickflowError):
    """A source cannot deliver ticks; the message says why and what to do."""


class LogError(TickflowError):
    """The tick log failed."""


class LogUnavailable(LogError):
    """The tick log cannot be reached at present."""


class LogRefused(LogUnavailable):
    """The tick log answers, but refuses a request because a permission is missing, which an operator must grant."""


class NotAcknowledged(LogError):
    """Records were passed to the log, and the log did not confirm them.

    `count` is the number of these records, `cause` the first reason that the log gave. `refused` is the number of
    those that will never be confirmed (all by default); the others are still in flight, and a later flush may find them
    confirmed.
    """

    def __init__(self, count: int, cause: str, refused: int | None = None) -> None:
        self.count = count
        self.cause = cause
        self.refused = count if refused is None else refused
        super().__init__(f"{count:,} records were not acknowledged: {cause}")


class Overloaded(TickflowError):
    """The page has more requests than it can answer; the message says what to do."""


class StoreError(TickflowError):
    """The metrics store failed."""


class StoreUnavailable(StoreError):
    """The store cannot be reached, or asks its clients to slow down; `retry_after` is the delay in seconds that the
    store asked for, if any.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class StoreSlow(StoreUnavailable):
    """The store has the request, but does not answer within the time that the request may take."""


class StoreMisconfigured(StoreError):
    """The store answers, but refuses requests until an operator changes something."""
