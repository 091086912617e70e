"""Ticks as columns of equal length, in the order in which they are published."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from tickflow.ticks.tick import Tick

US_TO_DATETIME = "datetime64[us]"


@dataclass(frozen=True)
class Columns:
    """For each row, the time in microseconds since 1970, price, volume (NaN if absent), symbol, and line number."""

    time_us: npt.NDArray[np.int64]
    prices: npt.NDArray[np.float64]
    volumes: npt.NDArray[np.float64]
    symbols: npt.NDArray[Any]
    lines: npt.NDArray[np.int64]
    source: str = "replay"

    def __len__(self) -> int:
        return len(self.time_us)

    def take(self, which: Any) -> "Columns":
        """The rows that a mask, a slice or indexes select."""
        return Columns(
            *(self.time_us[which], self.prices[which], self.volumes[which], self.symbols[which], self.lines[which]),
            self.source,
        )

    def ticks(self) -> list[Tick]:
        """The rows as ticks."""
        times: list[datetime] = self.time_us.astype(US_TO_DATETIME).tolist()
        source = self.source
        return [
            Tick(symbol, price, time.replace(tzinfo=UTC), volume, source=source)
            for symbol, price, time, volume in zip(
                self.symbols.tolist(), self.prices.tolist(), times, _volumes(self.volumes), strict=True
            )
        ]


def _volumes(volumes: npt.NDArray[np.float64]) -> Sequence[Any]:
    """The volumes as Python values: integers where they are whole, `None` where they are absent."""
    absent = np.isnan(volumes)
    if not absent.any():
        if (np.mod(volumes, 1) == 0).all():
            whole: list[int] = volumes.astype(np.int64).tolist()
            return whole
    elif absent.all():
        return [None] * len(volumes)
    return [None if value != value else int(value) if value.is_integer() else value for value in volumes.tolist()]


def joined(parts: Sequence[Columns]) -> Columns:
    """The rows of several batches, one batch after another."""
    if len(parts) == 1:
        return parts[0]
    return Columns(
        np.concatenate([part.time_us for part in parts]),
        np.concatenate([part.prices for part in parts]),
        np.concatenate([part.volumes for part in parts]),
        np.concatenate([part.symbols for part in parts]),
        np.concatenate([part.lines for part in parts]),
        parts[0].source,
    )


def symbols_of(cells: Sequence[str]) -> npt.NDArray[Any]:
    """Texts as an array of objects."""
    found = np.empty(len(cells), dtype=object)
    found[:] = cells
    return found
