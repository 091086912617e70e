"""Moves of many symbols at once are one alert, whichever workers saw them, and a replay stores the same alerts."""

import itertools
import random
import threading
from functools import partial
from pathlib import Path

import msgspec
import pytest

from tests.alerts.batches import batch
from tests.integration.chain import wait_until
from tests.metrics.detectors.oracle import Trade
from tickflow.alerts.alert import MARKET, Alert
from tickflow.alerts.checkpoint import Checkpoint, Checkpoints
from tickflow.alerts.desk import Begin, Desk
from tickflow.alerts.market import gathered, incomplete, least_members, members_of, settled, unfounded
from tickflow.alerts.watch import Terms
from tickflow.errors import StoreUnavailable
from tickflow.store.sqlite.alerts import EmbeddedAlerts
from tickflow.ticklog.base import TickLog

SECOND = 1_000_000
SYMBOLS = 12
COMPANY = 0.3
WAIT_SECONDS = 90


class Kept:
    """Keeps the offsets of checkpoints in memory."""

    def __init__(self) -> None:
        self.offsets: list[int] = []

    def keep(self, checkpoint: Checkpoint) -> None:
        self.offsets.append(checkpoint.offset)


def shock(names: list[str], at: int = 80, change: float = 0.01) -> list[Trade]:
    """One trade per symbol and second; starting at second `at`, all prices are higher by `change`."""
    return [
        Trade(name, second * SECOND + number, 100 + 0.01 * (second % 2) + (100 * change if second >= at else 0), 100)
        for second in range(at + 8)
        for number, name in enumerate(names)
    ]


def desk(store: EmbeddedAlerts, partition: int, kept: Checkpoints, every: float = 0.1) -> Desk:
    def opened(_ended: threading.Event) -> tuple[Checkpoints, TickLog | None]:
        return kept, None

    made = Desk(
        Terms(detectors=frozenset({"move"})),
        store,
        newest=lambda _fits: {},
        open_checkpoints=opened,
        count_symbols=lambda: SYMBOLS,
        every=every,
        company=COMPANY,
    )
    made.adopt({partition: Begin(0, 0, 0)}, "")
    made.start()
    return made


def test_two_workers_store_one_alert_with_all_members(tmp_path: Path) -> None:
    names = [f"S{number:02}" for number in range(SYMBOLS)]
    store = EmbeddedAlerts(tmp_path / "stocks.db", stop=threading.Event())
    stored: list[list[Alert]] = []
    for _ in range(2):  # the second pass is a replay
        kept = [Kept(), Kept()]
        desks = [desk(store, partition, kept[partition]) for partition in range(2)]
        for partition in (1, 0):
            ticks = batch(shock(names[partition::2]))
            desks[partition].take(partition, ticks)
            desks[partition].committed(partition, len(ticks))

        def whole() -> bool:
            return any(len(members_of(each)) == SYMBOLS for each in store.alerts(0, symbols=[MARKET]))

        wait_until(whole, "a market move with all members", WAIT_SECONDS)
        for each in desks:
            each.close()
        stored.append(store.alerts(0))
        assert all(each.offsets for each in kept), "the last checkpoints are stored"
    (move,) = (each for each in stored[0] if each.symbol == MARKET)
    assert (move.direction, move.ticks, move.detector, move.budget) == (1, SYMBOLS, "move", None)
    assert move.opened == 81 * SECOND * 1000
    assert len(stored[0]) == SYMBOLS + 1
    assert stored[0] == stored[1]


def test_a_market_move_of_two_minutes_is_one_alert(tmp_path: Path) -> None:
    """A symbol moves each second. The worker looks for the market move repeatedly while it continues."""
    begins = range(80, 200)
    parts = [shock([f"S{at}"], at=at)[at - 80 :] for at in begins]  # each symbol trades for 88 s
    trades = sorted(itertools.chain(*parts), key=lambda each: each.time_us)
    store, kept = EmbeddedAlerts(tmp_path / "stocks.db", stop=threading.Event()), Kept()
    ours, at = desk(store, 0, kept), 0
    for second in range(100, 221, 20):
        end = sum(each.time_us < second * SECOND for each in trades)
        ours.take(0, batch(trades[at:end], first_offset=at))
        ours.passed(0, end)
        at = end
        so_far = sum(begin + 2 <= second for begin in begins)
        wait_until(partial(has_member, store, f"S{begins[so_far - 1]}"), f"{so_far} members", WAIT_SECONDS)
    ours.close()
    (move,) = store.alerts(0, symbols=[MARKET])
    assert (move.opened, move.ticks) == (81 * SECOND * 1000, len(begins))


def has_member(store: EmbeddedAlerts, symbol: str) -> bool:
    return any(symbol in members_of(each) for each in store.alerts(0, symbols=[MARKET]))


def test_no_checkpoint_passes_moves_that_were_not_searched_yet(tmp_path: Path) -> None:
    """A crash between storing alerts and storing their market move loses nothing: the replay raises them again."""
    store = EmbeddedAlerts(tmp_path / "stocks.db", stop=threading.Event())
    down = threading.Event()

    class Away(EmbeddedAlerts):
        def alerts(self, *args: object, **more: object) -> list[Alert]:
            down.set()
            raise StoreUnavailable("the store is away")

    kept = Kept()
    ours = desk(Away(tmp_path / "stocks.db", stop=threading.Event()), 0, kept, every=0.0)  # a checkpoint at each look
    names = [f"S{number:02}" for number in range(SYMBOLS)]
    ours.take(0, batch(shock(names)))
    ours.committed(0, 10**6)
    assert down.wait(WAIT_SECONDS)
    wait_until(lambda: "away" in ours.trouble, "the trouble is told", WAIT_SECONDS)
    ours.take(0, batch([Trade("S00", 90 * SECOND, 101.0, 100)], first_offset=10**4))
    ours.close()
    assert kept.offsets == []
    assert len(store.alerts(0)) == SYMBOLS


def moved(symbol: str, at_s: float, direction: int = 1) -> Alert:
    at = round(at_s * 1e9)
    return Alert(symbol, "move", at, 9.0, 8.0, 101.0, 100.0, 1.0, direction, at, 0, 7)


def test_five_hundred_symbols_in_one_shock_are_one_move() -> None:
    rng = random.Random(1)
    alerts = [moved(f"S{number}", 100 + rng.random() * 4) for number in range(500)]
    ((move,), single) = gathered(alerts, 500)
    assert len(members_of(move)) == 500
    assert single == []


@pytest.mark.parametrize("symbols", [7, 50, 200, 500, 5_000])
def test_one_symbol_fewer_is_no_market_move(symbols: int) -> None:
    few = least_members(symbols)
    alerts = [moved(f"S{number}", 100 + 0.1 * number) for number in range(few)]
    assert len(gathered(alerts, symbols)[0]) == 1
    assert gathered(alerts[1:], symbols)[0] == []
    mixed = [alerts[0], *(moved(each.symbol, each.opened / 1e9, -1) for each in alerts[1:])]
    assert gathered(mixed, symbols)[0] == []


def test_each_market_move_that_is_changed_lost_or_added_is_found() -> None:
    rng = random.Random(3)
    for _ in range(50):
        alerts = [moved(f"S{number}", rng.choice([100, 130, 200]) + rng.random() * 9) for number in range(30)]
        alerts += [moved(f"S{number}", 100 + rng.random() * 9, -1) for number in range(9)]
        moves = gathered(alerts, 30)[0]
        assert len(moves) >= 3
        assert unfounded(moves, alerts) == incomplete(moves, alerts, 30) == []
        lost, *kept = moves
        assert incomplete(kept, alerts, 30) == [lost]
        fewer = msgspec.structs.replace(lost, members=(lost.members or "").partition(",")[2])
        assert incomplete([fewer, *kept], alerts, 30) == [lost]
        more = msgspec.structs.replace(lost, members=f"{lost.members},OTHER")
        assert unfounded([more, *kept], alerts) == [more]
        turned = msgspec.structs.replace(lost, direction=-lost.direction, members="S29")
        assert unfounded([turned], alerts) == [turned]


def test_an_earlier_member_found_later_completes_the_stored_move() -> None:
    late = [moved(name, at) for name, at in (("B", 101), ("C", 102), ("D", 103))]
    ((stored,), _) = gathered(late, 7)
    ((whole,), _) = gathered([moved("A", 100), *late], 7)
    (kept,) = settled([whole], [stored])
    assert kept.key == stored.key != whole.key
    assert members_of(kept) == {"A", "B", "C", "D"}
    other = moved("X", 101, -1)
    assert settled([whole], [other]) == [whole]
