"""Tests of the files that one process of a machine holds at a time."""

import fcntl
import os
import stat
from pathlib import Path

import pytest

from tickflow.claims import claim, shared_folder


def test_a_file_is_held_until_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "new" / "one"
    held = claim(path)
    assert held is not None
    assert claim(path) is None, "even this process cannot hold it twice"
    held.close()
    again = claim(path)
    assert again is not None
    again.close()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_file_that_is_deleted_while_it_is_claimed_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, lock = tmp_path / "one", fcntl.flock
    deletions = iter([path.unlink])

    def lock_after_deletion(file: int, operation: int) -> None:
        next(deletions, lambda: None)()
        lock(file, operation)

    monkeypatch.setattr(fcntl, "flock", lock_after_deletion)
    held = claim(path)
    assert held is not None
    assert not list(deletions)
    assert os.fstat(held.fileno()).st_ino == path.stat().st_ino
    held.close()


def test_a_folder_of_another_user_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(PermissionError, match="belongs to another user"):
        claim(tmp_path / "one")


def test_each_user_has_a_folder() -> None:
    assert shared_folder().name == f"tickflow-{os.getuid()}"
