"""A store of points, and its queries, in the test's own bucket."""

import threading
from collections.abc import Iterator

import pytest

from devtools.influxdb import InfluxServer
from tickflow.store.influx.influxql import InfluxQL
from tickflow.store.influx.store import InfluxStore


@pytest.fixture
def store(influx: InfluxServer, bucket: str) -> Iterator[InfluxStore]:
    stop = threading.Event()
    with InfluxStore(influx.url, token=influx.token, org=influx.org, bucket=bucket, stop=stop) as found:
        yield found


@pytest.fixture
def influxql(influx: InfluxServer, bucket: str) -> Iterator[InfluxQL]:
    found = InfluxQL(influx.url, token=influx.token, org=influx.org, bucket=bucket, where="InfluxDB")
    yield found
    found.close()
