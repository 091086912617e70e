"""A long range in few of its points: of each of some equal steps the highest and the lowest, and all anomalies."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from tickflow.metrics.points import Points

MAX_ANOMALIES = 10_000
"""More of them, older ones, are left out: more than a screen can show."""


@dataclass(frozen=True, slots=True)
class Digest:
    """Points of a symbol that stand for all `total` points of a range, in the order of time.

    They are the highest and the lowest of each of some equal steps, the first and the last of the range, and all
    anomalies: each is one that is stored, at its own time. `volume` is what each stands for: its own, and for the last
    one of a step also that of the points left out in it, so that no volume is lost. `cut`: whether anomalies were left
    out.
    """

    points: Points
    volume: npt.NDArray[np.float64]
    total: int
    cut: bool


@dataclass(frozen=True, slots=True)
class Outline:
    """Some columns of the same points as those of a `Digest`: enough for a small chart, and read quicker."""

    time_ns: npt.NDArray[np.int64]
    price: npt.NDArray[np.float64]
    is_anomaly: npt.NDArray[np.bool_]
    source: Sequence[str]

    def __len__(self) -> int:
        return len(self.time_ns)

    @classmethod
    def from_rows(cls, rows: Sequence[tuple[int, float, bool | None, str]]) -> Self:
        """The outline of rows (time, price, whether it is an anomaly, source) in the order of time."""
        time_ns, price, flags, source = zip(*rows, strict=True) if rows else ((), (), (), ())
        return cls(np.array(time_ns, np.int64), np.array(price, np.float64), np.array(flags, np.bool_), source)


def step_width(since_ns: int, until_ns: int, steps: int) -> int:
    """The width of at most `steps` equal steps (one more, where the first begins within one), in ns."""
    return max(1, -(-(until_ns - since_ns) // steps))


def digest(points: Points, width_ns: int, sums: Sequence[tuple[int, float, int]]) -> Digest:
    """The digest of chosen points, each once, in the order of time.

    `sums` has for each step of that width its beginning, a multiple of the width since 1970, the volume of all points
    in it, and their number.
    """
    columns = list(zip(*sums, strict=True))
    begins, counts = (np.array(columns[at], dtype=np.int64) for at in (0, 2))
    volumes = np.array(columns[1], dtype=np.float64)
    step = np.searchsorted(begins, points.time_ns // width_ns * width_ns)
    step = np.minimum(step, len(begins) - 1)  # a point may have come between the reading of the sums and its own
    chosen = np.bincount(step, minlength=len(begins))
    left_out = volumes - np.bincount(step, weights=points.volume, minlength=len(begins))
    left_out[chosen >= counts] = 0  # what remains there is the rounding of two sums
    volume = points.volume.copy()
    last = np.flatnonzero(np.diff(step, append=-1))
    volume[last] += np.maximum(0, left_out)[step[last]]
    return Digest(points, volume, int(counts.sum()), int(points.is_anomaly.sum()) >= MAX_ANOMALIES)
