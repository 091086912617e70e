"""The watch raises the same alerts, bit for bit, for any batches and any restarts."""

import msgspec
import pytest

from tests.alerts.batches import alerts_of, batch, part_of, slices
from tests.metrics.detectors.oracle import Trade
from tests.metrics.detectors.test_detectors import trades
from tickflow.alerts.budget import Budget
from tickflow.alerts.rules import parse
from tickflow.alerts.watch import Terms, Watch
from tickflow.arrays import Floats, Ints
from tickflow.metrics.detectors.seconds import View

RULES = parse("JUMP price < 50.5; * change_1m < -0.5; * volume_10s > 2x; SLOW silence > 12; B* volume_5s >= 3000")
TERMS = Terms(least_move=0.0004, rules=RULES)
SECOND = 1_000_000
CLOSE = 6
"""The place of the ring of prices in the state of a symbol."""


@pytest.mark.parametrize("budget", [Budget(1.0), Budget(1 / 500, per_tick=True)])
def test_batches_and_restarts_change_no_bit(budget: Budget) -> None:
    terms = Terms(budget=budget, least_move=0.0004, rules=RULES)
    ticks = batch(trades(3, 3_000))
    whole = alerts_of([ticks], terms)
    kinds = {detector for _, detector, _ in whole}
    assert kinds >= {"move", "bad_print", *(rule.name for rule in RULES)}, "the trades are to reach the cases"
    assert any(each.closed for each in whole.values())
    assert {each.lasted for each in whole.values() if each.detector == "move"} >= {True, False}
    for sizes in ([1_700, 1], [900, 7], [1, 300]):
        assert alerts_of(slices(ticks, sizes), terms) == whole
    assert alerts_of(slices(ticks, [1_500, 40]), terms, restart=True) == whole


def test_ticks_before_the_state_are_ignored() -> None:
    ticks = batch(trades(3, 2_000))
    whole = alerts_of([ticks], TERMS)
    watch = Watch(0, TERMS)
    found = {each.key: each for each in watch.advance(part_of(ticks, 0, 1_200))}
    resumed = Watch.resumed(0, TERMS, watch.state())
    found |= {each.key: each for each in resumed.advance(part_of(ticks, 700, 2_000))}
    assert found == whole


def test_bytes_that_are_not_a_state_are_refused() -> None:
    with pytest.raises(ValueError, match="no state of alerts"):
        Watch.resumed(0, TERMS, b"\x93abc")


def test_a_state_whose_rings_have_another_length_is_refused() -> None:
    watch = Watch(0, TERMS)
    watch.advance(batch(calm("A", 80)))
    state = msgspec.msgpack.decode(watch.state())
    close = state["symbols"][0][CLOSE]
    for wrong in (close[:-8], close[:8], close + close[:8], b""):
        state["symbols"][0][CLOSE] = wrong
        with pytest.raises(ValueError, match="a ring has another length"):
            Watch.resumed(0, TERMS, msgspec.msgpack.encode(state))


def calm(symbol: str, count: int, start: int = 0) -> list[Trade]:
    """One trade per second at a price that alternates by a cent."""
    return [Trade(symbol, (start + n) * SECOND, 100 + 0.01 * (n % 2), 100) for n in range(count)]


def test_an_episode_is_one_alert_which_lasted_or_did_not() -> None:
    for after, lasted in ((101.0, True), (100.3, False)):
        moved = [Trade("A", (80 + n) * SECOND, 101.0 if n < 10 else after, 100) for n in range(140)]
        found = alerts_of([batch([*calm("A", 80), *moved])], Terms(detectors=frozenset({"move"})))
        (alert,) = (each for each in found.values() if each.direction == 1)
        assert (alert.opened, alert.lasted) == (81 * SECOND * 1000, lasted)
        assert alert.closed == alert.opened + (alert.ticks - 1 + 60) * SECOND * 1000
        assert alert.move_percent == (101.0 / 100.01 - 1.0) * 100.0


def test_a_move_says_how_long_it_took_and_has_held() -> None:
    moved = [Trade("A", time_us, 101.0, 100) for time_us in (83 * SECOND, 84 * SECOND + 500_000)]
    (alert,) = alerts_of([batch([*calm("A", 80), *moved])], Terms(detectors=frozenset({"move"}))).values()
    assert (alert.within_us, alert.held_us) == (5_500_000, 1_500_000), "since second 79, and since second 83"


def test_candidates_of_all_symbols_are_judged_together(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"S{number}" for number in range(40)]
    usual = [Trade(name, at * SECOND, 100.0, 90 + at % 21) for at in range(70) for name in names]
    burst = [Trade(name, 70 * SECOND + at * 200_000, 100.0, 4_000 + at) for at in range(60) for name in names]
    terms = Terms(detectors=frozenset({"volume"}))
    before, after = batch(usual), part_of(batch([*usual, *burst]), len(usual), len(usual) + len(burst))
    watch, asked = Watch(0, terms), []
    watch.advance(before)
    closed = View.closed_volumes

    def counted(view: View, seconds: Ints) -> Floats:
        asked.append(len(seconds))
        return closed(view, seconds)

    monkeypatch.setattr(View, "closed_volumes", counted)
    whole = {each.key: each for each in watch.advance(after)}
    assert sum(each.ticks for each in whole.values()) > len(burst) / 2, "most ticks are candidates"
    assert len(asked) <= 2, "once to score the batch, once for the alerts' ratios: 200 us a candidate were too slow"
    assert {symbol for symbol, _, _ in whole} == set(names)
    assert alerts_of([before, *slices(after, [1, 7])], terms) == whole


def test_unknown_values_are_absent() -> None:
    moved = [Trade("A", (80 + n) * SECOND, 101.0, 100) for n in range(20)]
    (alert,) = alerts_of([batch([*calm("A", 80), *moved])], Terms(detectors=frozenset({"move"}))).values()
    assert (alert.closed, alert.lasted, alert.notified) == (None, None, None)


def test_a_silence_begins_with_another_symbols_tick_and_ends_with_its_own() -> None:
    both = sorted([*calm("A", 80), *calm("B", 200), *calm("A", 5, 190)], key=lambda trade: trade.time_us)
    found = alerts_of([batch(both)], Terms(detectors=frozenset({"silence"})))
    (alert,) = found.values()
    assert (alert.symbol, alert.score, alert.threshold) == ("A", 31.0, 30.0)
    assert (alert.opened, alert.closed) == ((79 + 31) * SECOND * 1000, 190 * SECOND * 1000)
    for sizes in ([1], [37]):
        assert alerts_of(slices(batch(both), sizes), Terms(detectors=frozenset({"silence"})), restart=True) == found


def test_if_all_symbols_fall_silent_none_is_reported() -> None:
    both = sorted([*calm("A", 80), *calm("B", 80), *calm("A", 5, 5_000), *calm("B", 5, 5_000)], key=lambda t: t.time_us)
    silent = list(alerts_of([batch(both)], Terms(detectors=frozenset({"silence"}))).values())
    assert [each.symbol for each in silent] == ["B"]  # the first tick after the pause opens and closes the silence
    assert silent[0].closed == silent[0].opened


def test_the_probe_raises_nothing() -> None:
    jumps = [Trade(".PROBE", n * SECOND, 100.0 if n < 80 else 200.0, 100) for n in range(90)]
    ticks = batch([each._replace(symbol="X") for each in jumps])
    assert alerts_of([ticks], Terms(rules=parse("* price > 150")))
    probes = part_of(ticks, 0, len(ticks))
    probes.symbols[:] = [".PROBE"] * len(ticks)
    assert not alerts_of([probes], Terms(rules=parse("* price > 150")))
