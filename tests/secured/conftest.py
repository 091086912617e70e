"""One broker and one InfluxDB for all tests of this folder, since each start takes seconds."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import need
from tests.secured.certificates import Authority
from tests.secured.servers import SecuredInfluxd, SecuredKafka


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder with the servers that they use."""
    for item in items:
        used = set(getattr(item, "fixturenames", ()))
        if "secured_kafka" in used:
            item.add_marker("kafka")
        if "secured_influx" in used:
            item.add_marker("influx")


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The certificate authority of all servers in this folder."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A certificate authority that no server in this folder trusts."""
    return Authority(tmp_path_factory.mktemp("stranger"))


@pytest.fixture(scope="session")
def secured_kafka(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[SecuredKafka]:
    """A broker with a listener of every kind."""
    need("kafka")
    server = SecuredKafka(tmp_path_factory.mktemp("secured-kafka"), authority)
    server.start(timeout=180)
    server.make_users()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def secured_influx(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[SecuredInfluxd]:
    """An InfluxDB over HTTPS."""
    need("influxdb")
    server = SecuredInfluxd(tmp_path_factory.mktemp("secured-influxdb"), authority)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def secret(tmp_path: Path) -> "SecretFile":
    """`secret("...")` writes a secret into a file and returns the path."""
    return SecretFile(tmp_path)


class SecretFile:
    """Writes each secret into a file that only this user can read, and returns the path."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, secret: str) -> str:
        path = self._folder / f"secret-{len(list(self._folder.glob('secret-*')))}"
        path.write_text(secret)
        path.chmod(0o600)
        return str(path)
