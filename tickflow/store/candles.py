"""Candles: the first, highest, lowest and last price of a symbol in steps of equal length."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Candles:
    """The ticks of one symbol in steps of equal length, as columns; steps without a tick are left out.

    `time_ns` is the start of a step, a multiple of its length since 1970; `open` and `close` are the first and last
    price of the step, `volume` is the sum of its volumes, `ticks` the number of its ticks.
    """

    time_ns: npt.NDArray[np.int64]
    open: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    low: npt.NDArray[np.float64]
    close: npt.NDArray[np.float64]
    volume: npt.NDArray[np.float64]
    ticks: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.time_ns)

    @classmethod
    def from_rows(cls, rows: Sequence[Sequence[object]]) -> Self:
        """Candles from rows whose items are in the order of this class's attributes."""
        columns: list[Sequence[object]] = list(zip(*rows, strict=True)) or [()] * 7
        time_ns, ticks = (np.array(columns[at], dtype=np.int64) for at in (0, 6))
        first, high, low, last, volume = (np.array(columns[at], dtype=np.float64) for at in range(1, 6))
        return cls(time_ns, first, high, low, last, volume, ticks)
