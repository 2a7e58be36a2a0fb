"""`handshake list --scheduler`: what a Dask cluster returns is what one process does.

The scheduler and the workers are processes on 127.0.0.1, and end with their tests.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from typing import IO, TYPE_CHECKING

import pytest

from handshake.cli import main
from handshake.survey.spread import cluster as dask
from tests.cli.dask_cluster import PATIENCE, DaskCluster
from tests.cli.test_help import ROOT
from tests.cli.test_list_many import started
from tests.survey.made import packets, save, written

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    with DaskCluster(tmp_path_factory.mktemp("dask")) as found:
        found.add("one", "two")
        yield found


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[tuple[Path, IO[bytes]]]:
    """A pipe whose reader waits, and its end."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with os.fdopen(os.open(path, os.O_RDWR), "wb") as end:
        yield path, end


def test_the_output_is_that_of_one_process(
    cluster: DaskCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(ROOT)  # that of the workers is another
    cut = save(tmp_path / "cut.pcap", packets("refused"))
    cut.write_bytes(cut.read_bytes()[:-3])
    (tmp_path / "bad.pcap").write_bytes(b"none")
    for options, code in (
        (["captures", "--json"], 0),
        (["captures", "--csv", "--filter", "server.port == 80", "--sort", "-handshake.rtt"], 0),
        (["captures/mixed.pcap", "captures/refused.pcap", "--zeek", "--dedup"], 0),
        (["captures", "--merge", "--json", "--problems"], 0),
        (["captures", f"file://{ROOT}/captures/e*.pcap", "--plain"], 0),
        (["missing", "captures/ecn.pcap", str(cut), str(tmp_path / "bad.pcap"), "--summary"], 2),
        (["missing"], 2),
    ):
        assert main(["list", *options]) == code
        alone = capsys.readouterr()
        assert main(["list", *options, "--scheduler", cluster.address]) == code
        assert capsys.readouterr() == alone
        assert len(alone.out.splitlines()) > 1 or options == ["missing"]


def test_a_worker_that_is_killed_changes_nothing(
    cluster: DaskCluster, pipe: tuple[Path, IO[bytes]]
) -> None:
    path, end = pipe
    paths = ["captures/mixed.pcap", str(path), *["captures/ecn.pcap"] * 5, "captures/refused.pcap"]
    with started(*paths, "--json", "--scheduler", cluster.address) as process:
        victim = cluster.reader(path)
        cluster.kill(victim)
        assert cluster.reader(path) != victim
        end.write(written(packets("lost-syn-ack")))
        end.close()
        out, err = process.communicate(timeout=PATIENCE)
    path.unlink()
    save(path, packets("lost-syn-ack"))
    with started(*paths, "--json", "--jobs", "1") as process:
        assert process.communicate(timeout=PATIENCE) == (out, err)
    assert (process.returncode, err) == (0, "")
    captures = [json.loads(line)["capture"] for line in out.splitlines()]
    assert list(dict.fromkeys(captures)) == [*paths[:3], paths[-1]]
    cluster.add("three")


def test_ctrl_c_ends_it_with_what_was_done(
    cluster: DaskCluster, pipe: tuple[Path, IO[bytes]]
) -> None:
    path, end = pipe
    paths = ["captures/refused.pcap", str(path)]
    with started(*paths, "--json", "--scheduler", cluster.address) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        cluster.reader(path)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    end.close()  # the worker goes on
    assert json.loads(first)["capture"] == paths[0]
    assert (process.returncode, out) == (130, "")
    assert err == "interrupted: 1 of 2 files was read\n"


def test_what_kills_every_worker_is_one_error(tmp_path: Path, pipe: tuple[Path, IO[bytes]]) -> None:
    path, _ = pipe
    with DaskCluster(tmp_path, deaths=0) as cluster:
        cluster.add("one", "two")
        paths = ["captures/refused.pcap", str(path)]
        with started(*paths, "--json", "--scheduler", cluster.address) as process:
            assert process.stdout is not None
            # Only what the worker still holds is lost with it, or may be suspected of its death.
            first = process.stdout.readline()
            cluster.kill(cluster.reader(path))
            out, err = process.communicate(timeout=PATIENCE)
    assert (json.loads(first)["capture"], out) == (paths[0], "")
    assert process.returncode == 2
    assert err.startswith(f"error: {path}: cannot be read: every worker that read it was killed")
    assert len(err.splitlines()) == 1


def test_a_scheduler_without_workers_and_one_that_goes_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    capture = str(ROOT / "captures/refused.pcap")
    with DaskCluster(tmp_path) as cluster:
        address = cluster.address
        monkeypatch.setattr(dask, "NO_WORKERS", 1.0)
        assert main(["list", capture, "--scheduler", address]) == 3
        said = capsys.readouterr()
        assert said.err.startswith(
            f"error: the Dask scheduler at {address} has had no worker for 1 s"
        )
        monkeypatch.setattr(dask, "NO_WORKERS", PATIENCE)
        monkeypatch.setattr(dask, "CONNECT", 1.0)  # how long Dask tries to connect again, too
        timer = threading.Timer(1, cluster.stop)
        timer.start()
        assert main(["list", capture, "--scheduler", address]) == 3
        timer.join()
    said = capsys.readouterr()
    assert said == ("", f"error: the connection to the Dask scheduler at {address} was lost\n")
    assert main(["list", capture, "--scheduler", address]) == 3
    said = capsys.readouterr()
    assert said.err.startswith(f"error: no answer from a Dask scheduler at {address} within ")
    assert len(said.err.splitlines()) == 1


def test_a_cluster_without_this_program(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "handshake.py").write_text("raise ImportError('there is no handshake here')")
    with DaskCluster(tmp_path, PYTHONPATH=str(tmp_path)) as cluster:
        cluster.add("one")
        args = ["list", str(ROOT / "captures/refused.pcap"), "--scheduler", cluster.address]
        assert main(args) == 3
    said = capsys.readouterr()
    assert said.err.startswith("error: a worker cannot read captures (")
    assert "install the same version of tcp-handshake where" in said.err
    assert len(said.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ("x --scheduler localhost", "localhost: not the address of a Dask scheduler"),
        ("- --scheduler tcp://127.0.0.1:1", "the workers of a cluster cannot read standard input"),
        ("x --jobs 2 --scheduler tcp://127.0.0.1:1", "--jobs and --scheduler are mutually excl"),
    ],
)
def test_wrong_usage(args: str, said: str, capsys: Capture) -> None:
    assert main(["list", *args.split()]) == 2
    assert capsys.readouterr().err.startswith(f"error: {said}")


def test_without_dask_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert main(["list", "x", "--scheduler", "tcp://127.0.0.1:1"]) == 2
    said = "error: --scheduler needs distributed: pip install 'tcp-handshake[cluster]'\n"
    assert capsys.readouterr().err == said
