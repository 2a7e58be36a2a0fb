"""Columns hold what the records hold, with their types and nulls, in numpy and elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import handshake
from handshake.errors import CaptureError, UsageError
from handshake.export.value_types import flat_types
from handshake.query.keys import KEYS
from handshake.record import nanoseconds
from tests.survey.made import CAPTURES, packets, save

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def whole() -> handshake.Columns:
    return handshake.columns(CAPTURES)


@pytest.fixture(scope="module")
def wanted() -> dict[str, list[Any]]:
    """Return what the columns hold, key by key."""
    found = list(handshake.records(CAPTURES))
    values = {key: [KEYS[key].get(each) for each in found] for key in flat_types()}
    values["start"] = [nanoseconds(each) for each in values["start"]]
    values["frames"] = [list(each) for each in values["frames"]]
    return values


def test_columns_hold_what_the_records_hold(
    whole: handshake.Columns, wanted: dict[str, list[Any]]
) -> None:
    assert list(whole) == list(flat_types())
    assert {array.shape for array in whole.values()} == {(47,)}
    found = {key: array.tolist() for key, array in whole.items()}
    for key, array in whole.items():
        if array.dtype.kind == "f":
            found[key] = [None if each != each else each for each in found[key]]
    assert found == wanted


def test_types_and_what_null_is(whole: handshake.Columns) -> None:
    assert whole["start"].dtype == "datetime64[ns]"
    assert whole["client.port"].dtype == "uint16"
    assert not np.ma.isMaskedArray(whole["client.port"])
    assert whole["client.mss"].dtype == "uint16"
    assert np.ma.isMaskedArray(whole["client.mss"])
    assert whole["client.mss"].mask.sum() == 1
    assert whole["client.mss"].min() == 1440
    assert whole["client.mss"].filled().min() == 0
    assert whole["server.iss"].dtype == "uint32"
    assert whole["client.ecn"].dtype == bool
    assert np.isnan(whole["handshake.rtt"]).sum() > 5
    assert (whole["closed"] == None).sum() > 5  # noqa: E711 - of each item
    assert [] in whole["findings.code"].tolist()
    assert repr(whole) == f"<47 connections, {len(whole)} columns>"


def test_arrow(whole: handshake.Columns, wanted: dict[str, list[Any]]) -> None:
    table = whole.to_arrow()
    assert table.schema.field("client.mss").type == pa.uint16()
    assert table.schema.field("start").type == pa.timestamp("ns", tz="UTC")
    starts = table["start"].cast(pa.int64()).to_pylist()
    assert table.drop_columns(["start"]).to_pydict() | {"start": starts} == wanted


def test_pandas(whole: handshake.Columns, wanted: dict[str, list[Any]]) -> None:
    frame = whole.to_pandas()
    assert list(frame.columns) == list(wanted)
    assert str(frame["client.mss"].dtype) == "UInt16"
    assert str(frame["client.ecn"].dtype) == "boolean"
    assert str(frame["start"].dtype) == "datetime64[ns, UTC]"
    assert frame["start"].astype("int64").tolist() == wanted["start"]
    for key in set(wanted) - {"start", *(key for key, each in KEYS.items() if each.many)}:
        found = [None if pd.isna(each) else each for each in frame[key]]
        assert found == wanted[key], key
    assert frame["findings.code"].tolist() == wanted["findings.code"]


def test_polars(whole: handshake.Columns, wanted: dict[str, list[Any]]) -> None:
    frame = whole.to_polars()
    assert frame.schema["client.mss"] == pl.UInt16
    assert frame.schema["start"] == pl.Datetime("ns", "UTC")
    starts = frame["start"].cast(pl.Int64).to_list()
    assert frame.drop("start").to_dict(as_series=False) | {"start": starts} == wanted


@pytest.mark.parametrize("library", ["pyarrow", "pandas", "polars"])
def test_a_library_that_is_missing_is_named(
    library: str, whole: handshake.Columns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    convert = getattr(whole, f"to_{library.removeprefix('py')}")
    with pytest.raises(UsageError, match=rf"needs {library}: pip install ") as error:
        convert()
    assert error.value.code == "library"


def test_many_rows_are_joined(whole: handshake.Columns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handshake.export.columns._AT_A_TIME", 10)
    found = handshake.columns([CAPTURES / "mixed.pcap", str(CAPTURES / "refused.pcap")], CAPTURES)
    assert len(found["stream"]) == 25 + 1 + 47
    for key, array in found.items():
        assert array.dtype == whole[key].dtype
        assert str(array[26:].tolist()) == str(whole[key].tolist())


def test_no_connection_still_has_types(tmp_path: Path) -> None:
    found = handshake.columns(save(tmp_path / "empty.pcap", []))
    assert {len(each) for each in found.values()} == {0}
    assert found["client.mss"].dtype == "uint16"
    assert found.to_arrow().num_rows == found.to_pandas().shape[0] == found.to_polars().height == 0
    assert [each.code for each in found.warnings] == ["list.no-tcp"]


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(CaptureError):
        handshake.columns(tmp_path / "missing.pcap")
    found = handshake.columns(tmp_path / "missing.pcap", CAPTURES / "refused.pcap")
    assert [each.code for each in found.errors] == ["file.not-found"]
    odd = save(tmp_path / os.fsdecode(b"\xff.pcap"), packets("refused"))
    found = handshake.columns(odd)
    assert found["capture"].tolist() == [f"{tmp_path}/\\udcff.pcap"]
    assert found.to_arrow()["capture"].to_pylist() == found["capture"].tolist()


def test_numpy_is_loaded_only_for_columns() -> None:
    code = (
        f"import sys, handshake; list(handshake.records({str(CAPTURES / 'refused.pcap')!r}));"
        "assert 'numpy' not in sys.modules; handshake.columns; assert 'numpy' in sys.modules;"
        "assert not {'pyarrow', 'pandas', 'polars'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
