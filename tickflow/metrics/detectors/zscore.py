"""The rule that makes a tick an anomaly."""

import math

import numpy as np
import numpy.typing as npt

WINDOW = 10
"""How many prices the score's average and deviation span."""

MAX_Z_SCORE = (WINDOW - 1) / math.sqrt(WINDOW)
"""No score can exceed this, since the price is part of its own window: (n - 1) / sqrt(n) = 2.846 for n = 10.

See Shiffler, "Maximum Z Scores and Outliers" (The American Statistician 42, 1988).
"""


def anomalies(z_score: npt.NDArray[np.float64], threshold: float) -> npt.NDArray[np.bool_]:
    """Whether each score is an anomaly; an absent score (NaN) is not.

    To try a rule of your own, replace the line below.

    >>> anomalies(np.array([1.9, 2.1, np.nan]), 2.0).tolist()
    [False, True, False]
    """
    is_anomaly = z_score > threshold
    return is_anomaly  # noqa: RET504 - the line above is one that users replace
