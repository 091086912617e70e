"""Decides what a worker replays when a partition is assigned to it, so that its windows are as if it had never stopped.

The metadata of each commit carries the oldest offset that a window still needs. On assignment the worker reads from
there, fills the windows without writing, and starts to write at the committed offset.
"""

from dataclasses import dataclass

import msgspec

from tickflow.metrics.windows import WINDOW_SPAN
from tickflow.ticklog.base import Bounds, Commit

VERSION = 2
_READ = (1, 2)


class _Metadata(msgspec.Struct, omit_defaults=True):
    v: int
    restore: int
    topic: str = ""


def to_metadata(next_offset: int, oldest: int | None, span: int = WINDOW_SPAN, topic_id: str = "") -> str:
    """The metadata of a commit at `next_offset`, if the oldest tick of the windows is at offset `oldest`.

    `topic_id` tells the topic from a later one of the same name (since version 2).

    >>> to_metadata(500, 120)
    '{"v":2,"restore":120}'
    """
    restore = next_offset if oldest is None else max(oldest, next_offset - span)
    return msgspec.json.encode(_Metadata(VERSION, restore, topic_id)).decode()


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """Where to read from (`seek`), where to start to write (`emit_from`), and what is missing.

    `lost` counts records that were never processed and that the log no longer holds; `cold` counts records that the
    windows need but that are gone. `note` is a sentence for the log, or empty.
    """

    seek: int
    emit_from: int
    lost: int = 0
    cold: int = 0
    note: str = ""


def plan(commit: Commit | None, bounds: Bounds, span: int = WINDOW_SPAN, topic_id: str = "") -> RestorePlan:
    """The replay for a commit, in a partition that holds `bounds`, of the topic with that id.

    >>> plan(Commit(500, '{"v":1,"restore":120}'), Bounds(0, 900))
    RestorePlan(seek=120, emit_from=500, lost=0, cold=0, note='')
    """
    if commit is None:
        note = "no commit of this group yet (or the broker expired it): reading from the start"
        return RestorePlan(bounds.start, bounds.start, note=note)
    if commit.offset > bounds.end:
        note = (
            f"the commit at {commit.offset:,} lies past the end at {bounds.end:,}: the topic was created again; "
            "reading from its start"
        )
        return RestorePlan(bounds.start, bounds.start, note=note)
    metadata = _read(commit)
    if metadata is not None and topic_id and metadata.topic not in ("", topic_id):
        note = f"the commit at {commit.offset:,} belongs to an earlier topic of this name; reading from the start"
        return RestorePlan(bounds.start, bounds.start, note=note)
    needed = restore_offset(commit, span)
    if commit.offset < bounds.start:
        lost = bounds.start - commit.offset
        note = (
            f"{lost:,} records were lost: the log's retention overran this group (committed {commit.offset:,}, "
            f"log starts at {bounds.start:,})"
        )
        return RestorePlan(bounds.start, bounds.start, lost=lost, cold=commit.offset - needed, note=note)
    if needed < bounds.start:
        cold = bounds.start - needed
        note = f"{cold:,} records that the windows need are gone: some averages warm up again"
        return RestorePlan(bounds.start, commit.offset, cold=cold, note=note)
    return RestorePlan(needed, commit.offset)


def restore_offset(commit: Commit, span: int = WINDOW_SPAN) -> int:
    """The oldest offset that the windows of the commit need; without readable metadata, `span` before the commit."""
    metadata = _read(commit)
    return max(commit.offset - span, 0) if metadata is None else metadata.restore


def _read(commit: Commit) -> _Metadata | None:
    try:
        metadata = msgspec.json.decode(commit.metadata, type=_Metadata)
    except msgspec.DecodeError:
        return None
    return metadata if metadata.v in _READ and 0 <= metadata.restore <= commit.offset else None
