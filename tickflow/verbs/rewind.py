"""The verb `rewind`: makes the group read the topic again from a given time.

The recomputed points are equal to the stored ones and overwrite them. So a store that has lost points (because it was
restored from a backup, or because the bucket is new) is filled again from the log.
"""

import time
from datetime import UTC, datetime

from tickflow import process
from tickflow.errors import LogError, LogUnavailable
from tickflow.ticklog.base import Position, TickLog
from tickflow.ticklog.places import offset_at
from tickflow.worker.restore import to_metadata

PATIENCE_SECONDS = 60.0
POLL_SECONDS = 0.25


def rewind(log: TickLog, to_ms: int) -> dict[int, tuple[int, int]]:
    """Commit, for each partition, the offset of its first record that was appended at or after `to_ms` (ms since 1970).

    Returns the committed and the former offset by partition; a partition that the group never committed, or whose
    commit lies before that time, is left unchanged. Raises `LogError` while the group has a worker, and
    `LogUnavailable`.
    """
    view = log.group_view()
    if view.members:
        names = ", ".join(view.members)
        raise LogError(
            f"The group has running workers, which would continue from where they are: {names}. Stop them, then rewind."
        )
    moved: dict[int, tuple[int, int]] = {}
    for partition, commit in view.committed.items():
        found = offset_at(log, partition, to_ms, log.bounds(partition, log.topic))
        if found < commit.offset:
            moved[partition] = found, commit.offset
    if moved:
        _commit(log, {partition: found for partition, (found, _) in moved.items()})
    return moved


def show(log: TickLog, to_ns: int) -> None:
    """Rewind, and print the old and the new offset of each partition."""
    with log:
        log.connect(create=False)
        moved = rewind(log, to_ns // 1_000_000)
    moment = datetime.fromtimestamp(to_ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    lines = [f"partition {n}: from offset {old:,} back to {new:,}" for n, (new, old) in sorted(moved.items())]
    total = sum(old - new for new, old in moved.values())
    done = f"{total:,} records appended since {moment} will be read again when a worker starts"
    process.show("\n".join([*lines, done if moved else f"no record appended since {moment} was committed"]))


def _metadata(log: TickLog, offset: int) -> str:
    """Metadata for a commit at `offset` that makes a worker refill its windows from as far back as any can reach."""
    return to_metadata(offset, 0, topic_id=log.topic_id)


def _commit(log: TickLog, offsets: dict[int, int]) -> None:
    """Join the group, and commit these offsets as its only member."""
    log.subscribe()
    until = time.monotonic() + PATIENCE_SECONDS
    left = dict(offsets)
    epochs: dict[int, int] = {}
    while left:
        if time.monotonic() > until:
            raise LogUnavailable(f"{log.where} did not give all partitions within {PATIENCE_SECONDS:g} s; try again")
        log.check_stop()
        polled = log.poll(POLL_SECONDS)
        for partition in polled.revoked:
            epochs.pop(partition, None)
        for partition, epoch in polled.assigned.items():
            epochs[partition] = epoch
            log.seek(partition, offsets.get(partition, log.bounds(partition).end))
        due = {
            partition: Position(left[partition], _metadata(log, left[partition]), epochs[partition])
            for partition in left.keys() & epochs.keys()
        }
        for partition in log.commit(due) if due else ():
            del left[partition]
