"""Records as Parquet: what is read back is what they hold, and no table is ever half of one."""

from __future__ import annotations

import os
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import dataset

from handshake.errors import LocalError, UsageError
from handshake.export import parquet
from handshake.export.parquet import ParquetFile, opened, partition, row
from handshake.export.value_types import ValueType, flat_types, record_type
from handshake.query.keys import KEYS
from handshake.record import (
    Diagnosis,
    EndRecord,
    Finding,
    HandshakeRecord,
    Record,
    RuledOut,
    nanoseconds,
)
from handshake.survey import records
from handshake.tcp import Agreement
from tests.query.made import CLIENT, record
from tests.survey.made import CAPTURES

if TYPE_CHECKING:
    from pathlib import Path

    from handshake.record import Json


def written(target: Path | str, found: list[Record], read: tuple[str, ...] = ()) -> None:
    with opened(str(target)) as table:
        table.write(map(row, found), tuple)
        assert table.end(read, complete=True) == []


def stored(path: Path) -> list[Json]:
    """Return the rows of a file as the JSON of the record has them."""
    table = pq.ParquetFile(path).read()
    starts = table["start"].cast(pa.int64()).to_pylist()
    rows = table.drop_columns(["start"]).to_pylist()
    return [each | {"start": start} for each, start in zip(rows, starts, strict=True)]


def as_row(one: Record) -> Json:
    found = one.as_json()
    return found | {"start": nanoseconds(one.start), "frames": list(one.frames)}


def names(kind: Any) -> set[str]:
    return {each.name for each in fields(kind)}


def test_every_field_of_the_record_has_a_type() -> None:
    kind = record_type()
    item = {key: each.item for key, each in kind.values.items() if each.item is not None}
    diagnosis = kind.values["diagnosis"]
    ruled_out = diagnosis.values["ruled_out"].item
    assert ruled_out is not None
    sentence = {"values", "variant", "family"}
    assert set(kind.values) == names(Record)
    assert set(kind.values["client"].values) == set(kind.values["server"].values)
    assert set(kind.values["client"].values) == names(EndRecord)
    assert set(kind.values["handshake"].values) == names(HandshakeRecord)
    assert set(kind.values["negotiated"].values) == names(Agreement)
    assert set(kind.values["icmp"].values) == {"type", "code", "from"}
    finding = item["findings"]
    assert finding is not None
    assert set(finding.values) == (names(Finding) | {"text", "certainty"}) - sentence
    assert set(diagnosis.values) == (names(Diagnosis) | {"text", "next"}) - sentence
    assert set(ruled_out.values) == (names(RuledOut) | {"text"}) - sentence
    assert set(flat_types()) == set(KEYS)


def test_integers_have_their_own_widths_and_times_nanoseconds() -> None:
    schema = parquet._arrow_schema(record_type())
    end = schema.field("client").type
    assert [end.field(each).type for each in ("port", "iss", "ttl", "bytes", "ecn")] == [
        *(pa.uint16(), pa.uint32(), pa.uint8(), pa.int64(), pa.bool_())
    ]
    assert schema.field("start").type == pa.timestamp("ns", tz="UTC")
    assert not schema.field("start").nullable
    assert not end.field("port").nullable
    assert end.field("iss").nullable
    assert schema.field("findings").type.value_field.type.field("frame").type == pa.int64()


def test_what_is_read_back_is_the_json_of_every_capture(tmp_path: Path) -> None:
    found = [each for path in sorted(CAPTURES.glob("*.pcap")) for each in records(path)]
    assert len(found) > 40
    written(tmp_path / "all.parquet", found)
    assert stored(tmp_path / "all.parquet") == list(map(as_row, found))
    assert any(each.diagnosis and each.diagnosis.ruled_out for each in found)
    assert any(each.icmp for each in found)
    assert any(each.negotiated for each in found)


def test_a_row_with_a_key_that_has_no_type_is_noticed(tmp_path: Path) -> None:
    whole = record_type()
    part = {key: each for key, each in whole.values.items() if key != "outcome"}
    schema = parquet._arrow_schema(ValueType("object", values=part))
    pq.write_table(pa.Table.from_pylist([row(record())], schema), tmp_path / "x.parquet")
    assert stored(tmp_path / "x.parquet") != [as_row(record())]


def test_the_extremes(tmp_path: Path) -> None:
    most = replace(CLIENT, port=65535, iss=2**32 - 1, mss=65535, window_scale=255, bytes=2**63 - 1)
    ends = [
        record(client=most, start="2262-04-11T23:47:16.854775807Z", frames=(None, None)),
        record(client=replace(CLIENT, iss=0), start="1969-12-31T23:59:59.999999999Z"),
    ]
    written(tmp_path / "x.parquet", ends)
    assert stored(tmp_path / "x.parquet") == list(map(as_row, ends))
    assert [each["start"] for each in stored(tmp_path / "x.parquet")] == [2**63 - 1, -1]


def test_rows_are_written_while_they_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "_BATCH", 10)
    monkeypatch.setattr(parquet, "_ROW_GROUP", 100)
    path = tmp_path / "x.parquet"
    with opened(str(path)) as table:
        assert isinstance(table, ParquetFile)
        held = []
        for at in range(1000):
            table.write([row(record(stream=at))], tuple)
            file = table._file
            held.append(len(file._rows) + sum(each.num_rows for each in file._batches))
        assert max(held) == 99
        table.end((), complete=True)
    file = pq.ParquetFile(path)
    assert file.num_row_groups == 10
    assert [each["stream"] for each in stored(path)] == list(range(1000))


@pytest.mark.parametrize(
    "capture",
    [
        *("a.pcap", "day/one=1.pcap", "50%2F.pcap", "a b+c&d;e.pcap", "로그/파일.pcap", "../../up"),
        *("q\"'`*?#:|<>.pcap", "line\nfeed", "back\\slash", "[x]{y}^~", ".", "ends in .parquet"),
    ],
)
def test_a_folder_for_each_capture_whatever_its_name_is(capture: str, tmp_path: Path) -> None:
    target = tmp_path / "all"
    written(target, [record(capture=capture), record(capture="other.pcap")])
    assert sorted(each.name for each in target.iterdir()) == sorted(
        [partition(capture), "capture=other.pcap"]
    )
    found = pq.ParquetFile(target / partition(capture) / "part-0.parquet")
    assert "capture" not in found.schema_arrow.names
    by_duckdb = duckdb.sql(f"SELECT capture FROM '{target}/*/*.parquet' ORDER BY stream").fetchall()
    assert sorted(by_duckdb) == sorted([(capture,), ("other.pcap",)])
    table = dataset.dataset(str(target), partitioning="hive").to_table(["capture"])
    assert sorted(table["capture"].to_pylist()) == sorted([capture, "other.pcap"])


def test_octets_that_are_not_utf_8_are_escaped(tmp_path: Path) -> None:
    odd = [record(capture=os.fsdecode(b"a\xff.pcap"))]
    written(tmp_path / "x.parquet", odd)
    assert [each["capture"] for each in stored(tmp_path / "x.parquet")] == ["a\\udcff.pcap"]
    written(tmp_path / "all", odd, (os.fsdecode(b"a\xff.pcap"),))
    assert [each.name for each in (tmp_path / "all").iterdir()] == ["capture=a%5Cudcff.pcap"]


def parts(folder: Path) -> dict[str, list[int]]:
    """Return the streams in each file of a folder."""
    return {
        str(each.relative_to(folder)): [one["stream"] for one in stored(each)]
        for each in sorted(folder.glob("*/*"))
    }


def test_captures_read_again_are_replaced_and_others_stay(tmp_path: Path) -> None:
    two = [record(capture="a", stream=1), record(capture="b", stream=2)]
    written(tmp_path, two, ("a", "b"))
    (tmp_path / "capture=a" / "part-1.parquet").write_bytes(b"of an earlier run")
    written(tmp_path, [record(capture="a", stream=7)], ("a", "c"))
    assert parts(tmp_path) == {
        "capture=a/part-0.parquet": [7],
        "capture=b/part-0.parquet": [2],
        "capture=c/part-0.parquet": [],
    }


def test_few_files_are_open_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "_MOST_OPEN", 2)
    mixed = [record(capture=each, stream=at) for at, each in enumerate("ababcabcc")]
    written(tmp_path, mixed, ("a", "b", "c"))
    assert parts(tmp_path) == {
        "capture=a/part-0.parquet": [0, 2],
        "capture=a/part-1.parquet": [5],
        "capture=b/part-0.parquet": [1, 3],
        "capture=b/part-1.parquet": [6],
        "capture=c/part-0.parquet": [4],
        "capture=c/part-1.parquet": [7, 8],
    }


def test_what_is_not_complete_is_valid_under_another_name(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    written(path, [record(stream=1)])
    with opened(str(path)) as table:
        table.write([row(record(stream=2))], tuple)
        assert table.end((), complete=False) == [f"{path}.partial"]
    assert [each["stream"] for each in stored(path)] == [1]
    assert [each["stream"] for each in stored(tmp_path / "x.parquet.partial")] == [2]
    folder = tmp_path / "all"
    with opened(str(folder)) as table:
        table.write([row(record(capture="a"))], tuple)
        table.write([row(record(capture="b", stream=5))], lambda: ("a",))
        partial = table.end(("a",), complete=False)
    assert partial == [str(folder / "capture=b" / "part-0.parquet.partial")]
    assert parts(folder) == {
        "capture=a/part-0.parquet": [0],
        "capture=b/part-0.parquet.partial": [5],
    }


@pytest.mark.parametrize("target", ["x.parquet", "all"])
def test_after_an_error_nothing_is_left(target: str, tmp_path: Path) -> None:
    def failing() -> Any:
        yield row(record())
        raise RuntimeError

    with pytest.raises(RuntimeError), opened(str(tmp_path / target)) as table:
        table.write(failing(), tuple)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk(tmp_path: Path) -> None:
    (tmp_path / "full").symlink_to("/dev/full")
    with pytest.raises(LocalError) as error:
        written(tmp_path / "full", [record()])
    assert error.value.code == "file.unwritten"
    assert "ENOSPC" in str(error.value)


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link.parquet").symlink_to(tmp_path / "real.parquet")
    written(tmp_path / "link.parquet", [record()])
    assert (tmp_path / "link.parquet").is_symlink()
    assert len(stored(tmp_path / "real.parquet")) == 1


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("missing/x.parquet", "file.no-parent"),
        ("missing/all", "file.no-parent"),
        ("capture", "file.no-table"),
        ("capture/", "file.no-directory"),
        ("capture/x.parquet", "file.parent-no-directory"),
        ("x\0.parquet", "file.unopened"),
        ("x\0", "file.unopened"),
    ],
)
def test_bad_names(target: str, code: str, tmp_path: Path) -> None:
    (tmp_path / "capture").write_bytes(b"\xd4\xc3\xb2\xa1")
    with pytest.raises(UsageError) as error:
        written(f"{tmp_path}/{target}", [record()])
    assert error.value.code == code
    assert [each.name for each in tmp_path.iterdir()] == ["capture"]
