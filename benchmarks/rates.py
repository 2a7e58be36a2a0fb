"""Complete connections per second: this probe, a bare Python engine, and others."""

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

from handshake.linux.rst_guard_pool import RstGuardPool
from handshake.prober import Target, Verdict
from handshake.prober.run import connect_all, probe_all

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from handshake.prober import Result

    Engine = Callable[[int, int], None]
    """Opens and closes so many connections, so many of them concurrently."""

_BARE: Final = "bare asyncio engine"
_NMAP: Final = "nmap -sT", "nmap -sS"
_PORTS: Final = 5000
"""Ports that nmap tries, each once."""


def in_user_space(count: int, concurrency: int) -> None:
    """Connect as `handshake probe` does."""
    _all_open(probe_all([Target.of(THEM, PORT)] * count, concurrency=concurrency), count)


def in_the_kernel(count: int, concurrency: int) -> None:
    """Connect as `handshake probe --connect` does."""
    _all_open(connect_all([Target.of(THEM, PORT)] * count, concurrency=concurrency), count)


def _all_open(results: Generator[Result, None, None], count: int) -> None:
    with closing(results):
        # Not to the end: after the last result it answers retransmitted FINs for a quarter of a
        # second.
        for result in islice(results, count):
            assert result.verdict is Verdict.OPEN, result


def bare(count: int, concurrency: int) -> None:
    asyncio.run(Bare(count, concurrency).run())


def connecting(count: int, concurrency: int) -> None:
    left = iter(range(count))  # shared by all workers

    async def worker() -> None:
        loop = asyncio.get_running_loop()
        for _ in left:
            with socket.socket() as client:
                client.setblocking(False)
                await loop.sock_connect(client, (THEM, PORT))
                client.shutdown(socket.SHUT_WR)
                await loop.sock_recv(client, 1)

    async def run() -> None:
        await asyncio.gather(*(worker() for _ in range(concurrency)))

    asyncio.run(run())


def naive_scapy(count: int, _: int) -> None:
    from scapy.config import conf
    from scapy.layers.inet import IP, TCP
    from scapy.sendrecv import send, sr1

    conf.verb = 0
    conf.ifaces.reload()  # those of the current namespace
    conf.route.resync()
    conf.iface = "eth0"
    with RstGuardPool() as guards:
        for _ in range(count):
            used = set(guards.ports)
            port = guards.take(ip_address(US), used.__contains__).port
            ip, iss = IP(dst=THEM), secrets.randbits(31)
            syn = TCP(sport=port, dport=PORT, flags="S", seq=iss)
            answer = sr1(ip / syn, timeout=5)[TCP]
            ack = {"sport": port, "dport": PORT, "seq": iss + 1, "ack": answer.seq + 1}
            send(ip / TCP(flags="A", **ack))
            last = sr1(ip / TCP(flags="FA", **ack), timeout=5)[TCP]
            send(ip / TCP(flags="A", **(ack | {"seq": iss + 2, "ack": last.seq + 1})))


def nmap(scan: str) -> Engine:
    def run(ports: int, _: int) -> None:
        argv = ["nmap", "-n", "-Pn", scan, "--max-retries", "1", "-p", f"1-{ports}", THEM]
        subprocess.run(argv, check=True, capture_output=True)

    return run


def measure(count: int, rounds: int) -> None:
    """Print connections per second: median and best of some rounds."""
    entries: list[tuple[str, Engine, int, int]] = [
        (f"{_BARE}, 128 in flight", bare, count, 128),
        *(
            (f"this probe, {n} in flight", in_user_space, count // (10 if n == 1 else 1), n)
            for n in (1, 32, 128, 1024)
        ),
        ("this probe, --connect, 128 in flight", in_the_kernel, count, 128),
        ("asyncio connect, 128 in flight", connecting, count, 128),
        ("naive Scapy", naive_scapy, 20, 1),
    ]
    if shutil.which("nmap"):
        entries += [(f"{name} (ports tried)", nmap(name[-3:]), _PORTS, 0) for name in _NMAP]
    found: dict[str, list[float]] = {name: [] for name, *_ in entries}
    for _ in range(rounds):
        for name, engine, number, concurrency in entries:
            with served():
                began = time.perf_counter()
                engine(number, concurrency)
                found[name].append(number / (time.perf_counter() - began))
    base = statistics.median(found[entries[0][0]])
    print(f"{'handshakes a second':38} {'median':>8} {'best':>8} {'of bare':>8}")
    for name, values in found.items():
        middle = statistics.median(values)
        print(f"{name:38} {middle:8.0f} {max(values):8.0f} {middle / base:8.2f}")
    if not shutil.which("nmap"):
        print("nmap: not installed")
