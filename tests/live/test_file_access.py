"""A probe without rights reads no file that only root might read: it has read all it needs."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Final

import pytest

from tests.cli.terminal import Terminal
from tests.live.lab.firewall import drop, firewall
from tests.live.lab.namespaces import TIMEOUT, Host, eventually, pair
from tests.live.lab.servers import accepting_all
from tests.live.test_probe import hang_up

LATE: Final = """
import os, sys
late = open(sys.argv.pop(1), "w", buffering=1)
def hear(event, about):
    if event in ("import", "open", "os.listdir", "os.scandir") and os.geteuid():
        late.write(f"{event} {about[0]}\\n")
sys.addaudithook(hear)
from handshake.__main__ import main
raise SystemExit(main())
"""
"""Runs the program, and writes down what it loads and opens when it has no rights any more."""

_FOR_ALL: Final = re.compile(r"(open|os\.listdir) (/etc/|/proc/|/dev/|\d+$)")
"""World-readable files that do not belong to Python, a package or us."""

OPEN, CLOSED, FILTERED = "10.77.0.2:8080", "10.77.0.2:9", "10.77.0.2:11"
PROHIBITED, REJECTED = "10.77.0.2:12", "10.77.0.2:13"
ABSENT, NO_ROUTE, NO_NAME = "10.77.0.77:1", "198.51.100.1:1", "no-such-host.invalid:1"

CASES: Final = [
    (OPEN,),
    ("[fd77::2]:8080",),
    (CLOSED,),
    (FILTERED, "--timeout", "0.5"),
    (PROHIBITED,),
    (REJECTED,),
    (ABSENT, "--timeout", "4"),
    (NO_ROUTE, OPEN),
    (NO_NAME, OPEN),
    (OPEN, "--plain"),
    (OPEN, "--ascii"),
    (OPEN, "--json"),
    (OPEN, "--quiet"),
    (OPEN, "--monitor", "nagios"),
    (OPEN, "--monitor", "prometheus"),
    (OPEN, "-w", "{}/one.pcapng"),
    (OPEN, CLOSED, PROHIBITED, FILTERED, "--timeout", "0.5"),
    (OPEN, CLOSED, "--json"),
    (OPEN, CLOSED, "--quiet"),
    (OPEN, CLOSED, "--monitor", "nagios"),
    (OPEN, CLOSED, PROHIBITED, "-w", "{}/two.pcapng"),
    (OPEN, "--count", "3", "--interval", "0.1"),
    ("--file", "{}/names", "--concurrency", "1"),
    (OPEN, "--data", r"a\x41\n", "--expect", r"b\xc3", "--timeout", "0.5"),
    (OPEN, CLOSED, "--data", r"\x1b", "--json"),
    (OPEN, "--fast-open"),
    (OPEN, "--no-ack", "--observe", "0.2"),
    (OPEN, "--close", "rst"),
    (OPEN, "--flags", "ACK"),
    (OPEN, "--md5", "key", "--timeout", "0.5"),
]


def chattering(host: Host) -> AbstractContextManager[None]:
    """Send each client what no terminal should see, and close when it does."""

    def treat(client_socket: socket.socket) -> None:
        client_socket.sendall(b"\x1b[2J\xff\xfe \xea\xb0\x80\n")
        hang_up(client_socket)

    return accepting_all(host, treat, 8080)


@pytest.fixture(scope="module")
def client() -> Iterator[Host]:
    with ExitStack() as stack:
        client, server = stack.enter_context(pair())
        stack.enter_context(chattering(server))
        stack.enter_context(drop(server, "input", "tcp dport 11"))
        for port, how in ((12, "icmp type admin-prohibited"), (13, "tcp reset")):
            rule = firewall(server, "input", f"tcp dport {port}", f"reject with {how}")
            stack.enter_context(rule)
        yield client


def late(path: Path) -> list[str]:
    """Return the files read that are not world-readable."""
    return [line for line in path.read_text().splitlines() if not _FOR_ALL.match(line)]


def words(case: tuple[str, ...], folder: Path) -> list[str]:
    # The names are looked up one after another, the last of them when the first probe has started.
    names = [f"localhost:{port}\n" for port in range(1, 20)]
    (folder / "names").write_text("".join([*names, "b\u00fccher.invalid:1\n"]))
    return [word.format(folder) if "{}" in word else word for word in case]


def program(folder: Path) -> list[str]:
    return ["-c", LATE, str(folder / "late"), "probe"]


@pytest.mark.live
@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_into_a_pipe(client: Host, case: tuple[str, ...], tmp_path: Path) -> None:
    argv = [sys.executable, *program(tmp_path), *words(case, tmp_path)]
    run = client.run(argv, check=False)
    assert "error: " not in run.stderr
    assert late(tmp_path / "late") == []


@pytest.mark.live
@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_on_a_terminal(client: Host, case: tuple[str, ...], tmp_path: Path) -> None:
    argv = [*program(tmp_path), *words(case, tmp_path)]
    with client.entered(), Terminal(argv) as terminal:
        assert terminal.end() in (0, 1, 2, 3)
        assert "error: " not in terminal.output
    assert late(tmp_path / "late") == []


@pytest.mark.live
@pytest.mark.parametrize("target", [OPEN, CLOSED, NO_NAME])
def test_carried_on_by_the_kernel(client: Host, target: str, tmp_path: Path) -> None:
    argv = [sys.executable, *program(tmp_path), target, "--adopt"]
    nowhere = subprocess.DEVNULL
    running = client.popen(argv, stdin=nowhere, stdout=nowhere, stderr=nowhere)
    assert running.wait(TIMEOUT) in (0, 1, 3)
    assert late(tmp_path / "late") == []


@pytest.mark.live
def test_packets_to_standard_output(client: Host, tmp_path: Path) -> None:
    argv = [sys.executable, *program(tmp_path), OPEN, CLOSED, "--quiet", "-w", "-"]
    assert client.popen(argv, stdout=subprocess.DEVNULL).wait(TIMEOUT) == 1
    assert late(tmp_path / "late") == []


@pytest.mark.live
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=str)
@pytest.mark.parametrize(
    "case",
    [(FILTERED,), (OPEN, "--hold", "30"), (CLOSED, FILTERED), (FILTERED, "-w", "{}/x.pcapng")],
    ids=" ".join,
)
def test_interrupted(
    client: Host, case: tuple[str, ...], number: signal.Signals, tmp_path: Path
) -> None:
    before = ["env", "--default-signal=INT,HUP,TERM"]
    argv = [*before, sys.executable, *program(tmp_path), *words(case, tmp_path), "--timeout", "30"]
    pipe = subprocess.PIPE
    running = client.popen(argv, stdout=pipe, stderr=pipe)
    status = Path(f"/proc/{running.pid}/status")
    eventually(lambda: "\nUid:\t65534\t" in status.read_text(), "the rights to be given up")
    running.send_signal(number)
    _, err = running.communicate(timeout=TIMEOUT)
    assert "Traceback" not in err
    assert late(tmp_path / "late") == []


@pytest.mark.live
@pytest.mark.parametrize("case", [(OPEN,), (OPEN, CLOSED), (OPEN, "--json")], ids=" ".join)
def test_when_it_cannot_write(client: Host, case: tuple[str, ...], tmp_path: Path) -> None:
    argv = [sys.executable, *program(tmp_path), *case]
    with Path("/dev/full").open("w") as full:
        running = client.popen(argv, stdout=full, stderr=subprocess.PIPE)
        _, err = running.communicate(timeout=TIMEOUT)
    assert err == "error: cannot write the output: no space left on device (ENOSPC)\n"
    assert late(tmp_path / "late") == []


@pytest.mark.live
def test_what_would_be_read_late_is_found(client: Host, tmp_path: Path) -> None:
    # The hook itself: a module that nothing has loaded yet, when all is over.
    code = LATE.replace(
        "from handshake", "import atexit\natexit.register(__import__, 'wave')\nfrom handshake"
    )
    argv = [sys.executable, "-c", code, str(tmp_path / "late"), "probe", CLOSED]
    client.run(argv, check=False, env=dict(os.environ))
    assert late(tmp_path / "late")[0] == "import wave"
