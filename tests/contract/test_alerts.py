"""Contract tests for every store of alerts: the embedded file and a real InfluxDB."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.point_examples import MORNING, SECOND
from tickflow.alerts.alert import BOOLEANS, FLOATS, INTEGERS, Alert
from tickflow.store.alerts import AlertStore
from tickflow.store.influx.alerts import InfluxAlerts
from tickflow.store.sqlite.alerts import EmbeddedAlerts

OPEN = Alert("AAPL", "move", MORNING + 7, 11.25, 8.0, 187.3, 187.0, 0.16042780748663433, -1, MORNING, 3, 7, budget=1.0)
CLOSED = msgspec.structs.replace(OPEN, ticks=4, closed=MORNING + 60 * SECOND, lasted=False, volume_ratio=1.5)
RULE = Alert("BRK.B", "change_5m < -3", MORNING + SECOND, -3.5, -3.0, 5.0, 5.2, -3.8, -1, MORNING + SECOND, 0, 2**40)
MARKET = Alert("*", "move", MORNING + 2, 9.0, 8.0, 1.0, 1.0, 0.5, 1, MORNING, 0, 2, members='AAPL,BRK.B,"X Y"')


@pytest.fixture(params=["embedded", pytest.param("influx", marks=pytest.mark.influx)])
def alerts(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AlertStore]:
    found: AlertStore
    if request.param == "embedded":
        found = EmbeddedAlerts(tmp_path / "stocks.db", stop=threading.Event())
    else:
        server = request.getfixturevalue("influx")
        found = InfluxAlerts(server.url, token=server.token, org=server.org, bucket=request.getfixturevalue("bucket"))
    yield found
    found.close()


def test_a_new_store_has_no_alerts(alerts: AlertStore) -> None:
    assert alerts.alerts(0) == []
    alerts.write([])
    assert alerts.alerts(0) == []


def test_alerts_are_read_back_bit_for_bit_and_absent_values_stay_absent(alerts: AlertStore) -> None:
    alerts.write([RULE, OPEN, MARKET])
    assert alerts.alerts(0) == [MARKET, OPEN, RULE]
    assert alerts.alerts(MORNING + 7, MORNING + SECOND) == [OPEN]
    assert alerts.alerts(0, count=2) == [OPEN, RULE]
    assert alerts.alerts(0, symbols=["BRK.B", "*"]) == [MARKET, RULE]
    assert alerts.alerts(0, symbols=[]) == []


def test_an_alert_is_rewritten_in_place_and_a_replay_removes_nothing(alerts: AlertStore) -> None:
    alerts.write([OPEN])
    alerts.write([CLOSED])
    alerts.mark_notified([OPEN])
    wanted = msgspec.structs.replace(CLOSED, notified=True)
    assert alerts.alerts(0) == [wanted]
    alerts.write([OPEN])
    alerts.write([CLOSED])
    assert alerts.alerts(0) == [wanted]


def test_the_embedded_table_has_the_documented_columns(tmp_path: Path) -> None:
    EmbeddedAlerts(tmp_path / "stocks.db", stop=threading.Event()).write([OPEN])
    with sqlite3.connect(tmp_path / "stocks.db") as connection:
        names = {row[1] for row in connection.execute("PRAGMA table_info(store_anomalies)")}
    assert names == {"symbol", "detector", "time_ns", *FLOATS, *INTEGERS, *BOOLEANS, "members"}
    assert (*FLOATS, *INTEGERS, *BOOLEANS) == (
        *("score", "threshold", "price", "reference", "move_percent", "volume_ratio", "budget"),
        *("direction", "opened", "closed", "ticks", "partition", "offset", "lasted", "notified"),
    )
