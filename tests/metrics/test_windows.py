"""Tests of what windows contain, how long they keep it, and how far back a restart must read."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.metrics.test_formulas import record, run
from tickflow.metrics.fields import DEPTH
from tickflow.metrics.windows import Windows, advance_together
from tickflow.ticklog.base import Bounds, Commit
from tickflow.ticks.tick import TickBatch, decode
from tickflow.worker.restore import plan, to_metadata


def test_before_the_first_tick_there_is_no_oldest_offset() -> None:
    assert Windows().oldest is None


def test_an_empty_batch_changes_nothing() -> None:
    windows = Windows()
    view = windows.advance(decode([])[0])
    assert view.last("price", 20).shape == (20, 0)
    assert windows.oldest is None


def test_the_oldest_offset_is_that_of_the_longest_window_of_the_slowest_symbol() -> None:
    records = [record(offset, "FAST", 1.0 + offset) for offset in range(100)]
    assert run(records, [100])[1] == 100 - DEPTH
    records.insert(0, record(0, "SLOW", 5.0))
    assert run(records, [13])[1] == 0


def test_a_window_counts_while_its_oldest_tick_is_at_most_span_behind() -> None:
    offsets = [0, 10, 20, 30, 100]
    records = [record(offset, "A", 1.0 + offset) for offset in offsets]
    assert run(records, [5], span=100)[0]["ma_5"][-1] == sum(1.0 + offset for offset in offsets) / 5
    assert run(records, [5], span=99)[0]["ma_5"][-1] != run(records, [5], span=99)[0]["ma_5"][-1]  # NaN


def test_offsets_beyond_the_whole_numbers_of_a_float_lose_no_digit() -> None:
    begin = 2**62 + 1
    windows = Windows(span=100)
    for batch in range(2):
        offsets = range(begin + batch * 40, begin + batch * 40 + 40)
        view = windows.advance(decode([record(offset, f"S{offset % 20}", 1.0) for offset in offsets])[0])
    assert windows.oldest == begin
    assert windows.symbols == 20
    assert view.lags[-2:, 0].tolist() == [20, 0]
    assert view.available.tolist() == [3] * 20 + [4] * 20


def test_a_window_of_any_length_holds_the_newest_ticks_the_latest_last() -> None:
    windows = Windows()
    windows.advance(decode([record(offset, "A", 10.0 + offset) for offset in range(3)])[0])
    view = windows.advance(decode([record(3, "B", 99.0), record(4, "A", 14.0), record(5, "A", 15.0)])[0])
    assert view.last("price", 4)[:, 2].tolist() == [11.0, 12.0, 14.0, 15.0]
    assert view.last("price", 1).tolist() == [[99.0, 14.0, 15.0]]
    assert view.lags[-5:, 2].tolist() == [5, 4, 3, 1, 0]
    assert view.depth.tolist() == [1, 4, 5]
    assert view.full(4).tolist() == [False, True, True]
    assert windows.oldest == 0


def test_state_grows_beyond_the_reserved_symbols() -> None:
    records = [record(offset, f"S{offset % 100}", 1.0 + offset) for offset in range(1_000)]
    columns, oldest = run(records, [37])
    assert oldest == 0
    assert columns["ma_10"][-1] == sum(1.0 + offset for offset in range(99, 1_000, 100)) / 10


def test_a_restart_from_the_metadata_gives_the_same_bits_wherever_it_falls() -> None:
    span = 60
    records = [record(2 * number, f"S{number % 7 if number % 11 else 9}", 10 + number % 13) for number in range(300)]
    whole, _ = run(records, [300], span)
    for cut in range(1, 300, 13):
        _, oldest = run(records[:cut], [cut], span)
        committed = records[cut - 1].offset + 1
        begin = plan(Commit(committed, to_metadata(committed, oldest, span)), Bounds(0, 600), span)
        assert begin.emit_from == committed
        replayed = [each for each in records if each.offset >= begin.seek]
        columns, _ = run(replayed, [17], span)
        for name, values in columns.items():
            emitted = [value for value, each in zip(values, replayed, strict=True) if each.offset >= committed]
            assert [repr(value) for value in emitted] == [repr(value) for value in whole[name][cut:]], name


def test_partitions_that_advance_together_get_what_each_gets_alone() -> None:
    drawn: Counter[str] = Counter()

    # Each item is one batch: for each of three partitions, the symbols of its ticks. Thirty symbols exceed the initial
    # capacity.
    turns = st.lists(st.tuples(*[st.lists(st.integers(0, 29), max_size=40)] * 3), min_size=1, max_size=6)

    @given(turns)
    def check(batches: list[tuple[list[int], ...]]) -> None:
        together, alone = [Windows(span=90) for _ in range(3)], [Windows(span=90) for _ in range(3)]
        offsets = [0, 1_000, 2**40]
        for batch in batches:
            parts: list[TickBatch] = []
            for number, symbols in enumerate(batch):
                found = [record(offsets[number] + at, f"S{each}", 1 + each + at / 7) for at, each in enumerate(symbols)]
                parts.append(decode(found)[0])
                offsets[number] += len(symbols) + 1
            counts = [len(part) for part in parts]
            view = advance_together(together, TickBatch.joined(parts), counts)
            views = [windows.advance(part) for windows, part in zip(alone, parts, strict=True)]
            assert np.array_equal(view.lags, np.concatenate([each.lags for each in views], axis=1))
            assert np.array_equal(view.available, np.concatenate([each.available for each in views]))
            for name, values in view.values.items():
                assert np.array_equal(values, np.concatenate([each.values[name] for each in views], axis=1))
            drawn["empty"] += counts.count(0)
            drawn["shared"] += len(set(batch[0]) & set(batch[1])) > 0
        assert [each.oldest for each in together] == [each.oldest for each in alone]
        drawn["grown"] += max(each.symbols for each in together) > 16
        drawn["full"] += bool(view.available.max(initial=0) >= 5)

    check()
    assert min(drawn[kind] for kind in ("empty", "shared", "grown", "full")) > 0, drawn
