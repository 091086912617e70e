"""Tests of digests whose sums were read a moment before or after the points, and of steps and outlines."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.point_examples import MORNING, SECOND, a_row, points_of
from tickflow.store import digest as module
from tickflow.store.digest import Digest, Outline, digest, step_width

MINUTE = 60 * SECOND


def digest_of(points: list[tuple[int, float]], sums: list[tuple[int, float, int]]) -> Digest:
    """The digest of `points` (ns after the start, volume), with `sums` per minute (minute's number, volume, count)."""
    rows = [a_row(time_ns=MORNING + after_ns, volume=volume) for after_ns, volume in points]
    return digest(points_of(*rows), MINUTE, [(MORNING + number * MINUTE, *values) for number, *values in sums])  # type: ignore[misc]


def test_a_point_that_came_after_the_sums_were_read_is_one_of_the_digest() -> None:
    rows = [a_row(time_ns=MORNING + i * SECOND, volume=volume) for i, volume in enumerate((10, 20, 40))]
    sums = [(MORNING, 100, 5), (MORNING + SECOND, 20, 1)]
    found = digest(points_of(*rows), SECOND, sums)
    assert found.volume.tolist() == [100, 20, 40]
    assert found.total == 6


def test_the_last_point_of_each_step_carries_what_the_step_left_out() -> None:
    chosen = [(1, 10.0), (MINUTE - 1, 20.0), (MINUTE, 5.0), (2 * MINUTE + 7, 1.0), (2 * MINUTE + 8, 2.0)]
    found = digest_of(chosen, [(0, 100.0, 9), (1, 5.5, 2), (2, 3.75, 3)])
    assert found.volume.tolist() == [10.0, 90.0, 5.5, 1.0, 2.75]
    assert found.total == 14
    assert found.points.volume.tolist() == [10.0, 20.0, 5.0, 1.0, 2.0], "the points keep their own volumes"


def test_a_step_without_a_chosen_point_changes_nothing() -> None:
    found = digest_of([(1, 10.0), (MINUTE + 1, 20.0)], [(0, 30.0, 2), (1, 50.0, 4), (2, 500.0, 7)])
    assert found.volume.tolist() == [30.0, 50.0]
    assert found.total == 13


def test_a_rounding_error_of_the_sum_does_not_become_volume() -> None:
    assert digest_of([(1, 0.1), (2, 0.2), (3, 0.3)], [(0, 0.7, 3)]).volume.tolist() == [0.1, 0.2, 0.3]
    assert digest_of([(1, 1.0)], [(0, 0.5, 2)]).volume.tolist() == [1.0], "no point takes volume away"


@given(st.data(), st.lists(st.tuples(st.integers(0, 5 * MINUTE), st.integers(0, 1000)), min_size=1, max_size=30))
def test_any_choice_of_points_keeps_the_total_volume(data: st.DataObject, drawn: list[tuple[int, int]]) -> None:
    made = sorted(dict(drawn).items())
    steps = sorted({after // MINUTE for after, _ in made})
    sums = []
    for step in steps:
        volumes = [volume for after, volume in made if after // MINUTE == step]
        sums.append((step, float(sum(volumes)), len(volumes)))
    at = {data.draw(st.sampled_from([n for n, (after, _) in enumerate(made) if after // MINUTE == s])) for s in steps}
    chosen = sorted(at | set(data.draw(st.lists(st.integers(0, len(made) - 1)))))
    found = digest_of([(made[n][0], float(made[n][1])) for n in chosen], sums)
    assert found.volume.sum() == sum(volume for _, volume in made)
    assert found.total == len(made)


@pytest.mark.parametrize(("most", "cut"), [(1, True), (2, True), (3, False)])
def test_a_digest_is_cut_once_it_holds_as_many_anomalies_as_it_may(
    most: int, cut: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_ANOMALIES", most)
    rows = [a_row(time_ns=MORNING + number, is_anomaly=number < 2) for number in range(4)]
    assert digest(points_of(*rows), MINUTE, [(MORNING, 400.0, 4)]).cut is cut


def test_sums_that_lack_a_number_are_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        digest(points_of(a_row()), MINUTE, [(MORNING, 1.0, 1), (MORNING, 1.0)])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("since", "until", "steps", "width"),
    [(0, 1_000, 10, 100), (0, 1_001, 10, 101), (7, 1_006, 10, 100), (0, 1_000, 1, 1_000), (0, 3, 10, 1), (5, 5, 10, 1)],
)
def test_steps_are_as_narrow_as_their_number_allows(since: int, until: int, steps: int, width: int) -> None:
    assert step_width(since, until, steps) == width


@given(st.integers(0, 10**18), st.integers(1, 10**15), st.integers(1, 1_000))
def test_a_range_has_at_most_one_step_more_than_requested(since: int, length: int, steps: int) -> None:
    width = step_width(since, since + length, steps)
    assert (since + length - 1) // width - since // width + 1 <= steps + 1


def test_an_outline_has_the_columns_of_its_rows() -> None:
    outline = Outline.from_rows([(MORNING, 5, None, "replay"), (MORNING + 1, 6.5, True, "simulated")])
    assert len(outline) == 2
    assert outline.time_ns.tolist() == [MORNING, MORNING + 1]
    assert outline.price.tolist() == [5.0, 6.5]
    assert outline.is_anomaly.tolist() == [False, True], "a flag that is absent is none"
    assert list(outline.source) == ["replay", "simulated"]


@pytest.mark.parametrize("rows", [[], [(MORNING, 5, True, "replay")]])
def test_the_types_of_an_outlines_columns_do_not_depend_on_its_rows(rows: list[tuple[int, float, bool, str]]) -> None:
    outline = Outline.from_rows(rows)
    assert len(outline) == len(rows)
    assert [each.dtype for each in (outline.time_ns, outline.price, outline.is_anomaly)] == [
        np.int64,
        np.float64,
        np.bool_,
    ]


def test_rows_of_unequal_length_are_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        Outline.from_rows([(MORNING, 5, True, "replay"), (MORNING, 5, True)])  # type: ignore[list-item]
