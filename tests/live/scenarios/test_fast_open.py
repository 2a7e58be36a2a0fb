"""Scenario 13: TCP Fast Open, from the first cookie to data in a SYN (RFC 7413)."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from handshake.prober import ClientOptions, Timeouts, Verdict
from tests.live.lab.figures import segments
from tests.live.lab.firewall import drop
from tests.live.lab.namespaces import Host, pair
from tests.live.lab.probing import Way, every_way
from tests.live.lab.tcpdump import capture
from tests.live.test_probe import hang_up, serving

_TCP_FASTOPEN = 23


@contextmanager
def fast_opening(server: Host, observed: list[bytes]) -> Iterator[None]:
    """Accept one client, by Fast Open if it has the cookie, and answer its data."""
    server.sysctl("net.ipv4.tcp_fastopen", 3)

    def serve(client_socket: socket.socket) -> None:
        observed.append(client_socket.recv(100))
        client_socket.sendall(b"welcome")
        hang_up(client_socket)

    def prepare(listener: socket.socket) -> None:
        listener.setsockopt(socket.IPPROTO_TCP, _TCP_FASTOPEN, 16)

    with serving(server, serve, prepare=prepare):
        yield


@pytest.mark.live
@every_way
def test_13_a_cookie_and_then_data_in_the_syn(way: Way, tmp_path: Path) -> None:
    path = tmp_path / "wire.pcap"
    observed: list[bytes] = []
    with pair() as (client, server), capture(server, "eth0", path):
        with fast_opening(server, observed):
            first = way.call(client, server, options=ClientOptions(fast_open=b"", data=b"one"))
        assert first.negotiated is not None
        cookie = bytes.fromhex(first.negotiated.fast_open or "")
        with fast_opening(server, observed):
            options = ClientOptions(fast_open=cookie, data=b"hello", expect=b"welcome")
            result = way.call(client, server, options=options)
    assert len(cookie) == 8
    assert (first.verdict, result.verdict) == (Verdict.OPEN, Verdict.OPEN)
    assert observed == [b"one", b"hello"]
    output = result.data
    assert output is not None
    assert (output.acknowledged, output.received, output.expected) == (5, b"welcome", True)
    asked, answered, syn, syn_ack = [e.segment for e in segments(path) if e.segment.syn]
    assert (asked.options.fast_open, asked.payload) == (b"", b"")
    assert answered.options.fast_open == cookie
    assert (syn.options.fast_open, syn.payload) == (cookie, b"hello")
    assert syn_ack.ack == syn.seq + 6


@pytest.mark.live
@every_way
def test_13_a_wrong_cookie_brings_the_data_after_the_handshake(way: Way, tmp_path: Path) -> None:
    path = tmp_path / "wire.pcap"
    observed: list[bytes] = []
    with pair() as (client, server), fast_opening(server, observed), capture(server, "eth0", path):
        options = ClientOptions(fast_open=bytes(8), data=b"hello", expect=b"welcome")
        result = way.call(client, server, options=options)
    assert (result.verdict, observed) == (Verdict.OPEN, [b"hello"])
    syn, syn_ack = [each.segment for each in segments(path)][:2]
    assert syn.payload == b"hello"
    assert syn_ack.ack == syn.seq + 1


@pytest.mark.live
@every_way
def test_13_where_such_a_syn_is_dropped_one_without_it_is_sent(way: Way, tmp_path: Path) -> None:
    # RFC 7413 section 4.1.3.1: some boxes drop a SYN with an option or data that they do not know.
    path = tmp_path / "wire.pcap"
    observed: list[bytes] = []
    with (
        pair() as (client, server),
        fast_opening(server, observed),
        drop(server, "input", "tcp option 34 exists"),
        capture(server, "eth0", path),
    ):
        options = ClientOptions(fast_open=bytes(8), data=b"hello", expect=b"welcome")
        result = way.call(client, server, Timeouts.of(rto=0.2), options=options)
    assert (result.verdict, result.syn_sent, observed) == (Verdict.OPEN, 2, [b"hello"])
    first, second = [e.segment for e in segments(path) if e.segment.syn and e.segment.ack is None]
    assert (first.options.fast_open, first.payload) == (bytes(8), b"hello")
    assert (second.options.fast_open, second.payload, second.seq) == (None, b"", first.seq)
