"""The short form of `make evaluate`: the detectors raise as many alerts on a random walk as promised, and find the
moves added to it.
"""

from pathlib import Path

import numpy as np

from benchmarks import detection_text, evaluate
from benchmarks.walks import cents, gaussian
from tickflow.alerts.budget import Budget


def test_a_walk_is_judged_and_the_tables_are_written(tmp_path: Path) -> None:
    walk = evaluate.judge_walk(gaussian, 200_000, 1, 1)
    for name in evaluate.DETECTORS:
        assert detection_text.number(walk, f"{name} low") < 1.0, name
        assert 0.3 < detection_text.number(walk, name) < 2.5, name
    assert detection_text.number(walk, "documented") > 5.0
    assert detection_text.number(walk, "jump 10") > 0.9 * detection_text.number(walk, "jump 10 oracle")
    assert detection_text.number(walk, "jump 10") > 100 * detection_text.number(walk, "chance")
    assert detection_text.number(walk, "volume x10") > 0.8
    assert detection_text.number(walk, "volatility x5") > 0.85
    assert detection_text.number(walk, "spikes as move") < 0.02
    assert detection_text.number(walk, "second alerts") < 0.02
    made = cents(np.random.default_rng(1), 30_000)
    day = evaluate.judge_day(made, count=6)
    assert detection_text.number(day, "40 bp at 1") > 0.8
    assert detection_text.number(day, "bad ticks as move") == 0.0
    bound = 30_000 / 23_400 + Budget(1.0).constant
    assert detection_text.number(day, "followed 1") <= bound
    before, after = (gaussian(np.random.default_rng(seed), 60_000) for seed in (1, 2))
    at = evaluate.places(np.random.default_rng(3), 100, 60_000)
    changed = evaluate.jumped(after, at, 10, np.random.default_rng(4))
    ours, documented = evaluate.judge_ours("gaussian", before, after, changed, at)
    assert 0.4 < detection_text.number(ours, "rate") < 2.5
    assert detection_text.number(ours, "jumps") > 0.95
    assert detection_text.number(documented, "rate") > 20
    target = tmp_path / "detection.md"
    target.write_text(detection_text.TARGET.read_text(encoding="utf-8"), encoding="utf-8")
    detection_text.write({"walks": [walk], "day": [{**day, "symbol": "CENT"}], "river": [ours, documented]}, target)
    written = target.read_text(encoding="utf-8")
    assert "| gaussian |" in written
    assert f"| gaussian | move | {detection_text.number(ours, 'rate'):.2f} |" in written
    assert "| figure | CENT |" in written
    assert f"{detection_text.number(walk, 'move'):.2f} (" in written
    assert (tmp_path / "detection-promise.svg").read_text(encoding="utf-8").startswith("<svg")
