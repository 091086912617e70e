"""Late ticks, gaps and repeats are counted from the ticks themselves."""

import json

from tickflow.ticklog.base import Entry
from tickflow.ticks.tick import TickBatch, decode
from tickflow.worker.arrivals import MAX_GAP, Arrivals
from tickflow.worker.counters import Tally


def ticks(*rows: tuple[str, int, str | None, int | None]) -> TickBatch:
    """A batch of ticks, each given as symbol, second, producer and `seq`."""
    records = []
    for offset, (symbol, second, producer, seq) in enumerate(rows):
        time = f"2026-01-05T14:30:{second:02}Z"
        tick = {"symbol": symbol, "price": 1, "timestamp": time, "producer": producer, "seq": seq}
        records.append(Entry(0, offset, symbol.encode(), json.dumps(tick).encode(), 0, 0))
    batch, refused = decode(records)
    assert not refused
    return batch


def test_a_tick_older_than_an_earlier_one_of_its_symbol_is_late() -> None:
    tally = Tally()
    Arrivals().diagnose(
        ticks(("A", 5, None, None), ("B", 1, None, None), ("A", 4, None, None), ("A", 5, None, None)), tally
    )
    assert tally.late == 1


def test_gaps_and_repeats_are_counted_within_one_run_of_a_producer() -> None:
    tally, arrivals = Tally(), Arrivals()
    arrivals.diagnose(ticks(("A", 1, "p", 1), ("A", 2, "p", 2), ("B", 2, "p", 1), ("A", 3, "p", 6)), tally)
    assert (tally.gaps, tally.repeats) == (3, 0)
    arrivals.diagnose(ticks(("A", 4, "p", 6), ("A", 4, "p", 7), ("A", 5, "q", 40), ("A", 6, "q", 41)), tally)
    assert (tally.gaps, tally.repeats) == (3, 1)


def test_ticks_of_a_restore_update_the_state_but_do_not_count() -> None:
    tally = Tally()
    batch = ticks(("A", 5, "p", 1), ("A", 4, "p", 9), ("A", 3, "p", 10))
    Arrivals().diagnose(batch, tally, begin=2)
    assert (tally.late, tally.gaps, tally.repeats) == (1, 0, 0)


def test_an_absurd_gap_stays_printable() -> None:
    tally = Tally()
    huge = int("9" * 4300)  # the longest number that Python converts to text, and that is accepted as a `seq`
    Arrivals().diagnose(ticks(("A", 1, "p", 1), ("A", 2, "p", huge), ("A", 3, "q", 1), ("A", 4, "q", huge)), tally)
    assert tally.gaps == 2 * MAX_GAP
    assert len(f"{tally.gaps:,}") < 30
