"""Measures how good the alerts are: `make evaluate` writes the tables and pictures of docs/detection.md.

Each walk has two phases: thresholds are calibrated on the first and judged on the second. False alarms are episodes in
the unchanged second phase; events are added to copies of it. "Oracle" is a detector that knows the true deviation of
every step; "chance" is the share of events that the same number of flags at random places would find.
"""

import argparse
import csv
import gzip
import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np

from benchmarks.detection_text import Row, number, write
from benchmarks.walks import WALKS, Walk
from tickflow.alerts.budget import FLOOR, START, Budget
from tickflow.alerts.calibration import episodes_above, reaching, threshold_for
from tickflow.alerts.episodes import Episodes, Flag, Stretch
from tickflow.arrays import Floats, Ints
from tickflow.metrics.detectors import bad_print, move, volatility, volume
from tickflow.metrics.detectors.seconds import Scored, Seconds, View

PROJECT = Path(__file__).parent.parent
DAY = PROJECT.parent / "shared" / "data" / "us_equity_trades_2013-10-07.csv.gz"
PROMISE = 1e-4
PHASE = 400_000
CHUNK = 20_000
WITHIN = 12
"""The number of ticks after an event within which a flag counts as finding it."""
DETECTORS: dict[str, Callable[[View], Scored]] = {
    "move": lambda view: move.score(view, 1.0),
    "volume": lambda view: volume.score(view, 1.0),
    "volatility": lambda view: volatility.score(view, 1.0),
    "bad_print": lambda view: bad_print.score(view, 1.0),
}


@dataclass(frozen=True)
class Scores:
    """A detector's result for a walk: the ticks with a score, and the scores."""

    at: Ints
    score: Floats


def scores_of(walk: Walk, names: Sequence[str]) -> dict[str, Scores]:
    seconds = Seconds()
    parts: dict[str, list[tuple[Ints, Floats]]] = {name: [] for name in names}
    for begin in range(0, len(walk.price), CHUNK):
        piece = slice(begin, begin + CHUNK)
        symbols = ["W"] * len(walk.price[piece])
        view = seconds.view(symbols, walk.time_us[piece].copy(), walk.price[piece], walk.volume[piece])
        for name in names:
            found = DETECTORS[name](view)
            parts[name].append((found.at + begin, found.score))
        seconds.keep(view)
    return {
        name: Scores(np.concatenate([at for at, _ in each]), np.concatenate([score for _, score in each]))
        for name, each in parts.items()
    }


def documented(walk: Walk) -> Scores:
    """The documented rule: |price - ma_10|, divided by the standard deviation of the same ten prices."""
    windows = np.lib.stride_tricks.sliding_window_view(walk.price, 10)
    deviation = windows.std(axis=1, ddof=1)
    score = np.zeros(len(walk.price))
    np.divide(np.abs(windows[:, -1] - windows.mean(axis=1)), deviation, out=score[9:], where=deviation > 0)
    at = np.flatnonzero(score > 0)
    return Scores(at, score[at])


def oracle_scores(walk: Walk) -> Scores:
    returns = np.abs(np.diff(np.log(walk.price), prepend=np.log(walk.price[0]))) / walk.deviation
    at = np.arange(len(returns))
    return Scores(at, returns)


def places(rng: np.random.Generator, count: int, length: int, apart: int = 400) -> Ints:
    """Random places for events, far enough apart that no event lies in the window of a different one."""
    slots = rng.permutation((length - 2 * apart) // apart)[:count]
    return np.sort(slots) * apart + apart + rng.integers(0, apart // 4, len(slots))


def jumped(walk: Walk, at: Ints, deviations: float, rng: np.random.Generator) -> Walk:
    """Add a jump at each place; after 100 ticks a drift of 150 ticks reverses it, which keeps prices in range."""
    logs = np.log(walk.price)
    for place in at:
        size = deviations * walk.deviation[place] * rng.choice((-1.0, 1.0))
        shape = np.r_[np.ones(100), np.linspace(1, 0, 150)]
        logs[place : place + 250] += size * shape[: len(logs) - place]
    price: Floats = np.exp(logs)
    return replace(walk, price=np.round(price, 2) if walk.name == "cents" else price)


def spiked(walk: Walk, at: Ints, deviations: float) -> Walk:
    price = walk.price.copy()
    price[at] *= np.exp(deviations * walk.deviation[at])
    return replace(walk, price=price)


def wilder(walk: Walk, at: Ints, times: float, length: int = 20) -> Walk:
    returns = np.diff(np.log(walk.price), prepend=np.log(walk.price[0]))
    for place in at:
        returns[place : place + length] *= times
    return replace(walk, price=walk.price[0] * np.exp(np.cumsum(returns)))


def busier(walk: Walk, at: Ints, times: float, length: int = 10) -> Walk:
    volumes = walk.volume.copy()
    for place in at:
        volumes[place : place + length] *= times
    return replace(walk, volume=volumes)


def found(scores: Scores, threshold: float, at: Ints, within: int = WITHIN) -> tuple[float, Floats]:
    """The share of events that a score above the threshold follows within `within` ticks, and the delays in ticks."""
    flagged = scores.at[scores.score > threshold]
    following = np.searchsorted(flagged, at)
    behind = np.append(flagged, np.iinfo(np.int64).max)[following] - at
    hits = behind[behind < within]
    return len(hits) / len(at), hits.astype(np.float64)


def judge_walk(make: Callable[[np.random.Generator, int], Walk], phase: int, seeds: int, quiet_seeds: int) -> Row:
    """Judge one kind of walk: false alarms over `quiet_seeds` pairs of phases, events over the first `seeds` pairs."""
    sums: dict[str, list[float]] = {}
    counts: dict[str, int] = {}
    delays: list[float] = []
    followed = 0
    for seed in range(max(seeds, quiet_seeds)):
        rng = np.random.default_rng([seed, len(make.__name__)])
        calibrated, judged = make(rng, phase), make(rng, phase)
        before, after = (
            scores_of(walk, list(DETECTORS)) | {"documented": documented(walk), "oracle": oracle_scores(walk)}
            for walk in (calibrated, judged)
        )
        thresholds: dict[str, float] = {}
        for name in before:
            made = threshold_for(PROMISE * phase, calibrated.time_us[before[name].at], before[name].score)
            if made is None:
                raise SystemExit(f"{phase} ticks are not enough")
            thresholds[name] = made.value if name != "documented" else 2.0
            alarms = episodes_above(thresholds[name], judged.time_us[after[name].at], after[name].score)
            counts[name] = counts.get(name, 0) + alarms
        followed += len(alerts_on(judged, after["move"], Budget(PROMISE, per_tick=True)))
        if seed < seeds:
            at = places(rng, 500, phase)
            delays += judge_events(judged, at, thresholds, sums, rng)
    promised = PROMISE * phase * max(seeds, quiet_seeds)
    row: Row = {"walk": make.__name__, "seeds": max(seeds, quiet_seeds), "followed": followed / promised}
    for name, total in counts.items():
        # The threshold is uncertain too: it was set so that the first phase has the promised number of alerts.
        spread = 1.96 * (1 / max(total, 1) + 1 / promised) ** 0.5
        row[name] = total / promised
        row |= {f"{name} low": total / promised * np.exp(-spread), f"{name} high": total / promised * np.exp(spread)}
    row |= {name: float(np.mean(values)) for name, values in sums.items()}
    row |= {"delay": float(np.median(delays)), "delay p90": float(np.quantile(delays, 0.9))}
    return row


def judge_events(
    judged: Walk, at: Ints, thresholds: Mapping[str, float], sums: dict[str, list[float]], rng: np.random.Generator
) -> list[float]:
    """Add events to a walk, and add the shares found to `sums`; return the delays of `move`, in ticks."""

    def add(name: str, share: float) -> None:
        sums.setdefault(name, []).append(share)

    delays: list[float] = []
    for size in (8, 10, 12):
        walk = jumped(judged, at, size, rng)
        scores = scores_of(walk, ["move"])["move"]
        share, behind = found(scores, thresholds["move"], at)
        add(f"jump {size}", share)
        add(f"jump {size} oracle", found(oracle_scores(walk), thresholds["oracle"], at, 1)[0])
        add(f"jump {size} documented", found(documented(walk), 2.0, at)[0])
        delays += behind.tolist()
        if size == 10:
            add("second alerts", repeated(walk, scores, thresholds["move"], at))
    spikes = scores_of(spiked(judged, at, 20), ["move", "bad_print"])
    add("spikes as move", found(spikes["move"], thresholds["move"], at, 3)[0])
    add("spikes as bad_print", found(spikes["bad_print"], thresholds["bad_print"], at, 3)[0])
    for times in (3, 5):
        wild = scores_of(wilder(judged, at, times), ["volatility"])["volatility"]
        add(f"volatility x{times}", found(wild, thresholds["volatility"], at, 30)[0])
    busy = scores_of(busier(judged, at, 10), ["volume"])["volume"]
    add("volume x10", found(busy, thresholds["volume"], at)[0])
    add("chance", 1 - (1 - PROMISE) ** WITHIN)
    return delays


def repeated(walk: Walk, scores: Scores, threshold: float, at: Ints, length: int = 100) -> float:
    """The share of the found events that raise a second episode before they end."""
    flagged = scores.at[scores.score > threshold]
    opened = flagged[np.diff(walk.time_us[flagged], prepend=-(2**62)) >= 60_000_000]
    inside = np.searchsorted(opened, at + length) - np.searchsorted(opened, at)
    return float(np.mean(inside[inside > 0] > 1)) if (inside > 0).any() else 0.0


def real_day() -> dict[str, Walk]:
    """The regular hours of the real day, by symbol; empty if that day is not available."""
    if not DAY.is_file():
        return {}
    columns: dict[str, list[tuple[int, float, float]]] = {}
    with gzip.open(DAY, "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if not "13:30" <= row["timestamp"][11:16] < "20:00":
                continue
            moment = round(datetime.fromisoformat(row["timestamp"]).timestamp() * 1e6)
            columns.setdefault(row["symbol"], []).append((moment, float(row["price"]), float(row["volume"])))
    made = {}
    for symbol, rows in columns.items():
        time_us, price, size = (np.array(column) for column in zip(*rows, strict=True))
        made[symbol] = Walk(symbol, time_us.astype(np.int64), price, size, np.ones(len(price)))
    return made


def alerts_on(walk: Walk, scores: Scores, budget: Budget, start: float = START) -> list[int]:
    """The tick of each alert of `move` with a threshold that the budget adapts; a repeat counts as an alert."""
    episodes = Episodes(0, budget, thresholds={("move", walk.name): start})
    said: list[int] = []
    begun_us = int(walk.time_us[0])
    known: dict[int, int] = {}
    is_near = scores.score > FLOOR
    for at, score in zip(scores.at[is_near].tolist(), scores.score[is_near].tolist(), strict=True):
        flag = Flag(0, "move", score, 0, 1.0, 1.0, at, at, None)
        stretch = Stretch(walk.name, walk.time_us[at : at + 1], np.ones(1), 1.0, at, begun_us)
        for each in episodes.take(stretch, [flag]):
            said += [at] * (each.said - known.get(each.time_ns, 0))
            known[each.time_ns] = each.said
    return said


DAY_LEAD_US, DAY_TAIL_US = 900_000_000, 240_000_000
DAY_BUDGETS = (5, 1)
HALF_HOURS = 13


def judge_day(walk: Walk, count: int = 150) -> Row:
    """Judge one symbol's real day, with the thresholds that give 5 and 1 alerts on that day."""
    rng = np.random.default_rng(7)
    plain = scores_of(walk, ["move", "bad_print"])
    times, scores = walk.time_us[plain["move"].at], plain["move"].score
    thresholds = {budget: reaching(budget, times, scores) for budget in DAY_BUDGETS}
    row: Row = {"symbol": walk.name, "ticks": len(walk.price)}
    for budget, threshold in thresholds.items():
        at = plain["move"].at[scores > threshold]
        opened = at[np.diff(walk.time_us[at], prepend=-(2**62)) >= 60_000_000]
        row |= {f"threshold {budget}": threshold, f"alerts {budget}": len(opened)}
        row[f"lasted {budget}"] = sum(lasted(walk, tick) for tick in opened.tolist())
    # Cross-validation: each half hour is judged by the threshold at which the other twelve give alerts at the rate of
    # five a day.
    edges = np.linspace(walk.time_us[0], walk.time_us[-1] + 1, HALF_HOURS + 1)
    row["left out"] = 0
    for begin, end in itertools.pairwise(edges):
        own = (times >= begin) & (times < end)
        threshold = reaching(5 * (HALF_HOURS - 1) / HALF_HOURS, times[~own], scores[~own])
        row["left out"] = number(row, "left out") + episodes_above(threshold, times[own], scores[own])
    for budget in DAY_BUDGETS:
        row[f"followed {budget}"] = len(alerts_on(walk, plain["move"], Budget(budget)))
    first, last = np.searchsorted(walk.time_us, (walk.time_us[0] + 2 * DAY_LEAD_US, walk.time_us[-1] - DAY_TAIL_US))
    events = rng.integers(first, last, count)
    for basis in (20, 40):
        delays: dict[int, list[float]] = {budget: [] for budget in DAY_BUDGETS}
        second = 0
        for place in events.tolist():
            part, own = stepped(walk, place, rng.choice((-1, 1)) * basis / 1e4)
            made = scores_of(part, ["move"])["move"]
            for budget, threshold in thresholds.items():
                behind = made.at[(made.score > threshold) & (made.at >= own)]
                delays[budget].append((part.time_us[behind[0]] - part.time_us[own]) / 1e6 if len(behind) else np.inf)
                if budget == 1 and len(behind):
                    second += bool(np.any(np.diff(part.time_us[behind]) >= 60_000_000))
        for budget, values in delays.items():
            hits = [delay for delay in values if delay <= 60]
            row[f"{basis} bp at {budget}"] = len(hits) / count
            row[f"{basis} bp at {budget} median"] = float(np.median(hits)) if hits else float("nan")
            row[f"{basis} bp at {budget} p90"] = float(np.quantile(hits, 0.9)) if hits else float("nan")
            row[f"{basis} bp at {budget} delays"] = hits  # type: ignore[assignment]  # a list, for the pooled figures
        row[f"{basis} bp second"] = second / count
    flagged = {budget: walk.time_us[plain["move"].at[scores > threshold]] for budget, threshold in thresholds.items()}
    for budget, moments in flagged.items():  # flags of the unchanged day that happen to follow an event
        behind = np.searchsorted(moments, walk.time_us[events] + 60_000_000) - np.searchsorted(
            moments, walk.time_us[events]
        )
        row[f"chance {budget}"] = float(np.mean(behind > 0))
    wrong = [stepped(walk, place, 0.01, 1) for place in events.tolist()]
    both = [(scores_of(part, ["move", "bad_print"]), own) for part, own in wrong]
    row["bad ticks as move"] = float(
        np.mean([np.any((each["move"].score > thresholds[5]) & (abs(each["move"].at - own) < 5)) for each, own in both])
    )
    row["bad ticks found"] = float(
        np.mean([np.any((each["bad_print"].score > 4) & (abs(each["bad_print"].at - own) < 5)) for each, own in both])
    )
    rule = documented(walk)
    row["documented share"] = float(np.mean(rule.score > 2.0) * len(rule.score) / len(walk.price))
    row["documented episodes"] = episodes_above(2.0, walk.time_us[rule.at], rule.score)
    return row


def stepped(walk: Walk, place: int, change: float, length: int | None = None) -> tuple[Walk, int]:
    """The trades around a place, with prices changed from there on (or for `length` trades) and rounded to cents; and
    the index of the first changed trade.
    """
    begin = walk.time_us[place]
    lead, end = np.searchsorted(walk.time_us, (begin - DAY_LEAD_US, begin + DAY_TAIL_US))
    price = walk.price[lead:end].copy()
    own = place - int(lead)
    changed = slice(own, None if length is None else own + length)
    price[changed] = np.round(price[changed] * (1 + change), 2)
    return replace(
        walk,
        time_us=walk.time_us[lead:end],
        price=price,
        volume=walk.volume[lead:end],
        deviation=walk.deviation[lead:end],
    ), own


def lasted(walk: Walk, at: int) -> bool:
    """Whether at least half of a move is left a minute after it."""
    later = int(np.searchsorted(walk.time_us, walk.time_us[at] + 60_000_000)) - 1
    before = walk.price[max(0, int(np.searchsorted(walk.time_us, walk.time_us[at] - 5_000_000)) - 1)]
    return bool((walk.price[later] - before) / (walk.price[at] - before) >= 0.5) if walk.price[at] != before else False


RIVERS_PROMISE = 1e-3
RIVERS_PHASE = 60_000
OURS = ("move", "is_anomaly")


def per_tick(detector: str, walk: Walk) -> Floats:
    """The score of every tick; 0 where the detector gives none."""
    scores = documented(walk) if detector == "is_anomaly" else scores_of(walk, [detector])[detector]
    full = np.zeros(len(walk.price))
    full[scores.at] = scores.score
    return full


def judge_ours(name: str, before: Walk, after: Walk, changed: Walk, at: Ints) -> list[Row]:
    """Judge our detectors as `river_detectors.py` judges River's; the documented rule has its own threshold."""
    rows: list[Row] = []
    for detector in OURS:
        begun = time.perf_counter()
        first, second = per_tick(detector, before), per_tick(detector, after)
        seconds = time.perf_counter() - begun
        threshold = 2.0 if detector == "is_anomaly" else float(np.quantile(first, 1 - RIVERS_PROMISE))
        flagged = per_tick(detector, changed) > threshold
        rows.append({
            "walk": name,
            "detector": detector,
            "rate": float(np.mean(second > threshold)) / RIVERS_PROMISE,
            "jumps": float(np.mean([flagged[each : each + WITHIN].any() for each in at])),
            "us": seconds / (2 * len(first)) * 1e6,
            "ticks": len(first),
        })  # fmt: skip
    return rows


def judge_river(phase: int = RIVERS_PHASE) -> list[Row]:
    """Judge River's detectors and ours on the same data by jumps of 10 deviations, for 1 flag in 1,000 ticks: River's
    are too slow for the long walks that a rarer one would need. Ours come first; each walk's rows are together.
    """
    python = PROJECT / "benchmarks" / ".venv" / "bin" / "python"
    if not python.is_file():
        print("river is not installed: make evaluate installs it into benchmarks/.venv", file=sys.stderr)
        return []
    with tempfile.TemporaryDirectory() as folder:
        files, rows = [], []
        for make in WALKS:
            rng = np.random.default_rng([1, len(make.__name__)])
            before, after = make(rng, phase), make(rng, phase)
            at = places(rng, 100, phase)
            changed = jumped(after, at, 10, rng)
            rows += judge_ours(make.__name__, before, after, changed, at)
            logs = [np.log(each.price) for each in (before, after, changed)]
            returns = [np.abs(np.diff(each, prepend=each[0])) for each in logs]
            files.append(str(Path(folder) / f"{make.__name__}.npz"))
            np.savez(files[-1], before=returns[0], after=returns[1], jumped=returns[2], at=at, name=make.__name__)
        script = PROJECT / "benchmarks" / "programs" / "river_detectors.py"
        said = subprocess.run(
            [python, script, str(RIVERS_PROMISE), str(WITHIN), *files], capture_output=True, text=True, check=True
        ).stdout
    print(said, flush=True)
    rows += [json.loads(line) for line in said.splitlines()]
    order = [each.__name__ for each in WALKS]
    return sorted(rows, key=lambda row: order.index(str(row["walk"])))


def measure(parts: Sequence[str], out: Path, seeds: int, quiet_seeds: int) -> dict[str, list[Row]]:
    """Measure these parts; write the result after each of them, so that a run that ends early loses nothing."""
    result: dict[str, list[Row]] = json.loads(out.read_text(encoding="utf-8")) if out.is_file() else {}
    for part in parts:
        begun = time.monotonic()
        if part == "river":
            result["river"] = judge_river()
        elif part == "day":
            result["day"] = [judge_day(walk) for _, walk in sorted(real_day().items())]
        else:
            (make,) = (each for each in WALKS if each.__name__ == part)
            kept = [row for row in result.get("walks", []) if row["walk"] != part]
            result["walks"] = [*kept, judge_walk(make, PHASE, seeds, quiet_seeds)]
        order = [each.__name__ for each in WALKS]
        result.get("walks", []).sort(key=lambda row: order.index(str(row["walk"])))
        print(f"{part}: {time.monotonic() - begun:.0f} s", flush=True)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return result


PARTS = (*(make.__name__ for make in WALKS), "day", "river")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="a trial with one seed, which writes nothing to docs")
    parser.add_argument("--out", type=Path, default=PROJECT / "benchmarks" / "results" / "detection.json")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(PARTS)}; all by default")
    parser.add_argument("--from", dest="made", type=Path, help="write the tables of an existing result")
    arguments = parser.parse_args(argv)
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"unknown part: {', '.join(sorted(unknown))}")
    if arguments.made:
        write(json.loads(arguments.made.read_text(encoding="utf-8")))
        return
    seeds = (1, 1) if arguments.short else (6, 24)
    result = measure(arguments.parts or PARTS, arguments.out, *seeds)
    if not arguments.parts and not arguments.short:
        write(result)


if __name__ == "__main__":
    main()
