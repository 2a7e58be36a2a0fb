"""The records of captures as columns: a numpy array for each key, also for Arrow and its kin."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from handshake.export.parquet import arrow_type
from handshake.export.value_types import ValueType, flat_types, utf_8
from handshake.library import required
from handshake.query.keys import KEYS
from handshake.record import nanoseconds
from handshake.survey import records

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    import polars as pl
    import pyarrow as pa
    from numpy.typing import NDArray

    from handshake.errors import CaptureError
    from handshake.record import Record

_AT_A_TIME: Final = 4096
"""Records that wait as Python objects."""


class Columns(Mapping[str, "NDArray[Any]"]):
    """A numpy array for each key of the record, by the dotted name that CSV has, all of one length.

    Times are in seconds, sizes in octets, as in the record; the JSON schema describes each key.

    | value | dtype | null |
    |---|---|---|
    | `start` | `datetime64[ns]`, UTC | never |
    | durations: `handshake.rtt` | `float64`, seconds | NaN |
    | header fields: `client.port`, `client.iss` | `uint8`, `uint16`, `uint32` | masked |
    | counts and numbers: `client.bytes` | `int64` | masked |
    | yes or no: `client.ecn` | `bool` | masked |
    | text: `outcome`, `client.address` | `object`, of `str` | None |
    | lists: `findings.code`, `frames` | `object`, of `list` | an empty list |

    Integers and booleans that may be null are masked arrays (`numpy.ma`): sums and comparisons
    leave out what is not known, and `filled()` puts 0 in its place. The others are ordinary
    arrays. Octets of a file name that are not UTF-8 are escaped in `capture`.
    """

    def __init__(
        self,
        arrays: Mapping[str, NDArray[Any]],
        warnings: list[CaptureError],
        errors: list[CaptureError],
    ) -> None:
        self._arrays = dict(arrays)
        self.warnings = warnings
        """What is wrong with files and packets."""

        self.errors = errors
        """Why some files could not be read at all."""

    def __getitem__(self, key: str) -> NDArray[Any]:
        return self._arrays[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __repr__(self) -> str:
        return f"<{len(self._arrays['stream'])} connections, {len(self)} columns>"

    def to_arrow(self) -> pa.Table:
        """Return a `pyarrow.Table` with the same names and widths, and nulls.

        Raises UsageError if pyarrow is not installed.
        """
        pa = required("pyarrow", "to_arrow()", "table")
        types = flat_types()
        schema = [(name, arrow_type(types[name])) for name in self]
        arrays = [
            pa.array(np.ma.getdata(array), kind, mask=np.ma.getmaskarray(array))
            if np.ma.isMaskedArray(array)
            else pa.array(array, kind, from_pandas=array.dtype.kind == "f")
            for (_, kind), array in zip(schema, self.values(), strict=True)
        ]
        return pa.Table.from_arrays(arrays, schema=pa.schema(schema))

    def to_pandas(self) -> pd.DataFrame:
        """Return a `pandas.DataFrame`; what is masked has pandas' nullable dtypes (`UInt16`).

        Raises UsageError if pandas is not installed.
        """
        pd = required("pandas", "to_pandas()")

        def column(array: NDArray[Any]) -> Any:
            if array.dtype.kind == "M":
                return pd.DatetimeIndex(array, tz="UTC")
            if not np.ma.isMaskedArray(array):
                return array
            nullable = pd.arrays.BooleanArray if array.dtype == bool else pd.arrays.IntegerArray
            return nullable(np.ma.getdata(array).copy(), np.ma.getmaskarray(array).copy())

        return pd.DataFrame({name: column(array) for name, array in self.items()})

    def to_polars(self) -> pl.DataFrame:
        """Return a `polars.DataFrame` with the same names and widths, and nulls.

        Raises UsageError if polars is not installed.
        """
        pl = required("polars", "to_polars()")
        kinds = {"string": pl.String, "bool": pl.Boolean, "float64": pl.Float64, "int64": pl.Int64}
        kinds |= {"uint8": pl.UInt8, "uint16": pl.UInt16, "uint32": pl.UInt32}
        kinds["time"] = pl.Datetime("ns", "UTC")

        def column(name: str, kind: ValueType) -> Any:
            array = self[name]
            dtype = pl.List(kinds[kind.item.name]) if kind.item else kinds[kind.name]
            if array.dtype.kind == "M":
                return pl.Series(name, array.view("int64")).cast(dtype)
            if array.dtype.kind == "f":
                return pl.Series(name, array, nan_to_null=True)
            return pl.Series(name, array.tolist(), dtype=dtype)

        types = flat_types()
        return pl.DataFrame([column(name, types[name]) for name in self])


def columns(
    *paths: str | Path | Iterable[str | Path],
    merge: bool = False,
    dedup: bool = False,
    reorder: bool = False,
    jobs: int | None = None,
) -> Columns:
    """Return the records of captures as numpy arrays, one for each key; see `Columns`.

    `paths` are files, folders or patterns, or lists of them; they and the options are those of
    `records`. Rows are in the order of `records`. Raises CaptureError where no file could be read.
    """
    flat: list[str | Path] = []
    for each in paths:
        flat += [each] if isinstance(each, str) or not isinstance(each, Iterable) else each
    source = records(*flat, merge=merge, dedup=dedup, reorder=reorder, jobs=jobs)
    types = flat_types()
    getters = [KEYS[name].get for name in types]

    def values(record: Record) -> tuple[Any, ...]:
        return tuple(get(record) for get in getters)

    found = source.mapped(values)
    parts: list[list[NDArray[Any]]] = [[_array(kind, ())] for kind in types.values()]
    while rows := list(islice(found, _AT_A_TIME)):
        for part, kind, column in zip(parts, types.values(), zip(*rows, strict=True), strict=True):
            part.append(_array(kind, column))
    arrays = {}
    for name, part in zip(types, parts, strict=True):
        joined = np.concatenate([np.ma.getdata(each) for each in part])
        if np.ma.isMaskedArray(part[0]):
            mask = np.concatenate([np.ma.getmaskarray(each) for each in part])
            joined = np.ma.MaskedArray(joined, mask, fill_value=0)
        arrays[name] = joined
        part.clear()
    return Columns(arrays, source.warnings, source.errors)


def _array(kind: ValueType, values: tuple[Any, ...]) -> NDArray[Any]:
    """Return the values as an array of their type."""
    count = len(values)
    if kind.item is not None:
        return np.fromiter(map(list, values), object, count)
    if kind.name == "string":
        return np.fromiter(map(utf_8, values), object, count)
    if kind.name == "time":
        return np.fromiter(map(nanoseconds, values), "int64", count).view("datetime64[ns]")
    if kind.name == "float64":
        return np.array([np.nan if each is None else each for each in values], "float64")
    if not kind.nullable:
        return np.fromiter(values, kind.name, count)
    mask = np.fromiter((each is None for each in values), bool, count)
    return np.ma.MaskedArray([each or 0 for each in values], mask, kind.name)
