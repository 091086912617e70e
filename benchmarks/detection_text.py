"""Makes the tables and pictures of docs/detection.md from the figures of `benchmarks.evaluate`."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

TARGET = Path(__file__).parent.parent / "docs" / "detection.md"
Row = dict[str, float | str]
"""The figures measured for one walk or symbol, by name."""


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
        *((f"the same, the documented rule ({size})", f"jump {size} documented", "") for size in (8, 10, 12)),
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
    delays = [f"{number(row, 'delay'):.0f}, {number(row, 'delay p90'):.0f}" for row in rows]
    made.append(("delay of `move` in ticks, median, p90", *delays, ""))
    twice = [number(row, "second alerts") for row in rows]
    made.append(("second alerts for one jump of 10", *(f"{value:.2%}" for value in twice), f"{np.mean(twice):.2%}"))
    followed = [number(row, "followed") for row in rows]
    made.append(("alerts of a followed threshold per promised one", *(f"{value:.2f}" for value in followed), ""))
    return table(("event", *walks, "all"), made)


def day_table(rows: Sequence[Row]) -> str:
    kinds: list[tuple[str, Callable[[Row], str]]] = [
        ("trades", lambda row: f"{number(row, 'ticks'):,.0f}"),
        ("threshold for 5 / for 1 a day", lambda row: _pair(row, "threshold {}", "{:.2f}")),
        ("of its alerts lasted a minute, 5 / 1 a day", _lasting),
        ("alerts on left-out half hours, where 5 were promised", lambda row: f"{number(row, 'left out'):.0f}"),
        (
            "alerts of a followed threshold that starts at 8, 5 / 1 a day",
            lambda row: _pair(row, "followed {}", "{:.0f}"),
        ),
        ("steps of 20 bp found, 5 / 1 a day", lambda row: _pair(row, "20 bp at {}", "{:.2f}")),
        ("steps of 40 bp found, 5 / 1 a day", lambda row: _pair(row, "40 bp at {}", "{:.2f}")),
        ("found by chance, 5 / 1 a day", lambda row: _pair(row, "chance {}", "{:.3f}")),
        ("delay for 20 bp, median and p90, 5 a day", partial(_delay, name="20 bp at 5")),
        ("the same at 1 a day", partial(_delay, name="20 bp at 1")),
        ("second alerts for one step, 20 bp / 40 bp", lambda row: _pair(row, "{} bp second", "{:.3f}", (20, 40))),
        ("lone bad ticks (1 %) that raise `move` at 5 a day", lambda row: f"{number(row, 'bad ticks as move'):.3f}"),
        ("lone bad ticks found by `bad_print`", lambda row: f"{number(row, 'bad ticks found'):.2f}"),
        ("flags of the documented rule, share of trades", lambda row: f"{number(row, 'documented share'):.1%}"),
        ("its episodes, 60 s apart", lambda row: f"{number(row, 'documented episodes'):,.0f}"),
    ]
    return table(
        ("figure", *(str(row["symbol"]) for row in rows)),
        [(words, *(shown(row) for row in rows)) for words, shown in kinds],
    )


def _pair(row: Row, name: str, form: str, of: Sequence[int] = (5, 1)) -> str:
    return " / ".join(form.format(number(row, name.format(each))) for each in of)


def _lasting(row: Row) -> str:
    return ", ".join(f"{row[f'lasted {budget}']} of {row[f'alerts {budget}']}" for budget in (5, 1))


def _delay(row: Row, name: str) -> str:
    return f"{number(row, f'{name} median'):.1f} s, {number(row, f'{name} p90'):.1f} s"


def numbers_table(result: Mapping[str, Sequence[Row]]) -> str:
    """The targets beside the measured figures."""
    walks, day = result["walks"], result["day"]

    def mean(rows: Sequence[Row], name: str) -> float:
        return float(np.mean([number(row, name) for row in rows]))

    def share(size: int) -> float:
        return mean(walks, f"jump {size}") / mean(walks, f"jump {size} oracle")

    detectors = ("move", "volume", "volatility", "bad_print")
    ratios = [number(row, name) for row in walks for name in detectors]
    lows = [number(row, f"{name} low") for row in walks for name in detectors]
    above = sum(low > 1 for low in lows)
    lasting = [
        [sum(number(row, f"{kind} {budget}") for row in day) for kind in ("lasted", "alerts")] for budget in (5, 1)
    ]
    delays = np.array([delay for row in day for delay in row["20 bp at 1 delays"]])  # type: ignore[union-attr]
    lines = [
        (
            "false alarms for a promise of 1 in 10,000, each walk and detector",
            f"{min(ratios):.2f}–{max(ratios):.2f}, {above or 'no'} 95 % interval{'s' * (above > 1)} wholly above 1",
            "0.8–1.25, no 95 % interval wholly above 1",
        ),
        (
            "alerts on left-out half hours of the real day where 20 were promised",
            f"{sum(number(row, 'left out') for row in day):.0f}",
            "18–22 (90–110 of 100)",
        ),
        (
            "share of real alerts that lasted, at 5 and 1 a day",
            ", ".join(f"{kept:.0f} of {count:.0f} ({kept / max(count, 1):.2f})" for kept, count in lasting),
            "≥ 0.75",
        ),
        (
            "steps of 20 bp on the real day at 5 / 1 a day; 40 bp at 1",
            f"{mean(day, '20 bp at 5'):.3f} / {mean(day, '20 bp at 1'):.3f}; {mean(day, '40 bp at 1'):.3f}",
            "≥ 0.98 / ≥ 0.90; ≥ 0.99",
        ),
        (
            "delay to find 20 bp, median and p90",
            f"{np.median(delays):.1f} s, {np.quantile(delays, 0.9):.1f} s",
            "≤ 1.2 s, ≤ 5 s",
        ),
        (
            "jumps of 10 and 12 deviations, all walks, share of the oracle's",
            f"{share(10):.2f}, {share(12):.2f}",
            "≥ 0.90",
        ),
        (
            "lone bad ticks that raise `move`, walks / the real day",
            f"{mean(walks, 'spikes as move'):.2%} / {mean(day, 'bad ticks as move'):.2%}",
            "≤ 1 %",
        ),
        (
            "volume × 10 for ten ticks; volatility × 3, × 5",
            f"{mean(walks, 'volume x10'):.2f}; {mean(walks, 'volatility x3'):.2f}, {mean(walks, 'volatility x5'):.2f}",
            "≥ 0.80; ≥ 0.50, ≥ 0.85",
        ),
        (
            "second alerts for one event, walks / the real day",
            f"{mean(walks, 'second alerts'):.2%} / {mean(day, '20 bp second'):.2%}",
            "≤ 1 %",
        ),
    ]
    return table(("figure", "measured", "to reach"), lines)


def river_table(rows: Sequence[Row]) -> str:
    head = ("walk", "detector", "rate against promise", "jumps of 10 deviations found", "µs a tick")
    cells = [
        (
            *(str(row["walk"]), str(row["detector"]), f"{number(row, 'rate'):.2f}"),
            *(f"{number(row, 'jumps'):.2f}", f"{number(row, 'us'):.1f}"),
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


def _replaced(text: str, name: str, made: str) -> str:
    before, opening, rest = text.partition(f"<!-- {name} -->")
    _, closing, after = rest.partition(f"<!-- /{name} -->")
    return f"{before}{opening}\n{made}\n{closing}{after}"


def write(result: Mapping[str, Sequence[Row]], target: Path = TARGET) -> None:
    """Put tables and pictures into docs/detection.md."""
    text = target.read_text(encoding="utf-8")
    if result.get("walks") and result.get("day"):
        text = _replaced(text, "numbers", numbers_table(result))
    makers = {"promise": promise_table, "events": events_table, "day": day_table, "river": river_table}
    for name, make in makers.items():
        rows = result.get("walks" if name in ("promise", "events") else name, [])
        if rows:
            text = _replaced(text, name, make(rows))
    target.write_text(text, encoding="utf-8")
    if result.get("walks"):
        names = ("move", "volume", "volatility", "bad_print")
        promised = bars(result["walks"], [(name, name) for name in names], 2.0, 1.0)
        (target.parent / "detection-promise.svg").write_text(promised, encoding="utf-8")
        jumps = [(f"jump {size}{who}", f"{size}{who or ' move'}") for size in (8, 10, 12) for who in ("", " oracle")]
        (target.parent / "detection-jumps.svg").write_text(bars(result["walks"], jumps, 1.0, 0.9), encoding="utf-8")
