"""Embedded files as earlier versions made them, to be opened by this one.

`embedded-0.db.gz` has no version yet: 70 ticks of two symbols and one bad record in the log, with the group's
commit, their points and the dead letter. Each release adds its own file.
"""

import gzip
from pathlib import Path

DATA = Path(__file__).parent / "data"
OLD_FILES = sorted(path.name for path in DATA.glob("embedded-*.db.gz"))
TICKS = 70
FOR_EVER = 36_500.0
"""In days: so long that retention does not delete the old points of the file."""


def old_file(name: str, folder: Path) -> Path:
    """A copy of the file in that folder."""
    path = folder / name.removesuffix(".gz")
    path.write_bytes(gzip.decompress((DATA / name).read_bytes()))
    return path
