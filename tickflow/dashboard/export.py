"""Every stored tick of a symbol in a time range, streamed as CSV regardless of their number."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime

from flask import Flask, Response, request

from tickflow.dashboard.drawing import clock, traces
from tickflow.dashboard.gate import Gate
from tickflow.dashboard.queries.view import chosen
from tickflow.errors import StoreError
from tickflow.metrics.points import Points
from tickflow.store.base import PageQueries

PATH = "/ticks.csv"
TOGETHER = 5_000
"""How many ticks are read at a time."""
FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet takes a cell that begins with one of these for a formula."""


def serve(server: Flask, gate: Gate) -> None:
    """Answer `GET /ticks.csv?symbol=AAPL&from=…&to=…`; both bounds are in ms of the exchange's wall clock."""

    def ticks() -> Response:
        view = chosen({"symbol": request.args.get("symbol"), "period": _bounds()})
        symbol, period = view["symbol"], view["period"]
        if symbol is None or period is None:
            return Response("A symbol, and from and to in ms are needed.", 400, mimetype="text/plain")
        try:
            store = gate.store.whole
            begin, end = (clock.utc_ns(bound) for bound in period)
            first = store.at_most(
                symbol, begin, begin + 1, 0
            )  # a store that is down makes the request fail now, not in the middle of the file
            del first
        except StoreError as error:
            return Response(str(error), 503, mimetype="text/plain")
        name = "".join(letter if letter.isalnum() or letter in ".-" else "_" for letter in symbol)
        headers = {"Content-Disposition": f'attachment; filename="tickflow-{name}.csv"', "Cache-Control": "no-store"}
        return Response(lines(store, symbol, begin, end), headers=headers, mimetype="text/csv")

    server.add_url_rule(PATH, "ticks", ticks)


def _bounds() -> list[float] | None:
    try:
        return [float(request.args["from"]), float(request.args["to"])]
    except (KeyError, ValueError):
        return None


def lines(store: PageQueries, symbol: str, begin_ns: int, end_ns: int) -> Iterator[str]:
    """The CSV (RFC 4180) of the symbol's ticks in [`begin_ns`, `end_ns`), in parts. Raises `StoreError`."""
    yield _written([traces.CSV])
    for points in parts(store, symbol, begin_ns, end_ns):
        yield _written(_rows(points))


def parts(store: PageQueries, symbol: str, begin_ns: int, end_ns: int) -> Iterator[Points]:
    """The symbol's ticks in time order, a few thousand at a time."""
    width = end_ns - begin_ns
    at = begin_ns
    while at < end_ns:
        until = min(end_ns, at + width)
        points = store.at_most(symbol, at, until, TOGETHER)
        if points is None and width > 1:
            width = max(1, width // 4)
            continue
        if points is None:
            points = store.points(symbol, at, until)
        if len(points):
            yield points
        at = until
        if len(points) < TOGETHER // 8:
            width *= 2


def _rows(points: Points) -> Iterator[list[object]]:
    columns: list[list[object]] = []
    for name in traces.CSV:
        if name == "time_utc":
            columns.append([_stamp(time_ns) for time_ns in points.time_ns.tolist()])
        elif name in ("symbol", "source"):
            columns.append([_harmless(text) for text in getattr(points, name)])
        else:
            values = getattr(points, name).tolist()
            columns.append([_cell(value) for value in values])
    yield from map(list, zip(*columns, strict=True))


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value != value else value


def _stamp(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + (
        f".{time_ns // 1000 % 1_000_000:06d}Z"
    )


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULAS) else text


def _written(rows: Iterator[list[object]] | list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
