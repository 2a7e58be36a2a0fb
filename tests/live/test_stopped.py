"""A probe that is stopped for seconds, at any moment, gives the verdict that it gives otherwise."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.live.lab.namespaces import TIMEOUT, eventually, pair
from tests.live.lab.servers import accepting_all
from tests.live.test_probe import hang_up

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.live.lab.namespaces import Host

PORT: Final = 8080
STOPPED: Final = 6.0
"""Seconds: longer than the timeouts of the handshake and of the close."""

STOPPING: Final = """
import os, signal, sys
from handshake.__main__ import main
from handshake.linux.packet_socket import PacketSocket
from handshake.prober.userspace.connections import UserspaceConnections

when, name, number = sys.argv.pop(1), sys.argv.pop(1), int(sys.argv.pop(1))
owner = PacketSocket if name == "pass_on" else UserspaceConnections
method, calls = getattr(owner, name), 0

def stopping(self, *arguments):
    global calls
    calls += 1
    if calls == number and when == "before":
        os.kill(os.getpid(), signal.SIGSTOP)
    found = method(self, *arguments)
    if calls == number and when == "after":
        os.kill(os.getpid(), signal.SIGSTOP)
    return found

setattr(owner, name, stopping)
raise SystemExit(main())
"""
"""Runs the command line and stops before or after the call of a method with a number."""

MOMENTS: Final = [
    *((when, "pass_on", number) for number in (1, 2, 3) for when in ("before", "after")),
    ("before", "receive", 2),
    ("after", "receive", 2),
    ("before", "on_timer", 3),
    ("after", "receive", 4),
]
"""Around the SYN, our ACK and our FIN, and between the steps of the loop."""


@pytest.mark.live
@pytest.mark.parametrize("targets", [1, 5])
def test_a_probe_that_was_stopped(targets: int) -> None:
    with pair() as (client, server), accepting_all(server, hang_up):
        running = {
            moment: start(client, moment, [f"10.77.0.2:{PORT}"] * targets) for moment in MOMENTS
        }
        eventually(lambda: all(state(each) in "TZ" for each in running.values()), "all to stop", 60)
        assert {moment for moment, each in running.items() if state(each) == "Z"} == set()
        time.sleep(STOPPED)
        for process in running.values():
            process.send_signal(signal.SIGCONT)
        found = {}
        for moment, process in running.items():
            out, _ = process.communicate(timeout=TIMEOUT)
            results = [json.loads(line) for line in out.splitlines()]
            found[moment] = [(each["verdict"], each["close"]) for each in results]
    assert found == dict.fromkeys(MOMENTS, [("open", "clean")] * targets)


@pytest.mark.live
@pytest.mark.parametrize("words", [["--json"], []])
def test_a_server_that_gave_up_before_our_ack_left(words: list[str]) -> None:
    with pair() as (client, server), accepting_all(server, hang_up):
        server.sysctl("net.ipv4.tcp_synack_retries", 1)  # it gives up after 3 s
        targets = [f"10.77.0.2:{PORT}"] * 5
        running = start(client, ("before", "receive", 1), targets, words)
        eventually(lambda: state(running) in "TZ", "it to stop", 60)
        time.sleep(STOPPED)
        running.send_signal(signal.SIGCONT)
        out, _ = running.communicate(timeout=TIMEOUT)
    assert running.returncode == 0
    lines = out.splitlines()
    if not words:
        assert [line.split()[0] for line in lines[:5]] == ["OPEN"] * 5
        return
    results = [json.loads(line) for line in lines]
    assert [each["verdict"] for each in results] == ["open"] * 5
    late = [each["reason"] for each in results if each["close"] == "reset"]
    assert late
    assert all("the server had given up by then" in reason for reason in late)


def start(
    client: Host,
    moment: tuple[str, str, int],
    targets: list[str],
    words: Sequence[str] = ("--json",),
) -> subprocess.Popen[str]:
    """Start a probe that stops at a moment."""
    argv = [sys.executable, "-c", STOPPING, *map(str, moment), "probe", *targets, *words]
    return client.popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def state(process: subprocess.Popen[str]) -> str:
    """Return the state of a process: `T` if it is stopped, `Z` if it has ended."""
    stat = Path(f"/proc/{process.pid}/stat").read_text()
    return stat.rpartition(") ")[2][0]
