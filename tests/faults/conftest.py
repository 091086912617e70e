"""The fault suite's own servers, which it stops, freezes and disconnects, and its cases on both stacks."""

import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devtools.process import free_port
from devtools.servers import Influxd, InfluxServer, KafkaServer
from tests.conftest import StartScript, ensure_running, need
from tests.faults import table
from tests.faults.case import FULL, Case
from tests.faults.proxies import InfluxProxy, TcpProxy
from tests.faults.stands import EmbeddedStand, KafkaStand, Stand

MakeCase = Callable[..., Case]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark this folder's tests as `faults`; the short form skips those marked `full`, the full form has more time."""
    left_out = []
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("faults")
            # A kafka-python client that is closed while it connects leaves its socket to the garbage collector; some
            # clients of this suite do so.
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"))
            if FULL:
                item.add_marker(pytest.mark.timeout(1800))
            elif item.get_closest_marker("full"):
                left_out.append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config) -> None:
    """A complete run of the full form writes the table; any other run leaves it unchanged and says so."""
    if not FULL:
        return
    counts = {kind: len(reports) for kind, reports in terminalreporter.stats.items()}
    reason = table.why_not_whole(config.args, counts.get("deselected", 0), counts)
    if exitstatus == pytest.ExitCode.OK and not reason:
        table.write(table.ROWS)
        terminalreporter.write_line(f"{len(table.ROWS)} rows are written to {table.DOCUMENT}")
    else:
        terminalreporter.write_line(f"{table.DOCUMENT} is left as it was: {reason or 'the run was broken off'}")


class ProxiedKafka(KafkaServer):
    """A broker that is also reachable through `proxy`; it refers clients of the proxy to the proxy's address."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._behind = free_port()
        self.proxy = TcpProxy(self._behind)

    @property
    def ports(self) -> tuple[int, ...]:
        return *super().ports, self._behind

    @property
    def proxied(self) -> str:
        """The address at which a worker reaches the broker through the proxy."""
        return f"127.0.0.1:{self.proxy.port}"

    def _prepare(self) -> list[str]:
        command = super()._prepare()
        settings = self.folder / "server.properties"
        lines = dict(line.split("=", 1) for line in settings.read_text().splitlines() if "=" in line and line[0] != "#")
        lines["listeners"] += f",PROXIED://127.0.0.1:{self._behind}"
        lines["advertised.listeners"] += f",PROXIED://{self.proxied}"
        lines["listener.security.protocol.map"] += ",PROXIED:PLAINTEXT"
        lines["inter.broker.listener.name"] = "PLAINTEXT"
        settings.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
        return command


@pytest.fixture(scope="session")
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxiedKafka]:
    need("kafka")
    server = ProxiedKafka(tmp_path_factory.mktemp("fault-kafka"))
    server.start()
    yield server
    server.kill()
    server.proxy.close()


@pytest.fixture
def fault_kafka(own_broker: ProxiedKafka) -> Iterator[ProxiedKafka]:
    """A broker that a test may break: it is restarted for the next test."""
    yield own_broker
    own_broker.proxy.mend()
    ensure_running(own_broker)


@pytest.fixture(scope="session")
def own_influxd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influxd]:
    need("influxdb")
    server = Influxd(tmp_path_factory.mktemp("fault-influxdb")).start()
    yield server
    server.kill()


@pytest.fixture
def fault_influx(own_influxd: Influxd) -> Iterator[Influxd]:
    """An InfluxDB that a test may break: it is restarted for the next test."""
    yield own_influxd
    ensure_running(own_influxd)


@pytest.fixture
def influx_proxy(fault_influx: Influxd) -> Iterator[InfluxProxy]:
    proxy = InfluxProxy(fault_influx.port)
    yield proxy
    proxy.close()


@pytest.fixture
def kafka_stand(fault_kafka: ProxiedKafka, fault_influx: Influxd) -> KafkaStand:
    name = f"faults-{uuid.uuid4().hex[:8]}"
    fault_influx.server.create_bucket(name)
    server: InfluxServer = fault_influx.server
    return KafkaStand(fault_kafka.address, name, server, name)


@pytest.fixture
def embedded_stand(tmp_path: Path) -> EmbeddedStand:
    return EmbeddedStand(tmp_path / "stocks.db")


@pytest.fixture(params=["kafka", "embedded"])
def stand(request: pytest.FixtureRequest) -> Stand:
    found: Stand = request.getfixturevalue(f"{request.param}_stand")
    return found


@pytest.fixture
def case(script: StartScript) -> Iterator[MakeCase]:
    """`case("the fault in words", stand)` makes a case; the processes that it starts end with the test."""
    made: list[Case] = []

    def make(fault: str, stand: Stand, **options: object) -> Case:
        made.append(Case(fault, stand, script, **options))  # type: ignore[arg-type]  # the options are passed on unchanged
        return made[-1]

    begun = time.monotonic()
    yield make
    for each in made:
        if each.has_load:
            each.load.give_up()
    print(f"({time.monotonic() - begun:.0f} s)")
