"""Fewer rows for a long range: each bucket's first, highest, lowest and last price, and every anomaly."""

import numpy as np
import numpy.typing as npt

from tickflow.points import Points


def thin(rows: Points, limit: int) -> Points:
    """At most `limit` of `rows` (in the order of time).

    Rows are never just skipped: each of `limit / 4` buckets of equal time keeps its first, highest, lowest and last
    price, so that no extreme is lost, and anomalies are kept beyond `limit`.
    """
    return rows if len(rows) <= limit else rows.take(_kept(rows, max(1, limit // 4)))


def _kept(rows: Points, buckets: int) -> npt.NDArray[np.intp]:
    time = rows.time_ns
    width = (time[-1] - time[0]) // buckets + 1
    bucket = (time - time[0]) // width
    starts = np.flatnonzero(np.diff(bucket, prepend=-1))
    ends = np.append(starts[1:], len(rows)) - 1
    by_price = np.lexsort((rows.price, bucket))
    flagged = np.flatnonzero(rows.is_anomaly)
    return np.unique(np.concatenate([starts, ends, by_price[starts], by_price[ends], flagged]))
