"""One file of ticks: opens it, recognises it, and reads it as columns of ticks."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tickflow.sources.files import arrow, dbn, jsonrows
from tickflow.sources.files.convert import Converted, Converter
from tickflow.sources.files.layouts import TAQ_MESSAGES, TAQ_TRADE
from tickflow.sources.files.options import Options, Unreadable
from tickflow.sources.files.packing import HEAD_BYTES, Member
from tickflow.sources.files.plan import Plan
from tickflow.sources.files.recognise import Seen, plan_of
from tickflow.sources.files.table import SEPARATORS, Chunk, Rows, Shape, shape_of, split
from tickflow.sources.files.text import encoding_of, first_lines

LINES = 5_000
"""The maximum number of rows that recognition reads."""


@dataclass
class File:
    """A recognised file: `plan` says how to read it; `form` describes it in words."""

    member: Member
    plan: Plan
    form: str
    span_us: tuple[int, int] | None
    """The first and the last time among the rows that recognition read; `None` if there are none."""
    names: tuple[str, ...]
    _chunks: Callable[[], Iterator[Chunk]]
    rows: int | None = None

    def converted(self) -> Iterator[Converted]:
        """All rows as ticks, in the file's order. If the file is damaged, raises what unpacking raises."""
        converter = Converter(self.plan)
        for chunk in self._chunks():
            yield converter.convert(chunk)


def open_file(member: Member, options: Options) -> File:
    """Recognise a file. Raises `Unreadable`, which says what the file should be, or which flag to give."""
    head = member.head
    if not head:
        raise Unreadable("a file with rows; this one is empty")
    if arrow.is_arrow(head):
        return _arrow(member, options)
    if dbn.is_dbn(head):
        return _dbn(member, options)
    encoding = encoding_of(head)
    is_whole = len(head) < HEAD_BYTES
    lines = first_lines(head, encoding, is_whole, LINES + 200)
    text = "\n".join(lines[:5])
    notes = [f"{' in '.join([*reversed(member.packing)])}-packed"] if member.packing else []
    if encoding.codec != "utf-8" or encoding.mark:
        notes.append(f"encoding: {encoding.said}")
    if jsonrows.is_json(text):
        return _json(member, options, encoding, lines, notes, is_whole)
    return _delimited(member, options, encoding, lines, notes)


def _finish(
    member: Member,
    options: Options,
    seen: Seen,
    form: str,
    chunks: Callable[[], Iterator[Chunk]],
    rows: int | None = None,
) -> File:
    plan = plan_of(seen, options)
    first = Converter(plan).convert(replace(seen.chunk, refused=[]))
    if not len(first.ticks) and first.refused and len(seen.chunk) > 0:
        refusal = first.refused[0]
        raise Unreadable(
            f"rows that are ticks; none of the first {len(seen.chunk):,} is one: line {refusal.line}: {refusal.why}"
        )
    if plan.direction < 0 and options.sort == "never":
        raise Unreadable(
            "ticks in order of time; the newest row of this file comes first: --sort auto sorts it, on disk"
        )
    names = tuple(name.replace("\0", " ") for name in seen.names)
    times = first.ticks.time_us
    span = (int(times.min()), int(times.max())) if len(times) else None
    return File(member, plan, form, span, names, chunks, rows)


def _delimited(member: Member, options: Options, encoding: Any, lines: list[str], notes: list[str]) -> File:
    wanted = [each for group in options.columns.values() for each in group]
    shape = _messages(lines) or shape_of(lines, wanted)
    body = "\n".join(lines[: shape.skipped + LINES]).encode("utf-8", "replace")
    sample = _gathered(Rows(shape, encoding_of(b"")).chunks(io.BytesIO(body)), len(shape.names))
    if shape.skipped > 1 + (len(shape.levels) > 1):
        notes.append(f"{shape.skipped} lines before the first row, the header among them")
    seen = Seen(shape.names, sample, member.names, has_header=shape.has_header, separator=shape.separator, notes=notes)
    form = f"text, separated by {SEPARATORS[shape.separator]}s"

    def chunks() -> Iterator[Chunk]:
        with member.open() as stream:
            yield from Rows(shape, encoding).chunks(stream)

    return _finish(member, options, seen, form, chunks)


def _messages(lines: list[str]) -> Shape | None:
    """The shape of NYSE TAQ's trade messages; each kind of message has its own columns."""
    rows = [split(line, ",") for line in lines[:500] if line.strip() and '"' not in line]
    kinds = {cells[0] for cells in rows}
    trades = [cells for cells in rows if cells[0] == TAQ_TRADE]
    if not trades or not kinds <= TAQ_MESSAGES or len(trades[0]) < 8:
        return None
    names = tuple(str(number) for number in range(1, len(trades[0]) + 1))
    return Shape(",", names, 0, has_header=False, only=(0, frozenset({TAQ_TRADE})))


def _gathered(chunks: Iterator[Chunk], width: int) -> Chunk:
    """The first rows of several chunks as one chunk."""
    found = [chunk for chunk, _ in zip(chunks, range(4), strict=False)]
    if not found:
        return Chunk([() for _ in range(width)], np.array([], dtype=np.int64))
    if len(found) == 1:
        only = found[0]
        if len(only) <= LINES:
            return only
        return Chunk([cells[:LINES] for cells in only.columns], only.lines[:LINES], only.refused, only.passed)
    columns = [[cell for chunk in found for cell in chunk.columns[at]] for at in range(width)]
    refused = [refusal for chunk in found for refusal in chunk.refused]
    return Chunk(
        columns, np.concatenate([chunk.lines for chunk in found]), refused, sum(chunk.passed for chunk in found)
    )


def _json(member: Member, options: Options, encoding: Any, lines: list[str], notes: list[str], is_whole: bool) -> File:
    if jsonrows.is_lines(lines):
        whole_lines = "\n".join(lines).encode("utf-8", "replace")
        first = list(jsonrows.lines_of(io.BytesIO(whole_lines), encoding_of(b"")))[:LINES]
        names = jsonrows.names_of([row for _, row in first if isinstance(row, (dict, list))])
        if isinstance(first[0][1], (list, dict)):
            return _json_file(
                member, options, names, first, "JSON lines", notes,
                lambda: _streamed(member, lambda stream: jsonrows.lines_of(stream, encoding)), header=_has_names(first),
            )  # fmt: skip
    with member.open() as stream:
        value = (
            jsonrows.whole(stream, encoding, jsonrows.WHOLE_BYTES)
            if is_whole or member.counted.size < jsonrows.WHOLE_BYTES
            else None
        )
    if value is not None:
        answer = jsonrows.answer_of(value)
        del value
        rows = list(enumerate(answer.rows, 1))
        first = rows[:LINES]
        names = jsonrows.names_of([row for _, row in first])
        kept = rows if not member.counted.size else None  # keep the rows of a pipe, which cannot be read again

        def again() -> Iterator[tuple[int, Any]]:
            if kept is not None:
                return iter(kept)
            with member.open() as stream:
                return enumerate(jsonrows.answer_of(jsonrows.whole(stream, encoding, jsonrows.WHOLE_BYTES)).rows, 1)

        return _json_file(
            member, options, names, first, answer.said, notes, again, header=_has_names(first),
            symbol=answer.symbol, zone=answer.zone,
        )  # fmt: skip
    path, found, beside = jsonrows.first_rows(member.head, encoding, 500)
    if not found:
        raise Unreadable("an array of rows within the first 256 kB of a JSON file of this size")
    symbol = next(
        (str(each) for name, each in beside.items() if name.rsplit(".", 1)[-1].lower() in ("symbol", "ticker")), None
    )
    first = list(enumerate(found, 1))
    return _json_file(
        member, options, jsonrows.names_of(found), first, f"a large JSON array{f' in {path!r}' if path else ''}", notes,
        lambda: _streamed(member, lambda stream: jsonrows.items(stream, encoding, path)), header=_has_names(first),
        symbol=symbol,
    )  # fmt: skip


def _has_names(rows: list[tuple[int, Any]]) -> bool:
    return any(isinstance(row, dict) for _, row in rows[:20])


def _streamed(member: Member, rows: Callable[[Any], Iterator[tuple[int, Any]]]) -> Iterator[tuple[int, Any]]:
    with member.open() as stream:
        yield from rows(io.BufferedReader(stream, 1 << 18))


def _json_file(
    member: Member, options: Options, names: list[str], first: list[tuple[int, Any]], said: str, notes: list[str],
    rows: Callable[[], Iterator[tuple[int, Any]]], *, header: bool, symbol: str | None = None, zone: str | None = None,
) -> File:  # fmt: skip
    reader = jsonrows.JsonRows(names)
    sample = _gathered(reader.chunks(first), len(names))
    seen = Seen(names, sample, member.names, has_header=header, symbol=symbol, zone=zone, notes=notes, messages=True)
    return _finish(member, options, seen, said, lambda: reader.chunks(rows()))


def _arrow(member: Member, options: Options) -> File:
    table = arrow.ArrowTable(member)
    try:
        first = next(table.chunks(), None)
    except EOFError as error:
        raise Unreadable(f"a {table.form} file that is whole ({error})") from error
    if first is None:
        raise Unreadable("a file with rows; this one has none")
    sample = Chunk([cells[:LINES] for cells in first.columns], first.lines[:LINES])
    seen = Seen(table.names, sample, member.names, zone=table.zone)
    plan = plan_of(seen, options)
    table.release()
    return _finish(member, options, seen, table.form, lambda: table.chunks(plan.needed), table.rows)


def _dbn(member: Member, options: Options) -> File:
    table = dbn.DbnFile(member)
    try:
        first = next(table.chunks(), None)
    except EOFError as error:
        raise Unreadable(f"a DBN file that is whole ({error})") from error
    if first is None or not len(first):
        raise Unreadable(f"a DBN file with trades or bars; this one (schema {table.schema}) has none at its start")
    sample = Chunk([cells[:LINES] for cells in first.columns], first.lines[:LINES])
    names = table.names
    if not all(sample.columns[1]):
        names = [name if name != "symbol" else "instrument_id" for name in names]
    seen = Seen(names, sample, member.names, zone="UTC", bar_s=table.bar_s)
    return _finish(member, options, seen, f"Databento DBN ({table.schema})", table.chunks)
