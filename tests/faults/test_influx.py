"""InfluxDB is down, is frozen, refuses requests, or is cut off in the middle of an answer."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from devtools.servers import Influxd
from tests.faults.case import Case, often
from tests.faults.conftest import MakeCase
from tests.faults.load import Load
from tests.faults.proxies import InfluxProxy, Meddle, Trick
from tests.faults.stands import KafkaStand
from tests.http_stub import Answer

ODD = "ODD"


def through(one: Case, begin: Callable[[], Any], end: Callable[[], Any], seconds: float) -> None:
    """Two workers run through the fault; halfway through, one of them is stopped and a new one started."""
    for worker in (one.worker(), one.worker()):
        worker.wait_for("is ours", 30)
    assert one.load.is_alive()
    one.pause(0.5, 1.5)
    begin()
    one.pause(seconds / 2, seconds / 2)
    one.relieve(one.workers[0])
    one.pause(seconds / 2, seconds / 2)
    end()
    one.recover()
    one.pause(0.5, 0.5)


def test_stopped(case: MakeCase, kafka_stand: KafkaStand, fault_influx: Influxd) -> None:
    seconds = often(4, 60)
    one = case(f"InfluxDB stopped for {seconds} s", kafka_stand)
    through(one, fault_influx.stop, fault_influx.start, seconds)
    one.finish(1)


@pytest.mark.full
def test_frozen(case: MakeCase, kafka_stand: KafkaStand, fault_influx: Influxd) -> None:
    seconds = often(4, 40)
    one = case(f"InfluxDB frozen for {seconds} s", kafka_stand)
    through(one, fault_influx.pause, fault_influx.resume, seconds)
    one.finish(1)


def too_large(path: str, body: bytes) -> Answer | None:
    return Answer(413, b'{"message":"too large"}') if len(body) > 2_000 else None


ANSWERS: dict[str, Meddle] = {
    "429 with Retry-After": lambda _path, _body: Answer(429, b"{}", {"Retry-After": "1"}),
    "500": lambda _path, _body: Answer(500, b'{"message":"internal error"}'),
    "503 with Retry-After": lambda _path, _body: Answer(503, b"{}", {"Retry-After": "1"}),
    "413 above 2,000 bytes": too_large,
    "half an answer": lambda _path, _body: Trick.CUT,
    "half a request": lambda _path, _body: Trick.SWALLOW,
}


SHORT = ("413 above 2,000 bytes", "half an answer")
FORMS = [pytest.param(name, marks=() if name in SHORT else pytest.mark.full) for name in ANSWERS]


@pytest.mark.parametrize("name", FORMS)
def test_answers(case: MakeCase, kafka_stand: KafkaStand, influx_proxy: InfluxProxy, name: str) -> None:
    one = case(f"InfluxDB: {name}", kafka_stand, env={"INFLUXDB_URL": influx_proxy.url})
    worker = one.worker()
    worker.wait_for("is ours", 30)
    assert one.load.is_alive()
    one.pause(0.5, 1.0)
    answer = ANSWERS[name]
    influx_proxy.meddle = lambda path, body: answer(path, body) if path.startswith("/api/v2/write") else None
    for _ in range(2):
        one.pause(often(1, 5), often(1, 5))
        worker = one.relieve(worker)
    times = influx_proxy.meddled
    influx_proxy.mend()
    one.recover()
    one.finish(times)
    assert times > 0


def test_one_line_that_influxdb_always_refuses(
    case: MakeCase, kafka_stand: KafkaStand, influx_proxy: InfluxProxy
) -> None:
    """InfluxDB answers 400, quotes the line and writes nothing of the request; the tick becomes a dead letter."""

    def meddle(path: str, body: bytes) -> Answer | None:
        bad = re.findall(rf"^stock_metrics,symbol={ODD},.*$", body.decode(), re.MULTILINE)
        words = "\\n".join(f"unable to parse '{line}': strange" for line in bad)
        return Answer(400, f'{{"message":"{words}"}}'.encode()) if bad and path.startswith("/api/v2/write") else None

    influx_proxy.meddle = meddle
    one = case("InfluxDB: 400 for one line", kafka_stand, env={"INFLUXDB_URL": influx_proxy.url})
    worker = one.worker()
    worker.wait_for("is ours", 30)
    load: Load = one.load
    times = often(3, 20)
    for number in range(times):
        moment = f"2026-01-05T14:30:{number:02}Z"
        load.extra = [(ODD.encode(), f'{{"symbol":"{ODD}","price":5,"timestamp":"{moment}"}}'.encode())]
        one.pause(0.7, 1.0)  # two such lines in one small batch would pass for a configuration error
        if number == times // 2:
            worker = one.relieve(worker)
            worker.wait_for("is ours", 30)
    one.recover()
    one.finish(times, refused_by_store=[ODD])
    assert influx_proxy.meddled > 0


@pytest.mark.full
def test_the_token_is_revoked_and_given_back(case: MakeCase, kafka_stand: KafkaStand, fault_influx: Influxd) -> None:
    server = fault_influx.server
    org = server.call("GET", f"/api/v2/orgs?org={server.org}")["orgs"][0]["id"]
    bucket = server.call("GET", f"/api/v2/buckets?org={server.org}&name={kafka_stand.bucket}")["buckets"][0]["id"]
    resource = {"type": "buckets", "id": bucket, "orgID": org}
    allowed = [{"action": action, "resource": resource} for action in ("read", "write")]
    made = server.call("POST", "/api/v2/authorizations", {"orgID": org, "permissions": allowed})

    def become(status: str) -> None:
        server.call("PATCH", f"/api/v2/authorizations/{made['id']}", {"status": status})

    one = case("the token revoked and given back", kafka_stand, env={"INFLUXDB_TOKEN": made["token"]})
    through(one, lambda: become("inactive"), lambda: become("active"), often(4, 20))
    one.finish(1)
