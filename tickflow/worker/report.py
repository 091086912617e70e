"""How figures appear in the terminal: a symbol's line, an anomaly, the summary.

Pure text: these functions take figures and return lines. Warm-up is shown as `7/20`, an absent value as a dash.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from tickflow.figures import percent, price
from tickflow.metrics.fields import TABLE, Field, Unit
from tickflow.metrics.points import Points
from tickflow.worker.counters import Counters
from tickflow.worker.summary import Moved, SymbolFigures

_BLOCKS = "▁▂▃▄▅▆▇█"
_CONSOLE = tuple(each for each in TABLE if each.console)
_SUMMARY = tuple(each for each in TABLE if each.summary)
_WIDTHS = dict.fromkeys(Unit, 9) | {Unit.DEVIATIONS: 5}

Paint = Callable[[str, str], str]
"""Gives text a style: alert, up, down, faint or bold."""


def change(value: float) -> str:
    """A change in percent with a sign and an arrow, so that it can be read without colour.

    >>> change(-1.234), change(-0.001)
    ('▼ −1.23 %', '= 0.00 %')
    """
    if abs(value) < 0.005:
        return "= 0.00 %"
    return f"{'▲' if value > 0 else '▼'} {percent(value)}"


def counted(number: int, noun: str) -> str:
    """A number and its noun, singular or plural.

    >>> counted(1, "tick"), counted(1_200, "tick")
    ('1 tick', '1,200 ticks')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def clock(time_ns: int) -> str:
    """The time of day in UTC, to the second.

    >>> clock(1_767_623_400_000_000_000)
    '14:30:00Z'
    """
    return datetime.fromtimestamp(time_ns // 1_000_000_000, UTC).strftime("%H:%M:%SZ")


def ago(nanoseconds: int) -> str:
    """A duration in words.

    >>> ago(2_400_000_000), ago(192 * 1_000_000_000), ago(7_300 * 1_000_000_000)
    ('2 s', '3 m 12 s', '2 h 1 m')
    """
    seconds = max(nanoseconds, 0) // 1_000_000_000
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} m {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} m"


def symbol_line(figures: SymbolFigures, paint: Paint, width: int = 12) -> str:
    """One symbol's newest tick and averages; the symbol is padded to `width`."""
    shown = "  ".join(f"{each.console} {_metric(figures, each):>{_WIDTHS[each.unit]}}" for each in _CONSOLE)
    moved = change(figures.change_percent)
    style = "up" if figures.change_percent > 0 else "down" if figures.change_percent < 0 else "faint"
    return (
        f"{clock(figures.time_ns)} {paint(f'{figures.symbol:<{width}}', 'bold')} {price(figures.last):>12} "
        f"{paint(f'{moved:>11}', style)}  {shown}  "
        f"{paint(counted(figures.ticks_since_shown, 'tick'), 'faint')}"
    )


def anomaly_line(points: Points, at: int, paint: Paint) -> str:
    """The anomaly at index `at`, with its evidence."""
    high = points.price[at] > points.ma_10[at]
    text = (
        f"!! ANOMALY {points.symbol[at]} {'▲ high' if high else '▼ low'} {price(float(points.price[at]))} "
        f"at {clock(int(points.time_ns[at]))}: {points.z_score[at]:.2f} deviations from MA10 "
        f"{price(float(points.ma_10[at]))}, volatility {price(float(points.volatility[at]))}"
    )
    return paint(text, "alert")


def sparkline(prices: Sequence[float], width: int = 16) -> str:
    """The trend of the prices, oldest first, in at most `width` blocks; the prices are divided among the blocks, and
    each block shows the last of its prices.

    >>> sparkline([1, 2, 3, 4, 4, 4, 1])
    '▁▃▆███▁'
    """
    if not prices:
        return ""
    stretches = min(width, len(prices))
    picked = [prices[(number + 1) * len(prices) // stretches - 1] for number in range(stretches)]
    low, high = min(picked), max(picked)
    steps = len(_BLOCKS) - 1
    return "".join(_BLOCKS[round((each - low) / (high - low) * steps) if high > low else 0] for each in picked)


def symbol_width(figures: Sequence[SymbolFigures]) -> int:
    """The width of the column for these symbols."""
    return max([12, *(len(each.symbol) for each in figures)])


def interval_lines(moved: Moved, paint: Paint) -> list[str]:
    """One line for each of the busiest symbols that had ticks, ordered by name, and one line for all others."""
    width = symbol_width(moved.busiest)
    lines = [symbol_line(each, paint, width) for each in sorted(moved.busiest, key=lambda each: each.symbol)]
    if moved.others:
        others, ticks = counted(moved.others, "more symbol"), counted(moved.others_ticks, "tick")
        lines.append(paint(f"… and {others} with {ticks}", "faint"))
    return lines


def summary_report(
    symbols: Sequence[SymbolFigures],
    counters: Counters,
    refused: Mapping[str, int],
    lag: Mapping[int, int],
    history: Mapping[str, Sequence[float]],
    seconds: float,
    limit: int = 50,
) -> list[str]:
    """The summary: one row per symbol, then the totals of the worker.

    `refused` is by key; `lag` is by partition, in records; `history` has the last prices of each symbol.
    """
    shown = sorted(symbols, key=lambda each: (-each.ticks, each.symbol))[:limit]
    width = symbol_width(shown)
    metrics = "".join(f"{each.label.lower():>10} " for each in _SUMMARY)
    header = (
        f"{'symbol':<{width}} {'ticks':>10} {'last':>12} {'min':>12} {'max':>12} {'change':>12} {metrics}"
        f"{'anomalies':>9} {'refused':>8} {'lag':>8}  trend"
    )
    lines = [f"Summary after {seconds:,.0f} s", header]
    for each in shown:
        metrics = "".join(f"{_metric(each, field):>10} " for field in _SUMMARY)
        lines.append(
            f"{each.symbol:<{width}} {each.ticks:>10,} "
            f"{price(each.last):>12} {price(each.low):>12} {price(each.high):>12} "
            f"{change(each.change_percent):>12} {metrics}{each.anomalies:>9,} "
            f"{refused.get(each.symbol, 0):>8,} {lag.get(each.partition, 0):>8,}  "
            f"{sparkline(tuple(history.get(each.symbol, ())))}"
        )
    if len(symbols) > limit:
        lines.append(f"… and {len(symbols) - limit:,} more symbols")
    total = counters.total
    lines.append(
        f"{total.accepted:,} ticks accepted, {total.stored:,} stored, "
        f"{total.refused.total():,} records refused, {sum(lag.values()):,} still to read"
    )
    lines += accounts(counters)
    if total.refused:
        by_reason = ", ".join(f"{reason} {count:,}" for reason, count in total.refused.most_common())
        lines.append(f"refused: {by_reason}")
    noteworthy = {
        "refused by the store": total.refused_by_store,
        "outside the store's retention": total.expired,
        "lost from the log": total.lost,
        "offsets without a record": total.skipped,
        "missing for the warm-up of windows": total.cold,
        "commits of another program": total.foreign,
        "symbols in more than one partition": total.split,
        "late": total.late,
        "without a time zone": total.naive,
        "missing (a gap in the producer's numbers)": total.gaps,
        "repeated (the same number twice)": total.repeats,
    }
    rest = ", ".join(f"{count:,} {what}" for what, count in noteworthy.items() if count)
    return [*lines, rest] if rest else lines


def accounts(counters: Counters) -> list[str]:
    """Whether the accounts add up: one line if they do, else one line per partition where they do not."""
    wrong = counters.discrepancies()
    if wrong:
        return [f"THE ACCOUNTS DO NOT ADD UP, partition {number}: {words}" for number, words in wrong.items()]
    advanced = sum(account.advanced for account in counters.accounts.values())
    where = counted(len(counters.accounts), "partition")
    return [f"accounts: {counted(advanced, 'offset')} committed in {where}, all accounted for"]


def _metric(figures: SymbolFigures, field: Field) -> str:
    value = figures.metrics[field.name]
    if math.isnan(value):
        return "–" if figures.depth >= field.window else f"{figures.depth}/{field.window}"
    return price(value) if field.unit is Unit.PRICE else f"{value:,.{field.digits}f}"
