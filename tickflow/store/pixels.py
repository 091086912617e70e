"""Summarises a long time range in as many columns as the screen has pixels, with the values that the line, the bar and
the marks of each column need.

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
"""The fields that are drawn as lines in addition to the price."""
PLAIN = ("time_ns", "open", "high", "low", "close", "volume", "ticks", "anomalies", "strength")


@dataclass(frozen=True, slots=True)
class Pixels:
    """A symbol's points in columns of equal width; columns without a point are left out.

    `time_ns` is where a column begins, a multiple of its width since 1970. `strength` is the largest distance of an
    anomaly's price from its MA10, as a share of MA10; NaN without an anomaly. `lows` and `highs` have the range of each
    of `MEASURES` by name; NaN if no point of the column has that measure.
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
        """Columns from rows: the values of `PLAIN`, then the lowest and highest value of each measure; `None` means
        absent.
        """
        count = len(PLAIN) + 2 * len(MEASURES)
        columns: list[Sequence[object]] = list(zip(*rows, strict=True)) or [()] * count
        whole = {"time_ns", "ticks", "anomalies"}
        plain = {
            name: np.array(column, dtype=np.int64 if name in whole else np.float64)
            for name, column in zip(PLAIN, columns, strict=False)
        }
        ranges = [np.array(column, dtype=np.float64) for column in columns[len(PLAIN) :]]
        lows, highs = (dict(zip(MEASURES, ranges[side::2], strict=True)) for side in (0, 1))
        return cls(**plain, lows=lows, highs=highs)  # type: ignore[arg-type]  # each by name, with its type from above


LEVELS_NS = (500_000_000, 10_000_000_000, 100_000_000_000)
"""The widths of columns that a store may keep, each a multiple of the one before."""
_FINER = 4
"""Columns are computed from stored ones that are at most this many times narrower."""


def level_for(width_ns: int) -> int | None:
    """The widest stored columns from which columns of this width can be computed exactly; `None` if there are none.

    >>> [level_for(width) for width in (100 * 10**9 * 5, 90 * 10**9, 10**9 + 1)]
    [100000000000, 10000000000, None]
    """
    fit = [level for level in LEVELS_NS if width_ns % level == 0 and width_ns >= _FINER * level]
    return fit[-1] if fit else None


def rounded(width_ns: int) -> int:
    """The next width, at most a quarter wider, whose columns can be computed from stored ones; a width too small for
    that is returned unchanged.

    >>> [rounded(width) / 1e9 for width in (2_592 * 10**9, 86_400_000_000, 2_100_000_000, 1_234)]
    [2600.0, 90.0, 2.5, 1.234e-06]
    """
    level = next((level for level in reversed(LEVELS_NS) if width_ns >= _FINER * level), 1)
    return -(-width_ns // level) * level


def joined(parts: Sequence[Pixels]) -> Pixels:
    """The columns of several time ranges in one object, in time order."""
    if not parts:
        return Pixels.from_rows([])
    plain = {name: np.concatenate([getattr(part, name) for part in parts]) for name in PLAIN}
    order = np.argsort(plain["time_ns"], kind="stable")
    lows = {name: np.concatenate([part.lows[name] for part in parts])[order] for name in MEASURES}
    highs = {name: np.concatenate([part.highs[name] for part in parts])[order] for name in MEASURES}
    return Pixels(**{name: column[order] for name, column in plain.items()}, lows=lows, highs=highs)


def combined(found: Pixels, width_ns: int) -> Pixels:
    """Columns `width_ns` wide, computed from narrower columns in time order, each of which lies within one of the wider
    columns.

    >>> rows = [(at, 1.0 + at, 3.0 + at, 1.0, 2.0, 5.0, 2, 0, None, *[None] * 2 * len(MEASURES)) for at in (0, 5, 12)]
    >>> wider = combined(Pixels.from_rows(rows), 10)
    >>> wider.time_ns.tolist(), wider.open.tolist(), wider.high.tolist(), wider.volume.tolist()
    ([0, 10], [1.0, 13.0], [8.0, 15.0], [10.0, 5.0])
    """
    if not len(found):
        return found
    step = found.time_ns // width_ns
    begins = np.flatnonzero(np.diff(step, prepend=step[0] - 1))
    ends = np.append(begins[1:], len(step)) - 1
    return Pixels(
        time_ns=step[begins] * width_ns,
        open=found.open[begins],
        high=np.maximum.reduceat(found.high, begins),
        low=np.minimum.reduceat(found.low, begins),
        close=found.close[ends],
        volume=np.add.reduceat(found.volume, begins),
        ticks=np.add.reduceat(found.ticks, begins),
        anomalies=np.add.reduceat(found.anomalies, begins),
        strength=np.fmax.reduceat(found.strength, begins),
        lows={name: np.fmin.reduceat(values, begins) for name, values in found.lows.items()},
        highs={name: np.fmax.reduceat(values, begins) for name, values in found.highs.items()},
    )


def strength(points: Points) -> Floats:
    """The strength of an anomaly: the distance of its price from its MA10, as a share of MA10."""
    result: Floats = np.abs(points.price / points.ma_10 - 1)
    return result


def strongest_columns(pixels: Pixels, most: int, width_ns: int, apart: int) -> Ints:
    """The indexes of at most `most` columns whose anomaly is marked: the strongest are chosen first, each at least
    `apart` columns from the others.

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
