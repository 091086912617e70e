"""What every source of ticks can do."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from tickflow.ticks.tick import Tick

Wait = Callable[[float], bool]
"""Waits that many seconds, but no longer than until the process is asked to stop; whether it was."""


class Source(Protocol):
    """Where ticks come from."""

    @property
    def what(self) -> str:
        """For the line at the start: what is streamed, and from where."""
        ...

    @property
    def symbols(self) -> Sequence[str]:
        """The symbols that more ticks may come of; empty where the source cannot know."""
        ...

    def batches(self, wait: Wait) -> Iterator[Sequence[Tick]]:
        """The ticks that are due, again and again; between two batches it waits by `wait` until more are.

        Ends when there are no more, or when `wait` says so. Raises `SourceError` when it cannot go on, or when, at
        its end, some of what it should have delivered was unusable.
        """
        ...

    def progress(self) -> str:
        """How far it is, in a few words; empty where there is no end to compare with."""
        ...
