"""Candles of a time range in InfluxDB: InfluxDB computes them from the points."""

from tickflow.store.candles import Candles
from tickflow.store.influx.influxql import InfluxQL, Integer
from tickflow.store.influx.series import Series


def read(influxql: InfluxQL, series: Series, since_ns: int, until_ns: int, width_ns: int) -> Candles:
    """Candles `width_ns` wide, from the symbol's points in [`since_ns`, `until_ns`)."""
    rows = influxql.rows(
        tuple[Integer, float, float, float, float, float, Integer],
        'SELECT first("price"), max("price"), min("price"), last("price"), sum("volume"), count("price") '
        f"{series.within} GROUP BY time({width_ns}ns) fill(none)",
        series.bound(since=since_ns, until=until_ns),
    )
    return Candles.from_rows(rows)
