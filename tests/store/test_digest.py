"""The digest of chosen points, with sums read a moment before or after them."""

from tests.point_examples import MORNING, SECOND, a_row, points_of
from tickflow.store.digest import digest


def test_a_point_that_came_after_the_sums_were_read_is_one_of_the_digest() -> None:
    rows = [a_row(time_ns=MORNING + i * SECOND, volume=volume) for i, volume in enumerate((10, 20, 40))]
    sums = [(MORNING, 100, 5), (MORNING + SECOND, 20, 1)]
    found = digest(points_of(*rows), SECOND, sums)
    assert found.volume.tolist() == [100, 20, 40]
    assert found.total == 6
