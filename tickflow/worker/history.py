"""The newest prices of each symbol, for console and summary."""

from array import array
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Self

LARGE = 2_000
"""From this size on a deque is used: an array moves all its prices for each new one, and that CPU time costs more than
the saved memory is worth.
"""


def of_size(maxlen: int) -> "History | deque[float]":
    """An empty container for the last `maxlen` prices."""
    return History(maxlen) if maxlen < LARGE else deque(maxlen=maxlen)


class History(array):  # type: ignore[type-arg]  # its items are floats; Python 3.11 has no array[float] at run time
    """The last `maxlen` prices, oldest first: what a `deque` of floats holds, in a quarter of the memory.

    >>> history = History(2)
    >>> for price in (1.0, 2.0, 3.0):
    ...     history.append(price)
    >>> list(history)
    [2.0, 3.0]
    """

    __slots__ = ("maxlen",)
    maxlen: int

    def __new__(cls, maxlen: int) -> Self:  # noqa: D102
        history: Self = super().__new__(cls, "d")  # type: ignore[assignment]  # its stub says array[float]
        history.maxlen = maxlen
        return history

    def append(self, price: float) -> None:
        """Append the newest price; drop the oldest price if there are too many."""
        self.extend((price,))

    def extend(self, prices: Iterable[float]) -> None:
        """Append the newest prices, oldest first; drop the oldest ones if there are too many."""
        super().extend(prices)
        del self[: max(0, len(self) - self.maxlen)]


def remember(histories: Mapping[str, History | deque[float]], symbols: Sequence[str], prices: Sequence[float]) -> None:
    """Append the prices to the histories of their symbols, with one call per symbol: one call per price would cost
    three times as much.
    """
    news: defaultdict[str, list[float]] = defaultdict(list)
    for symbol, price in zip(symbols, prices, strict=True):
        news[symbol].append(price)
    for symbol, newest in news.items():
        histories[symbol].extend(newest)
