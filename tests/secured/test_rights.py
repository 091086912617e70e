"""Least privilege: the permissions that docs/security.md gives each script suffice, and each of them is needed."""

import threading
from collections.abc import Mapping
from contextlib import closing

import pytest

from devtools.tokens import RIGHTS, STEERED, make_tokens
from tests.contract.test_steering import STATE
from tests.influx_tokens import revoke
from tests.loaded_settings import load
from tests.point_examples import a_row, points_of
from tests.secured.certificates import Authority
from tests.secured.servers import SecuredInfluxd
from tickflow.alerts.standing import Change, StandingRule
from tickflow.errors import StoreMisconfigured
from tickflow.stack import open_acks, open_rules, open_steering, open_store
from tickflow.store.acks import Ack
from tickflow.store.steering import PAUSE, Command, KeptCommand


def test_the_tokens_of_worker_and_page_are_enough_and_no_more(
    secured_influx: SecuredInfluxd, authority: Authority, topic: str
) -> None:
    server = secured_influx.server
    server.create_bucket(topic)
    made = make_tokens(server, topic, RIGHTS | STEERED)
    env = {"INFLUXDB_URL": server.url, "INFLUXDB_BUCKET": topic, "INFLUXDB_SSL_CAFILE": str(authority.ca)}
    ack = Ack("AAPL", 0, 1, 1_700_000_000_000_000_000, 1_700_000_000_000_000_001)

    def of(who: str) -> Mapping[str, str]:
        return {**env, "INFLUXDB_TOKEN": made[who][0]}

    stop = threading.Event()
    with open_store(load(of("worker")), stop) as worker, open_store(load(of("page")), stop) as page:
        worker.connect()
        page.connect()
        assert worker.write(points_of(a_row())).stored == 1
        assert len(page.newest("AAPL", 5)) == 1
        with pytest.raises(StoreMisconfigured, match="may write"):
            page.write(points_of(a_row()))
    with closing(open_acks(load(of("page")), stop)) as acks:
        acks.acknowledge([ack])
        assert acks.acknowledged(0) == [ack]
    with closing(open_acks(load(of("worker")), stop)) as acks, pytest.raises(StoreMisconfigured):
        acks.acknowledge([ack])
    rule, change = StandingRule("0a", ack.time_ns, "AAPL price > 5"), Change(0, 7, True, "0a", "AAPL price > 5")
    with closing(open_rules(load(of("page")), stop)) as page_rules:
        page_rules.keep(rule)
    with closing(open_rules(load(of("worker")), stop)) as worker_rules:
        assert worker_rules.rules() == [rule]
        worker_rules.check()
        worker_rules.note("workers", [change])
    with closing(open_rules(load(of("auditor")), stop)) as audited:
        assert audited.changes("workers") == [change]
        for refused in (audited.check, lambda: audited.note("workers", [change])):
            with pytest.raises(StoreMisconfigured):
                refused()
    with (
        closing(open_rules(load(of("grafana")), stop)) as unread,
        pytest.raises(StoreMisconfigured, match="not read"),
    ):
        unread.changes("workers")
    with closing(open_steering(load(of("producer")), stop)) as producer:
        producer.report(STATE)
        with closing(open_steering(load(of("page")), stop)) as page_steering:
            assert page_steering.state() == STATE
            page_steering.ask(KeptCommand(STATE.run, "01", Command(PAUSE), STATE.written_ns))
        assert [kept.command for kept in producer.commands(STATE.run)] == [Command(PAUSE)]
    with closing(open_steering(load(of("worker")), stop)) as worker_steering, pytest.raises(StoreMisconfigured):
        worker_steering.report(STATE)
    with open_store(load(of("producer")), stop) as store:
        with pytest.raises(StoreMisconfigured):
            store.newest("AAPL", 5)
        with pytest.raises(StoreMisconfigured):
            store.write(points_of(a_row()))
    revoke(server, made["page"][1])
    with open_store(load(of("page")), stop) as page, pytest.raises(StoreMisconfigured, match="INFLUXDB_TOKEN"):
        page.statuses()
