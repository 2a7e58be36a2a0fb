"""The error of each program's round trip, compared with tcpdump's time stamps."""

from __future__ import annotations

import re
import secrets
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bare import packet
from hosts import PORT, THEM, US, served, served_from_afar

from handshake.capture.open import read
from handshake.linux.rst_guard_pool import RstGuardPool
from handshake.packet.decode import Decoder
from handshake.prober import Target
from handshake.prober.run import connect, probe_all
from handshake.tcp import Flags, Observed
from tests.live.lab.tcpdump import capture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.live.lab.namespaces import Host

TURNS: Final = 5
"""Each entry runs in so many turns, so that other load affects all alike."""

_TRIALS: Final = 3
"""Attempts at a turn of which tcpdump missed packets."""

AFAR: Final = 0.01
"""The delay of the long path each way, in seconds."""

_NANOSECONDS: Final = 1e9
_TARGET: Final = Target.of(THEM, PORT)


@dataclass
class Entry:
    """A program that reports round trips."""

    name: str
    handshakes: int
    measure: Callable[[int], list[float]]
    """Opens so many connections, one after another; returns the round trip of each in seconds."""

    program: str | None = None
    """The program that must be installed."""

    wire: list[float] = field(default_factory=list)
    """The round trips according to tcpdump, in seconds."""

    errors: list[float] = field(default_factory=list)
    """The absolute errors, in seconds."""


# This probe: it closes at once.


def in_user_space(count: int) -> list[float]:
    results = probe_all([_TARGET] * count, concurrency=1)
    return [each.rtt for each in results if each.rtt is not None]


def in_the_kernel(count: int) -> list[float]:
    results = [connect(_TARGET, *_TARGET.endpoints()) for _ in range(count)]
    return [each.rtt for each in results if each.rtt is not None]


# Other programs, each with the options that make it most exact.


def nmap(scan: str) -> Callable[[int], list[float]]:
    # With one port the smoothed round trip is that of one SYN, in microseconds; an ARP ping would
    # be included.
    argv = ["nmap", "-n", "-Pn", "--disable-arp-ping", scan, "-oX", "-", "-p", str(PORT), THEM]
    return lambda count: [_only(argv, r'srtt="(\d+)"') / 1e6 for _ in range(count)]


def nping(count: int) -> list[float]:
    # Only the summary has microseconds. Printing what it sends (-H: do not) would add to the round
    # trip. It waits for --delay after the last packet, too.
    argv = ["nping", "--tcp", "-c", "1", "-H", "--delay", "1ms", "-p", str(PORT), THEM]
    return [_only(argv, r"Avg rtt: ([\d.]+)ms") / 1e3 for _ in range(count)]


def hping3(count: int) -> list[float]:
    argv = ["hping3", "-n", "-S", "-i", "u10000", "-c", str(count), "-p", str(PORT), THEM]
    return [each / 1e3 for each in _printed(argv, r"rtt=([\d.]+) ms")]


def curl(count: int) -> list[float]:
    # The time before connect() is not part of the round trip.
    form = "%{time_namelookup} %{time_connect}"
    argv = ["curl", "-s", "-o", "/dev/null", "-w", form, f"http://{THEM}:{PORT}/"]
    found = []
    for _ in range(count):
        before, after = _printed(argv, r"([\d.]+)", succeeds=False)  # no HTTP server
        found.append(after - before)
    return found


def _only(argv: list[str], pattern: str) -> float:
    (found,) = _printed(argv, pattern)
    return found


def _printed(argv: list[str], pattern: str, *, succeeds: bool = True) -> list[float]:
    """Return the numbers that a program prints."""
    done = subprocess.run(argv, check=succeeds, capture_output=True, text=True)
    return [float(each) for each in re.findall(pattern, done.stdout)]


# The obvious ways in Python.


def sockets(count: int) -> list[float]:
    found = []
    raw = socket.AF_INET, socket.SOCK_RAW
    with (
        RstGuardPool() as guards,
        socket.socket(*raw, socket.IPPROTO_RAW) as sender,
        socket.socket(*raw, socket.IPPROTO_TCP) as receiver,
    ):
        port = guards.take(ip_address(US), lambda _: False).port
        receiver.settimeout(5)
        for _ in range(count):
            iss = secrets.randbits(31)
            syn, ours = packet(port, iss, 0, Flags.SYN), port.to_bytes(2, "big")
            began = time.time_ns()
            sender.sendto(syn, (THEM, 0))
            while receiver.recv(4096)[22:24] != ours:
                pass
            found.append((time.time_ns() - began) / _NANOSECONDS)
            sender.sendto(packet(port, iss + 1, 0, Flags.RST), (THEM, 0))
    return found


def connecting(count: int) -> list[float]:
    found = []
    for _ in range(count):
        with socket.socket() as client:
            began = time.time_ns()
            client.connect((THEM, PORT))
            found.append((time.time_ns() - began) / _NANOSECONDS)
    return found


OURS: Final = (("this probe", in_user_space), ("this probe, --connect", in_the_kernel))


def entries() -> list[Entry]:
    """Return all entries."""
    return [
        *(Entry(name, 200, measure) for name, measure in OURS),
        Entry("nmap -sS (srtt)", 100, nmap("-sS"), "nmap"),
        Entry("nmap -sT (srtt)", 100, nmap("-sT"), "nmap"),
        Entry("nping --tcp (Avg rtt)", 100, nping, "nping"),
        Entry("hping3 -S (rtt, to 0.1 ms)", 200, hping3, "hping3"),
        Entry("curl (time_connect)", 200, curl, "curl"),
        Entry("time_ns(), sendto() to recv()", 200, sockets),
        Entry("time_ns(), connect()", 200, connecting),
    ]


def measure() -> None:
    """Print the errors of all entries."""
    asked = entries()
    missing = [each.name for each in asked if each.program and not shutil.which(each.program)]
    asked = [each for each in asked if each.name not in missing]
    with served() as (client, _):
        compare(client, asked)
    show("RTT, over a veth", asked)
    for name in missing:
        print(f"{name}: not installed")
    asked = [Entry(name, 100, measure) for name, measure in OURS]
    with served_from_afar(AFAR) as (client, _):
        compare(client, asked)
    show(f"RTT, {AFAR * 1e3:.0f} ms each way", asked)


def compare(client: Host, asked: list[Entry]) -> None:
    """Let all entries open their connections, in turns."""
    for _ in range(TURNS):
        for entry in asked:
            reported, wire = turn(client, entry)
            for one, other in zip(reported, wire, strict=True):
                entry.wire.append(other)
                entry.errors.append(abs(one - other))


def turn(client: Host, entry: Entry) -> tuple[list[float], list[float]]:
    """Return the round trips of a turn according to the entry and to tcpdump.

    If tcpdump missed a handshake, it is unknown which one: the turn is repeated.
    """
    for _ in range(_TRIALS):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.pcap"
            with capture(client, "eth0", path, nano=True):
                reported = list(entry.measure(entry.handshakes // TURNS))
            wire = list(stamped(path))
        if len(reported) == len(wire):
            return reported, wire
        print(f"{entry.name}: {len(reported)} round trips, tcpdump {len(wire)}; once more")
    raise SystemExit(f"{entry.name}: not as many round trips as tcpdump")


def stamped(path: Path) -> Iterator[float]:
    """Yield the seconds from each SYN to its SYN-ACK, by the time stamps of a capture."""
    syns: dict[int, int] = {}
    decoder = Decoder()
    for frame in read(path):
        found = decoder.observed(frame)
        if not isinstance(found, Observed):
            continue
        seg = found.segment
        if seg.flags == Flags.SYN:
            assert int(seg.seq + 1) not in syns, "a SYN was retransmitted"
            syns[int(seg.seq + 1)] = found.at
        elif seg.flags == Flags.SYN | Flags.ACK and seg.ack is not None:
            # It may be a retransmission.
            sent = syns.pop(int(seg.ack), None)
            if sent is not None:
                yield (found.at - sent) / _NANOSECONDS


def show(title: str, asked: list[Entry]) -> None:
    """Print a line for each entry, in microseconds."""
    print(f"{title:34} {'times':>6} {'wire':>9} {'median':>9} {'p95':>9} {'max':>9}")
    for each in asked:
        errors = sorted(each.errors)
        figures = [
            statistics.median(each.wire),
            statistics.median(errors),
            errors[-(-95 * len(errors) // 100) - 1],
            errors[-1],
        ]
        print(f"{each.name:34} {len(errors):6} ", *(f"{us * 1e6:9.2f}" for us in figures))
