"""Chooses the name of a worker in its group for `KAFKA_INSTANCE_ID=auto`: the first free name on this machine.

A worker that replaces another gets that worker's name and, with it, its partitions. A name is held by a locked file,
which the system unlocks however the process ends.
"""

import hashlib
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TextIO

from tickflow.claims import claim, shared_folder
from tickflow.errors import SettingError

AUTO = "auto"


@contextmanager
def instance_name(setting: str | None, group: str, folder: Path | None = None) -> Iterator[str | None]:
    """The name to join the group with: the setting, or for `auto` one that no other process of this machine holds.

    The lock files lie in `folder`, by default in a folder for this user among the temporary files.
    """
    if setting != AUTO:
        yield setting
        return
    group_mark = hashlib.sha256(group.encode()).hexdigest()[:12]
    host = re.sub(r"[^A-Za-z0-9_-]", "-", socket.gethostname())[:150] or "host"
    for number in count(1):
        held = _claim(folder, f"{group_mark}-{number}.lock")
        if held is not None:
            with held:
                yield f"{host}-{number}"
            return


def _claim(folder: Path | None, name: str) -> TextIO | None:
    try:
        return claim((folder or shared_folder()) / name)
    except OSError as error:  # another user may have created a folder of that name
        where = error.filename or folder or "the folder for temporary files"
        expected = f"a name of this worker's own, as {where} cannot be used to find a free one ({error.strerror})"
        raise SettingError("KAFKA_INSTANCE_ID", AUTO, expected) from error
