"""Everything that can go wrong on purpose.

    TickflowError
    ├── SettingError            a setting or a flag is wrong: exit code 2
    ├── Stopped                 asked to stop while waiting
    ├── SourceError             a source cannot deliver, and says why
    ├── LogError                the tick log
    │   ├── LogUnavailable      away for now: try again
    │   └── NotAcknowledged     records that were sent, but that the log never confirmed
    ├── Overloaded              the page has more requests than it can answer
    └── StoreError              the metrics store
        ├── StoreUnavailable    away or overloaded for now: try again
        └── StoreMisconfigured  it answers, and refuses: a person must change something

Each carries its data as attributes and is a sentence for a person when printed.
"""


class TickflowError(Exception):
    """The base of all errors of this project."""


class SettingError(TickflowError):
    """A setting is missing or malformed: names the key, the value and what was expected."""

    def __init__(self, key: str, value: str | None, expected: str) -> None:
        self.key = key
        self.value = value
        self.expected = expected
        found = "is not set" if value is None else f"is {value!r}"
        super().__init__(f"{key} {found}; expected {expected}.")


class Stopped(TickflowError):
    """The process was asked to stop while it waited for something."""


class SourceError(TickflowError):
    """A source cannot deliver ticks; the sentence says why and what to do."""


class LogError(TickflowError):
    """The tick log failed."""


class LogUnavailable(LogError):
    """The tick log cannot be reached for now."""


class NotAcknowledged(LogError):
    """Records were handed to the log, which did not confirm them.

    `count` is how many; `cause` is the first reason given. Of these, `refused` (by default all) will never be
    confirmed, the others are still on their way: a later flush may find them confirmed.
    """

    def __init__(self, count: int, cause: str, refused: int | None = None) -> None:
        self.count = count
        self.cause = cause
        self.refused = count if refused is None else refused
        super().__init__(f"{count:,} records were not acknowledged: {cause}")


class Overloaded(TickflowError):
    """The page has more to do than it may; the sentence says what to do."""


class StoreError(TickflowError):
    """The metrics store failed."""


class StoreUnavailable(StoreError):
    """The store cannot be reached, or asked for patience; `retry_after` is its own wish in seconds, if it had one."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class StoreMisconfigured(StoreError):
    """The store answers and refuses for a reason that only a person can remove."""
