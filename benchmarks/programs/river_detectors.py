"""River's detectors, fed tick by tick with absolute log returns; run in benchmarks/.venv, which has river.

Reads walks from .npz files (`before`, `after`, `jumped`: absolute log returns; `at`: the ticks of the jumps). The
threshold gives the promised rate on `before`. Prints one JSON line per walk and detector: the rate on `after` in
multiples of the promised rate, the share of jumps in `jumped` that a flag follows within a number of ticks, and
microseconds per tick. Arguments: the promised rate, that number of ticks, the files.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from river import anomaly


def scores(detector: Any, returns: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    score, learn = detector.score_one, detector.learn_one
    found: list[float] = []
    is_univariate = isinstance(detector, anomaly.GaussianScorer | anomaly.StandardAbsoluteDeviation)
    for value in returns.tolist():
        if is_univariate:
            found.append(float(score(None, value)))
            learn(None, value)
        else:
            found.append(float(score({"return": value})))
            learn({"return": value})
    return np.array(found)


DETECTORS: dict[str, Callable[[], Any]] = {
    "GaussianScorer": lambda: anomaly.GaussianScorer(window_size=60),
    "StandardAbsoluteDeviation": anomaly.StandardAbsoluteDeviation,
    "HalfSpaceTrees": lambda: anomaly.HalfSpaceTrees(limits={"return": (0.0, 0.01)}, seed=1),
}


def main() -> None:
    promise, within = float(sys.argv[1]), int(sys.argv[2])
    for path in sys.argv[3:]:
        data = np.load(path)
        for name, make in DETECTORS.items():
            length = len(data["before"]) if name != "HalfSpaceTrees" else 20_000
            begun = time.perf_counter()
            before = scores(make(), data["before"][:length])
            after = scores(make(), data["after"][:length])
            seconds = time.perf_counter() - begun
            threshold = float(np.quantile(before, 1 - promise))
            jumped = scores(make(), data["jumped"][:length])
            at = data["at"][data["at"] < length - within]
            row = {
                "walk": str(data["name"]),
                "detector": name,
                "rate": float(np.mean(after > threshold)) / promise,
                "jumps": float(np.mean([(jumped[each : each + within] > threshold).any() for each in at])),
                "us": seconds / (2 * length) * 1e6,
                "ticks": length,
            }
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
