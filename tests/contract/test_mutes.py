"""Contract tests for every store of mutes: the embedded file and a real InfluxDB."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from devtools.process import ServerError
from tests.point_examples import MORNING, SECOND
from tickflow.alerts.mutes import Mute
from tickflow.store.influx.mutes import InfluxMutes
from tickflow.store.mutes import MuteStore
from tickflow.store.sqlite.mutes import EmbeddedMutes

SNOOZE = Mute("0a1b", MORNING, "BRK.B", until_ns=MORNING + 3_600 * SECOND, made_by="ann")
OTHER = Mute(
    *("ffff", MORNING + SECOND, "A*"),
    begins_ns=MORNING + 5 * SECOND,
    detector="move",
    below=0.5,
    closed=True,
)


@pytest.fixture(params=["embedded", pytest.param("influx", marks=pytest.mark.influx)])
def mutes(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MuteStore]:
    found: MuteStore
    if request.param == "embedded":
        found = EmbeddedMutes(tmp_path / "stocks.db", stop=threading.Event())
    else:
        server, bucket = request.getfixturevalue("influx"), f"{request.getfixturevalue('bucket')}_acks"
        found = InfluxMutes(server.url, token=server.token, org=server.org, bucket=bucket)
    yield found
    found.close()
    if isinstance(found, InfluxMutes):
        with contextlib.suppress(ServerError):
            server.delete_bucket(bucket)


def test_a_mute_is_kept_until_it_is_undone(mutes: MuteStore) -> None:
    assert list(mutes.mutes()) == []
    mutes.keep(OTHER)
    mutes.keep(SNOOZE)
    assert list(mutes.mutes()) == [SNOOZE, OTHER]
    undone = replace(SNOOZE, undone=True)
    mutes.keep(undone)
    assert list(mutes.mutes()) == [undone, OTHER]
    assert not undone.is_active(MORNING + 1)
