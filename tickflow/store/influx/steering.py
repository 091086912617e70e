"""Commands and states of steered replays in InfluxDB: the measurements `stock_commands` and `stock_replays` in the
page's bucket.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from influxdb_client import Point, WritePrecision

from tickflow.store.influx.influxql import Integer
from tickflow.store.influx.page_bucket import InPageBucket
from tickflow.store.steering import MOST_COMMANDS, KeptCommand, ReplayState, SteeringStore, kept_command

COMMANDS, REPLAYS = "stock_commands", "stock_replays"
_COMMAND: Any = tuple[Integer, str, str, str, str]
_STATE: Any = tuple[Integer, str]
_RUNS = 10
"""How many of the runs that began last are looked at for the newest report."""


class InfluxSteering(InPageBucket, SteeringStore):
    """Keeps commands and states of replays in `bucket`; see `PageBucket`. Thread-safe.

    A command is a point at the time when it was made. A run has one point, at the time when it began, which each report
    overwrites.
    """

    what = "The steering of the replay"

    def ask(self, kept: KeptCommand) -> None:  # noqa: D102 - documented in SteeringStore
        point = Point(COMMANDS).tag("run", kept.run).field("id", kept.id).field("command", kept.command.encode())
        point.field("made_by", kept.made_by)
        self._kept.write(point.time(kept.made_ns, WritePrecision.NS).to_line_protocol())

    def commands(self, run: str) -> Sequence[KeptCommand]:  # noqa: D102
        rows = self._kept.rows(
            _COMMAND,
            f'SELECT "run", "id", "command", "made_by" FROM "{COMMANDS}" WHERE "run" = $run '  # noqa: S608 - only our own names are inserted
            "ORDER BY time DESC LIMIT $most",
            {"run": run, "most": MOST_COMMANDS},
        )
        found = [kept_command(name, number, text, made_ns, by) for made_ns, name, number, text, by in rows[::-1]]
        return [kept for kept in found if kept is not None]

    def report(self, state: ReplayState) -> None:  # noqa: D102
        point = Point(REPLAYS).tag("run", state.run).field("state", state.encode())
        self._kept.write(point.time(state.begun_ns, WritePrecision.NS).to_line_protocol())

    def state(self) -> ReplayState | None:  # noqa: D102
        query = f'SELECT "state" FROM "{REPLAYS}" ORDER BY time DESC LIMIT {_RUNS}'  # noqa: S608
        found = []
        for _, text in self._kept.rows(_STATE, query, {}):
            try:
                found.append(ReplayState.parse(text))
            except msgspec.DecodeError:  # written by another version
                continue
        return max(found, key=lambda state: state.written_ns, default=None)
