"""Scenario 23: both ends connect at the same time (RFC 9293 section 3.5, figure 7)."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from handshake.prober import ClientOptions, Close, Probe, Target, Timeouts, Verdict
from handshake.tcp import State
from tests.live.lab.delayed_link import delayed
from tests.live.lab.exchanges import OPENED, SYN
from tests.live.lab.figures import draw
from tests.live.lab.firewall import drop
from tests.live.lab.namespaces import Host, Socket, eventually, pair
from tests.live.lab.probing import PORT, Way, alone, codes
from tests.live.lab.tcpdump import capture
from tests.live.test_probe import SYN as ANY_SYN

OURS = 41000
"""The port that both ends know in advance."""

KEEPS_OPEN = Timeouts.of(close_timeout=0.3)


@contextmanager
def bound(server: Host, way: Way) -> Iterator[Socket]:
    """Yield a socket of the server's on the port that is probed."""
    family = socket.AF_INET if way.version == 4 else socket.AF_INET6
    with server.socket(family) as theirs:
        theirs.bind((way.address(server), PORT))
        theirs.setblocking(False)
        yield theirs


@pytest.mark.live
@alone
def test_23_its_syn_is_lost(way: Way, tmp_path: Path) -> None:
    # It sent a SYN that did not arrive: it answers ours with a SYN-ACK.
    path = tmp_path / "wire.pcap"
    with (
        pair() as (client, server),
        drop(server, "output", ANY_SYN) as rule,
        bound(server, way) as theirs,
    ):
        client_socket = way.address(client)
        theirs.connect_ex((client_socket, OURS))
        eventually(lambda: rule.packets > 0, "the SYN of the server")
        with capture(server, "eth0", path):
            result = way.call(client, server, KEEPS_OPEN, options=ClientOptions(source_port=OURS))
        # It is ESTABLISHED, too, and has received our FIN.
        assert theirs.getpeername()[:2] == (client_socket, OURS)
        assert theirs.recv(1) == b""
    assert (result.verdict, result.close) == (Verdict.OPEN, Close.PEER_KEPT_OPEN)
    assert result.syn_sent == 1
    assert draw(path, client_socket) == [
        SYN,
        *OPENED,
        "--> <SEQ=101><ACK=301><CTL=FIN,ACK>",
        "<-- <SEQ=301><ACK=102><CTL=ACK>",
    ]


@pytest.mark.live
@alone
def test_23_the_syns_cross(way: Way, tmp_path: Path) -> None:
    # Each segment is 50 ms on its way, so that both SYNs are under way at once.
    path = tmp_path / "wire.pcap"
    with (
        delayed(0.05) as (client, server),
        bound(server, way) as theirs,
        capture(server, "eth0", path),
        client.entered(),
    ):
        client_socket = way.address(client)
        target = Target.of(way.address(server), PORT)
        (remote,) = target.endpoints()
        probe = Probe(target, remote, KEEPS_OPEN, ClientOptions(source_port=OURS))
        for step in probe:
            if step.index == 1:
                theirs.connect_ex((client_socket, OURS))
        result = probe.finish()
        assert theirs.getpeername()[:2] == (client_socket, OURS)
        assert theirs.recv(1) == b""
    assert (result.verdict, result.close) == (Verdict.OPEN, Close.PEER_KEPT_OPEN)
    assert "simultaneous-open" in codes(result)
    # The SYN that crossed ours answers nothing: it would say half of it.
    assert result.rtt is not None
    assert 0.1 <= result.rtt < 0.2
    assert result.reason.code == "crossed.open"
    assert (result.syn_sent, result.negotiated is not None) == (1, True)
    assert probe.endpoint is not None
    assert probe.endpoint.block == probe.tracker.connections[0].client.block
    assert probe.endpoint.block.state is State.FIN_WAIT_2
    wire = draw(path, client_socket)
    # Seen from the server; its SYN has left before ours came.
    assert wire[:4] == [
        "<-- <SEQ=300><CTL=SYN>",
        "--> <SEQ=100><CTL=SYN>",
        "<-- <SEQ=300><ACK=101><CTL=SYN,ACK>",
        "--> <SEQ=100><ACK=301><CTL=SYN,ACK>",
    ]
    assert "--> <SEQ=101><ACK=301><CTL=FIN,ACK>" in wire[4:]
    assert not [line for line in wire[4:] if "SYN" in line or "RST" in line]
