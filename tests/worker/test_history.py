"""A history keeps the same prices as a deque with the same `maxlen`."""

from collections import defaultdict, deque

from hypothesis import given
from hypothesis import strategies as st

from tickflow.worker.history import LARGE, History, of_size, remember


@given(st.integers(1, 30), st.lists(st.floats(allow_nan=False)))
def test_a_history_keeps_what_a_deque_keeps(maxlen: int, prices: list[float]) -> None:
    history, expected = History(maxlen), deque[float](maxlen=maxlen)
    for price in prices:
        history.append(price)
        expected.append(price)
        assert list(history) == list(expected)
    assert (len(history), history.maxlen) == (len(expected), expected.maxlen)
    assert history[-5:].tolist() == list(expected)[-5:]


@given(st.integers(1, 5), st.lists(st.lists(st.tuples(st.sampled_from("AB"), st.floats(allow_nan=False)))))
def test_extending_equals_appending_one_by_one(maxlen: int, batches: list[list[tuple[str, float]]]) -> None:
    histories: defaultdict[str, History | deque[float]] = defaultdict(lambda: History(maxlen))
    expected: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=maxlen))
    for batch in batches:
        remember(histories, [symbol for symbol, _ in batch], [price for _, price in batch])
        for symbol, price in batch:
            expected[symbol].append(price)
        assert {name: list(kept) for name, kept in histories.items()} == {
            name: list(kept) for name, kept in expected.items()
        }


def test_very_many_prices_are_kept_in_a_deque() -> None:
    for size, kind in ((LARGE - 1, History), (LARGE, deque)):
        kept = of_size(size)
        kept.extend(map(float, range(size + 1)))
        assert type(kept) is kind
        assert (len(kept), kept[0], kept[-1]) == (size, 1.0, float(size))
