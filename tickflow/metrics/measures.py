"""The metrics of the ticks of a batch: every field that the table computes, in the order of the table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tickflow.arrays import Ints
from tickflow.metrics.fields import MEASURED
from tickflow.metrics.windows import WindowView


@dataclass(frozen=True, slots=True)
class Metrics:
    """The metrics of each tick of a batch, as columns by field; NaN where a value is absent (warm-up, no deviation).

    `depth` is how many ticks the symbol's windows held, this one included; at most `DEPTH`.
    """

    columns: Mapping[str, Any]
    depth: Ints

    def __getitem__(self, name: str) -> Any:
        return self.columns[name]


def measure(view: WindowView, threshold: float) -> Metrics:
    """All metrics of each tick in `view`; anomalies are flagged above `threshold` deviations."""
    columns: dict[str, Any] = {}
    for each in MEASURED:
        others = [columns[name] for name in each.after]
        if each.of is None:
            columns[each.name] = each.formula(*others, threshold)
        else:
            values = each.formula(view.last(each.of, each.window), *others)
            columns[each.name] = np.where(view.full(each.window), values, np.nan)
    return Metrics(columns, view.depth)
