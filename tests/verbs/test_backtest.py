"""`backtest` finds the alerts that live workers raised, `calibrate` prints intervals; both read the topic or a file."""

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.walks import gaussian
from tests.alerts.batches import batch, slices
from tests.conftest import StartScript
from tests.integration.chain import EmbeddedChain, working
from tests.integration.test_alerts import ALERTS, plain, publish
from tests.loaded_settings import load
from tests.metrics.detectors.test_detectors import trades as made_trades
from tickflow.alerts.budget import Budget, floor_of
from tickflow.alerts.calibration import MARGIN, episodes_above, threshold_for
from tickflow.alerts.kept import MAX_ALERTS
from tickflow.alerts.terms import read, terms_of
from tickflow.alerts.watch import Terms
from tickflow.process import StopEvent
from tickflow.stack import open_acks, open_alerts, open_log
from tickflow.ticks.tick import Limits
from tickflow.verbs import backtest, calibrate
from tickflow.verbs.recorded import of_file, of_log

EVER = (0, 2**62)


def test_the_backtest_equals_the_live_alerts(tmp_path: Path, script: StartScript) -> None:
    chain = EmbeddedChain(tmp_path / "stocks.db")
    chain.env |= ALERTS
    settings = load(chain.env)
    log = open_log(settings, StopEvent())
    log.connect()
    made = made_trades(9, 2_500)
    with working(chain):
        for begin in range(0, len(made), 500):
            publish(log, made[begin : begin + 500])
        chain.wait_for_points(len(made))
    live = open_alerts(settings, threading.Event()).alerts(0)
    found = backtest.run(of_log(log, Limits()), terms_of(settings), *EVER)
    assert plain(found.alerts) == plain(live)
    assert len(live) > 50
    middle = live[len(live) // 2].time_ns
    assert plain(backtest.run(of_log(log, Limits()), terms_of(settings), middle, EVER[1]).alerts) == plain(
        [each for each in live if each.time_ns >= middle]
    )
    of_moves = replace(terms_of(settings), detectors=frozenset({"move"}), rules=())
    moves = backtest.run(of_log(log, Limits()), of_moves, *EVER)
    log.close()
    said = script("stock_analytics.py", "backtest", "--limit", "3", env=chain.env)
    assert said.wait() == 0
    assert f"the newest 3 of {len(live)} alerts" in said.output
    assert "/?symbol=" in said.output
    only = script("stock_analytics.py", "backtest", "--rules", "CENT price > 1000000", env=chain.env)
    assert only.wait() == 0
    assert "no alert: BUSY, CENT, JUMP, SLOW" in only.output
    kept = script("stock_analytics.py", "backtest", "--detector", "move", "--keep", env=chain.env)
    assert kept.wait() == 0
    assert "shows it under Alerts, Backtests" in kept.output
    (shown,) = open_acks(settings, threading.Event()).backtests()
    assert shown.source == "topic stock-ticks"
    assert shown.rows == backtest.rows(moves)
    assert [each.at_ms for each in shown.alerts] == [each.opened // 10**6 for each in moves.alerts][-MAX_ALERTS:]
    assert shown.raised == sum(row.alerts for row in shown.rows) == len(moves.alerts) > 0
    assert [each.budget for each in shown.curve] == list(backtest.CURVE)
    for each in shown.curve:
        assert f"budget {each.budget:g} a day: {each.alerts} alerts" in kept.output
    assert shown.first_ms == made[0].time_us // 1000
    assert shown.last_ms == max(each.time_us for each in made) // 1000
    none = script("stock_analytics.py", "backtest", "--to", "1970-01-02", "--keep", env=chain.env)
    assert none.wait() == 1
    assert "there are no ticks in that time" in none.output
    assert len(open_acks(settings, threading.Event()).backtests()) == 1
    wrong = script("stock_analytics.py", "backtest", "--rules", "CENT prize > 1", env=chain.env)
    assert wrong.wait() == 2
    assert "at character 6, 'prize'" in wrong.output


def test_a_file_gives_the_same_alerts_as_its_ticks(trades: Path) -> None:
    terms = Terms(budget=Budget(20.0))
    of_file_found = backtest.run(of_file(trades, Limits()), terms, *EVER)
    ticks = [ticks for _, ticks in of_file(trades, Limits())]
    assert sum(map(len, ticks)) == 6_000
    again = backtest.run(((0, part) for each in ticks for part in slices(each, [97])), terms, *EVER)
    assert plain(again.alerts) == plain(of_file_found.alerts)


def test_a_larger_budget_never_gives_fewer_alerts() -> None:
    made = made_trades(3, 3_000)
    begin = made[0].time_us
    ticks = batch([each._replace(time_us=begin + (each.time_us - begin) * 600) for each in made])  # stretched to a week
    points = backtest.curve(lambda: iter([(0, ticks)]), Terms(least_move=0.0), *EVER)
    counts = [each.alerts for each in points]
    assert counts == sorted(counts)
    assert counts[-1] > counts[0]


def test_a_calibrated_threshold_keeps_its_promise_on_other_data() -> None:
    expected, alarms = 40.0, []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        before, after = (np.abs(gaussian(rng, 400_000).price) for _ in range(2))
        time_us = np.arange(400_000) * 61_000_000
        scores = [np.abs(np.diff(np.log(prices), prepend=np.log(prices[0]))) for prices in (before, after)]
        made = threshold_for(expected, time_us, scores[0])
        assert made is not None
        assert made.alerts == int(expected - MARGIN * expected**0.5)
        assert made.low < made.value < made.high
        alarms.append(episodes_above(made.value, time_us, scores[1]))
    assert 0.6 <= np.mean(alarms) / expected <= 1.4


def test_too_little_data_is_reported_and_gives_no_threshold(tmp_path: Path, script: StartScript, trades: Path) -> None:
    out = tmp_path / "thresholds.json"
    little = script("stock_analytics.py", "calibrate", "--file", str(trades), "--out", str(out))
    assert little.wait() == 1
    assert "SPY: not enough data: 1 alerts would be expected in 1 days, and at least 20 are needed" in little.output
    assert not out.exists()
    enough = script("stock_analytics.py", "calibrate", "--file", str(trades), "--out", str(out), "--budget", "1/100")
    assert enough.wait() == 0
    made = read(out).thresholds
    assert {each.symbol for each in made} == {"SPY"}
    assert all(floor_of(each.detector) <= each.low <= each.threshold <= each.high for each in made)
    settings = load({"ALERT_THRESHOLDS": str(out)})
    assert terms_of(settings).thresholds == {(each.detector, each.symbol): each.threshold for each in made}


def test_the_record_of_a_symbol_counts_its_days_and_ticks() -> None:
    ticks = batch(made_trades(3, 500))
    records = calibrate.collect(iter([(0, ticks)]), Terms(), *EVER)
    assert sum(record.ticks for record in records.values()) == 500
    assert records["BUSY"].expected(Budget(2.0)) == 2 * len(records["BUSY"].days)


@pytest.mark.parametrize("text", ["1/0", "x"])
def test_an_invalid_budget_is_refused(text: str, script: StartScript) -> None:
    refused = script("stock_analytics.py", "backtest", "--budget", text)
    assert refused.wait() == 2
    assert "alerts per symbol and trading day" in refused.output
