"""Variations on the scenarios: the same probes over longer, slower and stranger paths."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from handshake.prober import Close, Timeouts, Verdict
from tests.live.lab.delayed_link import delayed
from tests.live.lab.exchanges import CLEAN, CLOSED, SYN, of_a_kernel
from tests.live.lab.figures import draw, ours, segments
from tests.live.lab.namespaces import CommandError, Host, routed
from tests.live.lab.probing import Way, codes, every_way
from tests.live.lab.servers import answering
from tests.live.lab.tcpdump import capture
from tests.live.lab.topologies import UPPER, UPPER_ADDRESSES, asymmetric, chain, switched

AGAIN = "--> <SEQ=101><ACK=301><CTL=ACK>"


@pytest.mark.live
@every_way
def test_behind_two_routers(way: Way, tmp_path: Path) -> None:
    path = tmp_path / "wire.pcap"
    with (
        chain(2) as (client, _, _, server),
        answering(server, 444),
        capture(server, "eth0", path),
    ):
        result = way.call(client, server, port=444)
        refused = way.call(client, server, port=445)
        client_socket = way.address(client)
    assert (result.verdict, result.close, result.ttl) == (Verdict.OPEN, Close.CLEAN, 62)
    assert (refused.verdict, refused.ttl) == (Verdict.CLOSED, 62)
    assert of_a_kernel(draw(path, client_socket))[:6] == CLEAN


@pytest.mark.live
@every_way
def test_answers_come_another_way(way: Way, tmp_path: Path) -> None:
    with (
        asymmetric() as (client, there, back, server),
        answering(server, 2222),
        capture(there, "eth0", tmp_path / "there.pcap"),
        capture(back, "eth0", tmp_path / "back.pcap"),
    ):
        result = way.call(client, server, port=2222)
        refused = way.call(client, server, port=2223)
        client_socket = way.address(client)
    assert (result.verdict, result.close, result.ttl) == (Verdict.OPEN, Close.CLEAN, 63)
    assert refused.verdict is Verdict.CLOSED
    went, came = (
        draw(tmp_path / "there.pcap", client_socket),
        draw(tmp_path / "back.pcap", client_socket),
    )
    assert went == ours(went)
    assert ours(came) == []
    # Alone, one more SYN makes sure that it was the host itself that refused.
    assert len(went) == (5 if way.many else 6)
    assert len(came) >= 3
    assert codes(refused) == (set() if way.many else {"refused-by-host"})


@pytest.mark.live
@every_way
@pytest.mark.parametrize("narrow", ["client", "server"])
def test_a_path_with_an_mtu_of_1280(way: Way, narrow: str, tmp_path: Path) -> None:
    # Each end names what its own link takes (RFC 9293 section 3.7.1), and RFC 8200 lets no link
    # of IPv6 take less.
    path = tmp_path / "wire.pcap"
    with routed() as (client, router, server), answering(server, 5001):
        link = (client, router.interfaces[0]) if narrow == "client" else (server, None)
        link[0].ip("link set eth0 mtu 1280")
        router.ip(f"link set {'eth0' if narrow == 'client' else 'eth1'} mtu 1280")
        with capture(server, "eth0", path):
            result = way.call(client, server, port=5001)
    assert (result.verdict, result.close) == (Verdict.OPEN, Close.CLEAN)
    full, small = (1460, 1240) if way.version == 4 else (1440, 1220)
    syn, answer = (each.segment.options.mss for each in segments(path)[:2])
    assert (syn, answer) == ((small, full) if narrow == "client" else (full, small))
    assert result.negotiated is not None
    # What we may send is what the peer takes, and no more than our own link (Eff.snd.MSS).
    assert result.negotiated.mss == small


VIA = {"vlan": {("vlan 7",)}, "vxlan": {("vxlan 7",)}, "macvlan": {()}}
"""In what the packets of each kind travel on the cable."""


@pytest.mark.live
@every_way
@pytest.mark.parametrize("kind", UPPER)
def test_over_a_bridge(way: Way, kind: str, tmp_path: Path) -> None:
    # Each packet passes two interfaces of ours, and counts once.
    path = tmp_path / "wire.pcap"
    client_socket, called = UPPER_ADDRESSES[way.version]
    with ExitStack() as stack:
        try:
            client, _, server = stack.enter_context(switched(kind))
        except CommandError as error:
            if "Unknown device type" not in str(error):
                raise
            pytest.skip(f"this kernel has no interfaces of type {kind}")
        stack.enter_context(answering(server, 8443))
        with capture(server, "eth0", path, only=""):
            result = way.call(client, called, port=8443)
        refused = way.call(client, called, port=8444)
    assert (result.verdict, result.close, result.ttl) == (Verdict.OPEN, Close.CLEAN, 64)
    assert (result.syn_sent, refused.syn_sent) == (1, 1)
    assert refused.verdict is Verdict.CLOSED
    wire = draw(path, client_socket)
    assert of_a_kernel(wire) == CLEAN
    assert {each.via for each in segments(path)} == VIA[kind]
    if not way.many:
        assert len(result.segments) == len(wire)
        assert len(refused.segments) == 2


def acquaint(*hosts: Host) -> None:
    """Let two hosts know each other's MAC, so that no packet waits for ARP."""
    for here, there in (hosts, hosts[::-1]):
        for address in (there.v4, there.v6):
            mac = there.interfaces[0].mac
            here.ip(f"neigh replace {address} lladdr {mac} dev eth0 nud permanent")


@pytest.mark.live
@every_way
def test_three_tenths_of_a_second_each_way(way: Way, tmp_path: Path) -> None:
    # Less than the RTO in all: nothing is sent twice.
    path = tmp_path / "wire.pcap"
    # Our last ACK is still under way to the server when all is over.
    with delayed(0.3) as (client, server), answering(server, 33), capture(client, "eth0", path):
        acquaint(client, server)
        result = way.call(client, server, port=33)
        client_socket = way.address(client)
    assert (result.verdict, result.close, result.syn_sent) == (Verdict.OPEN, Close.CLEAN, 1)
    assert of_a_kernel(draw(path, client_socket)) == CLEAN
    assert result.rtt == pytest.approx(0.6, abs=0.15)
    assert not result.rtt_ambiguous
    assert codes(result) == set()


@pytest.mark.live
@every_way
def test_a_path_that_is_longer_than_the_rto(way: Way, tmp_path: Path) -> None:
    # Both ends repeat themselves while nothing is lost. It opens, and ends, once.
    path = tmp_path / "wire.pcap"
    with delayed(0.3) as (client, server), answering(server, 33), capture(server, "eth0", path):
        acquaint(client, server)
        timeouts = Timeouts.of(rto=0.25, close_timeout=3)
        result = way.call(client, server, timeouts, port=33)
        client_socket = way.address(client)
    assert (result.verdict, result.close, result.syn_sent) == (Verdict.OPEN, Close.CLEAN, 2)
    assert result.rtt_ambiguous
    lines = ours(draw(path, client_socket))
    assert lines[:2] == [SYN, SYN]
    assert not [each for each in lines if "RST" in each]
    # The first answer to the second SYN comes when the connection is open: it gets an ACK.
    assert len(lines) <= 12


@pytest.mark.live
@every_way
@pytest.mark.parametrize("copies", [2, 3])
def test_every_packet_comes_twice(way: Way, copies: int, tmp_path: Path) -> None:
    path = tmp_path / "wire.pcap"
    with (
        delayed(0.0, copies) as (client, server),
        answering(server, 6000),
    ):
        with capture(client, "eth0", path):
            # The copies of our last ACK reach a server that has forgotten us, and answers with
            # RST: the tracker sees that after the attempt has ended.
            timeouts = Timeouts.of(hold=0.2)
            result = way.call(client, server, timeouts, port=6000, may_differ=True)
        refused = way.call(client, server, port=6001)
        client_socket = way.address(client)
    assert (result.verdict, result.close, result.syn_sent) == (Verdict.OPEN, Close.CLEAN, 1)
    assert (refused.verdict, refused.close, refused.syn_sent) == (Verdict.CLOSED, None, 1)
    assert not result.rtt_ambiguous
    assert codes(result) == {"syn-ack-again"}
    wire = draw(path, client_socket)
    # Both ends answer the copies, and we not every one of them.
    assert wire.count("<-- <SEQ=300><ACK=101><CTL=SYN,ACK>") >= 2 * copies
    assert ours(wire) == [SYN, AGAIN, AGAIN, *ours(CLOSED)]
