"""Tests of the limits on requests: 5 s of the store's time, 5,000 rows per read, four reads at once, 100 open pages."""

import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from config import Settings
from stock_dashboard import StockDashboard
from tests.dashboard.serving import served
from tests.dashboard.test_dashboard import UPDATE, asked, delta, drawing
from tests.fakes import Feed, MemoryAcks, MemoryStore
from tests.http_stub import Answer, HttpStub
from tests.point_examples import MORNING, a_row, points_of
from tests.waiting import until
from tickflow.dashboard import rationed as rationed_module
from tickflow.dashboard.rationed import MAX_ROWS, READS_AT_ONCE, Rationed
from tickflow.dashboard.viewers import VIEWERS, Viewers
from tickflow.errors import StoreUnavailable
from tickflow.metrics.points import Points
from tickflow.store.deadline import DEADLINE
from tickflow.store.influx.store import InfluxStore
from tickflow.store.sqlite.store import EmbeddedStore


class Counting(MemoryStore):
    """A store that records how many rows each read returned, and how many reads ran at once."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[int] = []
        self.at_once = self.most_at_once = 0
        self.lasts = 0.0
        self._count_lock = threading.Lock()

    def points(self, symbol: str, since_ns: int, until_ns: int | None = None, most: int | None = None) -> Points:
        found = super().points(symbol, since_ns, until_ns, most)
        self.rows.append(len(found))
        return found

    def newest(self, symbol: str, count: int, until_ns: int | None = None) -> Points:
        found = super().newest(symbol, count)
        self.rows.append(len(found))
        return found

    def latest(
        self, symbols: Sequence[str] | None = None, most: int | None = None, until_ns: int | None = None
    ) -> Points:
        with self._count_lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        time.sleep(self.lasts)
        with self._count_lock:
            self.at_once -= 1
        return super().latest(symbols, most)


def test_a_body_that_asks_for_all_rows_reads_no_more_than_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """A forged body of 1.4 KB, with `newest_us` 0 for thirteen charts, once cost 39 s and 1 GB."""
    monkeypatch.setattr(rationed_module, "WORK_SECONDS", 60.0)  # a busy machine needs more than 5 s
    store, feed = Counting(), Feed()
    store.write(feed.points("AAPL", [100.0 + at % 7 for at in range(12_000)]))
    dashboard = StockDashboard(Settings(), store=store, acks=MemoryAcks())
    dashboard.gate.start().join()
    with dashboard.app.server.test_client() as client:
        first = drawing(client)
        forged = {**first["drawn"], "newest_us": 0, "cursors": {}}
        forged["symbols"] = ["AAPL"]
        one = {"symbol": "AAPL", "cursors": {}, "newest_us": 0, "count": 0, "gap_s": None, "room": 3_000}
        forged["multiples"] = [one] * 12
        assert delta(client, forged, {})["rebuild"] is True
        assert max(store.rows) == MAX_ROWS
        recent = delta(client, {**first["drawn"]}, first["watch"]["cursors"])
        assert "rebuild" not in recent


def test_more_rows_than_that_are_refused_rather_than_left_out() -> None:
    store = MemoryStore()
    store.write(Feed().points("AAPL", [100.0] * (MAX_ROWS + 1)))
    rationed = Rationed(store)
    assert len(rationed.points("AAPL", 0, None, MAX_ROWS)) == MAX_ROWS
    with pytest.raises(StoreUnavailable, match="More than 5,000 rows"):
        rationed.points("AAPL", 0)


def test_four_reads_run_at_once_and_the_others_wait() -> None:
    store = Counting()
    store.lasts = 0.1
    rationed = Rationed(store)
    threads = [threading.Thread(target=rationed.latest) for _ in range(12)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert store.most_at_once == READS_AT_ONCE


def test_a_read_that_waits_too_long_is_refused_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rationed_module, "WORK_SECONDS", 0.3)
    going, store = threading.Event(), MemoryStore()

    class Stuck(MemoryStore):
        def latest(
            self, symbols: Sequence[str] | None = None, most: int | None = None, until_ns: int | None = None
        ) -> Points:
            going.wait(20)
            return super().latest(symbols, most)

    body = json.dumps(asked("drawing", [None, None], [])).encode()
    with served(store=Stuck()) as page:
        threads = [
            threading.Thread(target=page.ask, args=("POST", UPDATE, body, {"Content-Type": "application/json"}))
            for _ in range(READS_AT_ONCE)
        ]
        for each in threads:
            each.start()
        turns = page.dashboard.gate._rationed._turns
        until(lambda: not turns._value, "all turns are taken")
        status, headers, text = page.ask("POST", UPDATE, body, {"Content-Type": "application/json"})
        going.set()
        for each in threads:
            each.join()
    assert (status, headers["Retry-After"]) == (503, "5")
    assert b"Try again in a few seconds" in text
    assert store.failure is None


def test_sqlite_ends_a_query_that_exceeds_the_time_of_a_request(tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path / "stocks.db", retention_days=7, stop=threading.Event()) as store:
        store.connect()
        store.write(points_of(*(a_row(time_ns=MORNING + at) for at in range(50_000))))
        assert store.count("AAPL", 0, 2**62) == 50_000
        DEADLINE.set(time.monotonic() - 1)
        try:
            with pytest.raises(StoreUnavailable, match="too long for this request"):
                store.count("AAPL", 0, 2**62)
        finally:
            Rationed.end()
        assert store.count("AAPL", 0, 2**62) == 50_000


def test_a_wait_for_influxdb_ends_with_the_time_of_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rationed_module, "WORK_SECONDS", 0.5)
    going = threading.Event()

    def late(_path: str, _body: bytes) -> Answer:
        going.wait(20)
        return Answer(200, b"{}")

    with HttpStub(late) as stub:
        store = InfluxStore(stub.url, token="t", org="o", bucket="b", stop=threading.Event())
        begun = time.monotonic()
        Rationed.begin()
        try:
            with pytest.raises(StoreUnavailable, match="too long for this request"):
                Rationed(store).count("AAPL", 0, 5)
        finally:
            Rationed.end()
        assert time.monotonic() - begun < 15  # the store itself answers after 20 s
        going.set()
        store.close()


def test_a_hundred_pages_may_be_open_and_a_closed_one_makes_room() -> None:
    now = 0.0
    viewers = Viewers(2.0, monotonic=lambda: now)
    assert all(viewers.admit(f"{at}") for at in range(VIEWERS))
    assert not viewers.admit("further")
    assert viewers.admit("5")
    now = 9.0
    assert viewers.admit("5")
    now = 12.0
    assert viewers.admit("further")
    assert viewers.admit("5")


def test_the_hundred_and_first_page_gets_a_reason() -> None:
    store = MemoryStore()
    store.write(Feed().points("AAPL", [100.0]))
    dashboard = StockDashboard(Settings(), store=store, acks=MemoryAcks())
    dashboard.gate.start().join()
    with dashboard.app.server.test_client() as client:
        drawn = drawing(client)["drawn"]
        for at in range(VIEWERS + 1):
            shown = {**drawn, "id": f"deadbeef-{at}"}
            response = client.post(UPDATE, json=asked("delta", [1], [shown, None, None]))
            assert response.status_code == (200 if at < VIEWERS else 503)
    assert "100 pages are already open" in response.text
