"""Tests of both automatic checks of a clone: `.ci/run`, and the workflow for GitHub."""

import os
import re
import subprocess
import sys
from typing import Any

import yaml

from tests.scripts import PROJECT

WORKFLOW = PROJECT / ".github" / "workflows" / "ci.yml"
CI_RUN = PROJECT / ".ci" / "run"


def workflow() -> Any:
    return yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))


def job() -> Any:
    return workflow()["jobs"]["test"]


def commands() -> list[str]:
    return [step["run"] for step in job()["steps"] if "run" in step]


def test_the_workflow_is_valid() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(WORKFLOW)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_workflow_may_only_read() -> None:
    assert workflow()["permissions"] == {"contents": "read"}
    assert "permissions" not in job()


def test_actions_are_pinned_by_commit() -> None:
    used = [step["uses"] for step in job()["steps"] if "uses" in step]
    assert used
    assert [use for use in used if not re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", use)] == []


def test_the_kafka_service_sets_every_variable_that_the_image_resets() -> None:
    """Any KAFKA_* variable removes all defaults of the image, so each listener needs protocol, address and role."""
    env = job()["services"]["kafka"]["env"]
    listeners = dict(part.split("://") for part in env["KAFKA_LISTENERS"].split(","))
    protocols = dict(part.split(":") for part in env["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(","))
    advertised = dict(part.split("://") for part in env["KAFKA_ADVERTISED_LISTENERS"].split(","))
    controller, between = env["KAFKA_CONTROLLER_LISTENER_NAMES"], env["KAFKA_INTER_BROKER_LISTENER_NAME"]
    assert set(protocols) == set(listeners)
    assert set(advertised) == set(listeners) - {controller}
    assert between in advertised
    assert advertised[between] == job()["env"]["TICKFLOW_TEST_KAFKA"]
    assert env["KAFKA_CONTROLLER_QUORUM_VOTERS"].endswith(listeners[controller])
    assert {env[key] for key in env if key.endswith(("REPLICATION_FACTOR", "MIN_ISR"))} == {"1"}
    assert env["KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS"] == "0"


def test_the_tests_reach_the_services_influxdb() -> None:
    env, given = job()["services"]["influxdb"]["env"], job()["env"]
    assert given["TICKFLOW_TEST_INFLUX_TOKEN"] == env["DOCKER_INFLUXDB_INIT_ADMIN_TOKEN"]
    assert given["TICKFLOW_TEST_INFLUX_ORG"] == env["DOCKER_INFLUXDB_INIT_ORG"]
    assert len(env["DOCKER_INFLUXDB_INIT_PASSWORD"]) >= 8  # the image refuses shorter passwords


def test_both_end_with_make_check_and_make_test() -> None:
    lines = CI_RUN.read_text(encoding="utf-8").splitlines()
    assert lines[-2:] == ["make check", "make test"]
    assert commands()[-2:] == ["make check", "make test"]


def test_ci_run_needs_no_package_before_make_install() -> None:
    """A bare machine has only Python: a module that imported a package once ended `.ci/run` after 2 s."""
    modules = re.findall(r"python3 -m (\S+)", CI_RUN.read_text(encoding="utf-8"))
    assert modules
    for module in ("devtools.building", *modules):
        done = subprocess.run(
            [sys.executable, "-S", "-c", f"import {module}"], cwd=PROJECT, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr


def test_ci_run_can_be_run() -> None:
    assert os.access(CI_RUN, os.X_OK)
    assert subprocess.run(["bash", "-n", str(CI_RUN)]).returncode == 0
