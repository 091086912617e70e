"""Reads JSON as rows: one object or array per line, an array of these, or an API's answer that has the rows somewhere
inside.

Nested objects become columns such as "k.c". Small files are read whole; a large array is streamed.
"""

import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from tickflow.sources.files.options import Refusal, Unreadable, quoted
from tickflow.sources.files.table import ROWS, Chunk
from tickflow.sources.files.text import Encoding, Readable, blocks
from tickflow.sources.files.times import read_time
from tickflow.ticks.tick import MAX_NESTING, SYMBOL_CHARACTERS

WHOLE_BYTES = 8 << 20
"""Files of up to this many bytes are read in one piece: the objects take about ten times as much memory."""
MOST_OBJECTS = 400_000
"""Smaller files with more objects and arrays than this are streamed as well: two million empty ones take 270 MB."""
DEPTH = 6
_SYMBOLS = ("symbol", "ticker", "2. symbol", "s", "instrument", "pair", "product_id", "from_currency", "underlying")
_loads = msgspec.json.Decoder().decode


@dataclass
class Answer:
    """The rows found in a JSON text, and the symbol and the zone stated outside the rows."""

    rows: Iterable[Any]
    said: str
    symbol: str | None = None
    zone: str | None = None
    path: str = ""
    columns: Sequence[str] = ()
    notes: list[str] = field(default_factory=list)


def is_json(text: str) -> bool:
    """Whether the text starts like JSON."""
    return text.lstrip("\ufeff \t\r\n")[:1] in ("{", "[")


def is_lines(lines: Sequence[str]) -> bool:
    """Whether each line is a separate JSON value."""
    filled = [line for line in lines if line.strip()][:20]
    good = sum(_value(line) is not None for line in filled)
    return (
        len(filled) > 0
        and good >= max(1, 0.7 * (len(filled) - 1))
        and (len(filled) > 1 or not _has_rows(_value(filled[0])))
    )


def _has_rows(value: Any) -> bool:
    return isinstance(value, list) or (
        isinstance(value, dict) and any(isinstance(each, (list, dict)) for each in value.values())
    )


def _value(line: str) -> Any:
    try:
        value = _loads(line)
    except (msgspec.DecodeError, RecursionError):
        return None
    return value if isinstance(value, (dict, list)) else None


def flat(row: Any, prefix: str = "", depth: int = 0) -> dict[str, Any]:
    """The values of a row by name; for an array, the names are positions from 1.

    >>> flat({"k": {"c": "1.5"}, "s": "BTC"}), flat([1, "2"])
    ({'k.c': '1.5', 's': 'BTC'}, {'1': 1, '2': '2'})
    """
    items: Iterable[tuple[str, Any]]
    if not depth and isinstance(row, dict) and isinstance(row.get("_source"), dict):
        row = row["_source"]  # Elasticsearch's document within its envelope
    items = row.items() if isinstance(row, dict) else ((str(at), each) for at, each in enumerate(row, 1))
    found: dict[str, Any] = {}
    for name, value in items:
        while isinstance(value, dict) and len(value) == 1 and (key := next(iter(value))).startswith("$"):
            value = value[key]  # MongoDB's types: {"$numberLong": "5"}
        if isinstance(value, dict) and depth < 3:
            found |= flat(value, f"{prefix}{name}.", depth + 1)
        else:
            found[f"{prefix}{name}"] = value
    return found


def cell(value: Any) -> str:
    """A JSON value as a cell of text."""
    if isinstance(value, str):
        return value.strip()
    if value is None or isinstance(value, (list, dict)):
        return ""
    return str(value)


class JsonRows:
    """Turns rows (objects or arrays) into chunks with the columns `names`, which come from the first rows.

    In later rows, values under other names are ignored; a row with none of these names is skipped.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def chunks(self, rows: Iterable[tuple[int, Any]], size: int = ROWS) -> Iterator[Chunk]:
        """The numbered rows as chunks; `None` and anything else that is not an object or array is refused."""
        names = self._names
        cells: list[list[str]] = []
        numbers: list[int] = []
        refused: list[Refusal] = []
        passed = 0
        for number, row in rows:
            if isinstance(row, Refusal):
                refused.append(row)
            elif not isinstance(row, (dict, list)):
                refused.append(Refusal(number, f"{quoted(cell(row))} is neither an object nor an array"))
            else:
                by_name = flat(row)
                if not any(name in by_name for name in names):
                    passed += 1  # feeds send messages of other kinds at their start
                    continue
                cells.append([cell(by_name.get(name)) for name in names])
                numbers.append(number)
            if len(numbers) + len(refused) >= size:
                yield self._chunk(cells, numbers, refused, passed)
                cells, numbers, refused, passed = [], [], [], 0
        if numbers or refused or passed:
            yield self._chunk(cells, numbers, refused, passed)

    def _chunk(self, cells: list[list[str]], numbers: list[int], refused: list[Refusal], passed: int) -> Chunk:
        columns: Sequence[Sequence[str]] = list(zip(*cells, strict=True)) if cells else [() for _ in self._names]
        return Chunk(columns, np.array(numbers, dtype=np.int64), refused, passed)


def names_of(rows: Sequence[Any]) -> list[str]:
    """The names of the columns in the first rows, in order of appearance. Raises `Unreadable` if there are none."""
    found: dict[str, None] = {}
    for row in rows:
        if isinstance(row, (dict, list)):
            found |= dict.fromkeys(flat(row))
    if not found:
        raise Unreadable("rows of objects or arrays; this JSON has none")
    return list(found)


def lines_of(stream: Readable, encoding: Encoding) -> Iterator[tuple[int, Any]]:
    """The rows of all lines, each with its line number; a line that is not JSON becomes a `Refusal`. A line may have
    its rows in an array.
    """
    number = 0
    for block in blocks(stream, encoding):
        lines = block.decode("utf-8", "replace").split("\n")
        if not lines[-1]:
            lines.pop()
        for line in lines:
            number += 1
            if not line.strip():
                continue
            try:
                value = _loads(line)
            except (msgspec.DecodeError, RecursionError) as error:
                yield number, Refusal(number, f"not JSON ({error}): {quoted(line)}")
                continue
            yield from ((number, each) for each in _unwrapped(value))


def _unwrapped(value: Any) -> Sequence[Any]:
    """The rows of one message: the message itself, or the elements of its array, each with the values next to the
    array.
    """
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        return value
    if isinstance(value, dict):
        arrays = {
            name: each for name, each in value.items()
            if isinstance(each, list) and each and all(isinstance(item, dict) for item in each)
        }  # fmt: skip
        if len(arrays) == 1:
            ((name, rows),) = arrays.items()
            beside = {key: each for key, each in value.items() if not isinstance(each, (list, dict))}
            return [beside | {f"{name}.{key}": each for key, each in row.items()} for row in rows]
        if isinstance(value.get("data"), dict):
            return [value | {"data": None} | {f"data.{key}": each for key, each in value["data"].items()}]
    return [value]


def answer_of(value: Any) -> Answer:
    """Find the rows in a JSON value. Raises `Unreadable` if there are none; the error quotes the API's message."""
    for special in (_yahoo, _by_time, _parallel):
        if found := special(value):
            return found
    best = _rows_within(value)
    if best is None:
        raise Unreadable(f"an answer with rows; this JSON has none: {quoted(_message(value), 200)}")
    path, rows = best
    answer = Answer(rows, f"a JSON array{f' in {path!r}' if path else ''}", path=path)
    _beside(value, path, answer)
    return answer


def _beside(value: Any, path: str, answer: Answer) -> None:
    """Find the symbol and the zone that the JSON states outside its rows."""
    for level in _levels(value, path):
        for name in _SYMBOLS:
            each = {key.lower(): item for key, item in level.items()}.get(name)
            if isinstance(each, str) and 0 < len(each) <= SYMBOL_CHARACTERS and each.lower() not in ("ok", "no_data"):
                answer.symbol = answer.symbol or each
    if isinstance(value, dict) and path and "." in path:
        last = path.rsplit(".", 1)[-1]
        if answer.symbol is None and re.fullmatch(r"[A-Z0-9.\-/:=]{2,20}", last):
            answer.symbol = last  # {"bars": {"AAPL": [...]}}, {"result": {"XXBTZUSD": [...]}}
    elif (
        isinstance(value, dict) and path and answer.symbol is None and re.fullmatch(r"[A-Z][A-Z0-9.\-/:=]{0,19}", path)
    ):
        answer.symbol = path


def _levels(value: Any, path: str) -> Iterator[Mapping[str, Any]]:
    found = [value]
    for name in filter(None, path.split(".")):
        value = value.get(name) if isinstance(value, dict) else None
        found.append(value)
    for level in found:
        if isinstance(level, dict):
            yield level
    for level in found:
        for each in ("meta", "Meta Data", "metadata"):
            if isinstance(level, dict) and isinstance(level.get(each), dict):
                yield level[each]


def _rows_within(value: Any, path: str = "", depth: int = 0) -> tuple[str, list[Any]] | None:
    """The longest array of objects or of arrays in a JSON value, with its path; `None` if there is none."""
    if isinstance(value, list):
        if value and all(isinstance(each, (dict, list)) for each in value[:50]):
            inner = _rows_within(value[0], path, depth + 1) if len(value) == 1 and depth < DEPTH else None
            if inner is not None and isinstance(value[0], dict) and len(inner[1]) > 1:
                return inner
            return path, value
        return None
    if not isinstance(value, dict) or depth > DEPTH:
        return None
    found = [_rows_within(each, f"{path}.{name}".lstrip("."), depth + 1) for name, each in value.items()]
    rows = [each for each in found if each is not None]
    several = [each for each in rows if each[0].rpartition(".")[0] == rows[0][0].rpartition(".")[0]]
    if (
        len(several) > 1
        and len(several) == len(rows)
        and _alike([each[1] for each in several])
        and _are_symbols(several)
    ):
        joined = [{"symbol": where.rsplit(".", 1)[-1]} | flat(row) for where, each in several for row in each]
        return path, joined
    return max(rows, key=lambda each: len(each[1]), default=None)


def _alike(tables: Sequence[list[Any]]) -> bool:
    return len({tuple(sorted(flat(rows[0]))) for rows in tables if rows}) == 1


def _are_symbols(found: Sequence[tuple[str, list[Any]]]) -> bool:
    return all(re.fullmatch(r"[A-Z0-9^.\-/:=]{1,20}", where.rsplit(".", 1)[-1]) for where, _ in found)


def _yahoo(value: Any) -> Answer | None:
    """Yahoo's chart: times in one array, prices in others, the symbol and the zone in `meta`."""
    try:
        (result,) = value["chart"]["result"]
        quote = result["indicators"]["quote"][0]
        times = result["timestamp"]
    except (KeyError, TypeError, IndexError, ValueError):
        return None
    if not isinstance(times, list) or not isinstance(quote, dict):
        return None
    columns = {"timestamp": times} | {name: each for name, each in quote.items() if isinstance(each, list)}
    meta = result.get("meta") if isinstance(result.get("meta"), dict) else {}
    symbol = meta.get("symbol")
    return Answer(_across(columns), "Yahoo's chart", symbol=symbol if isinstance(symbol, str) else None)


def _parallel(value: Any) -> Answer | None:
    """Parallel arrays, {"t": [...], "c": [...]}, as Finnhub has them; or the columns of pandas."""
    if not isinstance(value, dict):
        return None
    arrays = {
        name: each
        for name, each in value.items()
        if isinstance(each, list) and each and not isinstance(each[0], (dict, list))
    }
    if len(arrays) >= 2 and len({len(each) for each in arrays.values()}) == 1:
        answer = Answer(_across(arrays), "JSON arrays side by side")
        _beside(value, "", answer)
        return answer
    names, rows = value.get("columns"), value.get("data") or value.get("values") or value.get("rows")
    if (
        isinstance(names, list)
        and isinstance(rows, list)
        and rows
        and isinstance(rows[0], list)
        and all(isinstance(n, str) for n in names)
    ):
        index = value.get("index")
        if isinstance(index, list) and len(index) == len(
            rows
        ):  # the "split" form of pandas has the times outside the rows
            names, rows = ["index", *names], [[at, *row] for at, row in zip(index, rows, strict=True)]
        joined = [dict(zip(names, row, strict=False)) for row in rows if isinstance(row, list)]
        return Answer(joined, "a JSON table")
    inner = [each for each in value.values() if isinstance(each, dict)]
    if len(inner) == 1 and len(value) <= 3:
        return _parallel(inner[0])
    if inner and len(inner) == len(value) and len(inner) > 1 and len({tuple(each) for each in inner}) == 1:
        keys = list(inner[0])
        by_number = bool(keys) and read_time(str(keys[0])) is None and not (keys[0].isdigit() and len(keys[0]) > 9)
        if by_number and all(not isinstance(each, (dict, list)) for each in inner[0].values()):
            columns = {name: list(each.values()) for name, each in value.items()}
            return Answer(_across(columns), "JSON columns")
    return None


def _across(columns: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    longest = max((len(each) for each in columns.values()), default=0)
    return [{name: each[at] if at < len(each) else None for name, each in columns.items()} for at in range(longest)]


def _by_time(value: Any) -> Answer | None:
    """Rows keyed by time: {"2024-01-05": {"4. close": ...}}, as Alpha Vantage and pandas write them."""
    if not isinstance(value, dict):
        return None
    for name, each in [("", value), *value.items()]:
        if not isinstance(each, dict) or not each:
            continue
        keys = list(each)
        timed = all(read_time(key) is not None or re.fullmatch(r"\d{10,19}", key) for key in keys[:20])
        if not (timed and all(isinstance(row, dict) for row in list(each.values())[:20])):
            continue
        answer = Answer(
            [{"timestamp": key} | row for key, row in each.items() if isinstance(row, dict)],
            f"rows by their time in {name!r}" if name else "rows by their time",
        )
        beside = {key.lower(): item for key, item in value.items() if name and isinstance(item, str)}
        answer.symbol = next(
            (beside[key] for key in _SYMBOLS if 0 < len(beside.get(key, "")) <= SYMBOL_CHARACTERS), None
        )
        for meta in (item for item in value.values() if isinstance(item, dict) and item is not each):
            for key, item in meta.items():
                if (isinstance(item, str) and key.lower().endswith("symbol")) or key.lower().endswith(
                    "digital currency code"
                ):
                    answer.symbol = answer.symbol or str(item)
                if isinstance(item, str) and key.lower().endswith("time zone"):
                    answer.zone = item.split("/")[0] if item.upper().startswith("UTC") else item
        return answer
    return None


def _message(value: Any) -> str:
    if isinstance(value, dict):
        for name in ("Information", "Note", "Error Message", "error", "message", "detail", "errors"):
            if value.get(name):
                return f"{name}: {value[name]}"
    return json.dumps(value, default=str)[:300]


def whole(stream: Readable, encoding: Encoding, size: int) -> Any | None:
    """The value of a JSON text of at most `size` bytes; `None` if text or value are larger. Raises `Unreadable`."""
    raw = _all_of(stream, size + 1)
    if len(raw) > size or raw.count(b"{") + raw.count(b"[") > MOST_OBJECTS:
        return None
    text = raw[encoding.mark :].decode(encoding.codec, "replace")
    try:
        return _loads(text)
    except RecursionError:
        raise Unreadable("JSON that is less nested") from None
    except msgspec.DecodeError as error:
        at = re.search(r"byte (\d+)", str(error))
        place = int(at[1]) if at else 0
        line = text.encode("utf-8", "replace")[:place].count(b"\n") + 1
        near = " ".join(
            text.encode("utf-8", "replace")[max(0, place - 30) : place + 10].decode("utf-8", "replace").split()
        )
        raise Unreadable(f"JSON that is whole; line {line}: {error}, near {quoted(near)}") from error


def first_rows(head: bytes, encoding: Encoding, most: int) -> tuple[str, list[Any], dict[str, Any]]:
    """For a large file: the ijson path of the first array of rows, its first rows, and the values in front of it."""
    path, rows, beside = "", list[Any](), dict[str, Any]()
    parse = _parser(io.BytesIO(head[encoding.mark :]))
    builder: Any = None
    import ijson

    try:
        for prefix, event, value in parse:
            if builder is not None:
                builder.event(event, value)
                if prefix == f"{path}.item".lstrip(".") and event in ("end_map", "end_array"):
                    rows.append(builder.value)
                    builder = None
                    if len(rows) >= most:
                        break
                continue
            if event == "start_array" and not rows and not path:
                path = prefix or ""
                has_path = True
            elif (
                event in ("start_map", "start_array")
                and prefix == f"{path}.item".lstrip(".")
                and "has_path" in locals()
            ):
                builder = ijson.ObjectBuilder()
                builder.event(event, value)
            elif event in ("string", "number", "boolean") and not rows:
                beside[prefix] = value
    except (ijson.JSONError, ValueError):
        pass  # the head may end in the middle of a value
    return path, rows, beside


def items(stream: Readable, encoding: Encoding, path: str) -> Iterator[tuple[int, Any]]:
    """The rows at `path`, one after another, with their numbers. Raises `Unreadable` if the JSON is damaged."""
    import ijson

    stream.read(encoding.mark)
    try:
        yield from enumerate(ijson.items(_parser(stream), f"{path}.item".lstrip(".")), 1)
    except (ijson.JSONError, ValueError) as error:
        raise EOFError(" ".join(str(error).split())[:200]) from error


def _parser(stream: Readable) -> Any:
    import ijson

    return ijson.parse(_shallow(ijson.basic_parse(stream, use_float=True)))


def _shallow(events: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """The events of a JSON text; raises `ValueError` where it is nested too deeply. ijson keeps the path of every
    value, and with a megabyte of brackets it spent minutes on that path.
    """
    depth = 0
    for event, value in events:
        depth += event.startswith("start_") - event.startswith("end_")
        if depth > MAX_NESTING:
            raise ValueError(f"nested deeper than {MAX_NESTING} levels")
        yield event, value


def _all_of(stream: Readable, size: int) -> bytes:
    pieces = []
    while size and (piece := stream.read(size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)
