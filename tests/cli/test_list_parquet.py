"""`handshake list --parquet`: the rows of --json in one file, or in a folder."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from handshake.cli import main
from tests.cli.terminal import PATIENCE
from tests.cli.test_help import ROOT, run
from tests.cli.test_list_many import slow, started
from tests.survey.made import packets, save

if TYPE_CHECKING:
    from pathlib import Path
    from typing import IO

__all__ = ["slow"]  # a fixture

COUNT = 47


def rows(path: Path) -> list[dict[str, Any]]:
    """Return rows with what tells one connection from another."""
    table = pq.ParquetFile(path).read()
    wanted = [
        each for each in ("capture", "stream", "client", "findings") if each in table.schema.names
    ]
    found: list[dict[str, Any]] = table.select(wanted).to_pylist()
    return found


def listed(*args: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run("list", *args, "--json").stdout.splitlines()]


def test_one_file_has_the_rows_of_json(tmp_path: Path) -> None:
    target = tmp_path / "all.parquet"
    done = run("list", "captures", "--parquet", str(target), "--filter", "client.port != 41000")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    wanted = listed("captures", "--filter", "client.port != 41000")
    assert 20 < len(wanted) < COUNT
    assert rows(target) == [
        {key: each[key] for key in ("capture", "stream", "client", "findings")} for each in wanted
    ]


def test_standard_output(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as out:
        subprocess.run(
            [sys.executable, "-m", "handshake", "list", "captures/mixed.pcap", "--parquet", "-"],
            cwd=ROOT,
            stdout=out,
            check=True,
        )
    assert len(rows(tmp_path / "out")) == 25


@pytest.mark.parametrize("options", [[], ["--sort", "-handshake.rtt"], ["--merge"]], ids=" ".join)
def test_a_folder_has_a_file_for_each_capture(options: list[str], tmp_path: Path) -> None:
    assert main(["list", str(ROOT / "captures"), "--parquet", str(tmp_path / "all"), *options]) == 0
    found = {each.parent.name: rows(each) for each in (tmp_path / "all").glob("*/*")}
    assert len(found) == len(list((ROOT / "captures").glob("*.pcap")))
    wanted: dict[str, list[int]] = {name: [] for name in found}
    for each in listed(str(ROOT / "captures"), *options):
        name = "capture=" + each["capture"].replace("/", "%2F")
        wanted[name].append(each["stream"])
    assert {name: [each["stream"] for each in some] for name, some in found.items()} == wanted
    assert sum(map(len, wanted.values())) == (
        COUNT if "--merge" not in options else len(listed(str(ROOT / "captures"), "--merge"))
    )


def test_a_capture_without_rows_has_an_empty_file(tmp_path: Path) -> None:
    target = tmp_path / "all"
    args = ["list", str(ROOT / "captures"), "--parquet", str(target), "--filter", "stream == 24"]
    assert main(args) == 0
    counts = [len(rows(each)) for each in target.glob("*/part-0.parquet")]
    assert sorted(counts)[-2:] == [0, 1]
    assert len(counts) == len(list((ROOT / "captures").glob("*.pcap")))


def test_the_table_of_what_cannot_be_read_stays(tmp_path: Path) -> None:
    good, bad = (save(tmp_path / f"{each}.pcap", packets("refused")) for each in ("good", "bad"))
    target = tmp_path / "all"
    assert main(["list", str(good), str(bad), "--parquet", str(target)]) == 0
    bad.write_bytes(b"")
    assert main(["list", str(good), str(bad), "--parquet", str(target)]) == 2
    assert [len(rows(each)) for each in target.glob("*/*")] == [1, 1]


def test_if_nothing_can_be_read_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "bad.pcap").write_bytes(b"")
    for target in ("x.parquet", "all"):
        assert main(["list", str(tmp_path / "bad.pcap"), "--parquet", str(tmp_path / target)]) == 2
    assert [each.name for each in tmp_path.iterdir()] == ["bad.pcap"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--json"], "error: --json and --parquet are mutually exclusive\n"),
        (["--summary"], "error: --summary and --parquet are mutually exclusive\n"),
    ],
)
def test_what_it_excludes(
    options: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "x.parquet"
    assert main(["list", "captures/mixed.pcap", *options, "--parquet", str(target)]) == 2
    assert capsys.readouterr().err.startswith(said[:-1])
    assert not target.exists()


def test_without_pyarrow_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    args = ["list", str(ROOT / "captures"), "--parquet", str(tmp_path / "x.parquet")]
    assert main(args) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "error: --parquet needs pyarrow: pip install 'tcp-handshake[table]'\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("target", "jobs"), [("all", "1"), ("all", "2"), ("x.parquet", "2")])
def test_ctrl_c_leaves_whole_captures_and_valid_files(
    target: str, jobs: str, slow: tuple[Path, list[str], IO[bytes]]
) -> None:
    folder, paths, _ = slow
    path = folder / target
    with started(*paths, "--parquet", str(path), "--jobs", jobs) as process:
        deadline = time.monotonic() + PATIENCE
        while not list(folder.glob(f"{target}*")) and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.7)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    done = 1 if jobs == "1" else 3
    assert (process.returncode, out) == (130, "")
    assert f"interrupted: {done} of 4 files w" in err
    if target == "all":
        assert len(list(path.glob("*/*.parquet"))) == done
        assert not list(path.glob("*/*.partial"))
    else:
        assert f"warning: {path}.partial holds only what was read\n" in err
        assert not path.exists()
        assert len(rows(folder / "x.parquet.partial")) == done
