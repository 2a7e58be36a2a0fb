"""Records as Parquet: one file, or a folder with a file for each capture.

A file is nested as the record is, with the types of `value_types`. It is written under its name
with `.partial` added, row group by row group, and gets its own name when it is complete. If
reading is interrupted, the `.partial` is a valid Parquet file of what was read; if writing fails,
it is removed. So what has the name of a table is never half of one.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from handshake.capture.output import (
    PARTIAL,
    create,
    is_special,
    make_folder,
    real_name,
    refuse_terminal,
)
from handshake.errors import LocalError, UsageError, system_error
from handshake.export.value_types import ValueType, record_type, utf_8
from handshake.library import required
from handshake.record import nanoseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import BinaryIO

    import pyarrow as pa

    from handshake.record import Json, Record

SUFFIX: Final = ".parquet"

_MAGIC: Final = b"PAR1"
"""What every Parquet file begins with."""

_BATCH: Final = 512
"""Rows that wait as Python objects."""

_ROW_GROUP: Final = 32 * _BATCH
"""Rows that wait to be written: a few megabytes."""

_MOST_OPEN: Final = 16
"""Files open at a time. With --merge, the connections of several captures come mixed."""

_UNSAFE: Final = re.compile(r"""[\x00-\x1f\x7f"#%'*/:=?\\{\[\]^]""")
"""What Hive escapes in the name of a partition."""


def row(record: Record) -> Json:
    """Return a record as a row: its JSON, with the time in nanoseconds since 1970."""
    found = record.as_json()
    found["start"] = nanoseconds(record.start)
    found["capture"] = utf_8(record.capture)
    return found


def partition(capture: str) -> str:
    """Return the name of a capture's folder: `capture=day%2Fone.pcap`.

    Characters that are unsafe in a file name are written as `%` and two hexadecimal digits, as Hive
    does, and DuckDB, Arrow, Polars and Spark undo that.
    """
    safe = _UNSAFE.sub(lambda found: f"%{ord(found[0]):02X}", capture)
    return f"capture={safe}"


class ParquetFile:
    """A Parquet file that is being written."""

    partitioned = False

    def __init__(self, target: str) -> None:
        """Begin to write `target`; `-` is standard output. Raises as `opened` does."""
        self._file = _File(target, _arrow_schema(record_type()))

    def write(self, rows: Iterable[Json], read: Callable[[], Sequence[str]]) -> None:  # noqa: ARG002
        """Write rows as they come."""
        for each in rows:
            self._file.add(each)

    def end(self, read: Sequence[str], *, complete: bool) -> list[str]:  # noqa: ARG002
        """Close the file, and name it if it is complete; return the names of incomplete ones."""
        self._file.close()
        return self._file.named(complete=complete)

    def discard(self) -> None:
        """Remove what was written."""
        self._file.discard()


class ParquetFolder:
    """A folder with one Parquet file for each capture, as Hive and others know it.

    The file of a capture is `capture=NAME/part-0.parquet`, without the column that is in its path.
    It replaces that of an earlier run; those of other captures stay.
    """

    partitioned = True

    def __init__(self, target: str) -> None:
        """Make the folder if there is none. Raises as `opened` does."""
        self._folder = Path(target)
        self._made = not self._folder.exists()
        make_folder(target)
        kind = record_type()
        values = {key: each for key, each in kind.values.items() if key != "capture"}
        self._schema = _arrow_schema(ValueType("object", values=values))
        self._open: dict[str, _File] = {}
        """The last used one last."""

        self._parts: dict[str, list[_File]] = {}
        """All files of a capture, the open one too."""

        self._named = 0
        """Of how many captures that were read the files have their names."""

    def write(self, rows: Iterable[Json], read: Callable[[], Sequence[str]]) -> None:
        """Write rows as they come; `read` tells of which captures all rows have come."""
        for each in rows:
            capture = each.pop("capture") or ""
            if capture not in self._open:
                self._name(read())
            self._of(capture).add(each)

    def end(self, read: Sequence[str], *, complete: bool) -> list[str]:
        """Close all files; return the names of incomplete ones: those of captures in mid-read."""
        self._name(read)
        for each in self._open.values():
            each.close()
        self._open.clear()
        parts = [each for files in self._parts.values() for each in files]
        return [name for each in parts for name in each.named(complete=complete)]

    def discard(self) -> None:
        """Remove the files that have no name yet."""
        for files in self._parts.values():
            for each in files:
                each.discard()
            with suppress(OSError):
                files[0].folder.rmdir()
        if self._made:
            with suppress(OSError):
                self._folder.rmdir()

    def _of(self, capture: str) -> _File:
        """Return the file for the next row of a capture."""
        file = self._open.pop(capture, None)
        if file is None:
            while len(self._open) >= _MOST_OPEN:
                oldest = next(iter(self._open))
                self._open.pop(oldest).close()
            file = self._begin(capture)
        self._open[capture] = file
        return file

    def _begin(self, capture: str) -> _File:
        folder = self._folder / partition(capture)
        make_folder(str(folder))
        parts = self._parts.setdefault(capture, [])
        file = _File(str(folder / f"part-{len(parts)}{SUFFIX}"), self._schema)
        parts.append(file)
        return file

    def _name(self, read: Sequence[str]) -> None:
        """Close and name the files of captures that were read; one without rows gets an empty file.

        What an earlier run left of the capture is removed.
        """
        for capture in read[self._named :]:
            name = utf_8(capture) or ""
            if name not in self._parts:
                self._of(name)
            if file := self._open.pop(name, None):
                file.close()
            for each in self._parts[name]:
                each.named(complete=True)
            for at in count(len(self._parts[name])):
                earlier = self._folder / partition(name) / f"part-{at}{SUFFIX}"
                try:
                    earlier.unlink()
                except OSError:
                    break
        self._named = len(read)


@contextmanager
def opened(target: str) -> Iterator[ParquetFile | ParquetFolder]:
    """Open a table: a file if the name ends in `.parquet`, if it is one, or is `-`; else a folder.

    Call its `end` after the last row; if that is not reached, what was written is removed.
    Raises UsageError for a bad name, or if pyarrow is not installed, and LocalError if the
    machine does not let us write, now or later.
    """
    required("pyarrow.parquet", "--parquet", "table")
    single = target == "-" or (
        not os.path.isdir(target)  # noqa: PTH112 - a name as it is, which may be too long
        and not target.endswith("/")
        and (target.endswith(SUFFIX) or os.path.exists(target))  # noqa: PTH110
    )
    if single and not target.endswith(SUFFIX):
        _refuse_other(target)
    table = ParquetFile(target) if single else ParquetFolder(target)
    try:
        yield table
    except BaseException:
        table.discard()
        raise


class _File:
    """One Parquet file, written row group by row group."""

    def __init__(self, name: str, schema: pa.Schema) -> None:
        from pyarrow import PythonFile
        from pyarrow.parquet import ParquetWriter

        self._name = real_name(name)
        if name == "-":
            self._name = "standard output"
        self._partial = "" if name == "-" or is_special(name) else f"{self._name}{PARTIAL}"
        """Under which name it is written; empty for what cannot be renamed."""

        self._out: BinaryIO = sys.stdout.buffer if name == "-" else create(self._partial or name)
        refuse_terminal(self._out, self._name)
        self._schema = schema
        self._writer: Any = None
        self._rows: list[Json] = []
        self._batches: list[pa.RecordBatch] = []
        with self._writing():
            sink = PythonFile(self._out, mode="w")
            self._writer = ParquetWriter(sink, schema, compression="zstd")

    @property
    def folder(self) -> Path:
        """The folder that it is in."""
        return Path(self._name).parent

    def add(self, row: Json) -> None:
        """Take another row."""
        self._rows.append(row)
        if len(self._rows) == _BATCH:
            self._pack()

    def close(self) -> None:
        """Write what waits, and what makes it a Parquet file."""
        self._pack(last=True)
        with self._writing():
            self._writer.close()
            self._out.flush()
            if self._name != "standard output":
                self._out.close()

    def named(self, *, complete: bool) -> list[str]:
        """Give it its name if it is complete; else return the name that it has."""
        if not self._partial:
            return []
        if not complete:
            return [self._partial]
        with self._writing():
            Path(self._partial).replace(self._name)
        self._partial = ""
        return []

    def discard(self) -> None:
        """Remove it, unless it has its name."""
        with suppress(Exception):  # what failed before fails again
            self._writer.close()
        with suppress(OSError):
            if self._out is not sys.stdout.buffer:
                self._out.close()
        if self._partial:
            with suppress(OSError):
                Path(self._partial).unlink()

    def _pack(self, *, last: bool = False) -> None:
        from pyarrow import RecordBatch, Table

        if self._rows:
            self._batches.append(RecordBatch.from_pylist(self._rows, schema=self._schema))
            self._rows.clear()
        if self._batches and (last or len(self._batches) * _BATCH >= _ROW_GROUP):
            with self._writing():
                self._writer.write_table(Table.from_batches(self._batches), _ROW_GROUP)
            self._batches.clear()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:  # the reader has closed the pipe
            raise
        except OSError as error:
            raise LocalError("file.unwritten", why=system_error(error)).at(self._name) from error


def _refuse_other(name: str) -> None:
    """Raise UsageError if a file is not a table: it may be a capture."""
    if name == "-" or is_special(name):
        return
    with suppress(OSError), Path(name).open("rb") as file:
        if file.read(len(_MAGIC)) not in (b"", _MAGIC):
            raise UsageError("file.no-table").at(name)


def _arrow_schema(kind: ValueType) -> pa.Schema:
    import pyarrow as pa

    return pa.schema(list(_arrow_fields(kind)))


def _arrow_fields(kind: ValueType) -> Iterator[pa.Field]:
    import pyarrow as pa

    for key, each in kind.values.items():
        yield pa.field(key, arrow_type(each), nullable=each.nullable)


def arrow_type(kind: ValueType) -> pa.DataType:
    """Return the type as Arrow has it."""
    import pyarrow as pa

    if kind.name == "object":
        return pa.struct(list(_arrow_fields(kind)))
    if kind.item is not None:
        return pa.list_(pa.field("item", arrow_type(kind.item), nullable=kind.item.nullable))
    if kind.name == "time":
        return pa.timestamp("ns", tz="UTC")
    return pa.type_for_alias(kind.name)
