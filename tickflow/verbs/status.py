"""The verb `status`: reports what runs, what is wrong, and what to do about it, within three seconds, even if servers
are down.

It reads the group from the log (who has which partition, what is committed), and the workers' last reports from the
store. Each has its own thread, so that a server that is down or frozen does not delay the other.
"""

import json
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

from tickflow import process
from tickflow.errors import LogRefused, LogUnavailable, SettingError, Stopped, TickflowError
from tickflow.metrics import fields
from tickflow.store.alerts import AlertStore
from tickflow.store.base import DAY_NS, StatusBoard, WorkerStatus
from tickflow.ticklog.base import Bounds, TickLog
from tickflow.verbs.verdict import SILENT_NS, Evidence, troubles
from tickflow.version import VERSION
from tickflow.worker.report import ago, counted
from tickflow.worker.restore import computed_by
from tickflow.worker.status import ENDED

PATIENCE_SECONDS = 3.0
WATCH_SECONDS = 2.0
NEWEST = 5
"""How many offsets before the end are searched for the newest record: the last offsets may be transaction markers."""


class Inquiry:
    """Collects what log and store report; connections made by `open_log` and `open_store` end when their event is set.

    `file` is the embedded file: its tables may have to be created, and its disk may be full. A server is queried
    without `connect`, which would wait until the server answers and would not say why it does not.
    """

    def __init__(
        self,
        topic: str,
        group: str,
        open_log: Callable[[threading.Event], TickLog],
        open_store: Callable[[threading.Event], StatusBoard],
        *,
        open_alerts: Callable[[threading.Event], AlertStore] | None = None,
        file: Path | None = None,
        patience: float = PATIENCE_SECONDS,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._open_log = open_log
        self._open_store = open_store
        self._open_alerts = open_alerts
        self._file = file
        self._patience = patience
        self._clock_ns = clock_ns
        self._lock = threading.Lock()
        self._found = Evidence(clock_ns(), topic, group)
        self._raised: SettingError | None = None

    def evidence(self) -> Evidence:
        """What the servers answered in time. Raises `SettingError`."""
        stop = threading.Event()
        asked = {
            "log_trouble": threading.Thread(target=self._ask_log, args=(stop,), daemon=True),
            "store_trouble": threading.Thread(target=self._ask_store, args=(stop,), daemon=True),
        }
        for thread in asked.values():
            thread.start()
        if self._file is not None and (folder := self._file.absolute().parent).is_dir():
            self._note(file=str(self._file), free_bytes=shutil.disk_usage(folder).free)
        deadline = time.monotonic() + self._patience
        for thread in asked.values():
            thread.join(max(deadline - time.monotonic(), 0))
        stop.set()
        with self._lock:
            if self._raised is not None:
                raise self._raised
            found = self._found
        answered = {"log_trouble": found.group is not None, "store_trouble": found.statuses is not None}
        late = {part for part, thread in asked.items() if thread.is_alive() and not answered[part]}
        words = f"no answer within {self._patience:g} s"
        return replace(
            found,
            now_ns=self._clock_ns(),
            log_trouble=words if "log_trouble" in late else found.log_trouble,
            store_trouble=words if "store_trouble" in late else found.store_trouble,
        )

    def _note(self, **found: object) -> None:
        with self._lock:
            self._found = replace(self._found, **found)  # type: ignore[arg-type]  # each by name, with the field's type

    def _ask_log(self, stop: threading.Event) -> None:
        try:
            with self._open_log(stop) as log:
                log.connect(create=False)
                group = log.group_view()
                self._note(group=group)
                ages: dict[int, float] = {}
                newest = None
                for number, (start, end) in group.bounds.items():
                    if group.lag[number]:
                        begin = end - group.lag[number]
                        waiting_ms = _first_ms(log, number, Bounds(begin, min(begin + NEWEST, end)))
                        if waiting_ms is not None:
                            ages[number] = max(self._clock_ns() / 1e9 - waiting_ms / 1000, 0.0)
                            self._note(oldest_seconds=dict(ages))
                    last_ms = _last_ms(log, number, Bounds(max(start, end - NEWEST), end))
                    if last_ms is not None:
                        newest = max(newest or 0, last_ms * 1_000_000)
                        self._note(newest_append_ns=newest)
        except Stopped:
            return
        except SettingError as error:
            self._raised = error
        except TickflowError as error:
            self._note(log_trouble=str(error))

    def _ask_store(self, stop: threading.Event) -> None:
        try:
            with self._open_store(stop) as store:
                if self._file is not None:
                    store.connect()
                self._note(statuses=tuple(store.statuses()))
            if self._open_alerts is not None:
                with closing(self._open_alerts(stop)) as alerts:
                    found = alerts.alerts(self._clock_ns() - DAY_NS)
                    self._note(given_up=sum(each.notified is False for each in found))
        except Stopped:
            return
        except SettingError as error:
            self._raised = error
        except TickflowError as error:
            self._note(store_trouble=str(error))


def _first_ms(log: TickLog, partition: int, stretch: Bounds) -> int | None:
    for records in log.read(partition, stretch):
        return records[0].timestamp
    return None


def _last_ms(log: TickLog, partition: int, stretch: Bounds) -> int | None:
    found = None
    try:
        for records in log.read(partition, stretch):
            found = records[-1].timestamp
    except LogRefused:
        raise
    except LogUnavailable:
        return found
    return found


def show(inquiry: Callable[[], Inquiry], *, as_json: bool, watch: bool, stop: threading.Event) -> bool:
    """Print the verdict, with `watch` repeatedly until `stop` is set; return whether all is well."""
    while True:
        found = inquiry().evidence()
        wrong = troubles(found)
        process.show(_as_json(found, wrong) if as_json else "\n".join(lines(found, wrong)))
        if not watch or stop.wait(WATCH_SECONDS):
            return not wrong
        if not as_json:
            process.show("")


def lines(found: Evidence, wrong: Sequence[str]) -> list[str]:
    """The human-readable lines: all problems first, then the group and the workers."""
    result = [f"TROUBLE: {each}" for each in wrong] or ["Fine: nothing is wrong."]
    group = found.group
    if group is not None and group.bounds:
        records = sum(group.lag.values())
        oldest = max(found.oldest_seconds.values(), default=0.0)
        age = f", the oldest appended {ago(round(oldest * 1e9))} ago" if records and oldest else ""
        came = "no record yet" if found.newest_append_ns is None else "newest record "
        if found.newest_append_ns is not None:
            came += f"{ago(found.now_ns - found.newest_append_ns)} ago"
        result.append(
            f"{found.topic}: {counted(len(group.bounds), 'partition')}, {counted(len(group.members), 'worker')} in "
            f"{found.group_name} ({group.state}), {counted(records, 'record')} to store{age}, {came}"
        )
    versions = {} if group is None else {number: computed_by(each) for number, each in group.committed.items()}
    others = sorted(number for number, version in versions.items() if version not in ("", fields.VERSION))
    if others:
        result.append(
            f"{counted(len(others), 'partition')} last committed by another version of the computation "
            f"({versions[others[0]]}; this program has {fields.VERSION}): `audit` counts its points separately"
        )
    statuses = found.statuses or ()
    shown = [each for each in statuses if found.now_ns - each.written_at <= SILENT_NS and each.state != ENDED]
    result += [line(each, found.now_ns) for each in shown]
    ended = sum(each.state == ENDED for each in statuses)
    if ended:
        result.append(f"{counted(ended, 'worker')} ended within the last day")
    return result


def line(status: WorkerStatus, now_ns: int) -> str:
    """One worker's report as a human-readable line.

    >>> line(WorkerStatus("host-7", 0, 1_000_000_000, None, 5, 1_200, 3, 0, "no broker"), 2_000_000_000)
    'host-7: reported 2 s ago, last tick 1 s ago, 5 records to read, 1,200 ticks accepted, 3 refused, 0 expired'
    """
    newest = "no tick yet" if status.processed_at is None else f"last tick {ago(now_ns - status.processed_at)} ago"
    return (
        f"{status.worker}: reported {ago(now_ns - status.written_at)} ago, {newest}, {status.lag_records:,} records to "
        f"read, {status.accepted:,} ticks accepted, {status.refused:,} refused, {status.expired:,} expired"
    )


def _as_json(found: Evidence, wrong: Sequence[str]) -> str:
    group = found.group
    partitions = {} if group is None else group.bounds
    return json.dumps(
        {
            "version": VERSION,
            "computation": fields.VERSION,
            "ok": not wrong,
            "troubles": list(wrong),
            "topic": found.topic,
            "group": found.group_name,
            "state": None if group is None else group.state,
            "members": None if group is None else list(group.members),
            "partitions": {
                number: {
                    "owner": group.owners.get(number) if group else None,
                    "committed": group.committed[number].offset if group and number in group.committed else None,
                    "computed_by": computed_by(group.committed[number]) if group and number in group.committed else "",
                    "end": bounds.end,
                    "lag_records": group.lag[number] if group else None,
                    "lag_seconds": found.oldest_seconds.get(number, None if group and group.lag[number] else 0.0),
                }
                for number, bounds in partitions.items()
            },
            "newest_append_ns": found.newest_append_ns,
            "workers": None if found.statuses is None else [asdict(each) for each in found.statuses],
        }
    )
