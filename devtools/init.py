"""The service `init` of docker-compose.yml, which runs before the scripts and gives each of them the least privileges
it needs.

python -m devtools.init [--tokens FOLDER]     makes InfluxDB's tokens, each in a folder FOLDER/OWNER
python -m devtools.init --kafka HOST:PORT     also makes Kafka's topics, users and ACLs, as administrator at HOST:PORT

Whatever already exists and works is left unchanged. `INFLUXDB_TOKEN` has to be the operator's token. With `--kafka`,
the folder that `--secrets` names has the password of each user in a file, such as `kafka-worker-password`.
"""

import argparse
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    KafkaAdminClient,
    ResourcePattern,
    ResourceType,
    UserScramCredentialUpsertion,
)
from kafka.errors import KafkaError

from config import Settings, load_settings
from devtools.influxdb import InfluxServer
from devtools.process import ServerError
from devtools.tokens import RIGHTS, make_tokens, operated, write_secret
from tickflow.alerts.checkpoint import state_topic
from tickflow.alerts.desk import alerts_topic
from tickflow.alerts.opening import COMPACTED
from tickflow.errors import SettingError, TickflowError
from tickflow.stack import open_log
from tickflow.verbs import notify

Rights = Mapping[tuple[str, str], Sequence[str]]
"""The allowed operations, by kind and name of the resource: `{("TOPIC", "stock-ticks"): ("WRITE", "DESCRIBE")}`."""

MECHANISM = "SCRAM-SHA-512"
READ_BY_ANOTHER_USER = ("grafana",)
"""The token owners whose container runs as a different user than the scripts."""


def of_users(topic: str, group: str) -> dict[str, Rights]:
    """The permissions of each user: each script has its own, and `auditor` is for the verbs that only read."""
    return {
        "producer": {("TOPIC", topic): ("WRITE", "DESCRIBE")},
        "worker": of_worker(topic, group),
        "notifier": {
            ("TOPIC", alerts_topic(topic)): ("READ", "DESCRIBE"),
            ("GROUP", notify.topic_and_group(topic, group)["kafka_group"]): ("READ",),
        },
        "auditor": {
            ("TOPIC", topic): ("READ", "DESCRIBE"),
            ("TOPIC", f"{topic}.dlq"): ("READ", "DESCRIBE"),
            ("GROUP", group): ("DESCRIBE",),
        },
    }


def of_worker(topic: str, group: str) -> Rights:
    """The permissions that a worker and its verbs `status` and `rewind` need."""
    return {
        ("TOPIC", topic): ("READ", "DESCRIBE"),
        ("TOPIC", f"{topic}.dlq"): ("WRITE", "DESCRIBE"),
        ("TOPIC", alerts_topic(topic)): ("WRITE", "DESCRIBE"),
        ("TOPIC", state_topic(topic)): ("READ", "WRITE", "DESCRIBE"),
        ("GROUP", group): ("READ",),
    }


def acls(user: str, rights: Rights) -> list[ACL]:
    """The permissions of a user as ACLs for kafka-python's admin client."""
    return [
        ACL(
            f"User:{user}",
            "*",
            ACLOperation[each],
            ACLPermissionType.ALLOW,
            ResourcePattern(ResourceType[kind], name),
        )
        for (kind, name), operations in rights.items()
        for each in operations
    ]


def make_topics(settings: Settings) -> None:
    """Make the four topics where they are missing. Raises `TickflowError`."""
    with open_log(settings, threading.Event()) as log:
        log.connect()
        log.make_topic(state_topic(settings.kafka_topic), 1, COMPACTED)
        log.make_topic(alerts_topic(settings.kafka_topic), 1, {})


def make_users(server: str, passwords: Mapping[str, str], rights: Mapping[str, Rights]) -> None:
    """Set each user's password and permissions. Raises `KafkaError`."""
    admin = KafkaAdminClient(bootstrap_servers=server)
    try:
        for user, password in passwords.items():
            answer = admin.alter_user_scram_credentials([UserScramCredentialUpsertion(user, MECHANISM, password)])
            if any(answer.values()):
                raise KafkaError(f"the password of {user} was not set: {answer}")
            made = admin.create_acls(acls(user, rights[user]))
            if made["failed"]:
                raise KafkaError(f"the permissions of {user} were not set: {made['failed']}")
    finally:
        admin.close()


def write_tokens(server: InfluxServer, bucket: str, folder: Path) -> bool:
    """Write each token into `folder/WHO/token`; return whether new ones were needed. Raises `ServerError`."""
    paths = {who: folder / who / "token" for who in RIGHTS}
    if all(path.is_file() and _is_known(server, path.read_text(encoding="ascii"), bucket) for path in paths.values()):
        return False
    for who, (token, _) in make_tokens(server, bucket).items():
        path = paths[who]
        path.parent.mkdir(exist_ok=True)
        write_secret(path, token, 0o644 if who in READ_BY_ANOTHER_USER else 0o600)
    return True


def _is_known(server: InfluxServer, token: str, bucket: str) -> bool:
    try:
        found = InfluxServer(server.url, server.org, token, server.cafile).call("GET", f"/api/v2/buckets?name={bucket}")
    except ServerError:
        return False
    return bool(found["buckets"])


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return 0 when done, 2 for a wrong setting, 1 for any other error, with a message."""
    parser = argparse.ArgumentParser(prog="python -m devtools.init", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tokens", type=Path, default=Path("/tokens"), help="the parent folder of each token's folder")
    parser.add_argument("--kafka", help="a listener of Kafka that treats every client as administrator")
    parser.add_argument("--secrets", type=Path, default=Path("/run/secrets"), help="the folder of the passwords")
    chosen = parser.parse_args(arguments)
    try:
        settings = load_settings()
        made = write_tokens(operated(settings), settings.influxdb_bucket, chosen.tokens)
        print(f"tokens of {', '.join(RIGHTS)}: {'made' if made else 'are there'}")
        if chosen.kafka:
            make_topics(settings)
            users = of_users(settings.kafka_topic, settings.kafka_group)
            passwords = {
                user: (chosen.secrets / f"kafka-{user}-password").read_text(encoding="utf-8").strip() for user in users
            }
            make_users(chosen.kafka, passwords, users)
            print(f"topics, passwords and permissions of {', '.join(users)}: made")
    except SettingError as error:
        print(error, file=sys.stderr)
        return 2
    except (ServerError, TickflowError, KafkaError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
