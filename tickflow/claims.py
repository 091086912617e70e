"""Files that at most one process of this machine holds at a time.

A file is held by a lock of the system, which ends with the process, however that ends. So a file that nobody holds
shows that its process has ended, even after a `kill -9`, and even if another process has the same number by now.
"""

import errno
import getpass
import os
import tempfile
from pathlib import Path
from typing import TextIO


def shared_folder() -> Path:
    """The folder of these files, one per user of the machine, among the temporary files.

    Raises `OSError` if the system has no folder for temporary files.
    """
    user = os.getuid() if hasattr(os, "getuid") else getpass.getuser()
    return Path(tempfile.gettempdir()) / f"tickflow-{user}"


def claim(path: Path) -> TextIO | None:
    """Create or open the file, and hold it until it is closed; `None` if a process holds it already.

    Creates the folder too. Raises `OSError`, also if the folder belongs to another user, who could put files there, and
    `ImportError` on a system without such locks.
    """
    import fcntl

    path.parent.mkdir(mode=0o700, exist_ok=True)
    if path.parent.lstat().st_uid != os.getuid():
        raise PermissionError(errno.EPERM, "it belongs to another user", str(path.parent))
    while True:
        file = path.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        except BaseException:
            file.close()
            raise
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()  # deleted between the two calls by the process that held it
