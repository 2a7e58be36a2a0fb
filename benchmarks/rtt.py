"""How exact a round trip is: what each program tells of it, held to tcpdump's own time stamps."""

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
from handshake.linux.rst_guard import RstGuardPool
from handshake.packet.decode import Decoder
from handshake.prober import Target
from handshake.prober.run import connect, probe_all
from handshake.tcp import Flags, Observed
from tests.live.lab.tcpdump import capture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.live.lab.namespaces import Host

TURNS: Final = 5
"""Each entry has its handshakes in so many parts: what else the machine does hits all alike."""

_TRIALS: Final = 3
"""How often a turn may be taken of which tcpdump has not seen all."""

AFAR: Final = 0.01
"""Seconds that a packet takes each way on the long path."""

_NANOSECONDS: Final = 1e9
_TARGET: Final = Target.of(THEM, PORT)


@dataclass
class Entry:
    """Somebody who tells round trips."""

    name: str
    handshakes: int
    tell: Callable[[int], list[float]]
    """Opens so many connections, one after another, and returns the seconds of each."""

    program: str | None = None
    """What must be installed for it."""

    wire: list[float] = field(default_factory=list)
    """What tcpdump says, in seconds."""

    errors: list[float] = field(default_factory=list)
    """How far from it was what was told, in seconds."""


# This probe. In its patience nothing is observed: it closes at once.


def by_hand(count: int) -> list[float]:
    results = probe_all([_TARGET] * count, concurrency=1)
    return [each.rtt for each in results if each.rtt is not None]


def by_kernel(count: int) -> list[float]:
    results = [connect(_TARGET, *_TARGET.endpoints()) for _ in range(count)]
    return [each.rtt for each in results if each.rtt is not None]


# Other programs, each asked in the way in which it is most exact.


def nmap(scan: str) -> Callable[[int], list[float]]:
    # Of one port alone the smoothed round trip is that of one SYN, in microseconds; an ARP ping
    # would count, too.
    argv = ["nmap", "-n", "-Pn", "--disable-arp-ping", scan, "-oX", "-", "-p", str(PORT), THEM]
    return lambda count: [_only(argv, r'srtt="(\d+)"') / 1e6 for _ in range(count)]


def nping(count: int) -> list[float]:
    # The lines of each packet have tenths of milliseconds, the sum of all has microseconds. To
    # print what it sends (-H: not to) takes time, of which some would count as on the way; and
    # after the last packet it waits for as long as between two.
    argv = ["nping", "--tcp", "-c", "1", "-H", "--delay", "1ms", "-p", str(PORT), THEM]
    return [_only(argv, r"Avg rtt: ([\d.]+)ms") / 1e3 for _ in range(count)]


def hping3(count: int) -> list[float]:
    argv = ["hping3", "-n", "-S", "-i", "u10000", "-c", str(count), "-p", str(PORT), THEM]
    return [each / 1e3 for each in _said(argv, r"rtt=([\d.]+) ms")]


def curl(count: int) -> list[float]:
    # What it does before it begins to connect is no round trip.
    form = "%{time_namelookup} %{time_connect}"
    argv = ["curl", "-s", "-o", "/dev/null", "-w", form, f"http://{THEM}:{PORT}/"]
    found = []
    for _ in range(count):
        before, after = _said(argv, r"([\d.]+)", succeeds=False)  # nobody speaks HTTP here
        found.append(after - before)
    return found


def _only(argv: list[str], pattern: str) -> float:
    (found,) = _said(argv, pattern)
    return found


def _said(argv: list[str], pattern: str, *, succeeds: bool = True) -> list[float]:
    """Return the numbers that a program prints."""
    done = subprocess.run(argv, check=succeeds, capture_output=True, text=True)
    return [float(each) for each in re.findall(pattern, done.stdout)]


# What anybody would write.


def sockets(count: int) -> list[float]:
    found = []
    raw = socket.AF_INET, socket.SOCK_RAW
    with (
        RstGuardPool() as guards,
        socket.socket(*raw, socket.IPPROTO_RAW) as sender,
        socket.socket(*raw, socket.IPPROTO_TCP) as hearer,
    ):
        port = guards.take(ip_address(US), lambda _: False).port
        hearer.settimeout(5)
        for _ in range(count):
            iss = secrets.randbits(31)
            syn, ours = packet(port, iss, 0, Flags.SYN), port.to_bytes(2, "big")
            began = time.time_ns()
            sender.sendto(syn, (THEM, 0))
            while hearer.recv(4096)[22:24] != ours:
                pass
            found.append((time.time_ns() - began) / _NANOSECONDS)
            sender.sendto(packet(port, iss + 1, 0, Flags.RST), (THEM, 0))
    return found


def connecting(count: int) -> list[float]:
    found = []
    for _ in range(count):
        with socket.socket() as caller:
            began = time.time_ns()
            caller.connect((THEM, PORT))
            found.append((time.time_ns() - began) / _NANOSECONDS)
    return found


OURS: Final = (("this probe", by_hand), ("this probe, --connect", by_kernel))


def entries() -> list[Entry]:
    """Return all who tell round trips."""
    return [
        *(Entry(name, 200, tell) for name, tell in OURS),
        Entry("nmap -sS (srtt)", 100, nmap("-sS"), "nmap"),
        Entry("nmap -sT (srtt)", 100, nmap("-sT"), "nmap"),
        Entry("nping --tcp (Avg rtt)", 100, nping, "nping"),
        Entry("hping3 -S (rtt, to 0.1 ms)", 200, hping3, "hping3"),
        Entry("curl (time_connect)", 200, curl, "curl"),
        Entry("time_ns(), sendto() to recv()", 200, sockets),
        Entry("time_ns(), connect()", 200, connecting),
    ]


def measure() -> None:
    """Print how far from tcpdump's stamps each of them is."""
    asked = entries()
    missing = [each.name for each in asked if each.program and not shutil.which(each.program)]
    asked = [each for each in asked if each.name not in missing]
    with served() as (client, _):
        compare(client, asked)
    show("RTT, a veth between us", asked)
    for name in missing:
        print(f"{name}: not installed")
    asked = [Entry(name, 100, tell) for name, tell in OURS]
    with served_from_afar(AFAR) as (client, _):
        compare(client, asked)
    show(f"RTT, {AFAR * 1e3:.0f} ms each way", asked)


def compare(client: Host, asked: list[Entry]) -> None:
    """Let all of them open their connections, by turns."""
    for _ in range(TURNS):
        for entry in asked:
            told, wire = turn(client, entry)
            for one, other in zip(told, wire, strict=True):
                entry.wire.append(other)
                entry.errors.append(abs(one - other))


def turn(client: Host, entry: Entry) -> tuple[list[float], list[float]]:
    """Return what one of them tells in a turn, and what tcpdump saw of it.

    Where tcpdump missed a handshake, nobody knows which one: the turn is taken again.
    """
    for _ in range(_TRIALS):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.pcap"
            with capture(client, "eth0", path, nano=True):
                told = list(entry.tell(entry.handshakes // TURNS))
            wire = list(stamped(path))
        if len(told) == len(wire):
            return told, wire
        print(f"{entry.name}: told {len(told)} round trips, tcpdump {len(wire)}; once more")
    raise SystemExit(f"{entry.name}: what it tells is not what tcpdump sees")


def stamped(path: Path) -> Iterator[float]:
    """Yield the seconds from each SYN to its SYN,ACK, by the stamps in a capture."""
    syns: dict[int, int] = {}
    decoder = Decoder()
    for frame in read(path):
        found = decoder.observed(frame)
        if not isinstance(found, Observed):
            continue
        seg = found.segment
        if seg.flags == Flags.SYN:
            assert int(seg.seq + 1) not in syns, "a SYN was sent again: nobody knows which counts"
            syns[int(seg.seq + 1)] = found.at
        elif seg.flags == Flags.SYN | Flags.ACK and seg.ack is not None:
            # It may come again, where it was not acknowledged.
            sent = syns.pop(int(seg.ack), None)
            if sent is not None:
                yield (found.at - sent) / _NANOSECONDS


def show(title: str, asked: list[Entry]) -> None:
    """Print a line for each of them, in microseconds."""
    print(f"{title:34} {'times':>6} {'wire':>9} {'median':>9} {'p95':>9} {'most':>9}")
    for each in asked:
        errors = sorted(each.errors)
        figures = [
            statistics.median(each.wire),
            statistics.median(errors),
            errors[-(-95 * len(errors) // 100) - 1],
            errors[-1],
        ]
        print(f"{each.name:34} {len(errors):6} ", *(f"{us * 1e6:9.2f}" for us in figures))
