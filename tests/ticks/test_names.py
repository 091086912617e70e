"""Only the order of the log decides which names are known, not how batches and restarts divide it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.records import body, entry
from tickflow.ticks.names import Names
from tickflow.ticks.tick import Limits, Reason, TickBatch, decode

LIMITS = Limits(max_symbols=3, max_sources=2)
pairs = st.lists(st.tuples(st.sampled_from("ABCDE"), st.sampled_from("xyz")), max_size=40)


def batch(drawn: list[tuple[str, str]], begin: int = 0) -> TickBatch:
    records = [entry(body(symbol=s, source=f), s.encode(), offset=begin + at) for at, (s, f) in enumerate(drawn)]
    ticks, refused = decode(records)
    assert refused == []
    return ticks


def by_hand(drawn: list[tuple[str, str]]) -> list[str | None]:
    """The reasons for refusing each tick, by the rule applied tick by tick; `None` for an accepted tick."""
    known: dict[str, list[str]] = {}
    reasons: list[str | None] = []
    for symbol, source in drawn:
        if symbol not in known and len(known) == 3:
            reasons.append("too_many_symbols")
        elif source not in known.get(symbol, []) and len(known.get(symbol, [])) == 2:
            reasons.append("too_many_sources")
        else:
            known.setdefault(symbol, [])
            known[symbol] += [] if source in known[symbol] else [source]
            reasons.append(None)
    return reasons


@given(pairs, st.integers(0, 40), st.integers(0, 40))
def test_the_refusal_of_names_depends_only_on_the_order_of_the_log(
    drawn: list[tuple[str, str]], cut: int, back: int
) -> None:
    expected = by_hand(drawn)
    names = Names(LIMITS)
    first, refused = names.admit(batch(drawn[:cut]))
    # After a restart, the names of the last checkpoint are known, and the log is read again from there or from earlier.
    again = Names(LIMITS, names.known)
    again.admit(batch(drawn[: min(back, cut)]))
    second, more = again.admit(batch(drawn[cut:], cut))
    found = {each.record.offset: str(each.reason) for each in [*refused, *more]}
    assert found == {at: reason for at, reason in enumerate(expected) if reason}
    assert [*first.offsets, *second.offsets] == [at for at, reason in enumerate(expected) if reason is None]
    assert len(first.records) == len(first.symbols) == len(first.prices)


def test_ten_thousand_symbols_and_32_sources_are_known() -> None:
    names = Names(Limits())
    assert [names.reason(f"S{number}", "a") for number in range(10_000)] == [None] * 10_000
    assert names.reason("one more", "a") is Reason.TOO_MANY_SYMBOLS
    assert [names.reason("S0", f"s{number}") for number in range(31)] == [None] * 31
    assert names.reason("S0", "one_more") is Reason.TOO_MANY_SOURCES
    assert names.reason("S0", "a") is None


def test_a_batch_of_known_names_is_admitted_without_checking_each_tick(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = Names(LIMITS)
    known = batch([("A", "x"), ("B", "y"), ("A", "x")])
    names.admit(known)

    def looked(_symbol: str, _source: str) -> None:
        raise AssertionError("each tick was looked at")

    monkeypatch.setattr(names, "reason", looked)
    assert names.admit(known) == (known, [])


def test_columns_of_unequal_length_are_an_error() -> None:
    whole = batch([("A", "x"), ("A", "y"), ("A", "z")])
    known = Names(LIMITS, {"A": ["x", "y"], "B": ["x"]})
    with pytest.raises(ValueError, match="zip"):
        known.admit(replace(whole, sources=["x", "y"]))  # all names known
    with pytest.raises(ValueError, match="zip"):
        Names(LIMITS).admit(replace(whole, sources=["x", "y"]))  # all names new
    with pytest.raises(ValueError, match="zip"):
        known.admit(replace(whole, records=whole.records[:2]))


def test_new_symbols_are_returned_once_in_order() -> None:
    names = Names(Limits(), {"A": ["x"]})
    assert names.take_new() == []
    names.admit(batch([("C", "x"), ("A", "y"), ("B", "x"), ("C", "y")]))
    assert names.take_new() == ["C", "B"]
    assert names.take_new() == []
