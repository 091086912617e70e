"""`make` lists its targets, and says in a sentence which tool is missing."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.scripts import PROJECT

MAKEFILE = (PROJECT / "Makefile").read_text(encoding="utf-8")
TARGETS = re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE)
WANTED = {"run", "test", "faults", "check", "servers", "servers-down", "bench", "lock", "clean"}


def make(*arguments: str, cwd: Path = PROJECT, path: str | None = None) -> subprocess.CompletedProcess[str]:
    environ = {key: value for key, value in os.environ.items() if not key.startswith("MAKE") and key != "PYTHON"}
    return subprocess.run(
        [str(shutil.which("make")), *arguments],
        cwd=cwd,
        env=environ | ({"PATH": path} if path else {}),
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_plain_make_lists_every_target_with_a_line_each() -> None:
    done = make()
    listed = [re.split(r"\s{2,}", line.strip()) for line in done.stdout.splitlines()]
    assert (done.returncode, done.stderr) == (0, "")
    assert set(TARGETS) > WANTED
    assert [name.removeprefix("make ") for name, _ in listed] == TARGETS
    assert all(len(line) <= 120 for line in done.stdout.splitlines())


def test_every_target_that_is_listed_is_phony() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert phony is not None
    assert sorted(phony[1].split()) == sorted(TARGETS)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the Makefile and empty lock files, but without a .venv."""
    (tmp_path / "Makefile").write_text(MAKEFILE)
    for name in ("requirements.lock", "requirements-dev.lock"):
        (tmp_path / name).write_text("# nothing\n")
    return tmp_path


def a_python(folder: Path, body: str) -> str:
    program = folder / "python-to-try"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    return f"PYTHON={program}"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("case $1 in -V) echo Python 3.9.2;; *) exit 1;; esac", "Python 3.11 or newer is needed"),
        ("case $2 in *ensurepip*) exit 1;; esac", "lacks the module venv: install it"),
    ],
)
def test_an_unusable_python_is_reported(checkout: Path, body: str, sentence: str) -> None:
    done = make("run", a_python(checkout, body), cwd=checkout)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert not (checkout / ".venv").exists()


def test_a_missing_python_is_reported(checkout: Path) -> None:
    done = make("run", "PYTHON=python-that-is-not-here", cwd=checkout)
    assert done.returncode == 2
    assert "There is no python-that-is-not-here here: install Python 3.11 or newer" in done.stderr


def test_make_run_installs_the_runtime_lock_alone_and_once(checkout: Path) -> None:
    log = checkout / "python.log"
    installed = checkout / ".venv" / "bin" / "python"
    # A script in place of Python, which records its arguments; with `-m venv` it copies itself into .venv.
    body = f'echo "$@" >> {log}\nif [ "$2" = venv ]; then mkdir -p {installed.parent} && cp "$0" {installed}; fi'
    (checkout / "scripts").mkdir()
    run = checkout / "scripts" / "run.sh"
    run.write_text("#!/bin/sh\necho running\n")
    run.chmod(0o755)
    first = make("run", a_python(checkout, body), cwd=checkout)
    second = make("run", a_python(checkout, body), cwd=checkout)
    installs = [line for line in log.read_text().splitlines() if "pip install" in line]
    assert first.stdout == "Installing what requirements.lock pins into .venv (once) ...\nrunning\n"
    assert (second.stdout, second.stderr) == ("running\n", "")
    assert len(installs) == 1
    assert installs[0].endswith("--require-hashes -r requirements.lock")


def test_the_lock_files_have_hashes_and_no_local_paths() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (PROJECT / name).read_text(encoding="utf-8")
        pinned = re.findall(r"^[A-Za-z0-9_.\-]+==", text, re.MULTILINE)
        assert len(pinned) > 10
        assert text.count("==") >= len(pinned)
        assert not re.search(r"(/home/|/root/|/work/|/tmp/|file:|https?://)", text)
        for block in re.split(r"^(?=[A-Za-z0-9_.\-]+==)", text, flags=re.MULTILINE)[1:]:
            assert "--hash=sha256:" in block


def test_tests_run_with_the_very_versions_that_make_run_installs() -> None:
    runtime, dev = (
        set(re.findall(r"^[A-Za-z0-9_.\-]+==[^\s;]+", (PROJECT / name).read_text(encoding="utf-8"), re.MULTILINE))
        for name in ("requirements.lock", "requirements-dev.lock")
    )
    assert runtime <= dev
