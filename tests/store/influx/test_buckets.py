"""Tests of buckets with a slash in the name, and of buckets that a DBRP mapping (from InfluxDB 1.x) diverts."""

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from devtools.servers import InfluxServer
from tests.influx_tokens import a_token
from tests.point_examples import a_row, bits, points_of
from tickflow.errors import SettingError, StoreMisconfigured
from tickflow.store.acks import Ack
from tickflow.store.influx.acks import InfluxAcks
from tickflow.store.influx.store import InfluxStore

pytestmark = pytest.mark.influx
POINTS = points_of(a_row())
MakeBucket = Callable[[str], str]


@pytest.fixture
def database() -> str:
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def make_bucket(influx: InfluxServer) -> Iterator[MakeBucket]:
    """`make_bucket(name)` creates a bucket and returns its id; the bucket is deleted after the test."""
    with ExitStack() as stack:

        def make(name: str) -> str:
            influx.create_bucket(name)
            stack.callback(influx.delete_bucket, name)
            return str(influx.call("GET", f"/api/v2/buckets?name={name}")["buckets"][0]["id"])

        yield make


def a_store(server: InfluxServer, bucket: str, token: str | None = None) -> InfluxStore:
    return InfluxStore(
        server.url, token=token or server.token, org=server.org, bucket=bucket, stop=threading.Event(), connections=1
    )


def divert(server: InfluxServer, database: str, policy: str, bucket_id: str) -> str:
    """Create the DBRP mapping that an upgrade from 1.x creates for the default policy of a database; return its id."""
    body = {"org": server.org, "bucketID": bucket_id, "database": database, "retention_policy": policy, "default": True}
    return str(server.call("POST", "/api/v2/dbrps", body)["id"])


@pytest.mark.parametrize("policy", ["two_weeks", "autogen", "a/b"])
def test_reads_and_writes_of_a_bucket_with_a_slash_use_the_same_bucket(
    influx: InfluxServer, database: str, make_bucket: MakeBucket, policy: str
) -> None:
    make_bucket(f"{database}/{policy}")
    with a_store(influx, f"{database}/{policy}") as store:
        store.connect()
        store.write(POINTS)
        assert bits(store.points("AAPL", 0)) == bits(POINTS)
        assert bits(store.latest()) == bits(POINTS)
        assert store.statuses() == []


def test_a_database_of_the_same_name_is_a_different_bucket(
    influx: InfluxServer, database: str, make_bucket: MakeBucket
) -> None:
    make_bucket(database)
    make_bucket(f"{database}/two_weeks")
    with a_store(influx, f"{database}/two_weeks") as one, a_store(influx, database) as other:
        one.connect()
        other.connect()
        one.write(POINTS)
        assert (len(one.latest()), len(other.latest())) == (1, 0)


def test_acknowledgements_beside_a_bucket_with_a_slash(
    influx: InfluxServer, database: str, make_bucket: MakeBucket
) -> None:
    name = f"{database}/two_weeks_acks"
    make_bucket(name)
    acks = InfluxAcks(influx.url, token=influx.token, org=influx.org, bucket=name)
    ack = Ack("AAPL", 0, 5, 1_000, 2_000)
    acks.acknowledge([ack])
    assert acks.acknowledged(0) == [ack]
    acks.close()


@pytest.mark.parametrize("policy", ["autogen", "two_weeks"])
def test_a_mapping_to_another_bucket_is_found_at_connect(
    influx: InfluxServer, database: str, make_bucket: MakeBucket, policy: str
) -> None:
    make_bucket(database)
    mapping = divert(influx, database, policy, make_bucket(f"{database}/{policy}"))
    with a_store(influx, database) as store:
        with pytest.raises(SettingError) as caught:
            store.connect()
        store.write(POINTS)
        assert len(store.latest()) == 0, "this is why: what was written is not read"
    assert str(caught.value).startswith(f"INFLUXDB_BUCKET is {database!r}; expected a bucket that is read where")
    assert f"Set INFLUXDB_BUCKET to '{database}/{policy}'" in str(caught.value)
    assert f"influx v1 dbrp delete --id {mapping}" in str(caught.value)

    influx.call("DELETE", f"/api/v2/dbrps/{mapping}?org={influx.org}")
    with a_store(influx, database) as store:
        store.connect()
        assert bits(store.latest()) == bits(POINTS)


def test_the_bucket_that_an_upgrade_made_is_fine(influx: InfluxServer, database: str, make_bucket: MakeBucket) -> None:
    divert(influx, database, "autogen", make_bucket(f"{database}/autogen"))
    with a_store(influx, f"{database}/autogen") as store:
        store.connect()
        store.write(POINTS)
        assert bits(store.latest()) == bits(POINTS)


def test_a_mapping_of_another_policy_does_no_harm(influx: InfluxServer, database: str, make_bucket: MakeBucket) -> None:
    # The database's first mapping becomes its default, so it leads to the bucket of the same name.
    divert(influx, database, "autogen", make_bucket(database))
    other = make_bucket(f"{database}-other")
    body = {"org": influx.org, "bucketID": other, "database": database, "retention_policy": "rp", "default": False}
    influx.call("POST", "/api/v2/dbrps", body)
    with a_store(influx, database) as store:
        store.connect()
        store.write(POINTS)
        assert bits(store.latest()) == bits(POINTS)


def test_the_first_query_reports_a_mapping_to_a_bucket_that_the_token_may_not_read(
    influx: InfluxServer, database: str, make_bucket: MakeBucket
) -> None:
    make_bucket(database)
    divert(influx, database, "autogen", make_bucket(f"{database}-old"))
    token = a_token(influx, database, "read", "write")
    with a_store(influx, database, token) as store, pytest.raises(StoreMisconfigured, match="a DBRP mapping"):
        store.latest()
