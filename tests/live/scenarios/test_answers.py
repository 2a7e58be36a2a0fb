"""Scenarios 1 to 6: each answer that a SYN can get."""

import re
import socket
from ipaddress import ip_address
from pathlib import Path

import pytest

from handshake.prober import ClientOptions, Close, Timeouts, Verdict
from tests.live.lab.exchanges import CLEAN, SYN, of_a_kernel
from tests.live.lab.figures import draw, on_time, seconds, segments
from tests.live.lab.firewall import drop, firewall
from tests.live.lab.namespaces import pair, routed
from tests.live.lab.probing import PORT, Way, codes, every_way, two_ways
from tests.live.lab.tcpdump import capture
from tests.live.test_probe import serving


@pytest.mark.live
@every_way
def test_01_open(way: Way, tmp_path: Path) -> None:
    path = tmp_path / "wire.pcap"
    # The server's program must get to see our FIN.
    with pair() as (client, server), serving(server), capture(server, "eth0", path):
        result = way.call(client, server)
    assert (result.verdict, result.close, result.guard) == (Verdict.OPEN, Close.CLEAN, "filter")
    assert result.verdict.exit_code == 0
    assert result.reason.code == "open"
    assert (result.syn_sent, result.ttl, result.rtt_ambiguous) == (1, 64, False)
    assert result.rtt is not None
    assert 0 < result.rtt < 0.5
    assert result.findings == ()
    # The SYN-ACK acknowledges ISS + 1; both ends close, and both FINs are acknowledged.
    assert of_a_kernel(draw(path, way.address(client))) == CLEAN
    assert result.negotiated is not None
    assert (result.negotiated.sack, result.negotiated.timestamps) == (True, True)
    assert result.negotiated.mss == (1460 if way.version == 4 else 1440)
    if not way.many:
        assert all(each.checksum_ok is not False for each in result.segments)
        assert result.client is not None
        assert result.server is not None
        assert (result.client.state, result.server.state) == ("TIME-WAIT", "CLOSED")


@pytest.mark.live
@every_way
def test_01_an_echo_works(way: Way) -> None:
    def echo(client_socket: socket.socket) -> None:
        while data := client_socket.recv(100):
            client_socket.sendall(data)

    with pair() as (client, server), serving(server, echo):
        options = ClientOptions(data=b"GET / HTTP/1.0\r\n\r\n", expect=b"HTTP/1.0\r\n\r\n")
        result = way.call(client, server, options=options)
    assert (result.verdict, result.close, result.succeeded) == (Verdict.OPEN, Close.CLEAN, True)
    assert result.data is not None
    assert result.data.received == options.data


@pytest.mark.live
@every_way
def test_02_closed(way: Way, tmp_path: Path) -> None:
    path = tmp_path / "wire.pcap"
    with pair() as (client, server), capture(server, "eth0", path):
        result = way.call(client, server, port=1)
    assert (result.verdict, result.close, result.syn_sent) == (Verdict.CLOSED, None, 1)
    assert result.verdict.exit_code == 1
    assert (result.reason.code, result.reason.values) == ("closed", {"port": 1})
    assert result.ttl == 64
    assert result.rtt is not None
    assert draw(path, way.address(client)) == [SYN, "<-- <SEQ=0><ACK=101><CTL=RST,ACK>"]
    assert segments(path)[1].segment.window == 0
    if not way.many:
        assert [str(each.segment.flags) for each in result.segments] == ["SYN", "RST-ACK"]


@pytest.mark.live
@two_ways
def test_03_dropped(way: Way, tmp_path: Path) -> None:
    path = tmp_path / "wire.pcap"
    with (
        routed() as (client, router, server),
        server.listen(9001),
        drop(router, "forward", "tcp dport 9001") as rule,
        capture(router, "eth0", path),
        capture(server, "eth0", tmp_path / "server.pcap"),
    ):
        result = way.call(client, server, Timeouts.of(timeout=3.5), port=9001)
        assert rule.packets == 3
    assert (result.verdict, result.syn_sent, result.rtt) == (Verdict.FILTERED, 3, None)
    assert result.verdict.exit_code == 1
    assert (result.reason.code, result.reason.values["count"]) == ("filtered.silent", 3)
    assert re.search(r"no answer to 3 SYNs within (3\.[5-9]|4\.\d) s", str(result.reason))
    assert draw(path, way.address(client)) == [SYN] * 3
    syns = segments(path)
    assert on_time(seconds(syns), [0, 1, 3])
    # The same SYN each time, but for the clock.
    assert len({int(each.segment.seq) for each in syns}) == 1
    clocks = [each.segment.options.timestamps for each in syns]
    assert on_time(
        [(clock.value - clocks[0].value) / 1e3 for clock in clocks if clock and clocks[0]],
        [0, 1, 3],
    )
    assert segments(tmp_path / "server.pcap") == []
    if not way.many:
        assert result.client is not None
        assert result.client.state == "SYN-SENT"


@pytest.mark.live
@every_way
def test_04_rst_by_a_firewall(way: Way, tmp_path: Path) -> None:
    path = tmp_path / "wire.pcap"
    with (
        routed() as (client, router, server),
        firewall(router, "forward", "tcp dport 9001", "reject with tcp reset") as rule,
        capture(router, "eth0", path),
        capture(server, "eth0", tmp_path / "server.pcap"),
    ):
        result = way.call(client, server, port=9001)
        by_the_host = way.call(client, server, port=9002)
        assert rule.packets == 1
    assert (result.verdict, result.syn_sent) == (Verdict.CLOSED, 1)
    assert result.reason.code == "closed"
    # The router's own packets start here with one hop less to go than those that pass it.
    assert (result.ttl, by_the_host.ttl) == (64, 63)
    assert draw(path, way.address(client))[:2] == [SYN, "<-- <SEQ=0><ACK=101><CTL=RST,ACK>"]
    reached = [each.segment for each in segments(tmp_path / "server.pcap") if each.segment.syn]
    finding = next(each for each in result.findings if each.code == "refused-by-firewall")
    assert (finding.variant, finding.values["ttl"], finding.values["most"]) == ("near", 64, 63)
    if way.many:
        assert [each.destination.port for each in reached] == [9002]
        assert codes(by_the_host) == set()
        return
    # That the host itself refuses is made sure of by a second SYN, which goes just as far.
    assert [each.destination.port for each in reached] == [9002, 9002]
    assert codes(by_the_host) == {"refused-by-host"}


V4_CODES = {
    "net-unreachable": (0, "network unreachable"),
    "host-unreachable": (1, "host unreachable"),
    "prot-unreachable": (2, "protocol unreachable"),
    "port-unreachable": (3, "port unreachable"),
    "net-prohibited": (9, "network administratively prohibited"),
    "host-prohibited": (10, "host administratively prohibited"),
    "admin-prohibited": (13, "communication administratively prohibited"),
}

V6_CODES = {
    "no-route": (0, "no route to destination"),
    "admin-prohibited": (1, "communication administratively prohibited"),
    "addr-unreachable": (3, "address unreachable"),
    "port-unreachable": (4, "port unreachable"),
    "policy-fail": (5, "source address failed ingress/egress policy"),
    "reject-route": (6, "reject route to destination"),
}


SOFT = {4: (0, 1), 6: (0, 3)}
"""Codes of those that may pass, by the version of IP."""


def unreachable(
    way: Way, by: str, answer: str, kind: int, code: int, words: str, path: Path
) -> None:
    """Probe through a router that rejects, or a host that does, and check the result."""
    with routed() as (client, router, server):
        who, hook = (router, "forward") if by == "router" else (server, "input")
        with firewall(who, hook, f"tcp dport {PORT}", f"reject with {answer}") as rule:
            with capture(router, "eth0", path):
                result = way.call(client, server, Timeouts.of(rto=0.1))
            # A soft error ends the probe only if no SYN is left (section 3.9.2.2, MUST-56).
            syns = 3 if code in SOFT[way.version] else 1
            assert rule.packets == syns
        speaker = way.address(who)
        client_socket = way.address(client)
    assert (result.verdict, result.syn_sent, result.close) == (Verdict.UNREACHABLE, syns, None)
    assert result.duration is not None
    assert result.duration < 2
    assert result.verdict.exit_code == 1
    assert result.icmp is not None
    assert (result.icmp.type, result.icmp.code) == (kind, code)
    assert result.icmp.sender == ip_address(speaker)
    name = "ICMP" if way.version == 4 else "ICMPv6"
    output = f"reports: {words} ({name} {kind}/{code})"
    assert str(result.reason) == f"{'the host itself' if by == 'host' else speaker} {output}"
    assert result.as_json()["icmp"] == {"type": kind, "code": code, "from": speaker}
    assert codes(result) == set()
    shown = f"<-- {speaker} says {words} ({name} {kind}/{code}) of <SEQ=100>"
    assert draw(path, client_socket) == [SYN, shown] * syns


@pytest.mark.live
@pytest.mark.parametrize("way", [Way(4), Way(4, many=True)], ids=str)
@pytest.mark.parametrize("by", ["router", "host"])
@pytest.mark.parametrize("name", V4_CODES)
def test_05_icmp(way: Way, by: str, name: str, tmp_path: Path) -> None:
    code, words = V4_CODES[name]
    unreachable(way, by, f"icmp type {name}", 3, code, words, tmp_path / "wire.pcap")


@pytest.mark.live
@pytest.mark.parametrize("way", [Way(6), Way(6, many=True)], ids=str)
@pytest.mark.parametrize("by", ["router", "host"])
@pytest.mark.parametrize("name", V6_CODES)
def test_06_icmpv6(way: Way, by: str, name: str, tmp_path: Path) -> None:
    code, words = V6_CODES[name]
    unreachable(way, by, f"icmpv6 type {name}", 1, code, words, tmp_path / "wire.pcap")
