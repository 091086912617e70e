"""Makes the table of the page's costs in docs/performance.md from the figures of the page's cases."""

from typing import Any

Figures = dict[str, Any]

CASES = ("first-view", "opening", "overview", "page", "quiet", "real-day", "soak", "viewers")
MISSING = "–"
_STORES = {"embedded": "embedded", "influxdb": "InfluxDB"}


def rows(figures: Figures) -> list[list[str]]:
    """The table's rows: what was measured, its result, the result of the plain way of doing it, and the target."""
    found = [["what", "measured", "the plain way", "wanted"]]
    page, overview, opening, viewers = (figures.get(case, {}) for case in ("page", "overview", "opening", "viewers"))
    for name, store in _STORES.items():
        what = f"a refresh, 7 symbols that all ticked, {store}"
        measured, plain = (_answer(page.get(f"{name}, {kind}")) for kind in ("all tick", "whole"))
        found.append([what, measured, plain, "at most 10 ms, 20 KB" if name == "embedded" else "at most 20 KB"])
    for name, store in _STORES.items():
        found.append([f"the same when nothing is new, {store}", _answer(page.get(f"{name}, idle")), "", "at most 2 KB"])
    for name, store in _STORES.items():
        what = f"a refresh of the overview, 2,000 symbols of which a tenth ticked, {store}"
        measured, plain = (_answer(overview.get(f"{name}, {kind}")) for kind in ("changes", "whole"))
        found.append([what, measured, plain, "at most 20 ms" if name == "embedded" else "at most 50 ms"])
    browser = overview.get("browser")
    work, rest = (_number(browser, key, " ms", digits=0) for key in ("task ms", "task ms at rest"))
    found.append(["the same in the browser, work per 2 s", f"{work}; {rest} when nothing is new", "", "at most 100 ms"])
    for name, store in _STORES.items():
        measured = _number(overview.get("first prices s"), name, " s", digits=1)
        found.append(
            [f"the overview of 20,000 symbols, until the first prices show, {store}", measured, "", "at most 5 s"]
        )
    for name, store in _STORES.items():
        what = f"opening one day of 7 symbols that tick once a second, {opening.get('points', 0):,} points, {store}"
        measured, plain = (_number(opening.get(name), key, " s", 1000) for key in ("ms", "plain ms"))
        found.append([what, measured, plain, "at most 1 s"])
    for name, store in _STORES.items():
        what = f"opening thirty days of one such symbol, {opening.get('points in a month', 0):,} points, {store}"
        month = opening.get(f"{name}, month")
        measured = _number(month, "ms", " s", 1000)
        if month and name == "influxdb":
            measured += f"; {_number(month, 'first ms', ' s', 1000)} if the page has not read them in advance"
        found.append([what, measured, "", "at most 1 s"])
    for kind, what in (("cold", "opening the page in Chromium, nothing kept from before"), ("warm", "the same again")):
        view = figures.get("first-view", {}).get(kind)
        size = _number(view, "bytes", " MB", 1e6) if kind == "cold" else _number(view, "bytes", " KB", 1e3, 0)
        wanted = "at most 2.4 MB, 2.5 s" if kind == "cold" else "at most 60 KB, 2 s"
        found.append([what, f"{size} over the wire, a chart after {_number(view, 'seconds', ' s')}", "", wanted])
    for name, store in _STORES.items():
        measured, plain = (_lateness(viewers.get(f"{name}, {kind}")) for kind in ("changes", "whole figures"))
        found.append([f"20 pages on one server that refresh every 2 s, {store}", measured, plain, "none late"])
    found += _real_day(figures.get("real-day", {}))
    found += _long(figures)
    return found


def _real_day(figures: Figures) -> list[list[str]]:
    """The page on a real day, in Chromium; times are the main thread's CPU, except the two waiting times."""
    what = {
        "open s": (
            "a real day of SPY, embedded: from a warm browser's request until it is drawn",
            " s",
            2,
            "at most 1 s",
        ),
        "open bytes": ("the same over the wire", " bytes", 0, "at most 60 KB"),
        "wheel ms": ("a step of the wheel over it, main thread", " ms", 0, "at most 50 ms"),
        "drag ms": ("a move of a drag over it, main thread", " ms", 0, "at most 50 ms"),
        "refined ms": ("from the wheel until what came into sight is refined", " ms", 0, "at most 250 ms"),
        "replay busy %": ("the day at 60 times its speed, main thread", " % busy", 1, "at most 15 %"),
        "refresh ms": ("a refresh of 7 symbols that all ticked, main thread", " ms", 0, "at most 40 ms"),
    }
    return [
        [text, _number(figures, name, unit, digits=digits), "", wanted]
        for name, (text, unit, digits, wanted) in what.items()
    ]


def _long(figures: Figures) -> list[list[str]]:
    """The memory of an open page over time."""
    soak, quiet = figures.get("soak", {}), figures.get("quiet", {})
    what = f"an open page through {soak.get('refreshes', 0):,.0f} refreshes, compressed in time"
    heap, server = (_course(soak.get(name)) for name in ("heap_mb", "server_mb"))
    seen = quiet.get("elsewhere"), quiet.get("errors")
    silent = "no request to elsewhere, no error" if seen == ([], []) else MISSING if None in seen else str(seen)
    return [
        [f"{what}: the browser's heap", heap, "", "levels off"],
        ["the same: the server's memory", server, "", "levels off"],
        ["five minutes of an open page beside the running chain", silent, "", "no request to elsewhere, no error"],
    ]


def _number(found: Figures | None, key: str, unit: str, scale: float = 1, digits: int = 2) -> str:
    return MISSING if not found else f"{found[key] / scale:,.{digits}f}{unit}"


def _answer(found: Figures | None) -> str:
    """The server's time for an answer, and its size."""
    if not found:
        return MISSING
    return f"{found['ms']:,.1f} ms, {found['bytes'] / 1e3:,.1f} KB ({found['gzip'] / 1e3:,.1f} KB over the wire)"


def _lateness(found: Figures | None) -> str:
    return MISSING if not found else f"{found['late']:.0f} late, the slowest answer after {found['slowest']:,.0f} ms"


def _course(found: Figures | None) -> str:
    """Megabytes at the start, in the middle and at the end of the soak."""
    if not found:
        return MISSING
    parts = (f"{found[part]:,.1f}" for part in ("begin", "middle", "end"))
    return f"{', '.join(parts)} MB at start, middle, end; {found['growth']:+.2f} MB per thousand in its second half"
