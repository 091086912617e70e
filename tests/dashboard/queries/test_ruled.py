"""The page's list of standing rules, and what operators add and remove."""

import threading
from pathlib import Path

import pytest

from tickflow.alerts.standing import MAX_STANDING, Change
from tickflow.dashboard.queries.ruled import Ruled
from tickflow.store.sqlite.rules import EmbeddedRules


@pytest.fixture
def store(tmp_path: Path) -> EmbeddedRules:
    return EmbeddedRules(tmp_path / "stocks.db", stop=threading.Event())


def test_a_rule_is_listed_until_it_is_removed(store: EmbeddedRules) -> None:
    ruled = Ruled(store)
    assert ruled.told() == []
    assert ruled.make("AAPL  price>200.50", "a1", 5, "ann") == ""
    assert ruled.make("* change_5m < -3", "b2", 6, "") == ""
    store.note("workers", [Change(0, 7, begins=True, rule="a1", text="AAPL price > 200.5")])
    first = {"id": "a1", "text": "AAPL price > 200.5", "by": "ann", "begun": True}
    second = {"id": "b2", "text": "* change_5m < -3", "by": "", "begun": False}
    assert ruled.told() == [second, first]
    ruled.remove("a1")
    ruled.remove("no such rule")
    assert ruled.told() == [second]
    assert [(each.id, each.removed) for each in store.rules()] == [("a1", True), ("b2", False)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("AAPL prize > 5", "This is not a valid rule: at character 6, 'prize': expected price"),
        ("", "expected one rule"),
        ("A price > 5; B price > 5", "at character 12, ';': expected one rule"),
        ("* silence > 60", "rules about silence belong in ALERT_RULES"),
        ("AAPL price > 200.0", "The rule AAPL price > 200 already exists."),
    ],
)
def test_what_is_no_rule_is_refused_with_a_sentence(store: EmbeddedRules, text: str, said: str) -> None:
    ruled = Ruled(store)
    ruled.make("AAPL price > 200", "a1", 5, "")
    assert said in ruled.make(text, "b2", 6, "")
    assert len(store.rules()) == 1


def test_only_so_many_rules_stand(store: EmbeddedRules) -> None:
    ruled = Ruled(store)
    said = [ruled.make(f"A price > {number + 1}", f"{number:x}", number, "") for number in range(MAX_STANDING + 1)]
    assert said == [""] * MAX_STANDING + [f"There are already {MAX_STANDING} rules: remove one first."]
    ruled.remove("0")
    assert ruled.make("B price > 1", "ffff", MAX_STANDING + 1, "") == ""
