"""Tests of docker-compose.yml, Dockerfile and .dockerignore, as far as possible without Docker."""

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from config import KEYS, PUBLIC_TOKEN, SECRETS, load_settings
from devtools.init import of_users
from devtools.tokens import RIGHTS as TOKENS

PROJECT = Path(__file__).parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
CLUSTER: dict[str, Any] = yaml.safe_load((PROJECT / "docker-compose.cluster.yml").read_text())["services"]
BROKERS = ("kafka", "kafka-2", "kafka-3")
OVER: dict[str, Any] = yaml.safe_load((PROJECT / "docker-compose.secure.yml").read_text())
SECURED: dict[str, dict[str, Any]] = OVER["services"]
INIT = {"init"}
APP = {"producer", "worker", "dashboard"}
ALERTS = {"notifier"}
LOGIN = {"page"}
AUDIT = {"auditor"}
MONITORING = {"prometheus", "alertmanager", "grafana"}
PROFILES = sorted({name for form in (SERVICES, SECURED) for each in form.values() for name in each.get("profiles", [])})

each_service = pytest.mark.parametrize("name", SERVICES)


def filled(text: object) -> str:
    """A value of the file, with each variable replaced by its default."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(text))


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=120)


def test_all_files_fit_the_compose_schema() -> None:
    tool = str(Path(sys.executable).parent / "check-jsonschema")
    files = sorted(path.name for path in PROJECT.glob("docker-compose*.yml"))
    assert len(files) == 3
    done = run(tool, "--builtin-schema", "vendor.compose-spec", *files)
    assert done.returncode == 0, done.stdout + done.stderr


@cache
def compose_tools() -> list[tuple[str, ...]]:
    """The commands of this machine that read compose files: those of version 1, version 2, or both."""
    tools = [("docker-compose",), ("docker", "compose")]
    return [tool for tool in tools if shutil.which(tool[0]) and run(*tool, "version").returncode == 0]


@pytest.mark.parametrize("form", ["plain", "cluster", "secure"])
def test_docker_compose_accepts_it(form: str) -> None:
    if not compose_tools():
        assert os.environ.get("CI") != "true", "neither docker-compose nor docker compose is installed"
        pytest.skip("neither docker-compose nor docker compose is installed")
    files = ["docker-compose.yml", *([] if form == "plain" else [f"docker-compose.{form}.yml"])]
    given = [part for file in files for part in ("-f", file)]
    given += [part for profile in PROFILES for part in ("--profile", profile)]
    for tool in compose_tools():
        done = run(*tool, *given, "config", "-q")
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("over", [{}, CLUSTER, SECURED], ids=["plain", "cluster", "secure"])
@pytest.mark.parametrize("profile", [*PROFILES, "none"])
def test_a_profile_has_all_services_that_its_own_wait_for(over: dict[str, Any], profile: str) -> None:
    """Version 2 refuses any other profile; version 1 notices nothing until it starts one."""
    parts = {name: (SERVICES.get(name, {}), over.get(name, {})) for name in SERVICES | over}
    profiles = {name: [each for part in both for each in part.get("profiles", [])] for name, both in parts.items()}
    there = {name for name, named in profiles.items() if not named or profile in named}
    waiting = {name: [each for part in parts[name] for each in part.get("depends_on", ())] for name in there}
    assert {name: needed for name, needed in waiting.items() if not set(needed) <= there} == {}


def test_it_has_no_version_key_and_only_known_services() -> None:
    assert "version" not in COMPOSE
    assert set(SERVICES) == {"kafka", "influxdb"} | INIT | APP | ALERTS | LOGIN | AUDIT | MONITORING


def test_the_brokers_of_the_cluster_agree() -> None:
    given = dict.fromkeys(("kafka",), SERVICES["kafka"]["environment"] | CLUSTER["kafka"]["environment"])
    given |= {name: CLUSTER[name]["environment"] for name in BROKERS[1:]}
    voters = ",".join(f"{number}@{name}:29093" for number, name in enumerate(BROKERS, 1))
    for number, name in enumerate(BROKERS, 1):
        environment = given[name]
        assert environment["KAFKA_NODE_ID"] == number
        assert environment["KAFKA_CONTROLLER_QUORUM_VOTERS"] == voters
        assert len(environment["CLUSTER_ID"]) == 22
        assert environment.keys() == given["kafka"].keys()
        port = 9091 + number
        advertised = f"INTERNAL://{name}:29092,HOST://localhost:{port}"
        assert environment["KAFKA_ADVERTISED_LISTENERS"] == advertised
        assert environment["KAFKA_LISTENERS"].endswith(f"HOST://:{port}")
        assert (SERVICES | CLUSTER)[name].get("ports", SERVICES["kafka"]["ports"]) == [f"127.0.0.1:{port}:{port}"]
    assert len({each["CLUSTER_ID"] for each in given.values()}) == 1
    assert len({str(CLUSTER[name]["volumes"]) for name in BROKERS}) == 3


def test_the_scripts_use_all_brokers_of_the_cluster() -> None:
    for name in ("producer", "worker", "notifier", "auditor"):
        settings = load_settings(
            {key: str(value) for key, value in CLUSTER[name]["environment"].items()}, env_file=None
        )
        assert settings.kafka_servers == tuple(f"{broker}:29092" for broker in BROKERS)
        assert (settings.kafka_replicas, settings.kafka_min_insync_replicas) == (3, 2)
        assert set(CLUSTER[name]["depends_on"]) == set(BROKERS[1:])


@pytest.mark.parametrize("name", BROKERS[1:])
def test_each_further_broker_is_confined_and_limited_as_the_first(name: str) -> None:
    same = ("restart", "cap_drop", "security_opt", "logging", "mem_limit", "pids_limit", "ulimits", "image")
    assert {key: CLUSTER[name][key] for key in same} == {key: SERVICES["kafka"][key] for key in same}
    assert int(CLUSTER[name]["healthcheck"]["timeout"].removesuffix("s")) >= 5


def test_without_a_profile_only_the_servers_start() -> None:
    assert {name for name, service in SERVICES.items() if "profiles" not in service} == {"kafka", "influxdb"}
    assert {name for name, service in SERVICES.items() if service.get("profiles") == ["app"]} == APP
    assert {name for name, service in SERVICES.items() if service.get("profiles") == ["alerts"]} == ALERTS
    assert {name for name, service in SERVICES.items() if service.get("profiles") == ["login"]} == LOGIN
    assert {name for name, service in SERVICES.items() if service.get("profiles") == ["audit"]} == AUDIT
    assert SERVICES["init"]["profiles"] == ["app", "alerts", "login", "monitoring", "audit"]
    assert {name for name, service in SERVICES.items() if service.get("profiles") == ["monitoring"]} == MONITORING


def test_the_scripts_share_the_image_that_is_built_here() -> None:
    own = INIT | APP | ALERTS | LOGIN | AUDIT
    assert {(SERVICES[name]["image"], SERVICES[name]["build"]) for name in own} == {("tickflow:local", ".")}


@each_service
def test_ports_are_published_on_loopback_only(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:(\d+):\1", port)


@each_service
def test_each_container_is_hardened_and_watched(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    ends = INIT | AUDIT
    assert service["restart"] == ("no" if name in ends else "unless-stopped")
    if name not in ends:
        assert service["healthcheck"]["test"]
        assert int(service["healthcheck"]["timeout"].removesuffix("s")) >= 5
    assert "privileged" not in service
    assert not any("docker.sock" in str(volume) for volume in service.get("volumes", []))
    if name != "kafka":  # Kafka writes its own configuration when it starts
        assert service["read_only"] is True
        assert service["tmpfs"] == ["/tmp"]


@each_service
def test_volumes_are_named(name: str) -> None:
    for volume in SERVICES[name].get("volumes", []):
        if not isinstance(volume, str):  # a file that the user provides, mounted by its path
            assert (volume["type"], volume["read_only"]) == ("bind", True)
            continue
        source, _, rest = volume.partition(":")
        if source.startswith("./"):  # configuration from the project, which the container cannot change
            assert (PROJECT / source).exists()
            assert rest.endswith(":ro")
        else:
            assert source in COMPOSE["volumes"]


def test_volumes_are_mounted_on_the_images_data_folders() -> None:
    assert SERVICES["kafka"]["volumes"] == ["kafka-data:/var/lib/kafka/data"]
    assert SERVICES["kafka"]["environment"]["KAFKA_LOG_DIRS"] == "/var/lib/kafka/data"
    assert [volume.split(":")[1] for volume in SERVICES["influxdb"]["volumes"]] == [
        "/var/lib/influxdb2",
        "/etc/influxdb2",
    ]


@pytest.mark.parametrize("name", sorted(APP | ALERTS | LOGIN | AUDIT))
def test_the_scripts_start_when_the_servers_are_healthy(name: str) -> None:
    servers = {server: {"condition": "service_healthy"} for server in ("kafka", "influxdb")}
    assert SERVICES["init"]["depends_on"] == servers
    assert SERVICES[name]["depends_on"] == {**servers, "init": {"condition": "service_completed_successfully"}}
    assert (
        SERVICES[name]["command"]
        == {
            "producer": ["python", "stock_producer.py"],
            "worker": ["python", "stock_analytics.py"],
            "dashboard": ["python", "stock_dashboard.py"],
            "page": ["python", "stock_dashboard.py"],
            "notifier": ["python", "stock_analytics.py", "notify"],
            "auditor": ["python", "stock_analytics.py", "audit"],
        }[name]
    )


@pytest.mark.parametrize("origin", [".env.example", None])
def test_the_servers_and_the_settings_agree(origin: str | None) -> None:
    """This holds with .env.example as .env, and without a .env."""
    environ = {"INFLUXDB_TOKEN": PUBLIC_TOKEN} if origin is None else {}
    settings = load_settings(environ, env_file=origin and PROJECT / origin)
    influxdb = {key: filled(value) for key, value in SERVICES["influxdb"]["environment"].items()}
    assert influxdb["DOCKER_INFLUXDB_INIT_ADMIN_TOKEN"] == settings.secret("INFLUXDB_TOKEN", "")
    assert influxdb["DOCKER_INFLUXDB_INIT_ORG"] == settings.influxdb_org
    assert influxdb["DOCKER_INFLUXDB_INIT_BUCKET"] == settings.influxdb_bucket
    assert influxdb["DOCKER_INFLUXDB_INIT_RETENTION"] == "0"
    assert len(influxdb["DOCKER_INFLUXDB_INIT_PASSWORD"]) >= 8
    assert SERVICES["influxdb"]["ports"] == [
        f"127.0.0.1:{port}:{port}" for port in [settings.influxdb_url.rpartition(":")[2]]
    ]
    advertised = SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"].split(",")
    assert f"HOST://{settings.kafka_servers[0]}" in advertised


def test_the_outbox_outlives_its_container() -> None:
    notifier = SERVICES["notifier"]
    assert notifier["volumes"] == ["outbox-data:/data", "worker-token:/tokens:ro"]
    assert notifier["environment"]["ALERT_OUTBOX"].startswith("/data/")
    assert re.search(r"install -d -o 10001 -g 10001 /data", (PROJECT / "Dockerfile").read_text())


@pytest.mark.parametrize("name", sorted(APP | ALERTS | LOGIN | AUDIT))
def test_each_containers_settings_are_accepted(name: str) -> None:
    given = SERVICES[name]["environment"]
    assert set(given) <= set(KEYS) | {f"{key}_FILE" for key in SECRETS}
    known = {key: filled(value) for key, value in given.items() if value is not None and not key.endswith("_FILE")}
    settings = load_settings(known, env_file=None)
    assert settings.stack == "kafka"
    if name == "dashboard":
        assert SERVICES[name]["network_mode"] == "host"
        assert settings.influxdb_url == "http://localhost:8086"
    elif name != "page":
        assert settings.kafka_servers == ("kafka:29092",)
    if name in ("worker", "notifier", "auditor", "page"):
        assert settings.influxdb_url == "http://influxdb:8086"


def test_a_page_in_the_network_of_the_containers_has_a_login_whose_accounts_outlive_it() -> None:
    page = SERVICES["page"]
    assert "network_mode" not in page
    assert page["environment"]["AUTH"] == "users"
    assert page["ports"] == [f"127.0.0.1:{page['environment']['DASHBOARD_PORT']}:8051"]
    assert page["volumes"] == ["users-data:/data", "page-token:/tokens:ro"]
    assert page["environment"]["AUTH_USERS_FILE"].startswith("/data/")


def test_prometheus_asks_every_script_that_is_in_its_network() -> None:
    jobs = yaml.safe_load((PROJECT / "monitoring" / "prometheus.yml").read_text())["scrape_configs"]
    named = {each["job_name"]: each["dns_sd_configs"][0] for each in jobs if "dns_sd_configs" in each}
    scripts = {name for name in APP | ALERTS | LOGIN if "network_mode" not in SERVICES[name]}
    assert {name: each["names"] for name, each in named.items()} == {name: [name] for name in scripts}
    assert {each["port"] for each in named.values()} == {
        SERVICES[name]["environment"]["METRICS_PORT"] for name in scripts
    }


def test_a_key_of_the_settings_is_passed_on_or_left_out_on_purpose() -> None:
    passed = set().union(*(SERVICES[name]["environment"] for name in APP))
    local = {"EMBEDDED_FILE", "RETENTION_DAYS", "KAFKA_INSTANCE_ID", "DASHBOARD_DEBUG"}
    passed |= {key.removesuffix("_FILE") for key in passed if key.removesuffix("_FILE") in SECRETS}
    local |= {key for key in KEYS if key.startswith("REPLAY_")}  # a replay reads a file, so it needs no container
    assert set(KEYS) - passed == local


def test_the_map_of_another_topic_is_the_users_file_where_the_producer_looks_for_it() -> None:
    producer = SERVICES["producer"]
    (volume,) = producer["volumes"]
    assert volume["source"] == "${FROM_TOPIC_MAP:-/dev/null}"
    assert producer["environment"]["FROM_TOPIC_MAP"] == volume["target"]


def test_a_container_is_given_the_secrets_of_the_servers_that_it_talks_to_and_no_others() -> None:
    kafka = {"KAFKA_SASL_PASSWORD", "KAFKA_SASL_PASSWORD_FILE", "KAFKA_SSL_PASSWORD", "KAFKA_SSL_PASSWORD_FILE"}
    store = {"INFLUXDB_TOKEN_FILE", "INFLUXDB_SSL_PASSWORD", "INFLUXDB_SSL_PASSWORD_FILE"}
    given = {name: set(SERVICES[name]["environment"]) for name in APP | ALERTS | LOGIN | AUDIT}
    assert {name for name in given if kafka <= given[name]} == {"producer", "worker", "notifier", "auditor"}
    assert {name for name in given if store <= given[name]} == {"worker", "notifier", "auditor", "dashboard", "page"}
    assert not given["producer"] & store
    assert not (given["dashboard"] | given["page"]) & kafka


def test_only_init_is_given_the_operators_token_and_each_other_one_its_own() -> None:
    """The public token of .env.example is a default only of the servers, whose ports are on loopback."""
    holding = {name for name in SERVICES if "INFLUXDB_TOKEN" in SERVICES[name].get("environment", {})}
    assert holding == INIT
    assert [name for name in SERVICES if PUBLIC_TOKEN in str(SERVICES[name])] == ["influxdb", "init"]
    tokens = {
        name: [volume.partition(":")[0] for volume in service.get("volumes", []) if "-token:" in volume]
        for name, service in SERVICES.items()
    }
    assert {name: found for name, found in tokens.items() if found} == {
        "init": ["worker-token", "page-token", "auditor-token", "grafana-token"],
        "worker": ["worker-token"],
        "notifier": ["worker-token"],
        "auditor": ["auditor-token"],
        "dashboard": ["page-token"],
        "page": ["page-token"],
        "grafana": ["grafana-token"],
    }
    dockerfile = (PROJECT / "Dockerfile").read_text()
    owned = re.search(r"install -d -o 10001 -g 10001 (.*)", dockerfile)
    assert owned
    assert {f"/tokens/{who}" for who in TOKENS} <= set(owned[1].split())


def test_init_uses_the_public_token_on_loopback_only() -> None:
    init = SERVICES["init"]
    assert init["network_mode"] == "service:influxdb"
    given = {key: filled(value) for key, value in init["environment"].items() if value is not None}
    settings = load_settings(given, env_file=None)
    assert settings.secret("INFLUXDB_TOKEN", "") == PUBLIC_TOKEN
    assert settings.influxdb_url == "http://localhost:8086"
    assert SECURED["init"]["network_mode"] == "service:kafka"
    assert not SECURED["init"]["environment"]["INFLUXDB_TOKEN"]


def test_the_accounts_of_the_page_outlive_its_container() -> None:
    page = SERVICES["dashboard"]
    assert page["environment"]["AUTH_USERS_FILE"] == "/users/users.json"
    assert "users-data:/users" in page["volumes"]


def test_the_profile_secure_runs_the_chain_with_tls_logins_and_secrets_as_files() -> None:
    assert {name for name, one in SECURED.items() if one.get("profiles") == ["secure"]} == INIT | APP
    kafka = SECURED["kafka"]["environment"]
    protocols = dict(each.split(":") for each in kafka["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(","))
    for listener in kafka["KAFKA_LISTENERS"].split(","):
        name, _, place = listener.partition("://")
        assert protocols[name] == "SASL_SSL" or place.startswith("127.0.0.1:"), "only the container itself gets in"
    assert kafka["KAFKA_AUTHORIZER_CLASS_NAME"].endswith(".StandardAuthorizer")
    users = ("producer", "worker", "notifier", "auditor")
    assert set(users) == set(of_users("stock-ticks", "stock-analytics"))
    for name in users:
        given = SECURED[name]["environment"]
        assert (given["KAFKA_SECURITY_PROTOCOL"], given["KAFKA_SASL_MECHANISM"]) == ("SASL_SSL", "SCRAM-SHA-512")
        assert given["KAFKA_SASL_USERNAME"] == name
        assert given["KAFKA_SASL_PASSWORD_FILE"] == f"/run/secrets/kafka-{name}-password"
    assert SECURED["dashboard"]["environment"]["AUTH"] == "users"


@pytest.mark.parametrize(
    "name", [name for name, one in SERVICES.items() if "INFLUXDB_URL" in one.get("environment", {})]
)
def test_in_the_secured_form_a_container_asks_influxdb_by_https_alone_and_trusts_its_authority(name: str) -> None:
    service = SECURED[name]
    plain = [key for key, value in (SERVICES[name]["environment"] | service["environment"]).items() if _is_http(value)]
    assert plain == []
    assert "ca.pem" in service["secrets"]
    trusted = {"grafana": "SSL_CERT_FILE"}.get(name, "INFLUXDB_SSL_CAFILE")
    assert service["environment"][trusted] == "/run/secrets/ca.pem"


def _is_http(value: object) -> bool:
    return str(value).startswith("http://")


def test_secrets_are_files_that_the_script_makes_and_each_goes_where_it_is_used() -> None:
    files = {name: each["file"] for name, each in OVER["secrets"].items()}
    assert files == {name: f"./secrets/{name}" for name in files}
    given = {name: set(one.get("secrets", [])) for name, one in SECURED.items()}
    assert set().union(*given.values()) == set(files)
    for name, one in SECURED.items():
        for key, value in one["environment"].items():
            if str(value).startswith("/run/secrets/"):
                assert value.removeprefix("/run/secrets/") in given[name], (name, key)
            if key in SECRETS or key.endswith(("_PASSWORD", "_TOKEN")):
                assert not value, (name, key)
    assert {name for name in given if "influxdb-operator-token" in given[name]} == {"influxdb", "init"}
    for user in of_users("stock-ticks", "stock-analytics"):
        assert {name for name in given if f"kafka-{user}-password" in given[name]} == {user, "init"}


def test_make_containers_starts_every_service_but_those_of_images_that_are_hard_to_have() -> None:
    text = (PROJECT / "scripts" / "containers.sh").read_text()
    started = {name for line in re.findall(r'services="([^"]+)"', text) for name in line.split()}
    by_hand = {"kafka", "influxdb", "auditor"} | INIT  # what the others depend on, and what checks them
    assert started | by_hand == set(SERVICES) - {"grafana", "alertmanager"}
    assert set(re.findall(r"docker-compose[.a-z]*\.yml", text)) == {
        path.name for path in PROJECT.glob("docker-compose*.yml")
    }
    assert run("sh", "-n", "scripts/containers.sh").returncode == 0


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_the_script_makes_certificates_that_fit_once(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    done = run("scripts/secrets.sh", str(folder))
    assert done.returncode == 0, done.stderr
    made = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(made) == set(OVER["secrets"])
    assert folder.stat().st_mode & 0o777 == 0o700
    for name, host in (("kafka-keystore.pem", "kafka"), ("influxdb.pem", "influxdb")):
        for expected in (host, "localhost"):
            checked = run(
                "openssl", "verify", "-CAfile", f"{folder}/ca.pem", "-verify_hostname", expected, f"{folder}/{name}"
            )
            assert checked.returncode == 0, checked.stderr
    assert b"BEGIN PRIVATE KEY" in made["kafka-keystore.pem"], "PKCS#8, as Kafka wants it"
    for name in made:
        if name.endswith(("-password", "-token")):
            assert len(made[name].strip()) == 48
    run("scripts/secrets.sh", str(folder))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == made


@each_service
def test_each_container_has_limits(name: str) -> None:
    service = SERVICES[name]
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert 64 <= service["pids_limit"] <= 1_024
    # An engine that may not raise limits (in a container, or without root) refuses values above its own limit, 20,000
    # in one case.
    assert 4_096 <= service["ulimits"]["nofile"]["hard"] <= 16_384


def test_only_the_producer_is_given_the_alpha_vantage_key_and_no_secret_is_written_down() -> None:
    assert [name for name in SERVICES if "ALPHA_VANTAGE_API_KEY" in SERVICES[name].get("environment", {})] == [
        "producer"
    ]
    assert SERVICES["producer"]["environment"]["ALPHA_VANTAGE_API_KEY"] is None
    dockerfile = (PROJECT / "Dockerfile").read_text()
    assert not [key for key in SECRETS if key in dockerfile]


def test_the_dockerfile_checks_hashes_copies_by_name_and_does_not_run_as_root() -> None:
    dockerfile = (PROJECT / "Dockerfile").read_text()
    assert "--require-hashes" in dockerfile
    assert not re.search(r"^(COPY|ADD) (--\S+ )*\.\s", dockerfile, re.M)
    user = re.findall(r"^USER (\d+)", dockerfile, re.M)
    assert user
    assert user[-1] != "0"


def test_the_image_is_built_from_named_files_only() -> None:
    lines = [line for line in (PROJECT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert lines[0] == "*"
    copied = set(
        re.findall(r"[\w.]+(?=/? )", " ".join(re.findall(r"^COPY (.*)$", (PROJECT / "Dockerfile").read_text(), re.M)))
    )
    assert {line[1:].rstrip("/") for line in lines if line[0] == "!"} == copied - {"."} | {"assets"}
    assert all((PROJECT / name).exists() for name in copied)
