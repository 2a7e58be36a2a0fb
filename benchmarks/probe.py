"""How many full handshakes a second, and how exact a round trip: in namespaces, in one run.

    sudo python benchmarks/probe.py [--calls 20000] [--rounds 3]

`README.md` says how to read what it prints. No packet leaves this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import secrets
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from handshake.probe import Target, Verdict, probe  # noqa: E402
from handshake.probe.engine import probe_all  # noqa: E402
from handshake.tcp import Flags, Observed  # noqa: E402
from handshake.wire.capture import read  # noqa: E402
from handshake.wire.decode import Decoder  # noqa: E402
from handshake.wire.guards import Guards  # noqa: E402
from handshake.wire.link import Link  # noqa: E402
from tests.live.capture import capture  # noqa: E402
from tests.live.net import Host, pair  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PORT = 8080
US, THEM = "10.77.0.1", "10.77.0.2"

SERVER = """
import select, socket, sys
listener = socket.create_server(("0.0.0.0", int(sys.argv[1])), backlog=16384)
listener.setblocking(False)
ready = select.epoll()
ready.register(listener, select.EPOLLIN)
callers = {}
print("up", flush=True)
while True:
    for number, _ in ready.poll():
        if number != listener.fileno():
            callers.pop(number).close()
            continue
        try:
            while True:
                caller, _ = listener.accept()
                callers[caller.fileno()] = caller
                ready.register(caller, select.EPOLLIN)
        except BlockingIOError:
            pass
"""
"""Lets everybody in, and closes when he does."""


@contextmanager
def served() -> Iterator[Host]:
    """Yield the client of a pair of hosts, on whose other side the server runs."""
    with pair() as (client, server):
        server.sysctl("net.ipv4.tcp_max_syn_backlog", 16384)
        server.sysctl("net.core.somaxconn", 16384)
        client.sysctl("net.ipv4.ip_local_port_range", "2000 60999")
        client.sysctl("net.ipv4.tcp_tw_reuse", 1)
        argv = [sys.executable, "-c", SERVER, str(PORT)]
        running = server.popen(argv, stdout=subprocess.PIPE)
        assert running.stdout is not None
        running.stdout.readline()
        with client.entered():
            yield client


# This probe.


def ours(calls: int, at_once: int) -> None:
    """Make the calls as `handshake probe` does, with all of its rules."""
    target = Target.of(THEM, PORT)
    for result in probe_all([target] * calls, concurrency=at_once):
        assert result.verdict is Verdict.OPEN, result


# As little as can be: prebuilt octets, no rules, no timers, no results.

_FIELDS = struct.Struct("!12x4s4sHHIIHHHH")
_FIXED = bytes.fromhex("4500 0028 0001 4000 4006 0000")


class Bare:
    """Opens and closes connections with a peer that never errs, over a network without loss."""

    def __init__(self, calls: int, at_once: int) -> None:
        self.left, self.open = calls, 0
        self.guards = Guards()
        address = ip_address(US)
        held: set[int] = set()
        for _ in range(at_once):
            held.add(self.guards.take(address, held.__contains__).port)
        self.ports = list(held)
        self.link = Link(held, all_of_ours=False)
        self.source, self.destination = address.packed, ip_address(THEM).packed
        pseudo = self.source + self.destination + bytes((0, 6, 0, 20))
        self.sum = int.from_bytes(pseudo, "big")
        self.sender = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)

    def send(self, port: int, seq: int, ack: int, flags: int) -> None:
        bits = 0x5000 | flags
        total = self.sum + port + PORT + seq + ack + bits + 0xFFFF
        check = 0xFFFF - total % 0xFFFF
        packet = (
            _FIXED
            + _FIELDS.pack(
                self.source, self.destination, port, PORT, seq, ack, bits, 0xFFFF, check, 0
            )[12:]
        )
        self.sender.sendto(packet, (THEM, 0))

    def call(self, port: int) -> None:
        self.left -= 1
        self.open += 1
        self.send(port, secrets.randbits(31), 0, Flags.SYN)

    def hear(self) -> None:
        for captured in self.link.read():
            octets = captured.octets
            if captured.outgoing:
                continue
            _, _, _, port, seq, ack, bits, *_ = _FIELDS.unpack_from(octets)
            if bits & Flags.SYN:
                self.send(port, ack, seq + 1, Flags.ACK)
                self.send(port, ack, seq + 1, Flags.FIN | Flags.ACK)
            elif bits & Flags.FIN:
                self.send(port, ack, seq + 1, Flags.ACK)
                self.open -= 1
                if self.left:
                    self.call(port)

    async def run(self) -> None:
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def hear() -> None:
            self.hear()
            if not self.open:
                done.set()

        loop.add_reader(self.link, hear)
        for port in self.ports[: self.left]:
            self.call(port)
        await asyncio.wait_for(done.wait(), 60)
        loop.remove_reader(self.link)
        self.link.close()
        self.guards.close()
        self.sender.close()


def bare(calls: int, at_once: int) -> None:
    asyncio.run(Bare(calls, at_once).run())


# The kernel's own calls, and those of others.


def connects(calls: int, at_once: int) -> None:
    async def worker(count: int) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(count):
            with socket.socket() as caller:
                caller.setblocking(False)
                await loop.sock_connect(caller, (THEM, PORT))
                caller.shutdown(socket.SHUT_WR)
                await loop.sock_recv(caller, 1)

    async def run() -> None:
        await asyncio.gather(*(worker(calls // at_once) for _ in range(at_once)))

    asyncio.run(run())


def naive_scapy(calls: int, _: int) -> None:
    from scapy.config import conf
    from scapy.layers.inet import IP, TCP
    from scapy.sendrecv import send, sr1

    conf.verb = 0
    conf.ifaces.reload()  # those of the namespace that we are in now
    conf.route.resync()
    conf.iface = "eth0"
    with Guards() as guards:
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


def nmap(scan: str) -> Callable[[int, int], None]:
    def run(calls: int, _: int) -> None:
        # It tries a port once: as many ports as calls, of which one is open.
        ports = f"1-{calls}"
        argv = ["nmap", "-n", "-Pn", scan, "--max-retries", "1", "-p", ports, THEM]
        subprocess.run(argv, check=True, capture_output=True)

    return run


def rates(calls: int, rounds: int) -> None:
    """Print handshakes a second, the best and the median of some rounds, in turns."""
    entries: list[tuple[str, Callable[[int, int], None], int, int]] = [
        ("bare asyncio engine, 128 in flight", bare, calls, 128),
        *(
            (f"this probe, {n} in flight", ours, calls // (10 if n == 1 else 1), n)
            for n in (1, 32, 128, 1024)
        ),
        ("asyncio connect, 128 in flight", connects, calls, 128),
        ("naive Scapy", naive_scapy, 20, 1),
    ]
    if shutil.which("nmap"):
        entries += [
            ("nmap -sT (ports tried)", nmap("-sT"), 5000, 0),
            ("nmap -sS (ports tried)", nmap("-sS"), 5000, 0),
        ]
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
        print("nmap is not installed")


def errors(calls: int) -> None:
    """Print how far our round trips are from what tcpdump's stamps say, on the same interface."""
    with tempfile.TemporaryDirectory() as folder, served() as client:
        path = Path(folder) / "a.pcap"
        with capture(client, "eth0", path, nano=True):
            results = [probe(THEM, PORT) for _ in range(calls)]
        decoder = Decoder()
        heard = [
            each for frame in read(path) if isinstance(each := decoder.observed(frame), Observed)
        ]
    syns = [each for each in heard if each.segment.flags == Flags.SYN]
    answers = {
        int(each.segment.ack or 0): each
        for each in heard
        if each.segment.flags == Flags.SYN | Flags.ACK
    }
    found = []
    for result, syn in zip(results, syns, strict=True):
        assert result.rtt is not None
        answer = answers[int(syn.segment.seq + 1)]
        found.append(abs(result.rtt * 1e9 - (answer.at - syn.at)) / 1e3)
    found.sort()
    p95 = found[-(-95 * len(found) // 100) - 1]
    print(
        f"RTT against tcpdump, {calls} handshakes: median error {statistics.median(found):.3f} us, "
        f"p95 {p95:.3f} us, most {found[-1]:.3f} us"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    errors(200)
    rates(given.calls, given.rounds)


if __name__ == "__main__":
    main()
