"""Scenarios 16 to 19: what this machine, or a NAT on the way, does with our SYN."""

import errno
import json
import os
import sys
import time
from ipaddress import ip_address
from pathlib import Path

import pytest

from handshake.linux.rst_guard import METHODS
from handshake.prober import ClientOptions, Close, Result, Target, Timeouts, Verdict
from handshake.prober.run import probe_all
from tests.live.lab.exchanges import CLEAN, of_a_kernel
from tests.live.lab.figures import draw, segments
from tests.live.lab.firewall import drop
from tests.live.lab.namespaces import Host, pair, routed
from tests.live.lab.probing import PORT, Way, alone, codes, every_way, two_ways
from tests.live.lab.servers import answering
from tests.live.lab.tcpdump import capture
from tests.live.test_probe import serving

FAR = {4: "198.51.100.1", 6: "2001:db8::1"}

PATIENT = Timeouts.of(timeout=60)
AT_ONCE = 20.0
"""Seconds: a third of what this probe would wait for an answer, however busy the machine is."""


def refused(
    way: Way,
    client: Host,
    address: str,
    on_the_wire: Host,
    folder: Path,
    options: ClientOptions | None = None,
) -> Result:
    """Probe where no packet can leave; check that none did, and that none was waited for."""
    with capture(on_the_wire, "eth0", folder / "wire.pcap"):
        began = time.monotonic()
        result = way.call(client, address, PATIENT, port=80, options=options)
        took = time.monotonic() - began
    assert (result.verdict, result.close, result.rtt) == (Verdict.LOCAL_ERROR, None, None)
    assert result.verdict.exit_code == 3
    assert (result.syn_sent, result.segments) == (0, ())
    assert segments(folder / "wire.pcap") == []
    assert took < AT_ONCE
    return result


@pytest.mark.live
@every_way
@pytest.mark.parametrize(
    ("route", "words"),
    [
        (None, "no route"),
        ("unreachable", "this machine has an unreachable route"),
        ("blackhole", "this machine has a blackhole route"),
        ("prohibit", "this machine has a prohibit route"),
    ],
)
def test_16_no_way_there(way: Way, route: str | None, words: str, tmp_path: Path) -> None:
    address = FAR[way.version]
    with pair() as (client, _):
        if route is not None:
            client.ip(f"route add {route} {address}")
        result = refused(way, client, address, client, tmp_path)
    assert words in str(result.reason)


@pytest.mark.live
@pytest.mark.parametrize("options", [[], ["--connect"]], ids=["by hand", "by connect()"])
@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (
            ["10.77.0.255:80"],
            "10.77.0.255 is a broadcast address (EACCES)",
        ),
        (
            ["[fe80::1%eth0]:80", "--interface", "lo"],
            "fe80::1%eth0 is on another link than lo (EINVAL)",
        ),
    ],
)
def test_16_a_way_that_no_connection_can_take(
    words: list[str], reason: str, options: list[str]
) -> None:
    with pair() as (client, _):
        argv = [sys.executable, "-m", "handshake", "probe", *words, *options, "--json"]
        done = client.run(argv, check=False)
    found = json.loads(done.stdout)
    assert (found["verdict"], found["reason"], done.returncode) == ("local-error", reason, 3)


@pytest.mark.live
@every_way
def test_16_the_link_is_down(way: Way, tmp_path: Path) -> None:
    with pair() as (client, server):
        client.ip("link set eth0 down")
        refused(way, client, way.address(server), server, tmp_path)


@pytest.mark.live
@every_way
def test_16_the_link_that_is_down_is_named(way: Way, tmp_path: Path) -> None:
    with pair() as (client, server):
        client.ip("link set eth0 down")
        result = refused(way, client, way.address(server), server, tmp_path)
    assert "down" in str(result.reason)


@pytest.mark.live
@two_ways
def test_16_the_cable_is_out(way: Way, tmp_path: Path) -> None:
    with pair() as (client, server):
        server.ip("link set eth0 down")
        result = refused(way, client, way.address(server), client, tmp_path)
    assert "down" in str(result.reason)


@pytest.mark.live
@every_way
def test_17_a_firewall_of_our_own(way: Way, tmp_path: Path) -> None:
    with pair() as (client, server), drop(client, "output", "tcp dport 80") as rule:
        result = refused(way, client, way.address(server), server, tmp_path)
        assert rule.packets == 1
    assert "a firewall on this machine dropped the packet (EPERM)" in str(result.reason)


@pytest.mark.live
@every_way
def test_18_a_firewall_that_lets_answers_in(way: Way, tmp_path: Path) -> None:
    path = tmp_path / "wire.pcap"
    with pair() as (client, server), serving(server), capture(server, "eth0", path):
        client.nft(
            "table inet stateful { chain heard {"
            "type filter hook input priority 0; policy drop;"
            "ct state established accept;"
            "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept;"
            "}; }"
        )
        result = way.call(client, server)
        # Packets from other hosts do not get in.
        stranger = way.call(server, client, Timeouts.of(timeout=0.3, retries=0))
        client_socket = way.address(client)
    assert (result.verdict, result.close, result.syn_sent) == (Verdict.OPEN, Close.CLEAN, 1)
    assert stranger.verdict is Verdict.FILTERED
    assert of_a_kernel(draw(path, client_socket))[:6] == CLEAN
    assert codes(result) == set()


@pytest.mark.live
@every_way
def test_19_behind_a_nat(way: Way, tmp_path: Path) -> None:
    path = tmp_path / "wire.pcap"
    family = "ip" if way.version == 4 else "ip6"
    hook = "type nat hook postrouting priority 100;"
    with routed() as (client, router, server), serving(server), capture(server, "eth0", path):
        router.nft(f"table {family} nat {{ chain post {{ {hook} oif eth1 masquerade; }}; }}")
        result = way.call(client, server)
        far = router.interfaces[1]
    assert (result.verdict, result.close, result.ttl) == (Verdict.OPEN, Close.CLEAN, 63)
    assert (result.address, result.port) == (way.address(server), PORT)
    # The server talks to the router, and with the same numbers.
    assert of_a_kernel(draw(path, far.v4 if way.version == 4 else far.v6)) == CLEAN
    assert codes(result) == set()


NOBODYS = {
    4: [
        ("10.77.0.7", "10.77.0.7 is not an address of this machine"),
        ("10.77.0.2", "10.77.0.2 is not an address of this machine"),
        ("10.77.0.255", "10.77.0.255 is not an address of this machine"),
        ("0.0.0.0", "0.0.0.0 is not unicast"),
        ("224.0.0.1", "224.0.0.1 is not unicast"),
        ("255.255.255.255", "255.255.255.255 is not unicast"),
        ("127.0.0.1", "loopback source 127.0.0.1 cannot reach 10.77.0.2"),
        ("127.9.9.9", "loopback source 127.9.9.9 cannot reach"),
        ("fd77::1", "different IP versions"),
    ],
    6: [
        ("fd77::7", "fd77::7 is not an address of this machine"),
        ("fd77::2", "fd77::2 is not an address of this machine"),
        ("::", ":: is not unicast"),
        ("ff02::1", "ff02::1 is not unicast"),
        ("::1", "loopback source ::1 cannot reach fd77::2"),
        ("10.77.0.1", "different IP versions"),
    ],
}


@pytest.mark.live
@pytest.mark.parametrize("lax", [False, True], ids=["strict", "lax"])
@pytest.mark.parametrize(
    ("way", "source", "words"),
    [
        (Way(version, many), *each)
        for version in (4, 6)
        for each in NOBODYS[version]
        for many in (False, True)
    ],
    ids=str,
)
def test_16_a_source_that_is_not_ours(
    way: Way, source: str, words: str, lax: bool, tmp_path: Path
) -> None:
    with pair() as (client, server):
        if lax:  # then the kernel itself would let any address be bound to
            client.sysctl("net.ipv4.ip_nonlocal_bind", 1)
            client.sysctl("net.ipv6.ip_nonlocal_bind", 1)
        options = ClientOptions(source=ip_address(source))
        result = refused(way, client, way.address(server), client, tmp_path, options)
    assert words in str(result.reason)


OURS = [
    (4, "10.77.0.1", "10.77.0.2"),
    (4, "10.77.0.11", "10.77.0.2"),
    (4, "192.0.2.7", "10.77.0.2"),
    (4, "127.0.0.1", "10.77.0.1"),
    (4, "127.3.3.3", "127.0.0.1"),
    (4, "10.77.0.1", "127.0.0.1"),
    (6, "fd77::1", "fd77::2"),
    (6, "fd77::11", "fd77::2"),
    (6, "fe80::ff:fe00:1", "fe80::ff:fe00:2%eth0"),
    (6, "fe80::ff:fe00:1%eth0", "fe80::ff:fe00:2%eth0"),
    (6, "::1", "fd77::1"),
    (6, "fd77::1", "::1"),
]


@pytest.mark.live
@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize(("version", "source", "address"), OURS, ids=str)
def test_15_every_source_that_is_ours(version: int, source: str, address: str, many: bool) -> None:
    with pair() as (client, server), answering(client), answering(server):
        client.ip(
            "addr add 10.77.0.11/32 dev lo",
            "addr add fd77::11/128 dev lo",
            "route add local 192.0.2.0/24 dev lo",
        )
        server.ip("route add 192.0.2.0/24 via 10.77.0.1", "route add fd77::11/128 via fd77::1")
        found = ip_address(source)
        result = Way(version, many).call(client, address, options=ClientOptions(source=found))
    assert (result.verdict, result.close) == (Verdict.OPEN, Close.CLEAN)


KINDS = ("filter", "md5", "minttl", "owner")

STATEFUL = """
table inet stateful { chain heard {
type filter hook input priority 0; policy drop;
iif lo accept
ct state established accept
icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
}; }
"""


def held_by(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no other kind of guard hold our ports."""

    def barred(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    for name in METHODS:
        if name != kind:
            monkeypatch.setitem(METHODS, name, barred)


@pytest.mark.live
@alone
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("port", [PORT, 1])
def test_17_a_firewall_of_ours_that_drops_the_answers(
    way: Way, kind: str, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    held_by(kind, monkeypatch)
    with (
        pair() as (client, server),
        server.listen(PORT),
        drop(client, "input", f"tcp sport {port}") as rule,
    ):
        result = way.call(client, server, Timeouts.of(close_timeout=0.2), port=port)
        # A table of our own comes first.
        assert bool(rule.packets) == (kind != "owner")
    # What passes on the wire is reported as it is.
    assert result.verdict is (Verdict.OPEN if port == PORT else Verdict.CLOSED)
    assert result.guard == kind
    # Where the firewall itself is our guard, there is no count of what passes.
    assert codes(result) == (set() if kind == "owner" else {"own-firewall"})


@pytest.mark.live
@alone
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("port", [PORT, 1])
def test_17_no_firewall_of_ours_is_in_the_way(
    way: Way, kind: str, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    held_by(kind, monkeypatch)
    with pair() as (client, server), server.listen(PORT), client.listen(PORT):
        client.nft(STATEFUL)
        for host in (server, client):
            result = way.call(client, host, Timeouts.of(close_timeout=0.2), port=port)
            assert (result.guard, codes(result)) == (kind, set())


@pytest.mark.live
@pytest.mark.parametrize("many", [False, True])
def test_17_a_ttl_that_one_guard_lets_through_is_no_firewall(
    many: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    held_by("minttl", monkeypatch)
    with pair() as (client, server):
        server.sysctl("net.ipv4.ip_default_ttl", 255)
        text = f"{server.v4}:1"
        with client.entered():
            (result,) = probe_all([Target.parse(text)], attentive=many)
    assert (result.verdict, result.ttl, result.guard) == (Verdict.CLOSED, 255, "minttl")
    assert codes(result) == set()
