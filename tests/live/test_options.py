"""Probes with all options, against real kernels, as captured at the server."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from ipaddress import ip_address
from pathlib import Path

import pytest

from handshake.linux import rst_guard as guards
from handshake.prober import (
    Attempt,
    ClientOptions,
    Close,
    CloseMode,
    Probe,
    Result,
    Target,
    Timeouts,
    Verdict,
    probes,
)
from handshake.prober.run import probe_all
from handshake.prober.userspace.connections import UserspaceConnections
from handshake.tcp import Flags, Observed
from tests.live.lab.firewall import drop
from tests.live.lab.namespaces import Host, eventually, pair
from tests.live.lab.probing import Way, agree, every_way
from tests.live.lab.servers import accepting_all, answering
from tests.live.lab.tcpdump import capture
from tests.live.test_probe import PORT, flags, hang_up, seen, serving

BARE_ACK = "tcp flags == ack"
_TCP_FASTOPEN = 23
_TCP_MD5SIG = 14
_MPTCP = 262


def call(
    client: Host,
    target: str,
    timeouts: Timeouts | None = None,
    options: ClientOptions | None = None,
) -> Result:
    """Probe one address to the end; what both sides of it remember must agree."""
    with client.entered():
        (probe,) = probes(Target.parse(target), timeouts, options)
        assert isinstance(probe, Probe)
        result = probe.finish()
    if isinstance(probe.endpoint, Attempt):
        assert agree(probe)
    assert "kernel-reset" not in [note.code for note in result.findings]
    return result


def target(host: Host, version: int, port: int = PORT) -> str:
    return f"{host.v4}:{port}" if version == 4 else f"[{host.v6}]:{port}"


@contextmanager
def both(folder: Path) -> Iterator[tuple[Host, Host, Path]]:
    """Yield client, server, and the file of a capture at the server."""
    path = folder / "a.pcap"
    with pair() as (client, server), capture(server, "eth0", path):
        yield client, server, path


@pytest.mark.live
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    ("options", "field", "off"),
    [
        (ClientOptions(window_scale=None), "rcv_shift", 0),
        (ClientOptions(timestamps=False), "timestamps", False),
        (ClientOptions(sack=False), "sack", False),
        (ClientOptions(mss=900), "mss", None),
    ],
)
def test_what_we_do_not_offer_is_not_in_force(
    version: int, options: ClientOptions, field: str, off: object, tmp_path: Path
) -> None:
    with both(tmp_path) as (client, server, path), answering(server):
        found = call(client, target(server, version), options=options)
    assert (found.verdict, found.close) == (Verdict.OPEN, Close.CLEAN)
    assert found.negotiated is not None
    if off is not None:
        assert getattr(found.negotiated, field) == off
    syn = seen(path)[0].segment
    assert syn.options.mss == (900 if field == "mss" else 1460 if version == 4 else 1440)
    assert (syn.options.timestamps is None) == (field == "timestamps")
    assert syn.options.sack_permitted == (field != "sack")
    assert (syn.options.window_scale is None) == (field == "rcv_shift")


@pytest.mark.live
def test_any_header_that_was_asked_for_is_on_the_wire(tmp_path: Path) -> None:
    with both(tmp_path) as (client, server, path), answering(server):
        options = ClientOptions(
            mss=1000,
            window=2048,
            window_scale=3,
            iss=4_294_967_290,
            source_port=4242,
            ttl=9,
            tos=0xB8,
            extra_options=((253, b"\xf9\x89"),),
            flags=Flags.SYN | Flags.PSH,
        )
        for version in (4, 6):
            found = call(client, target(server, version), options=options)
            assert (found.verdict, found.close) == (Verdict.OPEN, Close.CLEAN)
    syns = [each for each in seen(path) if each.segment.syn and each.segment.ack is None]
    for syn in syns:
        assert (int(syn.segment.seq), syn.segment.window) == (4_294_967_290, 2048)
        assert syn.segment.source.port == 4242
        assert syn.segment.flags == Flags.SYN | Flags.PSH
        assert (syn.segment.options.mss, syn.segment.options.window_scale) == (1000, 3)
        assert syn.segment.options.data(253) == b"\xf9\x89"
        assert syn.ttl == 9
    assert syns[0].packet[1] == 0xB8
    assert int.from_bytes(syns[1].packet[:2], "big") >> 4 & 0xFF == 0xB8
    ours = [each for each in seen(path) if each.segment.source.port == 4242]
    assert {each.ttl for each in ours} == {9}


@pytest.mark.live
@pytest.mark.parametrize(
    ("closing", "end"),
    [(CloseMode.FIN, "FIN-ACK"), (CloseMode.RST, "RST"), (CloseMode.NONE, None)],
)
def test_it_ends_as_it_was_asked_to(closing: CloseMode, end: str | None) -> None:
    with pair() as (client, server), answering(server):
        found = call(
            client, target(server, 4), Timeouts.of(observe=0.1), ClientOptions(closing=closing)
        )
    assert found.verdict is Verdict.OPEN
    shown = [str(each.segment.flags) for each in found.segments]
    assert shown[:4] == ["SYN", "SYN-ACK", "ACK", *([] if end is None else [end])]


@pytest.mark.live
@pytest.mark.parametrize("version", [4, 6])
def test_a_question_and_its_answer(version: int) -> None:
    asked: list[bytes] = []

    def serve(client_socket: socket.socket) -> None:
        asked.append(client_socket.recv(100))
        client_socket.sendall(b"HTTP/1.0 200 OK\r\n\r\nHello.\r\n")

    with pair() as (client, server), serving(server, serve):
        options = ClientOptions(data=b"GET / HTTP/1.0\r\n\r\n", expect=b" 200 ")
        found = call(client, target(server, version), options=options)
    assert asked == [b"GET / HTTP/1.0\r\n\r\n"]
    assert (found.verdict, found.close, found.succeeded) == (Verdict.OPEN, Close.CLEAN, True)
    assert found.data is not None
    assert found.data.received.endswith(b"Hello.\r\n")


@pytest.mark.live
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("ours", [None, 536])
def test_a_peer_that_takes_more_than_our_link_carries(version: int, ours: int | None) -> None:
    observed = bytearray()

    def serve(client_socket: socket.socket) -> None:
        while part := client_socket.recv(0xFFFF):
            observed.extend(part)

    data = bytes(range(256)) * 40
    with pair() as (client, server), serving(server, serve):
        server.ip("link set eth0 mtu 9000")
        how = ClientOptions(data=data, mss=ours)
        found = call(client, target(server, version), Timeouts.of(timeout=2), how)
    assert (found.verdict, found.close) == (Verdict.OPEN, Close.CLEAN)
    assert bytes(observed) == data
    # What we take does not limit what we send: our link does (section 3.7.1).
    room = 1460 if version == 4 else 1440
    assert max(each.segment.payload_length for each in found.segments) == room - 12
    assert found.server is not None
    assert found.server.mss == room + 7500
    assert found.negotiated is not None
    assert found.negotiated.mss == room


@pytest.mark.live
def test_of_endless_data_the_beginning_is_kept() -> None:
    def serve(client_socket: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client_socket.sendall(bytes(1 << 16))

    with pair() as (client, server), serving(server, serve):
        timeouts = Timeouts.of(hold=2, close_timeout=0.2)
        with client.entered():
            (probe,) = probes(Target.parse(target(server, 4)), timeouts)
            assert isinstance(probe, Probe)
            found = probe.finish()
    assert found.verdict is Verdict.OPEN
    assert sum(len(each.packet) for each in found.segments) < 9 << 20
    assert "segments-left-out" in [note.code for note in found.findings]
    assert found.data is not None
    assert len(found.data.received) == 0xFFFF


@pytest.mark.live
@pytest.mark.parametrize("version", [4, 6])
def test_more_than_a_segment_over_a_lossy_path(version: int) -> None:
    observed = bytearray()

    def serve(client_socket: socket.socket) -> None:
        while part := client_socket.recv(0xFFFF):
            observed.extend(part)

    data = bytes(range(256)) * 200
    lost = "tcp flags & (syn | fin) == 0x0 numgen inc mod 7 == 3"
    with pair() as (client, server), serving(server, serve), drop(server, "input", lost):
        timeouts = Timeouts.of(rto=0.2, timeout=9, retries=3, close_timeout=5)
        found = call(client, target(server, version), timeouts, ClientOptions(data=data))
    assert found.verdict is Verdict.OPEN
    assert bytes(observed) == data
    assert found.data is not None
    assert found.data.acknowledged == len(data)


@pytest.mark.live
@pytest.mark.parametrize(
    ("asked", "listening", "verdict"),
    [
        (Flags.FIN, True, Verdict.FILTERED),
        (Flags.FIN, False, Verdict.CLOSED),
        (Flags(0), False, Verdict.CLOSED),
        (Flags.ACK, True, Verdict.RESET),
        (Flags.ACK, False, Verdict.RESET),
        (Flags.SYN | Flags.FIN, False, Verdict.CLOSED),
    ],
)
def test_a_segment_that_asks_for_nothing(
    asked: Flags, listening: bool, verdict: Verdict, tmp_path: Path
) -> None:
    with both(tmp_path) as (client, server, path), answering(server):
        timeouts = Timeouts.of(timeout=0.3, retries=0)
        place = target(server, 4, PORT if listening else 1)
        found = call(client, place, timeouts, ClientOptions(flags=asked))
    assert found.verdict is verdict
    assert (found.rtt is None) == (verdict is Verdict.FILTERED)
    ours = [each for each in seen(path) if str(each.segment.source.address) == "10.77.0.1"]
    assert [each.segment.flags for each in ours] == [asked]


@pytest.mark.live
@pytest.mark.parametrize(
    ("asked", "verdict"), [(Flags.FIN, Verdict.FILTERED), (Flags.ACK, Verdict.RESET)]
)
def test_so_it_is_with_the_bits_of_ecn(asked: Flags, verdict: Verdict) -> None:
    with pair() as (client, server), answering(server):
        timeouts = Timeouts.of(timeout=0.3, retries=0)
        found = call(client, target(server, 4), timeouts, ClientOptions(flags=asked, ecn=True))
    assert (found.verdict, found.syn_sent) == (verdict, 1)
    assert f"{asked.name}-ECE-CWR" in str(found.reason)
    assert (found.rtt is None) == (verdict is Verdict.FILTERED)


@pytest.mark.live
def test_an_address_and_an_interface_of_ours(tmp_path: Path) -> None:
    with both(tmp_path) as (client, server, path), answering(server):
        client.ip("addr add 10.77.0.11/24 dev eth0", "addr add 192.0.2.1/32 dev lo")
        for options in (
            ClientOptions(source=ip_address("10.77.0.11")),
            ClientOptions(interface="eth0"),
        ):
            assert call(client, target(server, 4), options=options).verdict is Verdict.OPEN
    clients = {str(each.segment.source.address) for each in seen(path) if _asks(each)}
    assert clients == {"10.77.0.11", "10.77.0.1"}


def _asks(each: Observed) -> bool:
    return each.segment.syn and each.segment.ack is None


@pytest.mark.live
@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("192.0.2.77", "192.0.2.77 is not an address of this machine"),
        ("fd77::1", "have different IP versions"),
    ],
)
def test_an_address_that_is_not_ours_is_a_local_error(source: str, words: str) -> None:
    how = ClientOptions(source=ip_address(source))
    with pair() as (client, server):
        found = call(client, target(server, 4), options=how)
    assert (found.verdict, found.syn_sent) == (Verdict.LOCAL_ERROR, 0)
    assert words in str(found.reason)


@pytest.mark.live
def test_a_guard_that_does_not_hold_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(guards.METHODS, "filter", lambda *_: None)
    monkeypatch.setattr(guards, "_answers", lambda *_: False)
    with pair() as (client, server), answering(server), client.entered():
        (probe,) = probes(Target.parse(target(server, 4)), Timeouts.of(close_timeout=0.2))
        assert isinstance(probe, Probe)
        found = probe.finish()
    assert "kernel-reset" in [note.code for note in found.findings]


EVERY_OTHER_ACK = "tcp flags == ack numgen inc mod 2 == 1"
"""The ACK of the handshake arrives, and that of the peer's FIN does not, at first."""


@pytest.mark.live
@pytest.mark.parametrize("version", [4, 6])
def test_the_last_ack_is_lost_and_the_fin_is_answered_again(version: int, tmp_path: Path) -> None:
    lost = partial(drop, hook="input", match=EVERY_OTHER_ACK)
    with both(tmp_path) as (client, server, path), answering(server), lost(server):
        found = call(client, target(server, version))
        eventually(lambda: _closed(server), "the server's end to close")
    assert (found.verdict, found.close) == (Verdict.OPEN, Close.CLEAN)
    shown = [each for each in flags(path) if each != "SYN-ACK"]
    assert shown.count("ACK") - shown[:-4].count("ACK") == 2
    # Our kernel would have reset what it knows nothing of.
    assert "RST" not in shown


def _closed(server: Host) -> bool:
    return not server.run(["ss", "-Htn", "state", "connected", f"sport = :{PORT}"]).stdout


@pytest.mark.live
@pytest.mark.parametrize("pause", [0.0, 0.03], ids=["at once", "ACK and FIN read together"])
def test_so_it_is_among_many(tmp_path: Path, pause: float, monkeypatch: pytest.MonkeyPatch) -> None:
    receive = UserspaceConnections.receive

    def received(self: UserspaceConnections) -> int:
        time.sleep(pause)
        return receive(self)

    def treat(client: socket.socket) -> None:
        hang_up(client)
        time.sleep(pause / 3)  # its kernel acknowledges our FIN before

    monkeypatch.setattr(UserspaceConnections, "receive", received)
    lost = partial(drop, hook="input", match=EVERY_OTHER_ACK)
    with both(tmp_path) as (client, server, path), accepting_all(server, treat), lost(server):
        with client.entered():
            found = list(probe_all([Target.parse(target(server, 4))]))
        eventually(lambda: _closed(server), "the server's end to close")
    assert {each.close for each in found} == {Close.CLEAN}
    assert "RST" not in flags(path)


@pytest.mark.live
@every_way
def test_a_port_in_use_is_a_local_error(way: Way) -> None:
    with pair() as (client, server), client.listen(4242), answering(server):
        found = way.call(client, server, port=PORT, options=ClientOptions(source_port=4242))
        other = way.call(client, server, port=PORT, options=ClientOptions(source_port=4243))
    assert (found.verdict, found.syn_sent, found.exit_code) == (Verdict.LOCAL_ERROR, 0, 3)
    assert f"cannot send from port 4242 of {way.address(client)}: it is in use" in str(found.reason)
    assert "`ss -tanp sport = :4242` shows by which process" in str(found.reason)
    assert other.verdict is Verdict.OPEN


@pytest.mark.live
def test_a_port_that_a_peer_has_not_let_go_of_is_a_local_error() -> None:
    with pair() as (client, server), server.listen(PORT), client.entered():
        calls = [Target.parse(target(server, 4))] * 2
        how = ClientOptions(source_port=4242)
        timeouts = Timeouts.of(close_timeout=0.1)
        found = list(probe_all(calls, concurrency=1, timeouts=timeouts, options=how))
    assert [each.verdict for each in found] == [Verdict.OPEN, Verdict.LOCAL_ERROR]
    assert "port 4242 is in use for this peer, or was recently" in str(found[1].reason)


@pytest.mark.live
def test_a_port_that_the_peer_released_connects_again() -> None:
    with pair() as (client, server), answering(server), client.entered():
        calls = [Target.parse(target(server, 4))] * 3
        found = list(probe_all(calls, concurrency=1, options=ClientOptions(source_port=4242)))
    assert [(each.verdict, each.close) for each in found] == [(Verdict.OPEN, Close.CLEAN)] * 3
