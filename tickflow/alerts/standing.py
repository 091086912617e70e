"""Standing rules: rules that operators make on the page, and that workers begin to apply without a restart.

A standing rule is never changed, only removed. In each partition it applies from one offset on and, once removed, up to
another offset. The worker of the partition chooses both: the tick that its watch processes next. It stores them before
any alert that depends on them, so that a restart, the audit and a backtest apply the rule to the same ticks.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from tickflow.alerts.rules import Rule, RuleError, parse

MAX_TEXT = 100
"""The maximum number of characters in a standing rule."""
MAX_STANDING = 200
"""The maximum number of rules that stand at a time."""


@dataclass(frozen=True, slots=True)
class StandingRule:
    """A rule such as `AAPL price > 200`; `made_ns` (ns since 1970, by the wall clock) and `id` identify it."""

    id: str
    made_ns: int
    text: str
    made_by: str = ""
    removed: bool = False


class Change(NamedTuple):
    """From the tick at `offset` of the partition on, the rule with the id `rule` applies (`begins`) or no longer
    applies.
    """

    partition: int
    offset: int
    begins: bool
    rule: str
    text: str


def effective(changes: Iterable[Change]) -> list[Change]:
    """The changes of one partition in the order in which they apply, without rules that were removed before they
    applied to any tick.
    """
    known = sorted(changes)
    begun = {each.rule: each.offset for each in known if each.begins}
    void = {each.rule for each in known if not each.begins and begun.get(each.rule, -1) >= each.offset}
    return [each for each in known if each.rule not in void]


def standing(text: str) -> Rule:
    """The rule in `text`. Raises `RuleError` unless it is exactly one rule, about a price or a span.

    >>> str(standing("AAPL price>200"))
    'AAPL price > 200'
    >>> standing("* silence > 60")
    Traceback (most recent call last):
    tickflow.alerts.rules.RuleError: at character 3, 'silence': expected price, or a span such as change_5m or \
volume_1m: rules about silence belong in ALERT_RULES
    """
    rules = parse(text)
    if len(rules) != 1:
        raise RuleError(text, text.find(";") if rules else len(text), "one rule")
    if rules[0].metric == "silence":
        expected = "price, or a span such as change_5m or volume_1m: rules about silence belong in ALERT_RULES"
        raise RuleError(text, text.index("silence"), expected)
    return rules[0]


def workers_of(group: str, topic: str, topic_id: str) -> str:
    """The name under which the workers of a group store the changes of their partitions. A topic that was deleted and
    created again counts as a different one, since its offsets start from zero.
    """
    return f"{group}/{topic}/{topic_id}"
