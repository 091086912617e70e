"""Fewer rows for a long range: each bucket's first, highest, lowest and last price, and every anomaly."""

import numpy as np
import numpy.typing as npt

from tickflow.points import Points

Ints = npt.NDArray[np.int64]


def thin(rows: Points, limit: int) -> tuple[Points, Ints]:
    """At most `limit` of `rows` (in the order of time), and which of them flow into each: its volume.

    Rows are never just skipped: each of `limit / 4` buckets of equal time keeps its first, highest, lowest and last
    price, so that no extreme is lost, and anomalies are kept beyond `limit`. The volume that comes back with a row is
    the sum since the row before it, so that no volume is lost either.
    """
    if len(rows) <= limit:
        return rows, rows.volume
    kept = _kept(rows, max(1, limit // 4))
    total = np.concatenate([[0], np.cumsum(rows.volume)])
    volumes: Ints = np.diff(total[np.concatenate([[0], kept + 1])])
    return rows.take(kept), volumes


def _kept(rows: Points, buckets: int) -> Ints:
    time = rows.time_ns
    width = (time[-1] - time[0]) // buckets + 1
    bucket = (time - time[0]) // width
    starts = np.flatnonzero(np.diff(bucket, prepend=-1))
    ends = np.append(starts[1:], len(rows)) - 1
    by_price = np.lexsort((rows.price, bucket))
    flagged = np.flatnonzero(rows.is_anomaly)
    result: Ints = np.unique(np.concatenate([starts, ends, by_price[starts], by_price[ends], flagged]))
    return result
