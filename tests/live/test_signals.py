"""A probe ended by a signal: it leaves nothing at the peer, and prints nothing."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from handshake.linux.inet_diag import InetDiag
from handshake.tcp import State
from tests.cli.terminal import Terminal
from tests.live.lab.firewall import drop
from tests.live.lab.namespaces import TIMEOUT, Host, eventually, pair
from tests.live.lab.servers import answering
from tests.live.lab.tcpdump import capture
from tests.live.test_probe import PORT, flags, seen

# A test run in the background is started with SIGINT ignored.
PROBE: Final = ["env", "--default-signal=INT,HUP,TERM", sys.executable, "-m", "handshake", "probe"]
CODES: Final = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
EACH: Final = pytest.mark.parametrize("number", CODES, ids=lambda number: number.name)

V4: Final = f"10.77.0.2:{PORT}"
HALF: Final = (State.SYN_RECEIVED, State.ESTABLISHED)


def known(server: Host) -> list[State]:
    """Return the states of the client connections in the server's kernel."""
    found = []
    for version in (4, 6):  # IPv4 connections of an IPv6 socket are listed with IPv6
        with InetDiag(server, version) as table:
            found += table.read()
    return [
        each.state for each in found if each.local.port == PORT and each.state is not State.LISTEN
    ]


def opened(server: Host, count: int, *states: State) -> bool:
    found = known(server)
    return len(found) == count and set(found) <= set(states or HALF)


@contextmanager
def started(host: Host, *words: str, **options: object) -> Iterator[subprocess.Popen[str]]:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    running = host.popen([*PROBE, *words], **pipes)
    yield running
    assert running.poll() is not None


def left(running: subprocess.Popen[str], number: signal.Signals, summary: str = "") -> None:
    """Send the signal, and see that it ends as it should, at once."""
    running.send_signal(number)
    _, err = running.communicate(timeout=TIMEOUT)
    assert running.returncode == CODES[number]
    assert err.startswith(summary) if summary else not err


@pytest.mark.live
@EACH
@pytest.mark.parametrize(
    "words",
    [
        (V4, "--hold", "60"),
        (f"[fd77::2]:{PORT}", "--hold", "60", "--json"),
        (V4, "--hold", "60", "--no-timestamps", "--data", "hello"),
        (f"10.77.0.2:{PORT},{PORT}", "--hold", "60"),
        (V4, "--connect", "--hold", "60"),
        (f"10.77.0.2:{PORT},{PORT}", "--connect", "--hold", "60"),
    ],
    ids=" ".join,
)
def test_what_is_open_is_reset(
    words: tuple[str, ...], number: signal.Signals, tmp_path: Path
) -> None:
    path = tmp_path / "a.pcap"
    count = words[0].count(str(PORT))
    with pair() as (client, server), server.listen(PORT), capture(server, "eth0", path) as wire:
        with started(client, *words) as running:
            eventually(lambda: opened(server, count, State.ESTABLISHED), "the connection")
            left(running, number)
        eventually(lambda: not known(server), "all to be gone", 2)
        wire.wait(4 * count)
    resets = [each for each in seen(path) if each.segment.rst]
    assert {each.segment.destination.port for each in resets} == {PORT}


@pytest.mark.live
@EACH
def test_what_is_half_open_is_reset(number: signal.Signals) -> None:
    with pair() as (client, server), server.listen(PORT):
        with started(client, V4, "--no-ack", "--observe", "60") as running:
            eventually(lambda: opened(server, 1, State.SYN_RECEIVED), "the SYN")
            left(running, number)
        eventually(lambda: not known(server), "it to be gone", 0.5)


@pytest.mark.live
@pytest.mark.parametrize("words", [(), ("--json",)], ids=" ".join)
def test_hundreds_are_reset(words: tuple[str, ...]) -> None:
    targets = ",".join([str(PORT)] * 400)
    with pair() as (client, server), server.listen(PORT) as listener:
        listener.listen(1000)
        many = ("--concurrency", "400", "--rate", "4000", "--hold", "60")
        with started(client, f"10.77.0.2:{targets}", *many, *words) as running:
            eventually(lambda: opened(server, 400, State.ESTABLISHED), "all of them")
            left(running, signal.SIGTERM, "0 probes in " if words else "")
        eventually(lambda: not known(server), "all to be gone", 0.5)


@pytest.mark.live
@pytest.mark.parametrize("after", [0.05, 0.15, 0.3, 0.5])
@pytest.mark.parametrize("read", [True, False])
def test_while_they_come_and_go(after: float, read: bool) -> None:
    ports = ",".join([str(PORT)] * 3000)
    with pair() as (client, server), answering(server):
        many = ("--concurrency", "200", "--rate", "3000", "--timeout", "30")
        # Without a reader it soon blocks.
        out = subprocess.DEVNULL if read else subprocess.PIPE
        with started(client, f"10.77.0.2:{ports}", *many, stdout=out) as running:
            eventually(lambda: bool(known(server)), "the first")
            with pytest.raises(subprocess.TimeoutExpired):
                running.wait(after)
            left(running, signal.SIGINT)
        eventually(lambda: not set(known(server)) & set(HALF), "all to be gone", 2)


@pytest.mark.live
@pytest.mark.parametrize("words", [(V4,), (V4, f"[fd77::2]:{PORT}", "10.77.0.2:9")], ids=" ".join)
def test_a_reader_that_is_gone(words: tuple[str, ...]) -> None:
    with pair() as (client, server), server.listen(PORT), drop(server, "input", "tcp dport 9"):
        with started(client, *words, "--hold", "1", "--timeout", "30") as running:
            assert running.stdout is not None
            running.stdout.close()
            assert running.wait(TIMEOUT) == 1
            assert running.stderr is not None
            assert running.stderr.read() == ""
        eventually(lambda: not set(known(server)) & set(HALF), "all to be gone", 2)


@pytest.mark.live
def test_who_keeps_it_open_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    with pair() as (client, server), server.listen(PORT), capture(server, "eth0", path):
        with started(client, V4, "--hold", "60", "--close", "none") as running:
            eventually(lambda: opened(server, 1, State.ESTABLISHED), "the connection")
            left(running, signal.SIGINT)
        assert known(server) == [State.ESTABLISHED]
    assert flags(path) == ["SYN", "SYN-ACK", "ACK"]


@pytest.mark.live
@EACH
def test_a_terminal_is_left_as_it_was(number: signal.Signals) -> None:
    with pair() as (client, server), server.listen(PORT):
        argv = ["-m", "handshake", "probe", f"10.77.0.2:{PORT},{PORT},{PORT}", "--hold", "60"]
        with client.entered(), Terminal(argv) as terminal:
            terminal.see("0/3")
            eventually(lambda: opened(server, 3, State.ESTABLISHED), "the connections")
            terminal.process.send_signal(number)
            # A closed terminal window sends SIGHUP twice.
            terminal.process.send_signal(number)
            assert terminal.end() == CODES[number]
        eventually(lambda: not known(server), "all to be gone", 0.5)
    assert "Traceback" not in terminal.output
    assert terminal.output.rindex("\x1b[?25h") > terminal.output.rindex("\x1b[?25l")


@pytest.mark.live
@EACH
@pytest.mark.parametrize("words", [("a.example:80",), ("a.example:80", "b.example:80")], ids=len)
def test_while_a_name_is_looked_up(
    words: Sequence[str], number: signal.Signals, tmp_path: Path
) -> None:
    resolv = tmp_path / "resolv.conf"
    resolv.write_text("nameserver 10.77.0.2\noptions timeout:9 attempts:3\n")
    with pair() as (client, server), server.socket(kind=socket.SOCK_DGRAM) as deaf:
        deaf.bind(("10.77.0.2", 53))
        mount = f'mount --bind {resolv} /etc/resolv.conf && exec "$@"'
        argv = ["unshare", "--mount", "sh", "-c", mount, "sh", *PROBE, *words]
        running = client.popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        deaf.recv(1000)
        left(running, number)


@pytest.mark.live
@EACH
@pytest.mark.parametrize(
    "module", ["typer", "handshake.cli.probe.options", "rich.console", "scapy."]
)
def test_while_its_modules_are_loaded(module: str, number: signal.Signals) -> None:
    # Python lists each module that it loads, and how long that took.
    argv = [
        "env",
        "--default-signal=INT,HUP,TERM",
        sys.executable,
        "-X",
        "importtime",
        "-m",
        "handshake",
    ]
    with pair() as (client, _):
        running = client.popen([*argv, "probe", "10.77.0.2:1"], stderr=subprocess.PIPE)
        assert running.stderr is not None
        for line in running.stderr:
            if line.rpartition("|")[2].strip().startswith(module):
                break
        else:
            raise AssertionError(f"{module} was not loaded")
        running.send_signal(number)
        rest = running.stderr.read()
        assert running.wait(TIMEOUT) == CODES[number]
    assert [line for line in rest.splitlines() if not line.startswith("import time:")] == []


@pytest.mark.live
def test_a_signal_that_is_ignored_stays_so() -> None:
    with pair() as (client, server), answering(server):
        argv = [*PROBE[:2], "env", "--ignore-signal=HUP", *PROBE[2:], V4, "--hold", "1"]
        running = client.popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        eventually(lambda: opened(server, 1, State.ESTABLISHED), "the connection")
        running.send_signal(signal.SIGHUP)
        running.communicate(timeout=TIMEOUT)
        assert running.returncode == 0


LIBRARY: Final = """
import sys
from handshake.prober import Target, Timeouts
from handshake.prober import {name}
try:
    list({name}([Target.parse(sys.argv[1])] * 2, timeouts=Timeouts.of(hold=60)))
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.live
@pytest.mark.parametrize("name", ["probe_all", "connect_all"])
def test_another_program_is_interrupted(name: str) -> None:
    # Python's own handler is in place there, and nothing is handled for SIGTERM.
    code = LIBRARY.format(name=name)
    argv = ["env", "--default-signal=INT,HUP,TERM", sys.executable, "-c", code, V4]
    with pair() as (client, server), server.listen(PORT):
        running = client.popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        eventually(lambda: opened(server, 2, State.ESTABLISHED), "the connections")
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=TIMEOUT)
        eventually(lambda: not known(server), "all to be gone", 0.5)
    assert (running.returncode, out, err) == (0, "interrupted\n", "")
