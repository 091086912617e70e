"""Measures how good the alerts are: `make evaluate` writes the tables and pictures of docs/detection.md.

Each walk has a phase to calibrate on and another to be judged on. False alarms are episodes of the untouched second
phase; events are laid on copies of it. An oracle knows the true deviation of every step; chance is what as many flags
at random places would find.
"""

import argparse
import csv
import gzip
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.walks import WALKS, Walk
from tickflow.alerts.budget import FLOOR, START, Budget
from tickflow.alerts.calibration import episodes_above, threshold_for
from tickflow.alerts.episodes import Episodes, Flag, Stretch
from tickflow.arrays import Floats, Ints
from tickflow.metrics.detectors import bad_print, move, volatility, volume
from tickflow.metrics.detectors.seconds import Scored, Seconds, View

PROJECT = Path(__file__).parent.parent
TARGET = PROJECT / "docs" / "detection.md"
DAY = PROJECT.parent / "shared" / "data" / "us_equity_trades_2013-10-07.csv.gz"
PROMISE = 1e-4
PHASE = 400_000
CHUNK = 20_000
WITHIN = 12
"""How many ticks after an event it still counts as found."""
DETECTORS: dict[str, Callable[[View], Scored]] = {
    "move": lambda view: move.score(view, 1.5),
    "volume": lambda view: volume.score(view, 1.5),
    "volatility": lambda view: volatility.score(view, 1.5),
    "bad_print": lambda view: bad_print.score(view, 1.5),
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
    """The documented rule: |price - ma_10| in deviations of the same ten prices."""
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
    """The places of events: far enough apart that none lies in the window of another."""
    slots = rng.permutation((length - 2 * apart) // apart)[:count]
    return np.sort(slots) * apart + apart + rng.integers(0, apart // 4, len(slots))


def jumped(walk: Walk, at: Ints, deviations: float, rng: np.random.Generator) -> Walk:
    """Halfway to the next jump, a drift of 150 ticks reverses each jump, so that prices stay in their range."""
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
    """The share of events after which a score exceeds the threshold in time, and the delays in ticks."""
    flagged = scores.at[scores.score > threshold]
    following = np.searchsorted(flagged, at)
    behind = np.append(flagged, np.iinfo(np.int64).max)[following] - at
    hits = behind[behind < within]
    return len(hits) / len(at), hits.astype(np.float64)


def judge_walks(phase: int, seeds: int) -> list[dict[str, float | str]]:
    rows: list[dict[str, float | str]] = []
    for make in WALKS:
        sums: dict[str, list[float]] = {}
        counts: dict[str, list[int]] = {}
        for seed in range(seeds):
            rng = np.random.default_rng([seed, len(make.__name__)])
            calibrated, judged = make(rng, phase), make(rng, phase)
            names = list(DETECTORS)
            before, after = scores_of(calibrated, names), scores_of(judged, names)
            before |= {"documented": documented(calibrated), "oracle": oracle_scores(calibrated)}
            after |= {"documented": documented(judged), "oracle": oracle_scores(judged)}
            thresholds: dict[str, float] = {}
            for name in before:
                made = threshold_for(PROMISE * phase, calibrated.time_us[before[name].at], before[name].score)
                if made is None:
                    raise SystemExit(f"{phase} ticks are not enough")
                thresholds[name] = made.value if name != "documented" else 2.0
                alarms = episodes_above(thresholds[name], judged.time_us[after[name].at], after[name].score)
                counts.setdefault(name, []).append(alarms)
            at = places(rng, 500, phase)
            for size in (8, 10, 12):
                walk = jumped(judged, at, size, rng)
                share, delays = found(scores_of(walk, ["move"])["move"], thresholds["move"], at)
                best, _ = found(oracle_scores(walk), thresholds["oracle"], at, 1)
                rule, _ = found(documented(walk), 2.0, at)
                sums.setdefault(f"jump {size}", []).append(share)
                sums.setdefault(f"jump {size} oracle", []).append(best)
                sums.setdefault(f"jump {size} documented", []).append(rule)
                if len(delays):
                    sums.setdefault("delay", []).append(float(np.median(delays)))
            spikes = scores_of(spiked(judged, at, 20), ["move", "bad_print"])
            sums.setdefault("spikes as move", []).append(found(spikes["move"], thresholds["move"], at, 3)[0])
            sums.setdefault("spikes as bad_print", []).append(
                found(spikes["bad_print"], thresholds["bad_print"], at, 3)[0]
            )
            for times in (3, 5):
                wild = scores_of(wilder(judged, at, times), ["volatility"])["volatility"]
                sums.setdefault(f"volatility x{times}", []).append(found(wild, thresholds["volatility"], at, 30)[0])
            busy = scores_of(busier(judged, at, 10), ["volume"])["volume"]
            sums.setdefault("volume x10", []).append(found(busy, thresholds["volume"], at)[0])
            chance = 1 - (1 - PROMISE) ** WITHIN
            sums.setdefault("chance", []).append(chance)
        row: dict[str, float | str] = {"walk": make.__name__}
        for name, per_seed in counts.items():
            promised = PROMISE * phase * seeds
            total = sum(per_seed)
            # The threshold is uncertain too: it comes from as many alerts of the first phase.
            spread = 1.96 * (1 / max(total, 1) + 1 / promised) ** 0.5
            row |= {name: total / promised}
            row |= {
                f"{name} low": total / promised * np.exp(-spread),
                f"{name} high": total / promised * np.exp(spread),
            }
        row |= {name: float(np.mean(values)) for name, values in sums.items()}
        rows.append(row)
        print(json.dumps(row), flush=True)
    return rows


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


def alerts_on(walk: Walk, scores: Scores, budget: float, start: float = START) -> list[tuple[int, float]]:
    """The followed alerts of one detector: (tick, score)."""
    episodes = Episodes(0, Budget(budget), thresholds={("move", walk.name): start})
    said = []
    for at, score in zip(scores.at.tolist(), scores.score.tolist(), strict=True):
        flag = Flag(0, "move", score, 0, 1.0, 1.0, at, at, None)
        stretch = Stretch(walk.name, walk.time_us[at : at + 1], np.ones(1), 1.0, at)
        said += [(at, score) for each in episodes.take(stretch, [flag]) if each.time_ns == at and each.ticks == 1]
    return said


def judge_day(least: float = 0.001) -> list[dict[str, float | str]]:
    rows: list[dict[str, float | str]] = []
    for symbol, walk in sorted(real_day().items()):
        rng = np.random.default_rng(7)
        DETECTORS["move"] = lambda view: move.score(view, FLOOR, least)
        plain = scores_of(walk, ["move"])["move"]
        row: dict[str, float | str] = {"symbol": symbol, "ticks": len(walk.price)}
        for threshold in (4.0, 5.0, 6.0, 8.0):
            row[f"alerts at {threshold:g}"] = episodes_above(threshold, walk.time_us[plain.at], plain.score)
        lasting = [lasted(walk, at) for at, _ in alerts_on(walk, plain, 5.0, FLOOR)]
        row |= {"alerts": len(lasting), "lasted": sum(lasting)}
        for basis in (20, 40):
            for threshold in (4.0, 6.0, 8.0):
                hits, delays = 0, []
                begins = walk.time_us[0] + 600_000_000 + np.arange(55) * 400_000_000
                for begin in begins[begins < walk.time_us[-1] - 120_000_000]:
                    begin += int(rng.integers(0, 60_000_000))
                    first = int(np.searchsorted(walk.time_us, begin))
                    lead = int(np.searchsorted(walk.time_us, begin - 900_000_000))
                    end = int(np.searchsorted(walk.time_us, begin + 60_000_000))
                    price = walk.price[lead:end].copy()
                    price[first - lead :] = np.round(price[first - lead :] * (1 + rng.choice((-1, 1)) * basis / 1e4), 2)
                    part = Walk(symbol, walk.time_us[lead:end], price, walk.volume[lead:end], walk.deviation[lead:end])
                    scores = scores_of(part, ["move"])["move"]
                    behind = scores.at[(scores.score > threshold) & (scores.at >= first - lead)]
                    delay = (part.time_us[behind[0]] - part.time_us[first - lead]) / 1e6 if len(behind) else 1e9
                    hits += delay < 15
                    delays.append(delay)
                row[f"{basis} bp at {threshold:g}"] = hits / len(delays)
                row[f"{basis} bp at {threshold:g} median"] = float(np.median(delays))
                row[f"{basis} bp at {threshold:g} p90"] = float(np.quantile(delays, 0.9))
        rule = documented(walk)
        row["documented share"] = float(np.mean(rule.score > 2.0) * len(rule.score) / len(walk.price))
        row["documented episodes"] = episodes_above(2.0, walk.time_us[rule.at], rule.score)
        rows.append(row)
        print(json.dumps(row), flush=True)
    return rows


def lasted(walk: Walk, at: int) -> bool:
    """Whether half of the move is left a minute later."""
    later = int(np.searchsorted(walk.time_us, walk.time_us[at] + 60_000_000)) - 1
    before = walk.price[max(0, int(np.searchsorted(walk.time_us, walk.time_us[at] - 5_000_000)) - 1)]
    return bool((walk.price[later] - before) / (walk.price[at] - before) >= 0.5) if walk.price[at] != before else False


def judge_river(phase: int = 60_000) -> list[dict[str, float | str]]:
    """River's detectors in the same run: for 1 in 1,000, since they are slow; jumps of 10 deviations."""
    python = PROJECT / "benchmarks" / ".venv" / "bin" / "python"
    if not python.is_file():
        print("river is not installed: make evaluate installs it into benchmarks/.venv", file=sys.stderr)
        return []
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for make in WALKS:
            rng = np.random.default_rng([1, len(make.__name__)])
            before, after = make(rng, phase), make(rng, phase)
            at = places(rng, 100, phase)
            changed = jumped(after, at, 10, rng)
            logs = [np.log(each.price) for each in (before, after, changed)]
            returns = [np.abs(np.diff(each, prepend=each[0])) for each in logs]
            files.append(str(Path(folder) / f"{make.__name__}.npz"))
            np.savez(files[-1], before=returns[0], after=returns[1], jumped=returns[2], at=at, name=make.__name__)
        script = PROJECT / "benchmarks" / "programs" / "river_detectors.py"
        said = subprocess.run([python, script, "0.001", *files], capture_output=True, text=True, check=True).stdout
    rows = [json.loads(line) for line in said.splitlines()]
    print(said, flush=True)
    return rows


Row = dict[str, float | str]


def number(row: Row, name: str) -> float:
    return float(row[name])


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [" | ".join(head), "|".join("---" for _ in head), *(" | ".join(row) for row in rows)]
    return "\n".join(f"| {line} |" if "---" not in line else f"|{line}|" for line in lines)


def promise_table(rows: Sequence[Row]) -> str:
    names = ("move", "volume", "volatility", "bad_print", "documented")

    def cell(row: Row, name: str) -> str:
        if name == "documented":
            return f"{number(row, name):.1f}"
        return f"{number(row, name):.2f} ({number(row, name + ' low'):.2f}–{number(row, name + ' high'):.2f})"

    return table(
        ("walk", *(f"`{name}`" if name != "documented" else "the documented rule" for name in names)),
        [(str(row["walk"]), *(cell(row, name) for name in names)) for row in rows],
    )


def events_table(rows: Sequence[Row]) -> str:
    walks = [str(row["walk"]) for row in rows]
    kinds = [
        *(
            (f"jump of {size} deviations, `move` / oracle", f"jump {size}", f"jump {size} oracle")
            for size in (8, 10, 12)
        ),
        *((f"the same, the documented rule ({size})", f"jump {size} documented", "") for size in (10,)),
        ("volume × 10, `volume`", "volume x10", ""),
        ("volatility × 3, `volatility`", "volatility x3", ""),
        ("volatility × 5, `volatility`", "volatility x5", ""),
        ("a lone bad tick that raises `move`", "spikes as move", ""),
        ("a lone bad tick found by `bad_print`", "spikes as bad_print", ""),
        ("by chance", "chance", ""),
    ]
    made = []
    for words, name, best in kinds:
        values = [number(row, name) for row in rows]
        cells = [f"{value:.3g}" for value in values]
        mean = f"{np.mean(values):.3g}"
        if best:
            oracle = [number(row, best) for row in rows]
            cells = [f"{value:.2f} / {most:.2f}" for value, most in zip(values, oracle, strict=True)]
            mean = f"{sum(values) / sum(oracle):.2f} of the oracle's"
        made.append((words, *cells, mean))
    delays = [f"{number(row, 'delay'):.0f}" for row in rows]
    made.append(("median delay of `move` in ticks", *delays, ""))
    return table(("event", *walks, "all"), made)


def day_table(rows: Sequence[Row]) -> str:
    kinds: list[tuple[str, Callable[[Row], str]]] = [
        ("trades", lambda row: f"{number(row, 'ticks'):,.0f}"),
        ("episodes of `move` above 4 / 8", lambda row: f"{row['alerts at 4']} / {row['alerts at 8']}"),
        ("flags of the documented rule, share of trades", lambda row: f"{number(row, 'documented share'):.1%}"),
        ("its episodes, 60 s apart", lambda row: f"{number(row, 'documented episodes'):,.0f}"),
    ]
    for basis in (20, 40):
        for threshold in (4, 6, 8):
            name = f"{basis} bp at {threshold}"
            kinds.append((f"steps of {basis} bp found, threshold {threshold}", partial(_shown, name=name)))
            kinds.append((f"delay, median and p90, {basis} bp, {threshold}", partial(_delay, name=name)))
    return table(
        ("figure", *(str(row["symbol"]) for row in rows)),
        [(words, *(shown(row) for row in rows)) for words, shown in kinds],
    )


def _shown(row: Row, name: str) -> str:
    return f"{number(row, name):.2f}"


def _delay(row: Row, name: str) -> str:
    both = (number(row, f"{name} median"), number(row, f"{name} p90"))
    return ", ".join("never" if value > 1e6 else f"{value:.1f} s" for value in both)


def river_table(rows: Sequence[Row]) -> str:
    head = ("walk", "detector", "rate against promise", "jumps of 10 deviations found", "µs a tick")
    cells = [
        (
            *(str(row["walk"]), str(row["detector"]), f"{number(row, 'rate'):.2f}"),
            *(f"{number(row, 'jumps'):.2f}", f"{number(row, 'us'):.0f}"),
        )
        for row in rows
    ]
    return table(head, cells)


def bars(rows: Sequence[Row], series: Sequence[tuple[str, str]], top: float, line: float) -> str:
    """An SVG of grouped bars, with a dashed line across."""
    width, height, left, foot = 860, 320, 46, 46
    colours = ("#1f5fbf", "#d98a1f", "#3f8f4f", "#8a5fbf", "#c0392b", "#777777")
    step = (width - left - 10) / len(rows)
    wide = step * 0.8 / len(series)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]

    def up(value: float) -> float:
        return height - foot - (height - foot - 30) * min(value, top) / top

    for mark in np.linspace(0, top, 5):
        parts.append(f'<line x1="{left}" x2="{width}" y1="{up(mark):.1f}" y2="{up(mark):.1f}" stroke="#dddddd"/>')
        parts.append(f'<text x="4" y="{up(mark) + 4:.1f}">{mark:.2f}</text>')
    for at, row in enumerate(rows):
        for number_of, (name, _) in enumerate(series):
            x = left + at * step + number_of * wide + step * 0.1
            value = number(row, name)
            parts.append(
                f'<rect x="{x:.1f}" y="{up(value):.1f}" width="{wide * 0.9:.1f}" '
                f'height="{height - foot - up(value):.1f}" fill="{colours[number_of]}"/>'
            )
            if f"{name} low" in row:
                low, high = up(number(row, f"{name} low")), up(number(row, f"{name} high"))
                middle = x + wide * 0.45
                parts.append(
                    f'<line x1="{middle:.1f}" x2="{middle:.1f}" y1="{low:.1f}" y2="{high:.1f}" stroke="#222222"/>'
                )
        parts.append(f'<text x="{left + at * step + step * 0.1:.1f}" y="{height - foot + 16}">{row["walk"]}</text>')
    across = f'x1="{left}" x2="{width}" y1="{up(line):.1f}" y2="{up(line):.1f}"'
    parts.append(f'<line {across} stroke="#222222" stroke-dasharray="5 4"/>')
    for number_of, (_, words) in enumerate(series):
        x = left + number_of * 135
        parts.append(f'<rect x="{x}" y="{height - 16}" width="10" height="10" fill="{colours[number_of]}"/>')
        parts.append(f'<text x="{x + 14}" y="{height - 7}">{words}</text>')
    return "\n".join([*parts, "</svg>", ""])


def write(result: dict[str, list[Row]]) -> None:
    """Put tables and pictures into docs/detection.md."""
    text = TARGET.read_text(encoding="utf-8")
    makers = {"promise": promise_table, "events": events_table, "day": day_table, "river": river_table}
    for name, make in makers.items():
        rows = result.get("walks" if name in ("promise", "events") else name, [])
        if rows:
            before, opening, rest = text.partition(f"<!-- {name} -->")
            _, closing, after = rest.partition(f"<!-- /{name} -->")
            text = f"{before}{opening}\n{make(rows)}\n{closing}{after}"
    TARGET.write_text(text, encoding="utf-8")
    if result.get("walks"):
        names = ("move", "volume", "volatility", "bad_print")
        promised = bars(result["walks"], [(name, name) for name in names], 2.0, 1.0)
        (TARGET.parent / "detection-promise.svg").write_text(promised, encoding="utf-8")
        jumps = [(f"jump {size}{who}", f"{size}{who or ' move'}") for size in (8, 10, 12) for who in ("", " oracle")]
        (TARGET.parent / "detection-jumps.svg").write_text(bars(result["walks"], jumps, 1.0, 0.9), encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="one seed: for a trial")
    parser.add_argument("--out", type=Path, default=PROJECT / "benchmarks" / "results" / "detection.json")
    parser.add_argument("--only", choices=("walks", "day", "river"))
    parser.add_argument("--from", dest="made", type=Path, help="write the tables of a result that is there")
    arguments = parser.parse_args(argv)
    if arguments.made:
        write(json.loads(arguments.made.read_text(encoding="utf-8")))
        return
    begun = time.monotonic()
    result: dict[str, object] = {}
    if arguments.only in (None, "walks"):
        result["walks"] = judge_walks(PHASE, 1 if arguments.short else 6)
    if arguments.only in (None, "day"):
        result["day"] = judge_day()
    if arguments.only in (None, "river"):
        result["river"] = judge_river()
    result["seconds"] = round(time.monotonic() - begun)
    if arguments.only is None and not arguments.short:
        write(result)  # type: ignore[arg-type]
    arguments.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
