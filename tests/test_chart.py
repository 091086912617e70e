"""Tests of the Helm chart, which is rendered and validated against Kubernetes' own schemas; no cluster is needed."""

import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from config import KEYS, SECRETS, load_settings
from devtools import helm
from tests.conftest import unavailable
from tests.scripts import PROJECT
from tickflow.version import VERSION

CHART = PROJECT / "charts" / "tickflow"
SASL = ("sasl.mechanism=SCRAM-SHA-512", "sasl.caSecret=kafka-ca", "secrets.producer=tickflow-producer")
USERS = ("page.auth=users", "page.users=tickflow-users", "page.names=stocks.example.com")
PROXY = ("page.auth=proxy", "page.proxies=10.0.0.0/8", "page.names=stocks.example.com")
DIGEST = f"sha256:{'0' * 64}"
HTTPS = ("influxdb.url=https://influxdb:8086", "influxdb.caSecret=influxdb-ca")
NOTIFIER = ("notifier.enabled=true", "secrets.notifier=tickflow-notifier")
VARIANTS = {
    "as it is": (),
    "everything": (
        *SASL,
        "worker.keda.enabled=true",
        "monitoring.serviceMonitor=true",
        "producer.source=alpha_vantage",
        *NOTIFIER,
        *HTTPS,
    ),
    "with accounts": USERS,
    "behind a login of a proxy": PROXY,
    "workers alone": ("producer.enabled=false", "page.enabled=false", "networkPolicy.enabled=false"),
}
OWN_KINDS = {"ScaledObject", "ServiceMonitor"}
"""Kinds that Kubernetes operators define, for which Kubernetes itself has no schema."""


def render(sets: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    tool = helm.find()
    if tool is None:
        unavailable("Helm is not built on this machine yet: python -m devtools.helm")
    flags = [part for each in sets for part in ("--set", each)]
    return subprocess.run([tool, "template", "demo", str(CHART), *flags], capture_output=True, text=True, check=False)


@cache
def rendered(sets: tuple[str, ...]) -> list[dict[str, Any]]:
    """The objects; rendered once, to be read only."""
    done = render(sets)
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def containers(objects: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    pods = [each["spec"]["template"]["spec"] for each in objects if each["kind"] in ("StatefulSet", "Deployment")]
    return [container for pod in pods for container in pod["containers"]]


@pytest.mark.slow
def test_kubernetes_accepts_what_it_renders_in_every_variant(tmp_path: Path) -> None:
    for name, sets in VARIANTS.items():
        objects = [each for each in rendered(sets) if each["kind"] not in OWN_KINDS]
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump_all(objects))
    tool = str(Path(sys.executable).parent / "kubernetes-validate")
    files = sorted(tmp_path.glob("*.yaml"))
    assert len(files) == len(VARIANTS)
    done = subprocess.run([tool, "--strict", *map(str, files)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", VARIANTS)
def test_each_container_is_given_settings_that_are_accepted(name: str) -> None:
    for container in containers(rendered(VARIANTS[name])):
        known = {*KEYS, *(f"{key}_FILE" for key in SECRETS)}
        given = {each["name"]: each.get("value") for each in container["env"]}
        assert set(given) <= known
        assert len(given) == len(container["env"])
        assert not set(given) & set(SECRETS), "a secret comes from a file"
        mounted = ("/secrets/", "/ca/", "/influxdb-ca/")
        plain = {key: value for key, value in given.items() if value and not value.startswith(mounted)}
        plain.pop("KAFKA_SECURITY_PROTOCOL", None)
        assert load_settings(plain, env_file=None).stack == "kafka"


@pytest.mark.parametrize("name", VARIANTS)
def test_each_container_is_confined_and_probed(name: str) -> None:
    for container in containers(rendered(VARIANTS[name])):
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["livenessProbe"]["httpGet"]["path"] == "/health/live"
        assert container["readinessProbe"]["httpGet"]["path"] == "/health/ready"
        assert container["resources"]["limits"]["memory"]


def test_every_container_trusts_the_authority_of_influxdb_and_has_the_image_of_one_digest() -> None:
    for container in containers(rendered((*HTTPS, *NOTIFIER, f"image.digest={DIGEST}"))):
        assert container["image"] == f"tickflow:{VERSION}@{DIGEST}"
        (cafile,) = [each["value"] for each in container["env"] if each["name"] == "INFLUXDB_SSL_CAFILE"]
        assert cafile.startswith(tuple(f"{each['mountPath']}/" for each in container["volumeMounts"]))


def test_a_worker_is_a_static_member_under_the_name_of_its_pod() -> None:
    (worker,) = [each for each in rendered(()) if each["kind"] == "StatefulSet"]
    (container,) = containers([worker])
    (instance,) = [each for each in container["env"] if each["name"] == "KAFKA_INSTANCE_ID"]
    assert instance["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}


def test_scaling_by_lag_leaves_the_number_of_workers_to_keda() -> None:
    sets = [each for each in rendered(VARIANTS["everything"]) if each["kind"] == "StatefulSet"]
    assert {each["metadata"]["name"]: each["spec"].get("replicas") for each in sets} == {
        "demo-worker": None,
        "demo-notifier": 1,
    }


def test_messages_that_wait_outlive_the_notifier_and_their_addresses_come_from_its_secret() -> None:
    sets = [each for each in rendered(NOTIFIER) if each["kind"] == "StatefulSet"]
    (notifier,) = [each for each in sets if each["metadata"]["name"] == "demo-notifier"]
    (container,) = containers([notifier])
    env = {each["name"]: each.get("value") for each in container["env"]}
    (claim,) = notifier["spec"]["volumeClaimTemplates"]
    mounts = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
    assert env["ALERT_OUTBOX"].startswith(mounts[claim["metadata"]["name"]])
    assert env["ALERT_URLS_FILE"].startswith(mounts["secrets"])
    refused = render(["notifier.enabled=true"])
    assert (refused.returncode, "secrets.notifier" in refused.stderr) == (1, True)


def reaches_the_page(objects: Sequence[dict[str, Any]]) -> tuple[bool, bool, bool]:
    """Whether the page listens for other pods, a Service leads to its port, and the network policy allows that."""
    (page,) = [each for each in containers(objects) if each["name"] == "page"]
    (host,) = [each["value"] for each in page["env"] if each["name"] == "DASHBOARD_HOST"]
    served = [port["targetPort"] for each in objects if each["kind"] == "Service" for port in each["spec"]["ports"]]
    (policy,) = [each for each in objects if each["kind"] == "NetworkPolicy"]
    let_in = [port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]]
    return host == "0.0.0.0", 8050 in served, 8050 in let_in


def test_nobody_reaches_the_page_without_a_login() -> None:
    assert reaches_the_page(rendered(())) == (False, False, False)
    assert reaches_the_page(rendered(USERS)) == reaches_the_page(rendered(PROXY)) == (True, True, True)


@pytest.mark.parametrize(
    ("sets", "words"),
    [
        (["page.auth=nobody"], "none, users or proxy"),
        (USERS[:1] + USERS[2:], "page.users"),
        (USERS[:2], "page.names"),
        (PROXY[:1] + PROXY[2:], "page.proxies"),
        (["settings.DASHBOARD_HOST=0.0.0.0"], "belongs to page.auth"),
        (["settings.AUTH=none"], "belongs to page.auth"),
    ],
)
def test_a_page_for_others_without_what_its_login_needs_is_refused(sets: Sequence[str], words: str) -> None:
    done = render(sets)
    assert done.returncode != 0
    assert words in done.stderr


def test_the_chart_has_the_version_of_the_program() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (VERSION, VERSION)
