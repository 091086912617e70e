"""Tests of the console's text: warm-up, digits, limits, and colour only on a terminal."""

import io
import tracemalloc

from tests.metrics.test_formulas import record
from tickflow.metrics.measures import measure
from tickflow.metrics.points import Points
from tickflow.metrics.windows import Windows
from tickflow.ticks.tick import decode
from tickflow.worker.console import Console, painter
from tickflow.worker.counters import Counters


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Feed:
    """A console with its own clock, and the windows of a partition that feed it."""

    def __init__(self, out: io.StringIO | None = None) -> None:
        self.out = out or io.StringIO()
        self.clock = Clock()
        self.history = {"AAPL": [1.0, 2.0, 1.0]}
        self.console = Console(self.out, interval=2.0, summary_interval=60.0, history=self.history, clock=self.clock)
        self.console.begin()
        self.counters = Counters()
        self._windows = Windows()
        self._offset = 0

    def ticks(self, symbol: str, *prices: float) -> None:
        records = [record(self._offset + number, symbol, price) for number, price in enumerate(prices)]
        self._offset += len(prices)
        ticks, _ = decode(records)
        metrics = measure(self._windows.advance(ticks), 2.0)
        self.console.take(Points.of(0, ticks, metrics), metrics.depth)

    def after(self, seconds: float) -> str:
        self.out.seek(0)
        self.out.truncate()
        self.clock.now += seconds
        self.console.speak(self.counters, lambda: {0: 1_234})
        return self.out.getvalue()


def test_one_line_per_symbol_and_interval_for_any_number_of_ticks() -> None:
    feed = Feed()
    feed.ticks("AAPL", *[100.0 + number for number in range(500)])
    feed.ticks("IBM", 50.0)
    assert feed.after(1.0) == ""
    lines = feed.after(1.5).splitlines()
    assert len(lines) == 2
    assert "AAPL" in lines[0]
    assert "500 ticks" in lines[0]
    assert feed.after(2.5) == ""


def test_warm_up_is_shown_as_such_and_never_as_a_number() -> None:
    feed = Feed()
    feed.ticks("AAPL", *[100.0] * 7)
    line = feed.after(2.0)
    assert "MA20      7/20" in line
    assert "MA10      7/10" in line
    assert "MA5    100.00" in line
    assert "z  7/10" in line


def test_a_quiet_price_has_no_score() -> None:
    feed = Feed()
    feed.ticks("AAPL", *[100.0] * 10)
    line = feed.after(2.0)
    assert "vol      0.00" in line
    assert "z     –" in line


def test_an_anomaly_is_printed_at_once_with_its_evidence_and_a_flood_is_counted() -> None:
    feed = Feed()
    feed.ticks("AAPL", *[100.0] * 9, 110.0)
    assert feed.out.getvalue().startswith(
        "!! ANOMALY AAPL ▲ high 110.00 at 14:30:00Z: 2.85 deviations from MA10 101.00"
    )
    feed = Feed()
    for number in range(14):
        feed.ticks(f"S{number}", *[100.0] * 9, 90.0)
    assert feed.out.getvalue().count("▼ low") == 10
    assert "!! and 4 more anomalies" in feed.after(2.0)


def test_symbols_that_do_not_fit_are_counted() -> None:
    feed = Feed()
    for number in range(40):
        feed.ticks(f"S{number}", 1.0, 2.0)
    lines = feed.after(2.0).splitlines()
    assert len(lines) == 31
    assert lines[-1] == "… and 10 more symbols with 20 ticks"


def test_colour_only_on_a_terminal_and_never_with_no_color() -> None:
    assert painter(io.StringIO(), {})("x", "alert") == "x"
    assert painter(Terminal(), {})("x", "alert") == "\x1b[1;31mx\x1b[0m"
    assert painter(Terminal(), {"NO_COLOR": "1"})("x", "alert") == "x"


def test_the_summary_has_every_figure_and_is_printed_when_due_on_request_and_at_the_end() -> None:
    feed = Feed()
    feed.counters.open(0, 100)
    pending = feed.counters.pending(0, epoch=1)
    pending.consumed, pending.accepted, pending.stored, pending.late = 5, 3, 3, 1
    pending.refused["price_range"] = 2
    feed.counters.settle(0, epoch=1, committed=105)
    feed.ticks("AAPL", 100.0, 90.0, 120.0)
    feed.console.refused([b"AAPL", None])
    feed.after(30.0)
    assert "Summary" not in feed.after(29.0)
    due = feed.after(1.0)
    row = next(line for line in due.splitlines() if line.startswith("AAPL"))
    assert row.split() == [
        "AAPL",
        "3",
        "120.00",
        "90.00",
        "120.00",
        "▲",
        "+20.00",
        "%",
        "3/10",
        "0",
        "1",
        "1,234",
        "▁█▁",
    ]
    assert "3 ticks accepted, 3 stored, 2 records refused, 1,234 still to read" in due
    assert "refused: price_range 2" in due
    assert "1 late" in due
    assert "accounts: 5 offsets committed in 1 partition, all accounted for" in due
    feed.console.want_summary()
    assert "Summary after 61 s" in feed.after(1.0)
    feed.console.end(feed.counters, dict)
    assert feed.out.getvalue().count("Summary after") == 2


def test_keys_that_are_not_symbols_are_never_kept() -> None:
    console = Feed().console
    tracemalloc.start()
    try:
        console.refused(f"{number}-{'x' * 5_000}".encode() for number in range(1_000))
        console.refused([b"\xff", b"", None])
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1_000_000


def test_a_closed_terminal_does_not_stop_the_worker() -> None:
    feed = Feed()
    feed.out.close()
    feed.ticks("AAPL", *[100.0] * 9, 110.0)
    feed.clock.now += 5
    feed.console.speak(feed.counters, dict)


def test_characters_that_the_terminal_lacks_become_question_marks() -> None:
    shown = io.BytesIO()
    feed = Feed()
    feed.console = Console(io.TextIOWrapper(shown, encoding="ascii"), 2.0, 60.0, feed.history, feed.clock)
    feed.console.begin()
    feed.ticks("AAPL", 100.0, 101.0)
    feed.clock.now += 2
    feed.console.speak(feed.counters, dict)
    feed.console.end(feed.counters, dict)
    lines = shown.getvalue().decode("ascii").splitlines()
    assert "? +1.00 %" in lines[0]
    assert lines[1].startswith("Summary after")


def test_without_any_standard_output_nothing_is_shown_and_nothing_fails() -> None:
    console = Console(None, interval=2.0, summary_interval=60.0, history={})
    console.begin()
    console.end(Counters(), dict)
