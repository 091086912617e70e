"""Standing rules in InfluxDB: the measurements `stock_rules` and `stock_rule_changes` in a bucket of their own, which
both the page and the workers may write to.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from influxdb_client import Point, WritePrecision

from tickflow.alerts.standing import Change, StandingRule
from tickflow.store.influx.influxql import Integer
from tickflow.store.influx.page_bucket import InPageBucket
from tickflow.store.rules import RuleStore

RULES, CHANGES = "stock_rules", "stock_rule_changes"
_RULE: Any = tuple[Integer, str, str, str, bool]
_CHANGE: Any = tuple[Integer, str, Integer, str, str, str]
_BEGUN: Any = tuple[Integer, str, Integer]


class InfluxRules(InPageBucket, RuleStore):
    """Rules and changes in `bucket`; see `PageBucket`. Thread-safe.

    All changes have the same time, so that a change replaces its own earlier state.
    """

    what = "Rules"

    def keep(self, rule: StandingRule) -> None:
        """Store a rule; the time of its point is the time when the rule was made."""
        point = Point(RULES).tag("id", rule.id).field("text", rule.text).field("made_by", rule.made_by)
        point.field("removed", rule.removed)
        self._kept.write(point.time(rule.made_ns, WritePrecision.NS).to_line_protocol())

    def rules(self) -> Sequence[StandingRule]:  # noqa: D102 - documented in RuleStore
        query = f'SELECT "id", "text", "made_by", "removed" FROM "{RULES}"'  # noqa: S608 - only our own names are inserted
        rows = self._kept.rows(_RULE, query, {})
        found = [StandingRule(number, made_ns, *rest) for made_ns, number, *rest in rows]
        return sorted(found, key=lambda each: (each.made_ns, each.id))

    def note(self, workers: str, changes: Iterable[Change]) -> None:  # noqa: D102
        lines = [
            Point(CHANGES)
            .tag("workers", workers)
            .tag("partition", str(each.partition))
            .tag("rule", each.rule)
            .tag("kind", "begin" if each.begins else "end")
            .field("offset", each.offset)
            .field("text", each.text)
            .time(0, WritePrecision.NS)
            .to_line_protocol()
            for each in changes
        ]
        if lines:
            self._kept.write("\n".join(lines))

    def changes(self, workers: str) -> Sequence[Change]:  # noqa: D102
        rows = self._kept.rows(
            _CHANGE,
            f'SELECT "partition", "offset", "kind", "rule", "text" FROM "{CHANGES}" WHERE "workers" = $workers',  # noqa: S608
            {"workers": workers},
        )
        return sorted(Change(int(number), offset, kind == "begin", *rest) for _, number, offset, kind, *rest in rows)

    def begun(self) -> Collection[str]:  # noqa: D102
        query = f'SELECT "rule", "offset" FROM "{CHANGES}" WHERE "kind" = $kind'  # noqa: S608
        return {rule for _, rule, _ in self._kept.rows(_BEGUN, query, {"kind": "begin"})}

    def check(self) -> None:  # noqa: D102
        self._kept.check()
