"""Columns kept in memory equal a fresh read, unless points changed without a change of their counts."""

import numpy as np

from tests.point_examples import MORNING, SECOND
from tickflow.store.influx.kept import BLOCK_NS, Kept
from tickflow.store.influx.series import Series
from tickflow.store.pixels import MEASURES, PLAIN, Pixels, combined

AAPL = Series("AAPL")
HOUR = 3_600 * SECOND
BEGIN = MORNING // BLOCK_NS * BLOCK_NS
WIDTH = 400 * SECOND


class Course:
    """A symbol's points, sorted as (time, price), which answer as InfluxDB would; records the ranges read."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, float]] = []
        self.reads: list[tuple[int, int]] = []

    def read(self, _series: Series, since_ns: int, until_ns: int, width_ns: int) -> Pixels:
        self.reads.append((since_ns, until_ns))
        rows = [
            (at, price, price, price, price, 1.0, 1, 0, None, *[price] * 2 * len(MEASURES))
            for at, price in sorted(self.rows)
            if since_ns <= at < until_ns
        ]
        return combined(Pixels.from_rows(rows), width_ns)

    def counts(self, _series: Series, since_ns: int, until_ns: int, width_ns: int) -> dict[int, int]:
        found: dict[int, int] = {}
        for at, _ in self.rows:
            if since_ns <= at < until_ns:
                found[at // width_ns * width_ns] = found.get(at // width_ns * width_ns, 0) + 1
        return found


def a_course(hours: int) -> Course:
    course = Course()
    rng = np.random.default_rng(5)
    course.rows = [(BEGIN + at * 30 * SECOND, round(100 + rng.normal(), 2)) for at in range(hours * 120)]
    return course


def check(kept: Kept, course: Course, since: int, until: int) -> list[tuple[int, int]]:
    """Compare the kept columns with a complete read; return the ranges that were read from the store."""
    course.reads.clear()
    found = kept.pixels(AAPL, since, until, WIDTH)
    reads = [each for each in course.reads if each[1] > each[0]]
    expected = course.read(AAPL, since, until, WIDTH)
    for name in PLAIN:
        assert np.array_equal(getattr(found, name), getattr(expected, name), equal_nan=True), name
    for side in ("lows", "highs"):
        for name in MEASURES:
            assert np.array_equal(getattr(found, side)[name], getattr(expected, side)[name], equal_nan=True)
    return reads


def test_a_second_read_fetches_only_the_edges() -> None:
    course = a_course(40)
    kept = Kept(course.read, course.counts)
    since, until = BEGIN + 7 * SECOND, BEGIN + 39 * HOUR + 11 * SECOND
    check(kept, course, since, until)
    assert check(kept, course, since, until) == [(since, BEGIN + HOUR), (BEGIN + 39 * HOUR, until)]


def test_an_hour_with_a_late_or_a_missing_point_is_read_again() -> None:
    course = a_course(20)
    kept = Kept(course.read, course.counts)
    check(kept, course, BEGIN, BEGIN + 20 * HOUR)
    course.rows.append((BEGIN + 5 * HOUR + 3, 250.0))
    assert check(kept, course, BEGIN, BEGIN + 20 * HOUR) == [(BEGIN + 5 * HOUR, BEGIN + 6 * HOUR)]
    del course.rows[130]
    assert check(kept, course, BEGIN, BEGIN + 20 * HOUR) == [(BEGIN + HOUR, BEGIN + 2 * HOUR)]


def test_the_kept_columns_are_bounded() -> None:
    course = a_course(60)
    kept = Kept(course.read, course.counts, most_columns=36 * 10)
    for _ in range(3):
        check(kept, course, BEGIN, BEGIN + 60 * HOUR)
    assert kept._columns <= 36 * 10
    assert len(kept._blocks) == 10
    assert kept._columns == sum(map(len, kept._blocks.values()))


def test_a_short_range_and_narrow_columns_are_read_directly() -> None:
    course = a_course(20)
    kept = Kept(course.read, course.counts)
    for since, until, width in ((BEGIN, BEGIN + 3 * HOUR, WIDTH), (BEGIN, BEGIN + 20 * HOUR, SECOND + 1)):
        course.reads.clear()
        kept.pixels(AAPL, since, until, width)
        assert course.reads == [(since, until)]
