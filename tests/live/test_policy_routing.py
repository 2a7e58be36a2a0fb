"""Policy rules: a probe leaves by the way, and with the source, that connect() takes."""

import json
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from handshake.prober import ClientOptions, Verdict
from handshake.prober.dry_run import syn as dry_run
from handshake.tcp import Endpoint
from handshake.tcp.address import ip_address
from tests.live.lab.namespaces import Host
from tests.live.lab.probing import PORT, Way, every_way
from tests.live.lab.servers import answering
from tests.live.lab.topologies import asymmetric

_ETH_P_ALL = 3
_BIND_NO_PORT = 24


@dataclass(frozen=True)
class Case:
    """Policy rules, in the words of ip-rule(8), and what a connection asks for itself."""

    rules: tuple[str, ...]
    source: int | None = None
    """The interface of ours whose address is the source that is asked for."""

    options: dict[str, Any] = field(default_factory=dict)
    nft: str = ""
    fails: bool = False
    """Whether there is no route."""

    heard: bool = True
    """Whether a kernel socket takes the answer: one that is bound to an interface takes no other's.
    """


FIRST, SECOND = "{first}", "{second}"
CASES = {
    "none": Case(()),
    "the other source, no rule": Case((), source=1),
    "source asked for": Case((f"from {SECOND}",), source=1),
    "first source asked for": Case((f"from {FIRST}",), source=0),
    "source found": Case((f"from {FIRST}",)),
    "protocol": Case(("ipproto tcp",)),
    "another protocol": Case(("ipproto udp",)),
    "port": Case((f"dport {PORT}",)),
    "ports": Case((f"dport {PORT - 10}-{PORT + 10}",)),
    "another port": Case((f"dport {PORT + 1}",)),
    "protocol and port": Case((f"ipproto tcp dport {PORT}",)),
    "source and port": Case((f"from {SECOND} dport {PORT}",), source=1),
    "port, and the other source": Case((f"dport {PORT}",), source=0),
    "port and not protocol": Case((f"ipproto udp dport {PORT}",)),
    "any source port": Case(("sport 20000-65534",)),
    "source port": Case(("sport 5001",), options={"source_port": 5001}),
    "another source port": Case(("sport 5002",), options={"source_port": 5001}),
    "incoming interface": Case(("iif lo",)),
    "another incoming interface": Case(("iif eth0",)),
    "outgoing interface": Case(("oif eth1",), options={"interface": "eth1"}),
    "interface without rule": Case((), options={"interface": "eth0"}, heard=False),
    "outgoing interface and port": Case((f"oif eth1 dport {PORT}",), options={"interface": "eth1"}),
    "another outgoing interface": Case(("oif eth1",)),
    "mark": Case(("fwmark 7",)),
    "no mark": Case(("fwmark 0",)),
    "mark by the firewall": Case(
        ("fwmark 7",),
        nft=f"""table inet t {{ chain c {{
            type route hook output priority mangle;
            tcp dport {PORT} meta mark set 7
            }}
        }}""",
    ),
    "user": Case(("uidrange 0-0",)),
    "another user": Case(("uidrange 1000-2000",)),
    "type of service": Case(("tos 0x10",), options={"tos": 0x10}),
    "another type of service": Case(("tos 0x08",), options={"tos": 0x10}),
    "not from": Case(("not from 10.0.0.0/9", "not from fd00::/9")),
    "UDP prohibited": Case(("ipproto udp prohibit",)),
    "port prohibited": Case((f"dport {PORT} prohibit",), fails=True),
    "port unreachable": Case((f"ipproto tcp dport {PORT} unreachable",), fails=True),
    "nothing but this port": Case((f"dport {PORT} priority 20000", "priority 30000 unreachable")),
}


@pytest.mark.live
@every_way
@pytest.mark.parametrize("name", CASES)
def test_goes_where_connect_goes(way: Way, name: str) -> None:
    case = CASES[name]
    with two_ways_out(way.version, case) as (client, server, routers):
        called = way.address(server)
        source = None if case.source is None else address(client, case.source, way.version)
        options = ClientOptions(
            source=None if source is None else ip_address(source), **case.options
        )
        result = way.call(client, called, options=options)
        probed = [syns(each, called) for each in routers]
        number = connect(client, called, source, case.options)
        connected = [syns(each, called) for each in routers]
        if case.fails:
            assert result.verdict is Verdict.LOCAL_ERROR
            assert number
            assert probed == connected == [[], []]
            return
        with client.entered():
            dry = dry_run(Endpoint.of(called, PORT), options)
    assert not (case.heard and number)
    assert result.verdict is Verdict.OPEN
    # The kernel's first SYN alone: which router passed it, and from which source.
    assert [each[:1] for each in probed] == [each[:1] for each in connected]
    assert [dry.segment.source.address.packed] == [each for one in probed for each in one[:1]]


@pytest.mark.live
@pytest.mark.parametrize("version", [4, 6])
def test_after_privileges_are_dropped(version: int) -> None:
    # The neighbour is resolved when the packet leaves, and the sockets are root's all the time.
    case = Case((f"dport {PORT}", "uidrange 0-0"))
    with two_ways_out(version, case) as (client, server, routers):
        called = address(server, 0, version)
        ports = [PORT, PORT + 1]
        places = [f"[{called}]:{port}" if version == 6 else f"{called}:{port}" for port in ports]
        done = client.run(
            [sys.executable, "-m", "handshake", "probe", *places, "--json"], check=False
        )
        probed = [syns(each, called) for each in routers]
    verdicts = [json.loads(line)["verdict"] for line in done.stdout.splitlines()]
    assert sorted(verdicts) == ["closed", "open"]
    assert probed[0] == []
    assert {len(each) for each in probed[1]} == {4 if version == 4 else 16}


def address(host: Host, number: int, version: int) -> str:
    """Return the address of one of the host's interfaces."""
    interface = host.interfaces[number]
    return interface.v4 if version == 4 else interface.v6


@contextmanager
def two_ways_out(version: int, case: Case) -> Iterator[tuple[Host, Host, list[socket.socket]]]:
    """Yield client, server, and a packet socket on each of the two routers between them.

    The client's main table leads by the first router, and the table of the rules by the second.
    """
    with ExitStack() as stack:
        client, there, back, server = stack.enter_context(asymmetric())
        last = server.interfaces[1]
        back.ip(f"route add {server.v4} via {last.v4}", f"route add {server.v6} via {last.v6}")
        far, near = back.interfaces[1], back.interfaces[0]
        server.ip(f"route add 10.77.2.0/24 via {far.v4}", f"route add fd77:0:0:2::/64 via {far.v6}")
        client.ip(
            f"route add default via {near.v4} dev eth1 table 100",
            f"route add default via {near.v6} dev eth1 table 100",
        )
        first, second = (address(client, each, version) for each in (0, 1))
        for rule in case.rules:
            text = rule.format(first=first, second=second)
            if text.startswith("not from") and (":" in text) != (version == 6):
                continue
            ends = ("prohibit", "unreachable")
            action = "" if text.endswith(ends) else " lookup 100"
            client.run(["ip", f"-{version}", "rule", "add", *f"{text}{action}".split()])
        if case.nft:
            client.nft(case.nft)
        stack.enter_context(answering(server, PORT))
        kind = socket.htons(_ETH_P_ALL)
        sockets = [
            stack.enter_context(closing(host.socket(socket.AF_PACKET, socket.SOCK_DGRAM, kind)))
            for host in (there, back)
        ]
        for each, name in zip(sockets, ("eth0", "eth0"), strict=True):
            each.bind((name, _ETH_P_ALL))
            each.setblocking(False)
        yield client, server, sockets


def syns(router: socket.socket, called: str) -> list[bytes]:
    """Return the source of each SYN to the address that came to the router since the last time."""
    found: list[bytes] = []
    to = ip_address(called).packed
    while True:
        try:
            octets, (_, _, kind, *_) = router.recvfrom(0xFFFF)
        except BlockingIOError:
            return found
        if kind == socket.PACKET_OUTGOING:
            continue
        size = len(to)
        at, tcp, protocol = (12, (octets[0] & 15) * 4, 9) if size == 4 else (8, 40, 6)
        if octets[at + size : at + 2 * size] != to or octets[protocol] != socket.IPPROTO_TCP:
            continue
        if octets[tcp + 13] & 0x12 == 0x02:
            found.append(octets[at : at + size])


def connect(client: Host, called: str, source: str | None, options: dict[str, Any]) -> int:
    """Connect a kernel socket that asks for the same; return the error, 0 for none."""
    family = socket.AF_INET6 if ":" in called else socket.AF_INET
    with client.socket(family) as sock:
        sock.settimeout(1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if "tos" in options:
            level, kind = (socket.IPPROTO_IP, socket.IP_TOS)
            if family == socket.AF_INET6:
                level, kind = socket.IPPROTO_IPV6, socket.IPV6_TCLASS
            sock.setsockopt(level, kind, options["tos"])
        if "interface" in options:
            name = options["interface"].encode()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name)
        port = options.get("source_port", 0)
        if source is not None or port:
            # The port that the probe used is guarded no more.
            if not port:
                sock.setsockopt(socket.IPPROTO_IP, _BIND_NO_PORT, 1)
            sock.bind((source or "", port))
        return sock.connect_ex((called, PORT))
