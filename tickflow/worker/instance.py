"""Chooses the name of a worker in its group for `KAFKA_INSTANCE_ID=auto`: the first free name on this machine.

A worker that replaces another gets that worker's name and, with it, its partitions. A name is held by a locked file,
which the system unlocks however the process ends.
"""

import hashlib
import os
import re
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TextIO

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
    import fcntl  # not on every system

    folder = folder or Path(tempfile.gettempdir()) / f"tickflow-{os.getuid()}"
    group_mark = hashlib.sha256(group.encode()).hexdigest()[:12]
    host = re.sub(r"[^A-Za-z0-9_-]", "-", socket.gethostname())[:150] or "host"
    for number in count(1):
        with _opened(folder, f"{group_mark}-{number}.lock") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield f"{host}-{number}"
            return


def _opened(folder: Path, name: str) -> TextIO:
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        return (folder / name).open("a")
    except OSError as error:  # another user may have created a folder of that name
        expected = f"a name of this worker's own, as {folder} cannot be used to find a free one ({error.strerror})"
        raise SettingError("KAFKA_INSTANCE_ID", AUTO, expected) from error
