"""Opens the tick log and the store that `STACK` names; no other module makes this choice."""

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypedDict

from tickflow.settings.certificates import Certificates
from tickflow.store.acks import AckStore
from tickflow.store.alerts import AlertStore
from tickflow.store.base import MetricsStore
from tickflow.ticklog.base import TickLog

if TYPE_CHECKING:  # producers have no mutes and rules: they start without loading them
    from tickflow.store.mutes import MuteStore
    from tickflow.store.rules import RuleStore
    from tickflow.store.steering import SteeringStore


class Secret(Protocol):
    """A setting whose value is hidden in logs and error messages."""

    def get_secret_value(self) -> str:
        """The value."""
        ...


class StackSettings(Protocol):
    """The settings of a stack; `config.Settings` has them."""

    @property
    def stack(self) -> str: ...  # noqa: D102 - .env.example documents each of these settings
    @property
    def embedded_file(self) -> Path: ...  # noqa: D102
    @property
    def retention_days(self) -> float: ...  # noqa: D102
    @property
    def influxdb_url(self) -> str: ...  # noqa: D102
    @property
    def influxdb_org(self) -> str: ...  # noqa: D102
    @property
    def influxdb_bucket(self) -> str: ...  # noqa: D102
    @property
    def influxdb_ssl_cafile(self) -> Path | None: ...  # noqa: D102
    @property
    def influxdb_ssl_certfile(self) -> Path | None: ...  # noqa: D102
    @property
    def influxdb_ssl_keyfile(self) -> Path | None: ...  # noqa: D102
    @property
    def influxdb_ssl_password(self) -> Secret | None: ...  # noqa: D102
    @property
    def influxdb_batch_points(self) -> int: ...  # noqa: D102
    @property
    def influxdb_connections(self) -> int: ...  # noqa: D102
    @property
    def influxdb_gzip(self) -> bool: ...  # noqa: D102
    @property
    def kafka_batch_records(self) -> int: ...  # noqa: D102
    @property
    def max_batch_bytes(self) -> int: ...  # noqa: D102
    @property
    def kafka_servers(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def kafka_topic(self) -> str: ...  # noqa: D102
    @property
    def kafka_group(self) -> str: ...  # noqa: D102
    @property
    def kafka_partitions(self) -> int: ...  # noqa: D102
    @property
    def kafka_replicas(self) -> int | None: ...  # noqa: D102
    @property
    def kafka_min_insync_replicas(self) -> int | None: ...  # noqa: D102
    @property
    def kafka_compression(self) -> str | None: ...  # noqa: D102
    @property
    def kafka_retention_days(self) -> float | None: ...  # noqa: D102
    @property
    def kafka_instance_id(self) -> str | None: ...  # noqa: D102
    @property
    def kafka_security_protocol(self) -> str: ...  # noqa: D102
    @property
    def kafka_sasl_mechanism(self) -> str | None: ...  # noqa: D102
    @property
    def kafka_sasl_username(self) -> str | None: ...  # noqa: D102
    @property
    def kafka_sasl_password(self) -> Secret | None: ...  # noqa: D102
    @property
    def kafka_ssl_cafile(self) -> Path | None: ...  # noqa: D102
    @property
    def kafka_ssl_certfile(self) -> Path | None: ...  # noqa: D102
    @property
    def kafka_ssl_keyfile(self) -> Path | None: ...  # noqa: D102
    @property
    def kafka_ssl_password(self) -> Secret | None: ...  # noqa: D102

    def secret(self, key: str, need: str) -> str:
        """The value of the secret `key`. Raises `SettingError` with the text `need` if it is missing."""
        ...


TOKEN_NEEDED = "the token of your InfluxDB (for the InfluxDB of docker-compose, copy .env.example to .env)"  # noqa: S105


def open_log(
    settings: StackSettings, stop: threading.Event, client_id: str = "tickflow", topic_setting: str = "KAFKA_TOPIC"
) -> TickLog:
    """The tick log that `STACK` names, not connected yet; `client_id` identifies the client to Kafka's brokers.

    `topic_setting` is the key of the setting that names the topic, for error messages.
    """
    if settings.stack == "embedded":
        from tickflow.ticklog.sqlite.log import EmbeddedTickLog

        return EmbeddedTickLog(
            settings.embedded_file,
            topic=settings.kafka_topic,
            group=settings.kafka_group,
            retention_days=settings.retention_days,
            stop=stop,
        )
    from tickflow.ticklog.kafka.log import KafkaTickLog
    from tickflow.ticklog.kafka.topics import NewTopic

    return KafkaTickLog(
        settings.kafka_servers,
        topic=settings.kafka_topic,
        group=settings.kafka_group,
        partitions=settings.kafka_partitions,
        new_topic=NewTopic(
            settings.kafka_replicas,
            settings.kafka_min_insync_replicas,
            settings.kafka_compression,
            settings.kafka_retention_days,
        ),
        instance_id=settings.kafka_instance_id,
        security=kafka_security(settings),
        stop=stop,
        batch_records=settings.kafka_batch_records,
        client_id=client_id,
        batch_bytes=settings.max_batch_bytes,
        topic_setting=topic_setting,
    )


def kafka_security(settings: StackSettings) -> dict[str, object]:
    """The security settings of Kafka, under the names that kafka-python's clients use."""
    password, key_password = settings.kafka_sasl_password, settings.kafka_ssl_password
    options: dict[str, object] = {
        "security_protocol": settings.kafka_security_protocol,
        "sasl_mechanism": settings.kafka_sasl_mechanism,
        "sasl_plain_username": settings.kafka_sasl_username,
        "sasl_plain_password": password and password.get_secret_value(),
        "ssl_cafile": settings.kafka_ssl_cafile and str(settings.kafka_ssl_cafile),
        "ssl_certfile": settings.kafka_ssl_certfile and str(settings.kafka_ssl_certfile),
        "ssl_keyfile": settings.kafka_ssl_keyfile and str(settings.kafka_ssl_keyfile),
        "ssl_password": key_password and key_password.get_secret_value(),
    }
    return {name: value for name, value in options.items() if value is not None}


def influxdb_certificates(settings: StackSettings) -> Certificates:
    """The certificates that the settings of InfluxDB name."""
    password = settings.influxdb_ssl_password
    return Certificates(
        "INFLUXDB_SSL",
        "INFLUXDB_URL",
        "begin INFLUXDB_URL with http://",
        settings.influxdb_ssl_cafile,
        settings.influxdb_ssl_certfile,
        settings.influxdb_ssl_keyfile,
        None if password is None else password.get_secret_value(),
    )


class _Account(TypedDict):
    """What a client of InfluxDB needs besides its address."""

    token: str
    org: str
    bucket: str
    certificates: Certificates


def _influxdb_account(settings: StackSettings, suffix: str = "") -> _Account:
    """The account for the bucket of that suffix. Raises `SettingError` without a token; call it before the client is
    imported, since loading that takes time.
    """
    return {
        "token": settings.secret("INFLUXDB_TOKEN", TOKEN_NEEDED),
        "org": settings.influxdb_org,
        "bucket": f"{settings.influxdb_bucket}{suffix}",
        "certificates": influxdb_certificates(settings),
    }


def open_store(settings: StackSettings, stop: threading.Event) -> MetricsStore:
    """The metrics store that `STACK` names, not connected yet. Raises `SettingError` if InfluxDB's token is missing."""
    if settings.stack == "embedded":
        from tickflow.store.sqlite.store import EmbeddedStore

        return EmbeddedStore(settings.embedded_file, retention_days=settings.retention_days, stop=stop)
    account = _influxdb_account(settings)
    from tickflow.store.influx.store import InfluxStore

    return InfluxStore(
        settings.influxdb_url,
        stop=stop,
        batch_points=settings.influxdb_batch_points,
        connections=settings.influxdb_connections,
        gzip=settings.influxdb_gzip,
        **account,
    )


def open_acks(settings: StackSettings, stop: threading.Event) -> AckStore:
    """The store of acknowledgements on this stack. Raises `SettingError` if InfluxDB's token is missing."""
    if settings.stack == "embedded":
        from tickflow.store.sqlite.acks import EmbeddedAcks

        return EmbeddedAcks(settings.embedded_file, retention_days=settings.retention_days, stop=stop)
    account = _influxdb_account(settings, "_acks")
    from tickflow.store.influx.acks import InfluxAcks

    return InfluxAcks(settings.influxdb_url, **account)


def open_mutes(settings: StackSettings, stop: threading.Event) -> "MuteStore":
    """The store of mutes on this stack. Raises `SettingError` if InfluxDB's token is missing."""
    if settings.stack == "embedded":
        from tickflow.store.sqlite.mutes import EmbeddedMutes

        return EmbeddedMutes(settings.embedded_file, stop=stop)
    account = _influxdb_account(settings, "_acks")
    from tickflow.store.influx.mutes import InfluxMutes

    return InfluxMutes(settings.influxdb_url, **account)


def open_rules(settings: StackSettings, stop: threading.Event) -> "RuleStore":
    """The store of standing rules on this stack. Raises `SettingError` if InfluxDB's token is missing."""
    if settings.stack == "embedded":
        from tickflow.store.sqlite.rules import EmbeddedRules

        return EmbeddedRules(settings.embedded_file, stop=stop)
    account = _influxdb_account(settings, "_rules")
    from tickflow.store.influx.rules import InfluxRules

    return InfluxRules(settings.influxdb_url, **account)


def open_steering(settings: StackSettings, stop: threading.Event) -> "SteeringStore":
    """The store through which readers steer a replay on this stack. Raises `SettingError` if InfluxDB's token is
    missing.
    """
    if settings.stack == "embedded":
        from tickflow.store.sqlite.steering import EmbeddedSteering

        return EmbeddedSteering(settings.embedded_file, stop=stop)
    account = _influxdb_account(settings, "_acks")
    from tickflow.store.influx.steering import InfluxSteering

    return InfluxSteering(settings.influxdb_url, **account)


def open_alerts(settings: StackSettings, stop: threading.Event) -> AlertStore:
    """The store of alerts on this stack. Raises `SettingError` if InfluxDB's token is missing."""
    if settings.stack == "embedded":
        from tickflow.store.sqlite.alerts import EmbeddedAlerts

        return EmbeddedAlerts(settings.embedded_file, stop=stop)
    account = _influxdb_account(settings)
    from tickflow.store.influx.alerts import InfluxAlerts

    return InfluxAlerts(settings.influxdb_url, **account)
