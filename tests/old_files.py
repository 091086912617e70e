"""Embedded files that earlier versions wrote, for tests that open them with this version.

`embedded-0.db.gz` is from the time before files had a version. It holds a log of 70 ticks of two symbols and one bad
record, the group's commit, the points and the dead letter. Each release adds its own file.
"""

import gzip
from pathlib import Path

DATA = Path(__file__).parent / "data"
OLD_FILES = sorted(path.name for path in DATA.glob("embedded-*.db.gz"))
TICKS = 70
FOR_EVER = 36_500.0
"""A retention in days, long enough that the old points of the file are not deleted."""


def old_file(name: str, folder: Path) -> Path:
    """Unpack the file into that folder; return the path of the copy."""
    path = folder / name.removesuffix(".gz")
    path.write_bytes(gzip.decompress((DATA / name).read_bytes()))
    return path
