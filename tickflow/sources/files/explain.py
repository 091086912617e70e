"""The output of `--explain`: how a file is understood, its first ticks, and the rows that would be refused."""

import shlex
from collections.abc import Iterator
from pathlib import Path

from tickflow.sources.files.opened import File
from tickflow.sources.files.options import Options, Refusal, quoted
from tickflow.sources.files.plan import BARS, MONTHS, Plan
from tickflow.sources.files.sources import Opened, Reading
from tickflow.sources.files.zones import offsets_said

TICKS, REFUSALS, ROWS = 5, 5, 1_000_000


def explained(path: Path, opened: Opened, options: Options) -> Iterator[str]:
    """The lines of the explanation."""
    refused: list[tuple[str, Refusal]] = []
    reading = Reading(opened, options, lambda name, refusal: refused.append((name, refusal)))
    files = opened.files
    yield from opened.notes
    for file in files[:10]:
        yield f"{file.member.name}: {file.form}"
        yield f"  columns: {', '.join(quoted(name, 40) for name in file.names[:40])}"
        yield from (f"  {note}" for note in file.plan.notes)
        yield f"  order: {_order(file, reading)}"
    if len(files) > 10:
        yield f"... and {len(files) - 10:,} more files; all are merged in order of time"
    elif len(files) > 1:
        yield "The files are merged in order of time."
    shown = 0
    is_whole = True
    for columns in reading.columns():
        if shown < TICKS:
            if not shown:
                yield f"First {TICKS} ticks:"
            for tick in columns.take(slice(0, TICKS - shown)).ticks():
                volume = "" if tick.volume is None else f", volume {tick.volume:,}"
                yield f"  {tick.timestamp.isoformat().replace('+00:00', 'Z')}  {tick.symbol}  {tick.price!r}{volume}"
                shown += 1
        if reading.tally.read >= ROWS:
            is_whole = False
            break
    tally = reading.tally
    yield (
        f"{tally.read:,} rows {'in all' if is_whole else 'were looked at'}: {tally.refused:,} would be refused"
        + (f", {tally.empty:,} have no price and are skipped" if tally.empty else "")
        + (f", {tally.passed:,} lines are not ticks and are skipped" if tally.passed else "")
    )
    for name, refusal in refused[:REFUSALS]:
        where = f"{name}, " if len(files) > 1 else ""
        yield f"  {where}line {refusal.line:,}: {refusal.why}"
    yield from (f"  {each}" for each in tally.damaged)
    yield "The whole command, with every guess spelled out:"
    yield f"  {command(path, files, options)}"


def _order(file: File, reading: Reading) -> str:
    if file.plan.direction < 0:
        done = "sorted on disk (--sort auto)" if reading.sorts(file) else "refused (--sort never)"
        return f"the newest row comes first; {done}"
    return "sorted on disk (--sort always)" if reading.sorts(file) else "as in the file"


def command(path: Path, files: list[File], options: Options) -> str:
    """A command that reads the file in the same way, with every recognised option as a flag."""
    flags = ["python", "stock_producer.py", "--source", "replay", "--replay-file", str(path)]
    for name, value in spelled(files, options).items():
        flags += [f"--{name}", value]
    return shlex.join(flags)


def spelled(files: list[File], options: Options) -> dict[str, str]:
    """The flags for the recognised options that are the same for all files."""
    plans = [file.plan for file in files]
    found: dict[str, str] = {}

    def add(flag: str, values: set[str | None]) -> None:
        if len(values) == 1 and (value := values.pop()) is not None:
            found[flag] = value

    add(
        "timezone",
        {offsets_said(plan.time.zone) if plan.time.zone else None for plan in plans},
    )
    add("symbol", {_symbol(plan) for plan in plans})
    if all(file.names == files[0].names and _columns(file) == _columns(files[0]) for file in files):
        add("columns", {_columns(files[0])})
    add("dates", {plan.time.order for plan in plans})
    add("decimal", {"comma" if plan.comma else "point" for plan in plans})
    add("epoch", {plan.time.unit if plan.time.how == "epoch" else None for plan in plans})
    if all(plan.kind == BARS for plan in plans):
        add("bars", {plan.bars for plan in plans})
        add("bar-length", {"month" if plan.bar_us == MONTHS else f"{plan.bar_us / 1e6:g}" for plan in plans})
    add("sort", {options.sort})
    return found


def _symbol(plan: Plan) -> str | None:
    return plan.series[0].symbol if len(plan.series) == 1 and plan.symbol is None else None


def _columns(file: File) -> str | None:
    """`--columns` for the recognised columns; `None` if the layout cannot be expressed by columns."""
    plan = file.plan
    if len(plan.series) > 1 or plan.scale != 1.0 or plan.select or plan.signed or plan.time.how == "clock":
        return None
    names = list(file.names)
    if any(not name or names.count(name) > 1 or "," in name or "+" in name or "=" in name for name in names):
        return None
    roles = {"time": "+".join(names[at] for at in plan.time.columns)}
    roles |= {role: names[at] for role, at in plan.series[0].columns.items()}
    if plan.symbol is not None:
        roles["symbol"] = names[plan.symbol] + ("" if plan.suffix is None else f"+{names[plan.suffix[0]]}")
    return ",".join(f"{role}={name}" for role, name in roles.items())
