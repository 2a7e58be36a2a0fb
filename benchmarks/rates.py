"""How many full handshakes a second: this probe, the least that Python can do, and others."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import socket
import statistics
import subprocess
import time
from contextlib import closing
from ipaddress import ip_address
from itertools import islice
from typing import TYPE_CHECKING, Final

from bare import Bare
from hosts import PORT, THEM, US, served

from handshake.linux.rst_guard import RstGuardPool
from handshake.prober import Target, Verdict
from handshake.prober.run import connect_all, probe_all

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from handshake.prober import Result

    Calling = Callable[[int, int], None]
    """Makes so many calls, so many of them at once."""

_BARE: Final = "bare asyncio engine"
_NMAP: Final = "nmap -sT", "nmap -sS"
_PORTS: Final = 5000
"""How many nmap tries: it tries a port once."""


def by_hand(calls: int, at_once: int) -> None:
    """Make the calls as `handshake probe` does, with all of its rules."""
    _all_open(probe_all([Target.of(THEM, PORT)] * calls, concurrency=at_once), calls)


def by_kernel(calls: int, at_once: int) -> None:
    """Make them as `handshake probe --connect` does."""
    _all_open(connect_all([Target.of(THEM, PORT)] * calls, concurrency=at_once), calls)


def _all_open(results: Generator[Result, None, None], calls: int) -> None:
    with closing(results):
        # Not to the end: after the last result it listens for a quarter of a second, however
        # many there were, for a peer that did not get our last ACK.
        for result in islice(results, calls):
            assert result.verdict is Verdict.OPEN, result


def bare(calls: int, at_once: int) -> None:
    asyncio.run(Bare(calls, at_once).run())


def connecting(calls: int, at_once: int) -> None:
    left = iter(range(calls))  # shared: each takes the next as soon as it can

    async def worker() -> None:
        loop = asyncio.get_running_loop()
        for _ in left:
            with socket.socket() as caller:
                caller.setblocking(False)
                await loop.sock_connect(caller, (THEM, PORT))
                caller.shutdown(socket.SHUT_WR)
                await loop.sock_recv(caller, 1)

    async def run() -> None:
        await asyncio.gather(*(worker() for _ in range(at_once)))

    asyncio.run(run())


def naive_scapy(calls: int, _: int) -> None:
    from scapy.config import conf
    from scapy.layers.inet import IP, TCP
    from scapy.sendrecv import send, sr1

    conf.verb = 0
    conf.ifaces.reload()  # those of the namespace that we are in now
    conf.route.resync()
    conf.iface = "eth0"
    with RstGuardPool() as guards:
        for _ in range(calls):
            used = set(guards.ports)
            port = guards.take(ip_address(US), used.__contains__).port
            ip, iss = IP(dst=THEM), secrets.randbits(31)
            syn = TCP(sport=port, dport=PORT, flags="S", seq=iss)
            answer = sr1(ip / syn, timeout=5)[TCP]
            ack = {"sport": port, "dport": PORT, "seq": iss + 1, "ack": answer.seq + 1}
            send(ip / TCP(flags="A", **ack))
            last = sr1(ip / TCP(flags="FA", **ack), timeout=5)[TCP]
            send(ip / TCP(flags="A", **(ack | {"seq": iss + 2, "ack": last.seq + 1})))


def nmap(scan: str) -> Calling:
    def run(ports: int, _: int) -> None:
        argv = ["nmap", "-n", "-Pn", scan, "--max-retries", "1", "-p", f"1-{ports}", THEM]
        subprocess.run(argv, check=True, capture_output=True)

    return run


def measure(calls: int, rounds: int) -> None:
    """Print handshakes a second, the median and the best of some rounds, in turns."""
    entries: list[tuple[str, Calling, int, int]] = [
        (f"{_BARE}, 128 in flight", bare, calls, 128),
        *(
            (f"this probe, {n} in flight", by_hand, calls // (10 if n == 1 else 1), n)
            for n in (1, 32, 128, 1024)
        ),
        ("this probe, --connect, 128 in flight", by_kernel, calls, 128),
        ("asyncio connect, 128 in flight", connecting, calls, 128),
        ("naive Scapy", naive_scapy, 20, 1),
    ]
    if shutil.which("nmap"):
        entries += [(f"{name} (ports tried)", nmap(name[-3:]), _PORTS, 0) for name in _NMAP]
    found: dict[str, list[float]] = {name: [] for name, *_ in entries}
    for _ in range(rounds):
        for name, function, count, at_once in entries:
            with served():
                began = time.perf_counter()
                function(count, at_once)
                found[name].append(count / (time.perf_counter() - began))
    base = statistics.median(found[entries[0][0]])
    print(f"{'handshakes a second':38} {'median':>8} {'best':>8} {'of bare':>8}")
    for name, values in found.items():
        middle = statistics.median(values)
        print(f"{name:38} {middle:8.0f} {max(values):8.0f} {middle / base:8.2f}")
    if not shutil.which("nmap"):
        print("nmap: not installed")
