"""Contract tests for every store of standing rules: the embedded file and a real InfluxDB."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from devtools.process import ServerError
from tests.point_examples import MORNING, SECOND
from tickflow.alerts.standing import Change, StandingRule
from tickflow.store.influx.rules import InfluxRules
from tickflow.store.rules import RuleStore
from tickflow.store.sqlite.rules import EmbeddedRules

FIRST = StandingRule("0a1b", MORNING, "BRK.B price > 200.5", made_by='ann, "the" operator')
SECOND_RULE = StandingRule("ffff", MORNING + SECOND, "* change_5m < -3")
OURS, OTHERS = "group/stock-ticks/id=1, 2", "group/stock-ticks/"


@pytest.fixture(params=["embedded", pytest.param("influx", marks=pytest.mark.influx)])
def rules(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RuleStore]:
    found: RuleStore
    if request.param == "embedded":
        found = EmbeddedRules(tmp_path / "stocks.db", stop=threading.Event())
    else:
        server, bucket = request.getfixturevalue("influx"), f"{request.getfixturevalue('bucket')}_rules"
        found = InfluxRules(server.url, token=server.token, org=server.org, bucket=bucket)
    yield found
    found.close()
    if isinstance(found, InfluxRules):
        with contextlib.suppress(ServerError):
            server.delete_bucket(bucket)


def test_a_rule_is_kept_also_after_it_was_removed(rules: RuleStore) -> None:
    assert list(rules.rules()) == []
    rules.keep(SECOND_RULE)
    rules.keep(FIRST)
    assert list(rules.rules()) == [FIRST, SECOND_RULE]
    removed = replace(FIRST, removed=True)
    rules.keep(removed)
    assert list(rules.rules()) == [removed, SECOND_RULE]
    rules.check()


def test_workers_read_their_own_changes_in_the_order_in_which_they_apply(rules: RuleStore) -> None:
    assert list(rules.changes(OURS)) == []
    rules.note(OURS, [])
    ends = Change(0, 2**53, begins=False, rule="0a1b", text=FIRST.text)
    others = Change(0, 2**53, begins=True, rule="ffff", text=SECOND_RULE.text)
    begins = Change(0, 7, begins=True, rule="0a1b", text=FIRST.text)
    elsewhere = begins._replace(partition=11, offset=0)
    rules.note(OURS, [elsewhere, others, begins._replace(offset=9)])
    rules.note(OURS, [ends, begins])
    rules.note(OTHERS, [begins])
    assert list(rules.changes(OURS)) == [begins, ends, others, elsewhere]
    assert list(rules.changes(OTHERS)) == [begins]
    assert set(rules.begun()) == {"0a1b", "ffff"}
