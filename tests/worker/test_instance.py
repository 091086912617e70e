"""Tests of the names that `KAFKA_INSTANCE_ID=auto` generates."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scripts import PROJECT
from tickflow.errors import SettingError
from tickflow.worker.instance import AUTO, instance_name

HOLD = """
import sys
from pathlib import Path
from tickflow.worker.instance import instance_name
with instance_name("auto", "g", Path(sys.argv[1])) as name:
    print(name, flush=True)
    sys.stdin.read()
"""


def test_a_set_name_is_used_unchanged(tmp_path: Path) -> None:
    with instance_name("one", "g", tmp_path) as name, instance_name(None, "g", tmp_path) as none:
        assert (name, none) == ("one", None)
    assert not list(tmp_path.iterdir())


def test_each_process_takes_the_first_free_name_of_its_group(tmp_path: Path) -> None:
    with instance_name(AUTO, "g", tmp_path) as first, instance_name(AUTO, "other", tmp_path) as other:
        assert first is not None
        assert first == other
        with instance_name(AUTO, "g", tmp_path) as second:
            assert (first[-2:], second and second[-2:]) == ("-1", "-2")
    with instance_name(AUTO, "g", tmp_path) as again:
        assert again == first


@pytest.mark.skipif(not hasattr(os, "fork"), reason="locks of files as POSIX has them")
def test_a_killed_worker_leaves_its_name_to_the_next(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    names = []
    for _ in range(2):
        with subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
            assert holder.stdout is not None
            names.append(holder.stdout.readline().strip())
            with instance_name(AUTO, "g", tmp_path) as beside:
                assert beside is not None
                assert beside.endswith("-2")
            holder.kill()
    assert names[0] == names[1]
    assert names[0].endswith("-1")


def test_a_folder_that_cannot_be_used_ends_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    words = "KAFKA_INSTANCE_ID is 'auto'; expected a name"
    with pytest.raises(SettingError, match=words), instance_name(AUTO, "g", tmp_path / "taken"):
        pass
