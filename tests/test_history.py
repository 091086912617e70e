"""The last prices of a symbol are those that a deque of that length keeps."""

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from tickflow.history import History


@given(st.integers(1, 30), st.lists(st.floats(allow_nan=False)))
def test_it_keeps_what_a_deque_keeps(maxlen: int, prices: list[float]) -> None:
    history, expected = History(maxlen), deque[float](maxlen=maxlen)
    for price in prices:
        history.append(price)
        expected.append(price)
        assert list(history) == list(expected)
    assert (len(history), history.maxlen) == (len(expected), expected.maxlen)
    assert history[-5:].tolist() == list(expected)[-5:]
