"""What every source of ticks can do."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from tickflow.ticks.tick import Tick

Wait = Callable[[float], bool]
"""Waits the given number of seconds, or until the process is asked to stop; returns whether it was asked."""


class Source(Protocol):
    """A source of ticks."""

    @property
    def what(self) -> str:
        """What is streamed, and from where, as text for the first log line."""
        ...

    @property
    def symbols(self) -> Sequence[str]:
        """The symbols that may have more ticks; empty if the source cannot know them."""
        ...

    def batches(self, wait: Wait) -> Iterator[Sequence[Tick]]:
        """Yield batches of the ticks that are due; between two batches the source waits by calling `wait`.

        The iterator ends when there are no more ticks, or when `wait` returns true. It raises `SourceError` when it
        cannot continue, and also at its end if part of the data was unusable.
        """
        ...

    def progress(self) -> str:
        """The progress in a few words; empty if the source has no end."""
        ...
