"""The settings of all three scripts: frozen, typed, and built once by `load_settings`.

Precedence: flags over environment over `.env` over default. A key's `_FILE` variant names a file that holds a
secret. Every key is described in `.env.example`.
"""

import argparse
import difflib
import ipaddress
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from tickflow.detectors import MAX_Z_SCORE
from tickflow.errors import SettingError
from tickflow.tick import is_symbol

DEFAULT_SYMBOLS = ("AAPL", "GOOGL", "MSFT", "AMZN", "TSLA", "NVDA", "META")
OUR_PREFIXES = ("INFLUXDB_", "KAFKA_", "DASHBOARD_", "REPLAY_", "ALPHA_VANTAGE_", "EMBEDDED_", "SIMULATOR_")


def _checked(expected: str, accept: Callable[[str], bool]) -> BeforeValidator:
    def check(value: object) -> object:
        if isinstance(value, str) and not accept(value):
            raise ValueError(expected)
        return value

    return BeforeValidator(check)


def _is_http_url(text: str) -> bool:
    parts = urlsplit(text)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc


def _is_server(text: str) -> bool:
    match = re.fullmatch(r"[\w.\-]+:(\d{1,5})|\[[0-9a-fA-F:]+\]:(\d{1,5})", text)
    return match is not None and 0 < int(match[1] or match[2]) < 65_536


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _age(value: object) -> object:
    return None if value == "off" else value


def _speed(value: object) -> object:
    return math.inf if value == "max" else value


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


_Url = Annotated[str, _checked("a URL such as http://localhost:8086, without user or password", _is_http_url)]
_Topic = Annotated[
    str,
    _checked(
        "a Kafka topic name: up to 200 letters, digits, dots, hyphens, underscores",
        lambda text: re.fullmatch(r"[A-Za-z0-9_\-][A-Za-z0-9._\-]{0,199}", text) is not None,
    ),
]
_Name = Annotated[str, _checked("1 to 200 characters", lambda text: 0 < len(text) <= 200)]
_Servers = Annotated[tuple[str, ...], BeforeValidator(_split)]
_Symbols = Annotated[tuple[str, ...], BeforeValidator(_split)]
_Finite = Annotated[float, Field(allow_inf_nan=False)]
_LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(_upper)]
_Protocol = Annotated[Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"], BeforeValidator(_upper)]
_Mechanism = Annotated[Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], BeforeValidator(_upper)]


class Settings(BaseModel):
    """All settings; an attribute a key, in lower case. Secrets show as `**********`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stack: Annotated[Literal["kafka", "embedded"], Field(description="kafka or embedded")] = "kafka"
    embedded_file: Annotated[Path, Field(description="the file of the embedded stack")] = Path("data/stocks.db")
    retention_days: Annotated[_Finite, Field(gt=0, description="a number of days above 0")] = 7.0

    influxdb_url: _Url = "http://localhost:8086"
    influxdb_token: SecretStr | None = None
    influxdb_org: _Name = "myorg"
    influxdb_bucket: _Name = "stock_data"

    kafka_servers: Annotated[_Servers, Field(description="host:port, or several with commas between")] = (
        "localhost:9092",
    )
    kafka_topic: _Topic = "stock-ticks"
    kafka_group: _Name = "stock-analytics"
    kafka_partitions: Annotated[int, Field(ge=1, le=10_000, description="a whole number from 1 to 10000")] = 6
    kafka_instance_id: _Name | None = None
    kafka_security_protocol: Annotated[_Protocol, Field(description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL")] = (
        "PLAINTEXT"
    )
    kafka_sasl_mechanism: Annotated[_Mechanism | None, Field(description="PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")] = (
        None
    )
    kafka_sasl_username: _Name | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_ssl_cafile: Path | None = None
    kafka_ssl_certfile: Path | None = None
    kafka_ssl_keyfile: Path | None = None
    kafka_ssl_password: SecretStr | None = None

    source: Annotated[
        Literal["simulated", "replay", "alpha_vantage"],
        Field(description="simulated, replay or alpha_vantage"),
    ] = "simulated"
    symbols: Annotated[
        _Symbols, Field(description="symbols with commas between, each of A-Z, 0-9, dot, hyphen, and once")
    ] = DEFAULT_SYMBOLS
    producer_interval: Annotated[
        Annotated[_Finite, Field(ge=0, le=86_400)] | None,
        Field(description="a number of seconds from 0 to 86400"),
    ] = None
    simulator_seed: Annotated[Annotated[int, Field(ge=0)] | None, Field(description="a whole number from 0 on")] = None
    replay_file: Path | None = None
    replay_speed: Annotated[
        float,
        BeforeValidator(_speed),
        Field(gt=0, description="a number above 0 (times the recorded speed), or max"),
    ] = 1.0
    alpha_vantage_api_key: SecretStr | None = None

    max_record_bytes: Annotated[int, Field(ge=256, le=1_000_000, description="a whole number from 256 to 1000000")] = (
        65_536
    )
    max_tick_age: Annotated[
        Annotated[_Finite, Field(gt=0)] | None,
        BeforeValidator(_age),
        Field(description="a number of seconds above 0, or off"),
    ] = None
    history_size: Annotated[int, Field(ge=1, le=1_000_000, description="a whole number from 1 to 1000000")] = 200
    anomaly_threshold: Annotated[
        _Finite,
        Field(
            gt=0,
            lt=MAX_Z_SCORE,
            description=(
                "a number above 0 and below 2.846: a price is part of its own window of ten, so that |z| can never "
                "exceed (n-1)/sqrt(n) = 2.846 and such a threshold would never raise an alert"
            ),
        ),
    ] = 2.0
    update_interval: Annotated[_Finite, Field(ge=0.1, le=3600, description="a number of seconds from 0.1 to 3600")] = (
        2.0
    )
    summary_interval: Annotated[_Finite, Field(ge=1, le=86_400, description="a number of seconds from 1 to 86400")] = (
        60.0
    )

    dashboard_host: _Name = "127.0.0.1"
    dashboard_port: Annotated[int, Field(ge=1, le=65_535, description="a port from 1 to 65535")] = 8050
    dashboard_debug: Annotated[bool, Field(description="true or false")] = False
    log_level: Annotated[_LogLevel, Field(description="DEBUG, INFO, WARNING or ERROR")] = "INFO"

    @property
    def tick_interval(self) -> float:
        """Seconds between two ticks of a simulated symbol, or two quotes."""
        return self.update_interval if self.producer_interval is None else self.producer_interval

    def secret(self, key: str, need: str) -> str:
        """The secret of that key; missing, it is a `SettingError` that says what to do."""
        value: SecretStr | None = getattr(self, key.lower())
        if value is None:
            raise SettingError(key, None, need)
        return value.get_secret_value()


KEYS = tuple(name.upper() for name in Settings.model_fields)
SECRETS = tuple(name.upper() for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation))


def load_settings(
    environ: Mapping[str, str] | None = None,
    *,
    env_file: str | Path | None = ".env",
    flags: Mapping[str, str] | None = None,
) -> Settings:
    """The settings from `flags`, `environ` (by default the process's own) and `env_file`; empty values count as absent.

    Raises `SettingError`, which names the key, the value and what was expected.

    >>> load_settings({"SYMBOLS": "IBM, SPY"}, env_file=None).symbols
    ('IBM', 'SPY')
    """
    in_file = _read_env_file(env_file)
    found: dict[str, str] = {}
    for origin in (in_file, os.environ if environ is None else environ, flags or {}):
        found |= {key: origin[key].strip() for key in KEYS if origin.get(key, "").strip()}
        found |= {key: _read_secret(key, origin[f"{key}_FILE"]) for key in SECRETS if origin.get(f"{key}_FILE")}
    try:
        settings = Settings.model_validate({key.lower(): value for key, value in found.items()})
    except ValidationError as error:
        raise _first(error, found) from None
    _check_together(settings)
    return settings


def _read_env_file(env_file: str | Path | None) -> dict[str, str]:
    if env_file is None or not Path(env_file).is_file():
        return {}
    values = {key: value or "" for key, value in dotenv_values(env_file, interpolate=False).items()}
    for key in values:
        known = [*KEYS, *(f"{secret}_FILE" for secret in SECRETS)]
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.85)
        if key not in known and key.startswith(OUR_PREFIXES) and near:
            raise SettingError(key, _shown(near[0], values[key]), f"a known key in {env_file}; did you mean {near[0]}?")
    return values


def _read_secret(key: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"{key}_FILE", path, f"a readable file that holds the secret ({error})") from None


def _first(error: ValidationError, found: Mapping[str, str]) -> SettingError:
    problem = error.errors(include_url=False)[0]
    name = str(problem["loc"][0])
    field = Settings.model_fields[name]
    expected = field.description or problem["msg"].removeprefix("Value error, ")
    key = name.upper()
    return SettingError(key, _shown(key, found[key]), expected)


def _shown(key: str, value: str) -> str:
    return "**********" if key in SECRETS else value


def _check_together(settings: Settings) -> None:
    if (
        not settings.symbols
        or not all(map(is_symbol, settings.symbols))
        or len(set(settings.symbols)) < len(settings.symbols)
    ):
        expected = "symbols with commas between, each 1 to 12 of A-Z, 0-9, dot, hyphen, and each once"
        raise SettingError("SYMBOLS", ",".join(settings.symbols), expected)
    if not settings.kafka_servers or not all(map(_is_server, settings.kafka_servers)):
        raise SettingError(
            "KAFKA_SERVERS", ",".join(settings.kafka_servers), "host:port, or several with commas between"
        )
    if settings.kafka_security_protocol.startswith("SASL"):
        for key in ("KAFKA_SASL_MECHANISM", "KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"):
            if getattr(settings, key.lower()) is None:
                raise SettingError(
                    key, None, f"a value, since KAFKA_SECURITY_PROTOCOL is {settings.kafka_security_protocol}"
                )
    if not _is_loopback(settings.dashboard_host):
        if settings.dashboard_debug:
            expected = "false on a host that is not loopback: the debugger runs code for whoever reaches it"
            raise SettingError("DASHBOARD_DEBUG", "true", expected)
        expected = "a loopback host such as 127.0.0.1: the page has no login yet, so it is not served to other machines"
        raise SettingError("DASHBOARD_HOST", settings.dashboard_host, expected)


def add_flags(parser: argparse.ArgumentParser, keys: Sequence[str], aliases: Mapping[str, str] | None = None) -> None:
    """Give `parser` a flag for each of `keys` (`KAFKA_TOPIC` becomes `--kafka-topic`), and `--embedded`.

    `aliases` names a second flag for a key. Secrets have no flag: a command line is visible to every user.
    """
    group = parser.add_argument_group("settings", "each overrides the environment and .env")
    group.add_argument(
        "--embedded", action="store_const", const="embedded", dest="STACK", help="the same as STACK=embedded"
    )
    for key in keys:
        names = [f"--{key.lower().replace('_', '-')}"]
        if aliases and key in aliases:
            names.insert(0, aliases[key])
        field = Settings.model_fields[key.lower()]
        default: Any = field.default
        shown = ",".join(default) if isinstance(default, tuple) else default
        text = f"{field.description or key} (default: {'none' if shown is None else shown})".replace("%", "%%")
        group.add_argument(*names, dest=key, metavar="VALUE", help=text)


def flags_of(arguments: argparse.Namespace) -> dict[str, str]:
    """The settings among parsed arguments."""
    return {key: value for key, value in vars(arguments).items() if key in KEYS and value is not None}
