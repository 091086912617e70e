"""Reads Parquet and Feather (Arrow) files, batch by batch; pyarrow is loaded only for such a file."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tickflow.sources.files.options import Unreadable
from tickflow.sources.files.packing import Member, on_disk
from tickflow.sources.files.table import ROWS, Cells, Chunk

BATCH_BYTES = 16_000_000
"""About how many bytes of a Parquet file are unpacked at a time: a row may have any size."""

PARQUET, ARROW, FEATHER = b"PAR1", b"ARROW1", b"FEA1"


def is_arrow(head: bytes) -> bool:
    """Whether a file is Parquet or Feather."""
    return head.startswith((PARQUET, ARROW, FEATHER))


class ArrowTable:
    """A Parquet or Feather file. Raises `Unreadable` if it is damaged."""

    def __init__(self, member: Member) -> None:
        import pyarrow

        self._errors: tuple[type[BaseException], ...] = (
            pyarrow.ArrowException,
            OSError,
            ValueError,
            NotImplementedError,
        )
        self._member = member
        self._file = on_disk(member)
        self._is_open = True
        self.form = "Parquet" if member.head.startswith(PARQUET) else "Feather (Arrow)"
        pyarrow.set_cpu_count(1)
        try:
            self._open()
        except self._errors as error:
            raise Unreadable(f"a {self.form} file that is whole ({_short(error)})") from error
        schema = self._schema
        self.names: list[str] = list(schema.names)
        if twice := next((name for at, name in enumerate(self.names) if name in self.names[:at]), None):
            raise Unreadable(f"a table whose columns have different names; this one has {twice!r} twice")
        self.zone = "UTC" if any(getattr(field.type, "tz", None) for field in schema) else None

    def _open(self) -> None:
        if self.form == "Parquet":
            import pyarrow.parquet

            self._ipc: Any = None
            self._parquet: Any = pyarrow.parquet.ParquetFile(self._file, buffer_size=1 << 20, pre_buffer=False)
            self._schema = self._parquet.schema_arrow
            self.rows: int | None = self._parquet.metadata.num_rows
        else:
            import pyarrow.ipc

            self._parquet = None
            try:
                self._ipc = pyarrow.ipc.open_file(self._file)
                self._schema, self.rows = self._ipc.schema, None
            except pyarrow.ArrowInvalid:
                self._ipc = _first_feather(self._member)
                self._schema, self.rows = self._ipc.schema, None

    def chunks(self, needed: set[int] | None = None) -> Iterator[Chunk]:
        """All rows, numbered from 1; only the `needed` columns are read. Raises `EOFError` if the file is damaged."""
        at = 1
        try:
            if not self._is_open:
                self._open()
                self._is_open = True
            for batch in self._batches(needed):
                columns: list[Cells] = []
                for index, name in enumerate(self.names):
                    columns.append(() if needed is not None and index not in needed else _cells(batch.column(name)))
                yield Chunk(columns, np.arange(at, at + batch.num_rows))
                at += batch.num_rows
        except self._errors as error:
            raise EOFError(_short(error)) from error
        self.release()

    def release(self) -> None:
        """Close the file until its rows are read: a folder may have more files than a process may have open."""
        if self._member.path is not None and self._is_open:
            if self._parquet is not None:
                self._parquet.close()
            self._ipc = None
            self._is_open = False

    def _batches(self, needed: set[int] | None) -> Iterator[Any]:
        if self._parquet is not None:
            names = None if needed is None else [self.names[index] for index in sorted(needed)]
            rows = self._rows_at_a_time()
            yield from self._parquet.iter_batches(batch_size=rows, columns=names, use_threads=False)
        else:
            for number in range(self._ipc.num_record_batches):
                batch = self._ipc.get_batch(number)
                batch.validate(full=True)  # a damaged file would crash the process later, within pyarrow
                for start in range(0, batch.num_rows, ROWS):
                    yield batch.slice(start, ROWS)

    def _rows_at_a_time(self) -> int:
        """How many rows take about `BATCH_BYTES`; at most `ROWS`.

        The sizes of single columns are not requested: for a damaged column, pyarrow would end the process.
        """
        metadata, widest = self._parquet.metadata, 1
        for group in map(metadata.row_group, range(metadata.num_row_groups)):
            widest = max(widest, group.total_byte_size // max(group.num_rows, 1))
        return int(min(ROWS, max(1, BATCH_BYTES // widest)))


_CONVERT = """
import sys, warnings
warnings.simplefilter("ignore")
import pyarrow, pyarrow.feather, pyarrow.ipc
table = pyarrow.feather.read_table(sys.argv[1])
table.validate(full=True)
with pyarrow.ipc.new_file(sys.argv[2], table.schema) as writer:
    writer.write_table(table)
"""


def _first_feather(member: Member) -> Any:
    """A file in Feather's first version, converted to the second version.

    A separate process converts it, since pyarrow crashes on a damaged file. Raises `ValueError` if it is damaged.
    """
    import pyarrow
    import pyarrow.ipc

    with tempfile.TemporaryDirectory() as folder:
        old, new = Path(folder) / "old", Path(folder) / "new"
        with member.open() as stream, old.open("wb") as out:
            shutil.copyfileobj(stream, out)
        command = [sys.executable, "-c", _CONVERT, str(old), str(new)]
        if subprocess.run(command, capture_output=True, check=False).returncode:  # noqa: S603 - our own interpreter
            raise ValueError("pyarrow cannot read it")
        return pyarrow.ipc.open_file(pyarrow.memory_map(str(new)))


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:160]


def _cells(column: Any) -> Cells:
    """An Arrow column as numbers, times or texts."""
    import pyarrow
    import pyarrow.compute

    kind = column.type
    types = pyarrow.types
    if types.is_dictionary(kind):
        column = column.dictionary_decode()
        kind = column.type
    if types.is_timestamp(kind):
        values: npt.NDArray[Any] = (
            column.cast(pyarrow.int64()).fill_null(np.iinfo(np.int64).min).to_numpy(zero_copy_only=False)
        )
        return values.view(f"datetime64[{kind.unit}]")
    if types.is_floating(kind) or (types.is_integer(kind) and column.null_count):
        return np.asarray(column.cast(pyarrow.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
    if types.is_uint64(kind):
        return np.asarray(column.to_numpy(zero_copy_only=False).astype(np.int64))
    if types.is_integer(kind):
        return np.asarray(column.to_numpy(zero_copy_only=False))
    if types.is_string(kind) or types.is_large_string(kind):
        found: Sequence[str] = column.fill_null("").to_pylist() if column.null_count else column.to_pylist()
        return found
    texts = ["" if value is None else str(value) for value in column.to_pylist()]
    if types.is_decimal(kind):
        return np.array(texts, dtype=object)  # an array, so that no decimal sign is looked for
    return texts
