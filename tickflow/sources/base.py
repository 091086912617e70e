"""What every source of ticks can do."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from tickflow.ticks.tick import Tick

Wait = Callable[[float], bool]
"""A function that waits that many seconds, or until the process is asked to stop; it returns whether it was."""


class Source(Protocol):
    """A source of ticks."""

    @property
    def what(self) -> str:
        """What is streamed and from where, for the first log line."""
        ...

    @property
    def symbols(self) -> Sequence[str]:
        """The symbols that may have more ticks; empty if the source cannot know them."""
        ...

    def batches(self, wait: Wait) -> Iterator[Sequence[Tick]]:
        """Yield batches of the ticks that are due; between two batches the source waits by calling `wait`.

        Ends when there are no more ticks, or when `wait` returns true. Raises `SourceError` when it cannot continue, or
        at its end if part of its data was unusable.
        """
        ...

    def progress(self) -> str:
        """The progress in a few words; empty if the source has no end."""
        ...
