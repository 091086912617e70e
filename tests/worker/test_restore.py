"""A restart replays enough records for the windows, emits no point as new twice, and counts every gap exactly."""

import json
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tickflow.metrics import fields
from tickflow.metrics.windows import WINDOW_SPAN
from tickflow.ticklog.base import Bounds, Commit
from tickflow.worker.restore import RestorePlan, computed_since, plan, restore_offset, to_metadata

METADATA_LIMIT = 4096
BIGGEST = 2**63 - 1

offsets = st.integers(0, 3_000_000)
bounds = st.tuples(offsets, offsets).map(lambda pair: Bounds(*sorted(pair)))
spans = st.integers(1, 2_000_000)


@pytest.fixture
def windows_of_20(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets the depth of the windows to that of the workers that wrote commits of versions 1 and 2."""
    monkeypatch.setattr("tickflow.worker.restore.DEPTH", 20)


@st.composite
def commits(draw: st.DrawFn) -> tuple[Commit, int]:
    """A commit as the worker makes it, and the oldest offset that its windows need."""
    offset = draw(offsets)
    oldest = draw(st.integers(0, offset))
    return Commit(offset, to_metadata(offset, oldest, BIGGEST)), oldest


@given(commits(), bounds)
def test_nothing_is_written_below_the_commit_and_the_replay_starts_inside_the_log(
    made: tuple[Commit, int], held: Bounds
) -> None:
    commit, _ = made
    result = plan(commit, held)
    assert held.start <= result.seek <= result.emit_from <= held.end
    if commit.offset <= held.end:
        assert result.emit_from >= commit.offset


@given(commits(), bounds)
def test_lost_and_cold_counts_are_exact_and_cover_all_missing_records(made: tuple[Commit, int], held: Bounds) -> None:
    commit, oldest = made
    result = plan(commit, held)
    if commit.offset > held.end:
        assert (result.lost, result.cold) == (0, 0)  # a different log, none of whose records was ever processed
        return
    assert result.lost == len(range(commit.offset, held.start))
    assert result.cold == len(range(oldest, min(held.start, commit.offset)))
    assert result.seek == max(oldest, held.start)
    assert bool(result.note) == (result.lost + result.cold > 0)


@given(offsets, st.none() | offsets, spans)
def test_metadata_comes_back_within_the_span_and_fits_into_a_commit(offset: int, oldest: int | None, span: int) -> None:
    if oldest is not None:
        oldest = min(oldest, offset)
    metadata = to_metadata(offset, oldest, span)
    assert len(metadata.encode()) <= METADATA_LIMIT
    expected = offset if oldest is None else max(oldest, offset - span)
    assert restore_offset(Commit(offset, metadata), span) == expected


def test_the_longest_metadata_fits_into_a_commit() -> None:
    assert len(to_metadata(BIGGEST, BIGGEST - 1).encode()) <= METADATA_LIMIT


@pytest.mark.parametrize(
    "metadata",
    [
        "",
        "null",
        "{}",
        "by hand",
        '{"v":1}',
        '{"restore":5}',
        '{"v":4,"restore":5}',
        '{"v":2,"restore":5,"topic":7}',
        '{"v":0,"restore":5}',
        '{"v":"1","restore":5}',
        '{"v":1,"restore":"5"}',
        '{"v":1,"restore":-1}',
        '{"v":1,"restore":5.5}',
        '{"v":1,"restore":2500001}',
        '{"v":1,"restore":1e999}',
        '{"v":1,"restore":5',
        "[" * 4096,
    ],
)
def test_metadata_not_of_this_version_falls_back_to_a_span_before_the_commit(metadata: str) -> None:
    assert restore_offset(Commit(2_500_000, metadata)) == 2_500_000 - WINDOW_SPAN
    assert restore_offset(Commit(10, metadata)) == 0
    found = plan(Commit(2_500_000, metadata), Bounds(0, 3_000_000))
    assert replace(found, note="") == RestorePlan(1_500_000, 2_500_000, foreign=True)
    assert "the commit at 2,500,000 (with" in found.note
    assert len(found.note) < 400


def test_a_foreign_commit_past_the_workers_own_is_ignored() -> None:
    own = Commit(500, to_metadata(500, 120))
    found = plan(Commit(560, ""), Bounds(0, 900), own=own)
    assert replace(found, note="") == RestorePlan(120, 500, since=found.since, foreign=True)
    assert "the commit at 560 (without metadata) was made by an operator" in found.note
    assert "own commit at 500 again" in found.note


def test_an_operators_reset_to_an_earlier_place_is_followed() -> None:
    own = Commit(500, to_metadata(500, 120))
    found = plan(Commit(100, ""), Bounds(0, 900), own=own)
    assert (found.seek, found.emit_from, found.foreign) == (0, 100, True)


def test_another_workers_commit_is_not_foreign() -> None:
    own = Commit(500, to_metadata(500, 120))
    found = plan(Commit(560, to_metadata(560, 200)), Bounds(0, 900), own=own)
    assert (found.seek, found.emit_from, found.note, found.foreign) == (200, 560, "", False)


_anything = st.text(max_size=4_096) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["v", "restore", "topic", "depth", "by", "since"]), inner)
    ),
).map(json.dumps)


@given(_anything, offsets, offsets, offsets, st.none() | offsets)
@example("[" * 4_096, 5, 0, 9, None)
@example('{"v":' + "[" * 4_000, 5, 0, 9, None)
@example("\ud800", 5, 0, 9, 2)
def test_any_commit_gives_a_plan_within_the_log(
    metadata: str, offset: int, start: int, end: int, own: int | None
) -> None:
    start, end = min(start, end), max(start, end)
    ours = None if own is None else Commit(own, to_metadata(own, None))
    found = plan(Commit(offset, metadata), Bounds(start, end), own=ours)
    assert start <= found.seek <= found.emit_from <= end
    assert min(found.lost, found.cold) >= 0
    assert 0 <= computed_since(Commit(offset, metadata)) <= offset


@given(st.text(max_size=60), offsets, spans)
def test_any_metadata_gives_an_offset_not_past_the_commit(metadata: str, offset: int, span: int) -> None:
    assert 0 <= restore_offset(Commit(offset, metadata), span) <= offset


@pytest.mark.usefixtures("windows_of_20")
def test_a_commit_of_version_1_is_read() -> None:
    assert plan(Commit(500, '{"v":1,"restore":120}'), Bounds(0, 900), topic_id="a") == RestorePlan(120, 500, since=500)


def test_points_computed_by_another_version_are_distinguished(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = Commit(500, to_metadata(500, 120))
    assert plan(first, Bounds(0, 900)).since == 0
    monkeypatch.setattr(fields, "VERSION", "2-another")
    taken_over = plan(first, Bounds(0, 900))
    assert (taken_over.emit_from, taken_over.since) == (500, 500)
    later = Commit(700, to_metadata(700, 600, since=taken_over.since))
    assert plan(later, Bounds(0, 900)).since == 500, "it stays with every commit of that version"
    assert plan(later, Bounds(800, 900)).since == 500, "through a gap too"


@pytest.mark.parametrize("metadata", ["", "by hand"])
def test_a_commit_without_metadata_excuses_no_deviation(metadata: str) -> None:
    assert computed_since(Commit(500, metadata)) == 0


def test_windows_that_were_shorter_when_the_commit_was_made_are_filled_from_a_span_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    commit = Commit(500, to_metadata(500, 480))
    assert restore_offset(commit, span=300) == 480
    monkeypatch.setattr("tickflow.worker.restore.DEPTH", fields.DEPTH + 1)
    assert restore_offset(commit, span=300) == 200
    assert restore_offset(Commit(500, to_metadata(500, 480)), span=300) == 480


def test_after_a_commit_of_an_earlier_topic_reading_starts_at_the_beginning() -> None:
    commit = Commit(500, to_metadata(500, 120, topic_id="a"))
    assert plan(commit, Bounds(0, 900), topic_id="a") == RestorePlan(120, 500)
    assert plan(commit, Bounds(0, 900)) == RestorePlan(120, 500), "a log that knows no ids"
    recreated = plan(commit, Bounds(0, 900), topic_id="b")
    assert (recreated.seek, recreated.emit_from, recreated.lost, recreated.cold) == (0, 0, 0, 0)
    assert "earlier topic" in recreated.note


@pytest.mark.usefixtures("windows_of_20")
def test_fields_of_a_later_version_of_this_format_do_no_harm() -> None:
    metadata = json.dumps({"v": 1, "restore": 7, "more": [1, 2]})
    assert restore_offset(Commit(10, metadata)) == 7


@given(bounds)
def test_without_a_commit_everything_is_read_and_written(held: Bounds) -> None:
    result = plan(None, held)
    assert (result.seek, result.emit_from, result.lost, result.cold) == (held.start, held.start, 0, 0)
    assert "no commit of this group yet" in result.note


@given(bounds, st.integers(1, 1_000_000))
def test_a_commit_past_the_end_means_another_topic_and_is_reported(held: Bounds, beyond: int) -> None:
    result = plan(Commit(held.end + beyond, ""), held)
    assert (result.seek, result.emit_from, result.lost, result.cold) == (held.start, held.start, 0, 0)
    assert "created again" in result.note


def test_a_commit_at_the_end_of_an_empty_log_is_nothing_special() -> None:
    assert plan(Commit(500, to_metadata(500, 500)), Bounds(500, 500)) == RestorePlan(500, 500)


def test_a_lost_gap_and_a_cold_gap_are_distinguished() -> None:
    commit = Commit(500, to_metadata(500, 120))
    lost = plan(commit, Bounds(600, 900))
    assert (lost.lost, lost.cold, lost.seek, lost.emit_from) == (100, 380, 600, 600)
    assert "100 records were lost" in lost.note
    cold = plan(commit, Bounds(300, 900))
    assert (cold.lost, cold.cold, cold.seek, cold.emit_from) == (0, 180, 300, 500)
    assert "180 records that the windows need are gone" in cold.note


def note_of(commit: Commit | None, held: Bounds, **options: object) -> str:
    return plan(commit, held, **options).note  # type: ignore[arg-type]


def test_each_note_is_a_sentence_with_its_offsets() -> None:
    ours = Commit(5_000, to_metadata(5_000, 1_200))
    assert note_of(None, Bounds(0, 9)) == (
        "no commit of this group yet (or the broker expired it): reading from the start"
    )
    assert note_of(ours, Bounds(0, 4_000)) == (
        "the commit at 5,000 lies past the end at 4,000: the topic was created again; reading from its start"
    )
    assert note_of(Commit(5_000, to_metadata(5_000, 1_200, topic_id="a")), Bounds(0, 9_000), topic_id="b") == (
        "the commit at 5,000 belongs to an earlier topic of this name; reading from the start"
    )
    assert note_of(ours, Bounds(7_000, 9_000)) == (
        "2,000 records were lost: the log deleted them before they were read (committed 5,000, log starts at 7,000)"
    )
    assert note_of(ours, Bounds(3_000, 9_000)) == (
        "1,800 records that the windows need are gone: some averages warm up again"
    )
    assert note_of(ours, Bounds(1_200, 5_000)) == ""


def test_the_note_about_a_foreign_commit_has_its_content_and_the_start_of_reading() -> None:
    own, made_by = (
        Commit(5_000, to_metadata(5_000, 1_200)),
        "was made by an operator or another program, not by a worker",
    )
    assert note_of(Commit(5_600, ""), Bounds(0, 9_000), own=own) == (
        f"the commit at 5,600 (without metadata) {made_by}; reading from this worker's own commit at 5,000 again"
    )
    assert note_of(Commit(5_600, "x\né" * 20), Bounds(0, 9_000)) == (
        "the commit at 5,600 (with the metadata " + ascii(("x\né" * 20)[:40]) + f") {made_by}; "
        "where the last worker stopped is unknown; `audit` shows whether ticks before that are missing"
    )
    assert note_of(Commit(5_600, ""), Bounds(6_000, 9_000), own=own).endswith(
        "own commit at 5,000 again. 1,000 records were lost: the log deleted them before they were read "
        "(committed 5,000, log starts at 6,000)"
    )


def test_a_foreign_commit_at_the_workers_own_offset_or_before_it_is_followed() -> None:
    own = Commit(500, to_metadata(500, 120, topic_id="a"))
    assert plan(Commit(500, ""), Bounds(0, 900), span=300, own=own).seek == 200
    found = plan(Commit(501, ""), Bounds(0, 900), span=300, topic_id="b", own=own)
    assert (found.seek, found.emit_from) == (0, 0), "the own commit is one of an earlier topic"
    assert plan(Commit(501, ""), Bounds(0, 900), topic_id="a", own=own).emit_from == 500
    other = plan(Commit(560, ""), Bounds(0, 900), span=100)
    assert (other.seek, other.emit_from, other.foreign) == (460, 560, True)


def test_the_span_bounds_the_replay_of_a_commit_that_cannot_be_read() -> None:
    assert restore_offset(Commit(5_000, ""), span=300) == 4_700
    assert restore_offset(Commit(5_000, "")) == 0
    assert restore_offset(Commit(2_000_000, "")) == 2_000_000 - WINDOW_SPAN
    assert plan(Commit(2_000_000, ""), Bounds(0, 3_000_000)).seek == 2_000_000 - WINDOW_SPAN


def test_the_whole_metadata_of_a_commit() -> None:
    metadata = json.loads(to_metadata(5_000, 1_200, topic_id="a", since=7))
    depth = {"depth": fields.DEPTH} if fields.DEPTH != 20 else {}
    assert metadata == {"v": 3, "restore": 1_200, "topic": "a", "by": fields.VERSION, "since": 7} | depth
    assert json.loads(to_metadata(5_000, None))["restore"] == 5_000
    assert json.loads(to_metadata(5_000, 1_200, span=300))["restore"] == 4_700
    assert json.loads(to_metadata(2_000_000, 0))["restore"] == 2_000_000 - WINDOW_SPAN


@pytest.mark.parametrize(("since", "counted"), [(0, 0), (-5, 0), (400, 400), (500, 500), (501, 500)])
def test_since_is_at_most_the_commits_offset(since: int, counted: int) -> None:
    assert computed_since(Commit(500, to_metadata(500, 120, since=since))) == counted


def test_the_restored_offset_is_at_most_the_commits_own() -> None:
    for restore, offset in ((0, 0), (500, 500), (501, 0)):
        commit = Commit(500, json.dumps({"v": 3, "restore": restore, "depth": fields.DEPTH}))
        assert restore_offset(commit) == offset, restore


def test_the_span_bounds_the_replay_for_windows_that_were_shorter(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Commit(500, to_metadata(500, 480))
    monkeypatch.setattr("tickflow.worker.restore.DEPTH", fields.DEPTH + 1)
    assert plan(own, Bounds(0, 900), span=300).seek == 200
    assert plan(Commit(560, ""), Bounds(0, 900), span=300, own=own).seek == 200


def test_deleted_records_do_not_change_since_when_this_version_computed() -> None:
    commit = Commit(500, to_metadata(500, 120, since=77))
    assert [plan(commit, Bounds(start, 900)).since for start in (0, 300, 600)] == [77, 77, 77]
