"""Summarises a long time range in as many columns as the screen has pixels: what each column's line, bar and marks
need.

Nothing visible is lost: each column has the first, highest, lowest and last price, the sum of the volume, the range of
each measure, the number of ticks and of anomalies, and the strength of the strongest anomaly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from tickflow.metrics.fields import TABLE
from tickflow.metrics.points import Points

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MEASURES = tuple(each.name for each in TABLE if each.line is not None and each.name != "price")
"""The fields that are drawn as lines beside the price."""
PLAIN = ("time_ns", "open", "high", "low", "close", "volume", "ticks", "anomalies", "strength")


@dataclass(frozen=True, slots=True)
class Pixels:
    """A symbol's points in columns of equal width; columns without a point are left out.

    `time_ns` is where a column begins, a multiple of its width since 1970. `strength` is the largest distance of an
    anomaly's price from its MA10, as a share of MA10, NaN where there is none. `lows` and `highs` have the range of
    each of `MEASURES`, by name, NaN where no point of the column has that measure.
    """

    time_ns: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    ticks: Ints
    anomalies: Ints
    strength: Floats
    lows: dict[str, Floats]
    highs: dict[str, Floats]

    def __len__(self) -> int:
        return len(self.time_ns)

    @classmethod
    def from_rows(cls, rows: Sequence[Sequence[object]]) -> Self:
        """Columns from rows: the values of `PLAIN`, then lowest and highest of each measure, `None` for absent ones."""
        count = len(PLAIN) + 2 * len(MEASURES)
        columns: list[Sequence[object]] = list(zip(*rows, strict=True)) or [()] * count
        whole = {"time_ns", "ticks", "anomalies"}
        plain = {
            name: np.array(column, dtype=np.int64 if name in whole else np.float64)
            for name, column in zip(PLAIN, columns, strict=False)
        }
        ranges = [np.array(column, dtype=np.float64) for column in columns[len(PLAIN) :]]
        lows, highs = (dict(zip(MEASURES, ranges[side::2], strict=True)) for side in (0, 1))
        return cls(**plain, lows=lows, highs=highs)  # type: ignore[arg-type]  # by name, of the type given above


def strength(points: Points) -> Floats:
    """The strength of an anomaly: how far its price lies from its MA10, as a share of MA10."""
    result: Floats = np.abs(points.price / points.ma_10 - 1)
    return result


def strongest_columns(pixels: Pixels, most: int, width_ns: int, apart: int) -> Ints:
    """The columns whose strongest anomaly is marked: the strongest first, `most` at most, at least `apart` columns
    between two.

    >>> rows = [(at, 1.0, 1.0, 1.0, 1.0, 0.0, 1, 1, power, *[None] * 2 * len(MEASURES))
    ...         for at, power in ((0, 0.1), (1, 0.3), (2, 0.2), (9, 0.1))]
    >>> strongest_columns(Pixels.from_rows(rows), 2, 1, 2).tolist()
    [1, 3]
    """
    chosen: list[int] = []
    taken = np.empty(0, dtype=np.int64)
    place = pixels.time_ns // width_ns
    for at in np.argsort(-np.nan_to_num(pixels.strength, nan=-1.0), kind="stable"):
        if len(chosen) >= most or not pixels.strength[at] >= 0:
            break
        if not len(taken) or np.abs(taken - place[at]).min() >= apart:
            chosen.append(int(at))
            taken = np.append(taken, place[at])
    return np.sort(np.array(chosen, dtype=np.int64))
