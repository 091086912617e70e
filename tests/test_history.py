"""The last prices of a symbol are those that a deque of that length keeps."""

import time
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickflow.history import History, of_size


@given(st.integers(1, 30), st.lists(st.floats(allow_nan=False)))
def test_it_keeps_what_a_deque_keeps(maxlen: int, prices: list[float]) -> None:
    history, expected = History(maxlen), deque[float](maxlen=maxlen)
    for price in prices:
        history.append(price)
        expected.append(price)
        assert list(history) == list(expected)
    assert (len(history), history.maxlen) == (len(expected), expected.maxlen)
    assert history[-5:].tolist() == list(expected)[-5:]


@pytest.mark.parametrize("size", [1, 200, 1_000_000])
def test_a_price_costs_little_however_many_are_kept(size: int) -> None:
    kept = of_size(size)
    kept.extend([1.0] * size)
    begun = time.process_time()
    for _ in range(300):
        kept.append(2.0)
    assert time.process_time() - begun < 0.03
    assert len(kept) == size
    assert kept[-1] == 2.0
