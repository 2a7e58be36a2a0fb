"""Scenarios 11, 12 and 20: what the peer agrees to, and what it demands."""

import socket
import struct
from pathlib import Path

import pytest

from handshake.prober import ClientOptions, Close, Timeouts, Verdict
from handshake.tcp import Flags, Kind
from tests.live.lab.exchanges import SYN
from tests.live.lab.figures import draw, ours, segments
from tests.live.lab.firewall import drop
from tests.live.lab.namespaces import Host, pair
from tests.live.lab.probing import PORT, Way, codes, every_way
from tests.live.lab.tcpdump import capture
from tests.live.test_probe import serving

KEY = b"nobody knows"
_TCP_MD5SIG = 14
_MPTCP = 262
_MD5SIG = struct.Struct("=128sBBHi80s")
_ECN = Flags.ECE | Flags.CWR | Flags.AE


@pytest.mark.live
@every_way
@pytest.mark.parametrize("setting", [0, 1, 2])
def test_11_a_plain_syn_negotiates_no_ecn(way: Way, setting: int, tmp_path: Path) -> None:
    # Whatever the server would do if it were asked (RFC 3168 section 6.1.1).
    path = tmp_path / "wire.pcap"
    with pair() as (client, server), serving(server), capture(server, "eth0", path):
        server.sysctl("net.ipv4.tcp_ecn", setting)
        result = way.call(client, server)
    assert (result.verdict, result.close) == (Verdict.OPEN, Close.CLEAN)
    assert not [each for each in segments(path) if each.segment.flags & _ECN]
    assert result.negotiated is not None
    assert result.negotiated.ecn is False


@pytest.mark.live
@every_way
@pytest.mark.parametrize(("setting", "agreed"), [(2, True), (0, False)])
def test_11_ecn(way: Way, setting: int, agreed: bool, tmp_path: Path) -> None:
    path = tmp_path / "wire.pcap"
    with pair() as (client, server), serving(server), capture(server, "eth0", path):
        server.sysctl("net.ipv4.tcp_ecn", setting)
        result = way.call(client, server, options=ClientOptions(ecn=True))
    syn, syn_ack = (each.segment.flags for each in segments(path)[:2])
    assert syn == Flags.SYN | Flags.ECE | Flags.CWR
    assert syn_ack == Flags.SYN | Flags.ACK | (Flags.ECE if agreed else Flags(0))
    assert (result.verdict, result.close) == (Verdict.OPEN, Close.CLEAN)
    assert result.negotiated is not None
    assert result.negotiated.ecn == agreed
    assert codes(result) == (set() if agreed or way.many else {"ecn-refused"})


@pytest.mark.live
@every_way
def test_11_ecn_is_given_up_where_it_is_not_answered(way: Way) -> None:
    # RFC 3168 section 6.1.1.1: some drop a SYN that asks for it.
    lost = "tcp flags & (syn | ecn) == syn | ecn"
    with pair() as (client, server), serving(server), drop(server, "input", lost):
        result = way.call(client, server, Timeouts.of(rto=0.3), options=ClientOptions(ecn=True))
    assert (result.verdict, result.syn_sent) == (Verdict.OPEN, 2)
    assert result.negotiated is not None
    assert not result.negotiated.ecn
    assert "syn-retransmitted" in codes(result)


@pytest.mark.live
@every_way
@pytest.mark.parametrize("absent", ["window_scaling", "timestamps", "sack"])
def test_12_options_that_the_server_does_without(way: Way, absent: str, tmp_path: Path) -> None:
    path = tmp_path / "wire.pcap"
    with pair() as (client, server), serving(server), capture(server, "eth0", path):
        server.sysctl(f"net.ipv4.tcp_{absent}", 0)
        result = way.call(client, server)
        client_socket = way.address(client)
    assert (result.verdict, result.close) == (Verdict.OPEN, Close.CLEAN)
    found = result.negotiated
    assert found is not None
    scaled = (found.snd_shift, found.rcv_shift) != (0, 0)
    in_force = {"window_scaling": scaled, "timestamps": found.timestamps, "sack": found.sack}
    assert in_force == {name: name != absent for name in in_force}
    seen = [each.segment for each in segments(path)]
    syn, answer = seen[:2]
    # We offer all three, and what the server leaves out is not used from then on.
    assert syn.options.window_scale == 7
    assert syn.options.timestamps is not None
    assert syn.options.sack_permitted
    assert (answer.options.window_scale is None) == (absent == "window_scaling")
    assert (answer.options.timestamps is None) == (absent == "timestamps")
    assert answer.options.sack_permitted == (absent != "sack")
    mine = [each for each in seen[2:] if str(each.source.address) == client_socket]
    assert len(mine) == 3
    for each in mine:
        assert (each.options.timestamps is None) == (absent == "timestamps")
        # The same room, in units of one octet or of 128.
        whole = 1 if absent == "window_scaling" else 128
        assert each.window == -(-syn.window // whole)


@pytest.mark.live
@every_way
def test_20_a_server_that_wants_md5_signatures(way: Way, tmp_path: Path) -> None:
    # Unsigned segments are dropped silently (RFC 2385 section 2.0).
    path = tmp_path / "wire.pcap"
    with (
        pair() as (client, server),
        server.listen(PORT, way.address(server)) as listener,
        capture(server, "eth0", path),
    ):
        demand_signatures(listener, way, client)
        result = way.call(client, server, Timeouts.of(timeout=0.9, rto=0.2))
        assert unsigned(server) == 3
        client_socket = way.address(client)
    assert (result.verdict, result.syn_sent, result.rtt) == (Verdict.FILTERED, 3, None)
    assert result.reason.code.startswith("filtered.")
    assert draw(path, client_socket) == ours(draw(path, client_socket)) == [SYN] * 3


@pytest.mark.live
@every_way
@pytest.mark.parametrize(("key", "verdict"), [(KEY, Verdict.OPEN), (b"a guess", Verdict.FILTERED)])
def test_20_a_server_that_gets_md5_signatures(way: Way, key: bytes, verdict: Verdict) -> None:
    with pair() as (client, server), server.listen(PORT, way.address(server)) as listener:
        demand_signatures(listener, way, client)
        timeouts = Timeouts.of(timeout=0.5, retries=0, close_timeout=0.5)
        result = way.call(client, server, timeouts, options=ClientOptions(md5=key))
    assert result.verdict is verdict
    if verdict is Verdict.OPEN:
        assert result.negotiated is not None
        assert result.negotiated.md5
        assert result.close is Close.PEER_KEPT_OPEN
    else:
        assert result.reason.code == "filtered.signed"


@pytest.mark.live
@every_way
def test_20_a_server_with_multipath_tcp(way: Way, tmp_path: Path) -> None:
    path = tmp_path / "wire.pcap"
    family = socket.AF_INET if way.version == 4 else socket.AF_INET6
    with pair() as (client, server), server.socket(family, proto=_MPTCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("", PORT))
        listener.listen()
        # Version 1, no checksums, HMAC-SHA256 (RFC 8684 section 3.1).
        options = ClientOptions(extra_options=((Kind.MPTCP, bytes((0x01, 0x01))),))
        with capture(server, "eth0", path):
            result = way.call(client, server, Timeouts.of(close_timeout=0.2), options=options)
    assert result.verdict is Verdict.OPEN
    assert result.negotiated is not None
    assert result.negotiated.mptcp
    assert [each.segment.options.mptcp for each in segments(path)[:2]] == ["MP_CAPABLE"] * 2


def demand_signatures(listener: socket.socket, way: Way, client: Host) -> None:
    """Let a listener take only what the client has signed with a key."""
    family = socket.AF_INET if way.version == 4 else socket.AF_INET6
    packed = socket.inet_pton(family, way.address(client))
    # struct sockaddr_in has the address after family and port, sockaddr_in6 after flow, too.
    place = struct.pack("=H", family) + bytes(2 if way.version == 4 else 6) + packed
    listener.setsockopt(
        socket.IPPROTO_TCP, _TCP_MD5SIG, _MD5SIG.pack(place, 0, 0, len(KEY), 0, KEY)
    )


def unsigned(host: Host) -> int:
    """Return how many segments a host has dropped because they were not signed."""
    table = host.run(["cat", "/proc/self/net/netstat"]).stdout.splitlines()
    names, values = (line.split() for line in table if line.startswith("TcpExt:"))
    return int(dict(zip(names, values, strict=True))["TCPMD5NotFound"])
