"""The security documents cover every requirement and name existing tests; the SBOM and the CI workflow are complete."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.scripts import PROJECT

SECURITY = (PROJECT / "docs" / "security.md").read_text(encoding="utf-8")
ASVS = (PROJECT / "docs" / "asvs.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (V[\d.]+) \| ([\w ]+) \| (.*?) \| (.*?) ?\|$", ASVS, re.M)
WORKFLOW = (PROJECT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")

LEVEL_1 = {
    "V1": "2.1 2.2 2.3 2.4 2.5 3.1 3.2 5.1", "V2": "1.1 2.1 2.2 3.1", "V3": "2.1 2.2 3.1 4.1 4.2 5.1 5.2 5.3",
    "V4": "1.1 4.1", "V5": "2.1 2.2 3.1 3.2", "V6": "1.1 2.1 2.2 2.3 2.4 2.5 2.6 2.7 2.8 3.1 3.2 4.1 4.2",
    "V7": "2.1 2.2 2.3 2.4 4.1 4.2", "V8": "1.1 2.1 2.2 3.1", "V9": "1.1 1.2 1.3 2.1", "V10": "4.1 4.2 4.3 4.4 4.5",
    "V11": "3.1 3.2 4.1", "V12": "1.1 2.1 2.2", "V13": "4.1", "V14": "2.1 3.1", "V15": "1.1 2.1 3.1",
}  # fmt: skip
LEVEL_2 = {
    "V6": "1.2 1.3 2.9 2.10 2.11 2.12 3.3 3.4 4.3 4.4 5.1 5.2 5.3 5.4 5.5 6.1 6.2 6.3 8.1 8.2 8.3 8.4",
    "V7": "1.1 1.2 1.3 3.1 3.2 4.3 4.4 4.5 5.1 5.2 6.1 6.2", "V13": "3.1 3.2",
    "V16": "1.1 2.1 2.2 2.3 2.4 2.5 3.1 3.2 3.3 3.4 4.1 4.2 4.3 5.1 5.2 5.3",
}  # fmt: skip


def test_every_requirement_has_one_line() -> None:
    wanted = {
        f"{chapter}.{each}" for level in (LEVEL_1, LEVEL_2) for chapter, ids in level.items() for each in ids.split()
    }
    assert len([each for ids in LEVEL_1.values() for each in ids.split()]) == 70
    assert sorted(requirement for requirement, *_ in ROWS) == sorted(wanted)


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_line_has_a_known_state_a_reason_and_tests_that_exist(row: tuple[str, str, str, str]) -> None:
    _, state, reason, tests = row
    assert state in ("met", "partly", "not met", "proxy", "none here")
    assert reason
    assert not re.sub(r"`test_\w+`|, ", "", tests), tests
    for name in re.findall(r"`(test_\w+)`", tests):
        assert name in TESTS, name


TESTS = {
    name
    for path in (PROJECT / "tests").rglob("test_*.py")
    for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.M)
}


def test_the_tests_that_the_prose_names_exist() -> None:
    assert set(re.findall(r"`(test_\w+)`", SECURITY)) <= TESTS


def test_only_one_reader_of_files_starts_another_program() -> None:
    code = [PROJECT / "config.py", *PROJECT.glob("stock_*.py"), *(PROJECT / "tickflow").rglob("*.py")]
    assert len(code) > 100
    starting = re.compile(
        r"^\s*(?:import|from) (?:subprocess|multiprocessing|pty)\b|\bos\.(?:system|popen|exec|spawn)", re.M
    )
    found = [path.name for path in code if starting.search(path.read_text(encoding="utf-8"))]
    assert found == ["arrow.py"], "which runs Python on a copy of a file, in a folder of its own"


def test_the_time_frames_are_stated() -> None:
    policy = (PROJECT / "SECURITY.md").read_text(encoding="utf-8")
    for words in ("3 working days", "30 days", "90 days", "within 7 days"):
        assert words in policy


def test_the_sbom_has_every_pinned_library_with_version_and_hash(tmp_path: Path) -> None:
    recipe = re.search(r"^sbom:.*\n\t@\$\(BIN\)/(.*)$", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.M)
    assert recipe is not None
    command = recipe[1].replace("sbom.json", str(tmp_path / "sbom.json")).split()
    tool = str(Path(sys.executable).parent / command[0])
    offline = {"PATH": "/usr/bin:/bin", "http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    subprocess.run([tool, *command[1:]], cwd=PROJECT, env=offline, check=True, capture_output=True, timeout=300)
    bom = json.loads((tmp_path / "sbom.json").read_text(encoding="utf-8"))
    assert bom["bomFormat"] == "CycloneDX"
    lock = (PROJECT / "requirements.lock").read_text(encoding="utf-8")
    pinned = dict(re.findall(r"^([a-z0-9][\w.\-]*)(?:\[[\w,]+\])?==([^\s;]+)", lock, re.M))
    assert {each["name"]: each["version"] for each in bom["components"]} == pinned
    for each in bom["components"]:
        assert any(reference.get("hashes") for reference in each["externalReferences"]), each["name"]


def test_the_workflow_may_only_read_and_keeps_no_credentials() -> None:
    flow = yaml.safe_load(WORKFLOW)
    assert flow["permissions"] == {"contents": "read"}
    assert {name: job["permissions"] for name, job in flow["jobs"].items() if "permissions" in job} == {}
    assert "pull_request_target" not in WORKFLOW
    for job in flow["jobs"].values():
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


def test_every_action_is_named_by_a_commit() -> None:
    used = re.findall(r"uses: (\S+)(.*)", WORKFLOW)
    assert len(used) > 5
    for action, comment in used:
        assert re.fullmatch(r"actions/[a-z\-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), comment


def test_ci_checks_libraries_and_workflow_for_weaknesses() -> None:
    for words in ("pip-audit --require-hashes --disable-pip -r requirements.lock", "zizmor", "make sbom"):
        assert words in WORKFLOW
    updates = yaml.safe_load((PROJECT / ".github" / "dependabot.yml").read_text(encoding="utf-8"))["updates"]
    assert {each["package-ecosystem"] for each in updates} == {
        "pip",
        "github-actions",
        "docker",
        "docker-compose",
        "npm",
    }
