"""A selection of the points of a long range: the highest and lowest point of each step, and all anomalies."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from tickflow.metrics.points import Points

MAX_ANOMALIES = 10_000
"""The maximum number of anomalies in a digest; older ones are left out, since more would not fit on a screen."""


@dataclass(frozen=True, slots=True)
class Digest:
    """Points of one symbol that represent all `total` points of a range, in time order.

    They are the highest and the lowest point of each step (all steps are equal), the first and the last point of the
    range, and all anomalies. Each is a stored point with its own time. `volume` is the point's own volume; the last
    point of a step also carries the volume of the points left out in that step, so that the total is kept. `cut` says
    whether anomalies were left out.
    """

    points: Points
    volume: npt.NDArray[np.float64]
    total: int
    cut: bool


@dataclass(frozen=True, slots=True)
class Outline:
    """Some columns of the points of a `Digest`: enough for a small chart, and faster to read."""

    time_ns: npt.NDArray[np.int64]
    price: npt.NDArray[np.float64]
    is_anomaly: npt.NDArray[np.bool_]
    source: Sequence[str]

    def __len__(self) -> int:
        return len(self.time_ns)

    @classmethod
    def from_rows(cls, rows: Sequence[tuple[int, float, bool | None, str]]) -> Self:
        """The outline from rows (time, price, whether it is an anomaly, source) in time order."""
        time_ns, price, flags, source = zip(*rows, strict=True) if rows else ((), (), (), ())
        return cls(np.array(time_ns, np.int64), np.array(price, np.float64), np.array(flags, np.bool_), source)


def step_width(since_ns: int, until_ns: int, steps: int) -> int:
    """The width, in ns, with which `steps` equal steps cover the range.

    Steps begin at multiples of this width, counted from 1970. So the first step may begin before the range; then
    `steps` + 1 steps are needed to cover it.
    """
    return max(1, -(-(until_ns - since_ns) // steps))


def digest(points: Points, width_ns: int, sums: Sequence[tuple[int, float, int]]) -> Digest:
    """The digest that consists of `points`, which are already chosen, in time order and without duplicates.

    `sums` has a row for each step of `width_ns`: the step's start (a multiple of `width_ns`, counted from 1970), and
    the total volume and the number of its points, including those that were not chosen.
    """
    columns = list(zip(*sums, strict=True))
    begins, counts = (np.array(columns[at], dtype=np.int64) for at in (0, 2))
    volumes = np.array(columns[1], dtype=np.float64)
    step = np.searchsorted(begins, points.time_ns // width_ns * width_ns)
    step = np.minimum(step, len(begins) - 1)  # a point may have arrived between the two queries
    chosen = np.bincount(step, minlength=len(begins))
    left_out = volumes - np.bincount(step, weights=points.volume, minlength=len(begins))
    left_out[chosen >= counts] = 0  # no point was left out: the rest is the rounding error of two sums
    volume = points.volume.copy()
    last = np.flatnonzero(np.diff(step, append=-1))
    volume[last] += np.maximum(0, left_out)[step[last]]
    return Digest(points, volume, int(counts.sum()), int(points.is_anomaly.sum()) >= MAX_ANOMALIES)
