"""Probes killed at random moments, and what they leave behind: run it with how many.

    python -m tests.live.lab.kill_probes 1000

It exits with 1 where something was left, or where the kernel reset a call that was not killed.
"""

import os
import random
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path

from handshake.linux.rst_guard import METHODS
from handshake.prober import Target, Timeouts
from handshake.prober.run import probe_all
from handshake.prober.userspace.connections import UserspaceConnections
from tests.live.lab.namespaces import Host, pair
from tests.live.lab.servers import answering
from tests.live.lab.tcpdump import capture
from tests.live.test_probe import PORT, seen

_FIRST_SPAN = 0.15
"""Seconds after its start in which a probe is killed, or has ended: at first."""

_GROWTH = 1.2
"""How the span grows with each that was killed, and shrinks with each that was not: about half
are killed, however busy the machine is."""

_TABLES = ("tcp", "tcp6", "raw", "raw6", "packet")


@dataclass
class Report:
    """What became of the probes."""

    killed: int = 0
    ended: int = 0
    left: list[str] = field(default_factory=list)
    """What the killed ones left: sockets, rules, processes."""

    resets: int = 0
    """RST segments of ours in calls that were not killed."""


def run(count: int, seed: int | None = None) -> Report:
    """Probe `count` times, on each rung of the ladder in turn, and kill some."""
    UserspaceConnections(Timeouts()).close()  # loads all that the children have no time for
    report, dice = Report(), random.Random(seed)
    spared: list[tuple[set[int], int, int]] = []
    with tempfile.TemporaryDirectory() as folder, pair() as (client, server), answering(server):
        path = Path(folder) / "a.pcap"
        before = _traces(client)
        with capture(server, "eth0", path):
            span = _FIRST_SPAN
            for number in range(count):
                began = time.time_ns()
                ports = _one(client, list(METHODS)[number % len(METHODS)], dice.uniform(0, span))
                if ports is None:
                    report.killed += 1
                    span *= _GROWTH
                else:
                    report.ended += 1
                    span /= _GROWTH
                    spared.append((ports, began, time.time_ns()))
                _see_that_nothing_is_left(client, before, report)
        for each in seen(path):
            ours = each.segment.source
            if each.segment.rst and str(ours.address) == client.v4:
                report.resets += any(
                    ours.port in ports and began <= each.at <= ended
                    for ports, began, ended in spared
                )
    return report


def _one(client: Host, rung: str, after: float) -> set[int] | None:
    """Probe in a process of its own; return the ports that it used, or None if it was killed."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reads)
        code = 1
        try:
            with client.entered():
                os.write(writes, _probe(rung))
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writes)
    time.sleep(after)
    os.kill(child, signal.SIGKILL)  # it is not yet waited for: nobody else can have its number
    with open(reads, "rb") as pipe:  # noqa: PTH123 - it has no path
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return None
    assert os.WEXITSTATUS(status) == 0
    return {int(each) for each in said.split()}


def _probe(rung: str) -> bytes:
    for other in set(METHODS) - {rung}:
        METHODS[other] = _barred
    timeouts = Timeouts.of(timeout=1)
    # Two at once to the same target take two ports.
    targets = [Target.of(address, PORT) for address in ("10.77.0.2", "10.77.0.2", "fd77::2")]
    results = list(probe_all(targets, timeouts=timeouts, attentive=True))
    assert {result.guard for result in results} == {rung}
    ports = {each.segment.source.port for r in results for each in r.segments if each.outgoing}
    return " ".join(map(str, ports)).encode()


def _barred(*_: object) -> None:
    raise PermissionError(1, "barred")


def _traces(host: Host) -> str:
    """Return the sockets and the firewall of a namespace."""
    with host.entered():
        rows = [
            line
            for table in _TABLES
            for line in Path(f"/proc/thread-self/net/{table}").read_text().splitlines()
            if "sl " not in line and "sk " not in line
        ]
    return "\n".join([*rows, host.run(["nft", "list", "ruleset"]).stdout])


def _see_that_nothing_is_left(host: Host, before: str, report: Report) -> None:
    # The kernel closes sockets a moment after the process is gone.
    until = time.monotonic() + 5
    while (now := _traces(host)) != before:
        if time.monotonic() > until:
            report.left.append(now)
            return
        time.sleep(0.001)


if __name__ == "__main__":
    found = run(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
    print(found)  # noqa: T201
    sys.exit(bool(found.left or found.resets))
