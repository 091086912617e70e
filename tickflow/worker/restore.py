"""Decides what a worker replays when a partition is assigned to it, so that its windows look as if it had never
stopped.

The metadata of each commit carries the oldest offset that a window still needs. On assignment the worker reads from
there, fills the windows without writing, and starts to write at the committed offset.
"""

from dataclasses import dataclass, replace

import msgspec

from tickflow.metrics import fields
from tickflow.metrics.fields import DEPTH
from tickflow.metrics.windows import WINDOW_SPAN
from tickflow.ticklog.base import Bounds, Commit

VERSION = 3
_READ = (1, 2, 3)
_DEPTH_BEFORE = 20
"""The depth of the windows in commits before version 3, whose metadata does not state it."""


class _Metadata(msgspec.Struct, omit_defaults=True):
    v: int
    restore: int
    topic: str = ""
    depth: int = _DEPTH_BEFORE
    by: str = ""
    since: int = 0


def to_metadata(
    next_offset: int, oldest: int | None, span: int = WINDOW_SPAN, topic_id: str = "", since: int = 0
) -> str:
    """The metadata of a commit at `next_offset`; `oldest` is the offset of the oldest tick in the windows.

    `topic_id` distinguishes the topic from a later one of the same name (since version 2). The points at or after
    offset `since` were computed by this version of the computation (since version 3).

    >>> to_metadata(500, 120).startswith('{"v":3,"restore":120')
    True
    """
    restore = next_offset if oldest is None else max(oldest, next_offset - span)
    return msgspec.json.encode(_Metadata(VERSION, restore, topic_id, DEPTH, fields.VERSION, since)).decode()


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """Where to read from (`seek`), where to start to write (`emit_from`), and what is missing.

    `lost` counts records that were never processed and that the log no longer holds; `cold` counts records that the
    windows need but the log no longer holds. All points at or after the offset `since` come from this version of the
    computation. `note` is a sentence for the log, or empty. `foreign`: another program made the commit.
    """

    seek: int
    emit_from: int
    lost: int = 0
    cold: int = 0
    note: str = ""
    since: int = 0
    foreign: bool = False


def plan(
    commit: Commit | None, bounds: Bounds, span: int = WINDOW_SPAN, topic_id: str = "", own: Commit | None = None
) -> RestorePlan:
    """The plan for a partition of the topic `topic_id`, from the group's commit and the bounds of the log.

    A commit of another program has no metadata, or foreign metadata. If it lies past `own`, this worker's last commit,
    reading starts at `own` again: the other program has not stored those ticks.

    >>> plan(Commit(500, '{"v":1,"restore":120}'), Bounds(0, 900))
    RestorePlan(seek=120, emit_from=500, lost=0, cold=0, note='', since=500, foreign=False)
    """
    if commit is not None and _read(commit) is None:
        return _plan_of_foreign(commit, bounds, span, topic_id, own)
    return _plan(commit, bounds, span, topic_id)


def _plan_of_foreign(commit: Commit, bounds: Bounds, span: int, topic_id: str, own: Commit | None) -> RestorePlan:
    said = f"with the metadata {commit.metadata[:40]!a}" if commit.metadata else "without metadata"
    note = f"the commit at {commit.offset:,} ({said}) was made by an operator or another program, not by a worker"
    if own is not None and own.offset < commit.offset:
        begin = _plan(own, bounds, span, topic_id)
        note += f"; reading from this worker's own commit at {own.offset:,} again"
    else:
        begin = _plan(commit, bounds, span, topic_id)
        note += "; where the last worker stopped is unknown; `audit` shows whether ticks before that are missing"
    note += f". {begin.note}" if begin.note else ""
    return replace(begin, note=note, foreign=True)


def _plan(commit: Commit | None, bounds: Bounds, span: int, topic_id: str) -> RestorePlan:
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
    needed, since = restore_offset(commit, span), computed_since(commit)
    if commit.offset < bounds.start:
        lost = bounds.start - commit.offset
        note = (
            f"{lost:,} records were lost: the log deleted them before they were read (committed {commit.offset:,}, "
            f"log starts at {bounds.start:,})"
        )
        return RestorePlan(bounds.start, bounds.start, lost=lost, cold=commit.offset - needed, note=note, since=since)
    if needed < bounds.start:
        cold = bounds.start - needed
        note = f"{cold:,} records that the windows need are gone: some averages warm up again"
        return RestorePlan(bounds.start, commit.offset, cold=cold, note=note, since=since)
    return RestorePlan(needed, commit.offset, since=since)


def restore_offset(commit: Commit, span: int = WINDOW_SPAN) -> int:
    """The oldest offset that the windows of the commit need.

    It lies `span` before the commit if the metadata cannot be read, or if the windows were shorter when the commit was
    made.
    """
    metadata = _read(commit)
    if metadata is None or metadata.depth < DEPTH:
        return max(commit.offset - span, 0)
    return metadata.restore


def computed_since(commit: Commit) -> int:
    """The first offset whose points, like all later ones, were computed by this version; at most the commit's own
    offset.

    For a commit without readable metadata (an operator's reset) it is 0: the audit then accepts no deviation.
    """
    metadata = _read(commit)
    if metadata is None:
        return 0
    return min(max(metadata.since, 0), commit.offset) if metadata.by == fields.VERSION else commit.offset


def computed_by(commit: Commit) -> str:
    """The version of the computation of the worker that made the commit; empty if the metadata does not state it.

    >>> computed_by(Commit(500, to_metadata(500, 120))) == fields.VERSION
    True
    """
    metadata = _read(commit)
    return "" if metadata is None else metadata.by


def _read(commit: Commit) -> _Metadata | None:
    try:
        metadata = msgspec.json.decode(commit.metadata, type=_Metadata)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):  # the metadata may come from any program
        return None
    return metadata if metadata.v in _READ and 0 <= metadata.restore <= commit.offset else None
