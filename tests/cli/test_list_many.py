"""`handshake list` of many files: folders, processes, Ctrl-C, and a bar on a terminal."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pytest

from tests.cli.terminal import PATIENCE, Terminal
from tests.cli.test_help import ROOT, run
from tests.survey.made import packets, save

if TYPE_CHECKING:
    from collections.abc import Iterator

COUNT = 47
"""The connections in `captures`."""


@pytest.mark.parametrize(
    "options",
    [
        ["--json"],
        ["--csv"],
        ["--zeek"],
        ["--plain"],
        ["--summary"],
        ["--json", "--sort", "-handshake.rtt"],
        ["--json", "--problems", "--filter", "server.port == 80"],
    ],
    ids=" ".join,
)
def test_the_number_of_processes_changes_nothing(options: list[str]) -> None:
    alone, *others = (run("list", "captures", *options, "--jobs", jobs) for jobs in "127")
    assert (alone.returncode, alone.stderr) == (0, "")
    assert len(alone.stdout.splitlines()) > 10
    assert [(each.stdout, each.stderr) for each in others] == [(alone.stdout, "")] * 2


def test_a_folder_and_a_pattern_are_their_files() -> None:
    named = sorted(str(each) for each in (ROOT / "captures").glob("*.pcap"))
    whole = run("list", *named, "--json").stdout
    assert whole.count("\n") == COUNT
    assert run("list", str(ROOT / "captures"), "--json").stdout == whole
    assert run("list", f"{ROOT}/captures/*.pcap", "--json").stdout == whole


def test_what_cannot_be_read_is_said_and_the_rest_goes_on(tmp_path: Path) -> None:
    path = save(tmp_path / "cut.pcap", packets("refused"))
    path.write_bytes(path.read_bytes()[:30])
    done = run("list", str(tmp_path), "no-such-file", "captures", "--summary", "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["connections"] == COUNT
    assert sorted(done.stderr.splitlines()) == [
        f"error: {path}: truncated at offset 24: packet 1 is incomplete",
        "error: no-such-file: no such file",
    ]


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[tuple[Path, list[str], IO[bytes]]]:
    """A folder for files, files of which the second is a pipe, and the pipe."""
    paths = [save(tmp_path / name, packets("refused")) for name in ("1", "3", "4")]
    os.mkfifo(tmp_path / "2")
    end = os.open(tmp_path / "2", os.O_RDWR)
    with os.fdopen(end, "wb") as pipe:
        yield tmp_path, [str(paths[0]), str(tmp_path / "2"), *map(str, paths[1:])], pipe


@contextmanager
def started(*args: str) -> Iterator[subprocess.Popen[str]]:
    """Run `list`; it does not outlive the test."""
    process = subprocess.Popen(
        ["env", "--default-signal=INT", sys.executable, "-m", "handshake", "list", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def children(process: subprocess.Popen[str]) -> list[int]:
    found = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [int(each) for each in found.split()]


def wait(workers: list[int]) -> None:
    """Wait until all processes wait for more to read, or to do."""
    quiet, deadline = 0, time.monotonic() + PATIENCE
    while quiet < 10 and time.monotonic() < deadline:
        states = [Path(f"/proc/{each}/stat").read_text().rpartition(")")[2] for each in workers]
        quiet = quiet + 1 if all(each.split()[0] == "S" for each in states) else 0
        time.sleep(0.05)


def runs(process: int) -> bool:
    """Whether a process has not ended; it may wait for its parent to notice."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_ends_it_with_what_was_done(
    jobs: str, slow: tuple[Path, list[str], IO[bytes]]
) -> None:
    _, paths, _ = slow
    with started(*paths, "--json", "--jobs", jobs) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        workers = children(process)
        assert len(workers) == int(jobs)
        wait(workers)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    captures = [json.loads(line)["capture"] for line in [first, *out.splitlines()]]
    assert captures == [paths[0], *(paths[2:] if jobs == "2" else [])]
    done = len(captures)
    assert process.returncode == 130
    assert err == f"interrupted: {done} of 4 files {'was' if done == 1 else 'were'} read\n"
    assert not any(map(runs, workers))


def test_totals_of_what_was_done(slow: tuple[Path, list[str], IO[bytes]]) -> None:
    _, paths, _ = slow
    with started(*paths, "--summary", "--json", "--jobs", "2") as process:
        deadline = time.monotonic() + PATIENCE
        while len(children(process)) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        wait(children(process))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, json.loads(out)["connections"]) == (130, 3)
    assert err == "interrupted: 3 of 4 files were read\n"


def test_a_process_that_was_killed_is_named(slow: tuple[Path, list[str], IO[bytes]]) -> None:
    _, paths, _ = slow
    with started(*paths, "--json", "--jobs", "1") as process:
        assert process.stdout is not None
        process.stdout.readline()
        (worker,) = children(process)
        wait([worker])
        os.kill(worker, signal.SIGKILL)
        out, err = process.communicate(timeout=PATIENCE)
    assert [json.loads(line)["capture"] for line in out.splitlines()] == paths[2:]
    assert process.returncode == 2
    assert err.startswith(f"error: {paths[1]}: cannot be read: the process that read it was killed")
    assert err.count("\n") == 1


def test_no_process_outlives_the_program(slow: tuple[Path, list[str], IO[bytes]]) -> None:
    _, paths, pipe = slow
    with started(*paths, "--json", "--jobs", "2") as process:
        assert process.stdout is not None
        process.stdout.readline()
        workers = children(process)
        process.kill()
        process.wait(timeout=PATIENCE)
    pipe.write(Path(paths[0]).read_bytes())
    pipe.flush()
    deadline = time.monotonic() + PATIENCE
    while any(map(runs, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(runs, workers))


def test_a_bar_is_drawn_on_a_terminal_and_never_among_the_rows(
    slow: tuple[Path, list[str], IO[bytes]],
) -> None:
    folder, paths, pipe = slow
    program = (
        f"exec {sys.executable} -m handshake list {' '.join(paths)} --json --jobs 2 > {folder}/out"
    )
    run_by = "import os, sys; os.execvp('sh', ['sh', '-c', sys.argv[1]])"
    with Terminal(["-c", run_by, program], columns=100) as terminal:
        terminal.see("3 of 4 files")
        terminal.see("packets/s")
        pipe.write(Path(paths[0]).read_bytes())
        pipe.close()
        assert terminal.end() == 0
    rows = [json.loads(line) for line in (folder / "out").read_text("utf-8").splitlines()]
    assert [each["capture"] for each in rows] == paths
    # Rows on the same terminal: no bar.
    code = "from handshake.cli import main; main(['list', 'captures', '--json', '--jobs', '1'])"
    with Terminal(
        ["-c", f"import handshake.cli.reading as r; r._PATIENCE = 0; {code}"]
    ) as terminal:
        assert terminal.end() == 0
        assert "reading" not in terminal.output


def test_nothing_is_drawn_where_messages_go_elsewhere(
    slow: tuple[Path, list[str], IO[bytes]],
) -> None:
    _, paths, _ = slow
    with started(*paths, "--json") as process:
        assert process.stderr is not None
        assert select.select([process.stderr], [], [], 1.5)[0] == []
