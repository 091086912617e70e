"""Diagnoses a running system from the answers of its parts. It does no I/O, so that each case has its test."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tickflow.store.base import WorkerStatus
from tickflow.telemetry.health import State
from tickflow.ticklog.base import GroupView
from tickflow.worker.report import ago, counted
from tickflow.worker.status import ENDED

SILENT_NS = 30 * 10**9
"""A worker reports every 2 s. A worker without a report for this long has ended, hangs, or cannot reach the store."""
BEHIND_SECONDS = 60.0
REFUSED_SHARE = 0.01
FEED_NS = 60 * 10**9
"""If the newest record is older than this, but not older than an hour, the log has lost its feed or the market has
closed.
"""
HOUR_NS = 3_600 * 10**9
LEAST_FREE_BYTES = 16 * 10**6
"""The write-ahead file of an embedded file alone grows to about this size."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The answers of all parts; for a part that did not answer, `log_trouble` or `store_trouble` has a sentence.

    `oldest_seconds` is the age of the oldest uncommitted record by partition, where it is known; `newest_append_ns` the
    append time of the newest record, `None` where there is none; `given_up` counts the alerts of the last day whose
    message a channel never accepted. `free_bytes` are left on the disk of the embedded `file`; `None` with servers. All
    times are in ns since 1970.
    """

    now_ns: int
    topic: str
    group_name: str
    group: GroupView | None = None
    log_trouble: str = ""
    statuses: Sequence[WorkerStatus] | None = None
    store_trouble: str = ""
    oldest_seconds: dict[int, float] = field(default_factory=dict)
    newest_append_ns: int | None = None
    given_up: int = 0
    file: str = ""
    free_bytes: int | None = None


def troubles(found: Evidence) -> list[str]:
    """One sentence per problem, which also says what to do; empty if all is well."""
    return [*_of_log(found), *_of_store(found), *_of_disk(found), *_of_workers(found), *_of_messages(found)]


def _of_log(found: Evidence) -> list[str]:
    if found.log_trouble:
        return [f"the log cannot be read: {found.log_trouble}"]
    group = found.group
    if group is None:
        return []
    if not group.bounds:
        return [f"there is no topic {found.topic} yet: start a producer or a worker, which creates it"]
    result = []
    ownerless = sorted(group.bounds.keys() - group.owners.keys())
    if group.state == "rebalancing":
        result.append(f"the group {found.group_name} is rebalancing: no worker reads until it is over; try again")
    elif not group.members:
        result.append(
            f"no worker of the group {found.group_name} runs: start one with python stock_analytics.py; "
            "the records wait in the log"
        )
    elif ownerless:
        listed = ", ".join(map(str, ownerless))
        result.append(
            f"{counted(len(ownerless), 'partition')} without an owner ({listed}): no worker reads there; see the "
            "workers' logs, and whether another program has joined the group"
        )
    behind = {number: age for number, age in found.oldest_seconds.items() if age > BEHIND_SECONDS}
    if behind:
        records = sum(group.lag.get(number, 0) for number in behind)
        result.append(
            f"{counted(records, 'record')} in {counted(len(behind), 'partition')} wait to be stored, the oldest for "
            f"{ago(round(max(behind.values()) * 1e9))}: if no worker is held up, start another one"
        )
    if found.newest_append_ns is not None and FEED_NS < found.now_ns - found.newest_append_ns < HOUR_NS:
        result.append(
            f"no record has arrived for {ago(found.now_ns - found.newest_append_ns)}: "
            "check the producer, unless the market is closed"
        )
    return result


def _of_store(found: Evidence) -> list[str]:
    return [f"the store does not answer: {found.store_trouble}"] if found.store_trouble else []


def _of_disk(found: Evidence) -> list[str]:
    if found.free_bytes is None or found.free_bytes >= LEAST_FREE_BYTES:
        return []
    return [
        f"the disk of the file {found.file} (EMBEDDED_FILE) has {found.free_bytes / 1e6:.1f} MB left: free some space; "
        "scripts that wait for it continue by themselves"
    ]


def _of_workers(found: Evidence) -> list[str]:
    if found.statuses is None:
        return []
    result = []
    present = [each for each in found.statuses if found.now_ns - each.written_at <= SILENT_NS]
    silent = [each for each in found.statuses if found.now_ns - each.written_at > SILENT_NS and each.state != ENDED]
    if silent:
        names = ", ".join(sorted(each.worker for each in silent)[:5]) + (", …" if len(silent) > 5 else "")
        result.append(
            f"{counted(len(silent), 'worker')} silent for 30 s or longer ({names}): ended without a stop, frozen, or "
            "cut off from the store; see the log there"
        )
    if found.group is not None and found.group.members and not present and not silent:
        result.append(
            "a worker is in the group, but none has ever reported to the store: do the workers use this bucket?"
        )
    for each in present:
        if each.held_up_by:
            result.append(f"{each.worker} is held up: {each.held_up_by}")
        elif each.state == State.RESTORING:
            result.append(f"{each.worker} writes nothing yet: {each.doing}")
        if each.notice:
            result.append(f"{each.worker}: {each.notice}")
        if each.foreign:
            result.append(
                f"{each.worker} found {counted(each.foreign, 'commit')} of another program in the group "
                f"{found.group_name}: give that program a group of its own"
            )
        taken = each.accepted + each.refused
        if taken and each.refused > REFUSED_SHARE * taken:
            result.append(
                f"{each.worker} refused {each.refused / taken:.0%} of {counted(taken, 'record')}: "
                "python stock_analytics.py dead-letters shows the reasons"
            )
    return result


def _of_messages(found: Evidence) -> list[str]:
    if not found.given_up:
        return []
    return [
        f"messages about {counted(found.given_up, 'alert')} of the last day were given up: a channel accepted none "
        "within ALERT_GIVE_UP; see the notifier's log, and try python stock_analytics.py notify --test"
    ]
