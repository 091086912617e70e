"""Windows that were stored and loaded again equal windows that were kept in memory."""

from collections import Counter

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.metrics.test_formulas import record
from tickflow.metrics.fields import DEPTH
from tickflow.metrics.windows import Windows
from tickflow.ticks.tick import TickBatch, decode
from tickflow.worker import kept
from tickflow.worker.arrivals import Arrivals
from tickflow.worker.counters import Tally
from tickflow.worker.kept import from_bytes, to_bytes

SPAN = 90


def batch(symbols: list[int], begin: int) -> TickBatch:
    return decode([record(begin + at, f"S{each}", 1 + each + at / 7) for at, each in enumerate(symbols)])[0]


@pytest.fixture(autouse=True)
def _keep_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "LEAST_RECORDS", 0)


def test_windows_go_on_as_if_they_had_never_stopped() -> None:
    drawn: Counter[str] = Counter()

    turns = st.lists(st.integers(0, 29), min_size=4, max_size=40)

    @given(
        st.builds(list.__mul__, turns, st.sampled_from([1, 3, 40])), st.builds(list.__mul__, turns, st.integers(1, 3))
    )
    @settings(max_examples=100, deadline=None)
    def check(before: list[int], after: list[int]) -> None:
        first, second = batch(before, 7), batch(after, 7 + len(before))
        windows, arrivals = Windows(SPAN), Arrivals()
        windows.advance(first)
        arrivals.diagnose(first, Tally())
        offset = 7 + len(before)
        again, arrived = from_bytes(to_bytes(offset, windows, arrivals), offset, SPAN)
        assert (again.oldest, again.symbols) == (windows.oldest, windows.symbols)
        one, other = windows.advance(second), again.advance(second)
        assert np.array_equal(one.available, other.available)
        assert np.array_equal(one.lags, other.lags)
        for name, values in one.values.items():
            assert values.tobytes() == other.values[name].tobytes()
        counted, counted_again = Tally(), Tally()
        arrivals.diagnose(second, counted)
        arrived.diagnose(second, counted_again)
        assert counted == counted_again
        drawn["full"] += int(one.available.max()) >= 20
        drawn["past the span"] += offset - 7 > SPAN
        drawn["known"] += bool(set(before) & set(after))
        drawn["new"] += bool(set(after) - set(before))

    check()
    assert min(drawn[kind] for kind in ("full", "past the span", "known", "new")) > 0, drawn


def test_late_ticks_and_gaps_are_recognized_after_a_restart() -> None:
    arrivals = Arrivals({"A": 5_000_000}, {"A": ("one", 41), "HUGE": ("one", 10**40)})
    windows = Windows(SPAN)
    windows.advance(batch([1], 7))
    _, again = from_bytes(to_bytes(8, windows, arrivals), 8, SPAN)
    assert again.newest == {"A": 5_000_000}
    assert again.numbered == {"A": ("one", 41)}  # 10**40 has over 64 bits: not stored


def test_what_is_read_again_quickly_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "LEAST_RECORDS", 50)
    windows = Windows(SPAN)
    assert to_bytes(7, windows, Arrivals()) == b""
    windows.advance(batch([1], 7))
    assert to_bytes(56, windows, Arrivals()) == b""
    assert to_bytes(57, windows, Arrivals()) != b""


def good() -> dict[str, object]:
    windows = Windows(SPAN)
    windows.advance(batch([1, 2] * 30, 7))
    found: dict[str, object] = msgspec.msgpack.decode(to_bytes(67, windows, Arrivals()))
    return found


def offsets(*found: int) -> bytes:
    return np.array([*found], dtype=np.int64).tobytes()


@pytest.mark.parametrize(
    "changed",
    [
        *({"offset": 66}, {"computed_by": "another"}, {"values": {}}),
        *({"symbols": each} for each in (["A"], ["A", "A"], ["A", "B", "C"], [1, 2])),
        *({"counts": offsets(*each)} for each in ((0, 1), (1, DEPTH + 1), (1,))),
        {"offsets": offsets(*range(67 - DEPTH * 2, 67))[:-8]},
        {"offsets": offsets(*range(68 - DEPTH * 2, 68))},  # one offset lies past the checkpoint
        {"offsets": offsets(*[5] * (DEPTH * 2))},
        {"offsets": offsets(*range(-DEPTH, DEPTH))},
    ],
)
def test_what_no_worker_wrote_is_refused(changed: dict[str, object]) -> None:
    assert from_bytes(msgspec.msgpack.encode(good()), 67, SPAN)
    with pytest.raises(ValueError, match=r"windows"):
        from_bytes(msgspec.msgpack.encode(good() | changed), 67, SPAN)


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_bytes_give_windows_or_a_value_error(state: bytes) -> None:
    with pytest.raises(ValueError, match=r"no state of windows"):
        from_bytes(state, 67, SPAN)
