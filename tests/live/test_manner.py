"""Calls in every manner that can be asked for, against real kernels, as captured at the server."""

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from ipaddress import ip_address
from pathlib import Path

import pytest

from handshake.probe import (
    Attempt,
    Close,
    Closing,
    Manner,
    Patience,
    Probe,
    Result,
    Target,
    Verdict,
    probes,
)
from handshake.probe.engine import probe_all
from handshake.tcp import Flags, Observed
from handshake.wire import guard as guards

from .calling import agree
from .capture import capture
from .loss import drop, drop_first
from .net import Host, eventually, pair
from .test_engine import answering
from .test_probe import PORT, flags, hang_up, seen, serving

BARE_ACK = "tcp flags == ack"
_TCP_FASTOPEN = 23
_TCP_MD5SIG = 14
_MPTCP = 262


def call(
    client: Host, target: str, patience: Patience | None = None, manner: Manner | None = None
) -> Result:
    """Probe one address to the end; what both sides of it remember must agree."""
    with client.entered():
        (probe,) = probes(Target.parse(target), patience, manner)
        assert isinstance(probe, Probe)
        result = probe.result
    if isinstance(probe.attempt, Attempt):
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
def test_every_bare_ack_is_lost(version: int, tmp_path: Path) -> None:
    lost = partial(drop, hook="input", match=BARE_ACK)
    with both(tmp_path) as (client, server, path), answering(server), lost(server):
        found = call(client, target(server, version), Patience.of(observe=1.25))
    assert (found.verdict, found.close) == (Verdict.HALF_OPEN, None)
    assert [round(each) for each in found.syn_ack_again] == [1, 3]
    assert "came again after 1.0 and 3.0 s" in found.reason
    assert flags(path) == ["SYN", "SYN+ACK", "ACK", "SYN+ACK", "ACK", "SYN+ACK", "RST"]


@pytest.mark.live
@pytest.mark.parametrize("version", [4, 6])
def test_with_data_it_opens_all_the_same(version: int) -> None:
    with pair() as (client, server), answering(server), drop(server, "input", BARE_ACK):
        manner = Manner(data=b"hello")
        found = call(client, target(server, version), Patience.of(observe=1.25), manner)
    assert found.verdict is Verdict.OPEN
    assert found.said is not None
    assert (found.said.sent, found.said.acknowledged) == (5, 5)


@pytest.mark.live
def test_one_bare_ack_is_lost(tmp_path: Path) -> None:
    lost = partial(drop_first, hook="input", match=BARE_ACK)
    with both(tmp_path) as (client, server, path), answering(server), lost(server):
        found = call(client, target(server, 4), Patience.of(observe=1.25))
    assert (found.verdict, found.close) == (Verdict.OPEN, Close.CLEAN)
    assert [round(each) for each in found.syn_ack_again] == [1]
    assert flags(path)[:5] == ["SYN", "SYN+ACK", "ACK", "SYN+ACK", "ACK"]


@pytest.mark.live
@pytest.mark.parametrize("version", [4, 6])
def test_our_ack_is_withheld(version: int, tmp_path: Path) -> None:
    with both(tmp_path) as (client, server, path), answering(server):
        patience, manner = Patience.of(observe=8), Manner(answer=False)
        found = call(client, target(server, version), patience, manner)
    assert found.verdict is Verdict.HALF_OPEN
    assert [round(each) for each in found.syn_ack_again] == [1, 3, 7]
    assert flags(path) == ["SYN", "SYN+ACK", "SYN+ACK", "SYN+ACK", "SYN+ACK", "RST"]
    rst = seen(path)[-1].segment
    assert (rst.seq, rst.ack) == (seen(path)[0].segment.seq + 1, None)


@pytest.mark.live
def test_a_server_that_keeps_nothing_does_not_repeat_itself(tmp_path: Path) -> None:
    with both(tmp_path) as (client, server, path), answering(server):
        server.sysctl("net.ipv4.tcp_syncookies", 2)
        patience, manner = Patience.of(observe=1.5), Manner(answer=False)
        found = call(client, target(server, 4), patience, manner)
    assert (found.verdict, found.syn_ack_again) == (Verdict.HALF_OPEN, ())
    assert "SYN cookies" in found.reason
    assert flags(path) == ["SYN", "SYN+ACK", "RST"]


@pytest.mark.live
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(("setting", "agreed"), [(2, True), (0, False)])
def test_ecn(version: int, setting: int, agreed: bool, tmp_path: Path) -> None:
    with both(tmp_path) as (client, server, path), answering(server):
        server.sysctl("net.ipv4.tcp_ecn", setting)
        found = call(client, target(server, version), manner=Manner(ecn=True))
    syn, syn_ack = (each.segment.flags for each in seen(path)[:2])
    assert syn == Flags.SYN | Flags.ECE | Flags.CWR
    assert syn_ack == Flags.SYN | Flags.ACK | (Flags.ECE if agreed else Flags(0))
    assert (found.verdict, found.close) == (Verdict.OPEN, Close.CLEAN)
    assert found.negotiated is not None
    assert found.negotiated.ecn == agreed


@pytest.mark.live
def test_ecn_is_given_up_where_it_is_not_answered() -> None:
    lost = "tcp flags & (syn | ecn) == syn | ecn"
    with pair() as (client, server), answering(server), drop(server, "input", lost):
        found = call(client, target(server, 4), Patience.of(rto=0.3), Manner(ecn=True))
    assert (found.verdict, found.syn_sent) == (Verdict.OPEN, 2)
    assert found.negotiated is not None
    assert not found.negotiated.ecn


@pytest.mark.live
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    ("name", "field", "off"),
    [
        ("tcp_window_scaling", "snd_shift", 0),
        ("tcp_timestamps", "timestamps", False),
        ("tcp_sack", "sack", False),
    ],
)
def test_what_the_server_does_not_offer_is_not_in_force(
    version: int, name: str, field: str, off: object
) -> None:
    with pair() as (client, server), answering(server):
        server.sysctl(f"net.ipv4.{name}", 0)
        found = call(client, target(server, version))
    assert (found.verdict, found.close) == (Verdict.OPEN, Close.CLEAN)
    agreed = found.negotiated
    assert agreed is not None
    assert getattr(agreed, field) == off
    if field == "snd_shift":
        assert agreed.rcv_shift == 0
    others = {"snd_shift": agreed.snd_shift, "timestamps": agreed.timestamps, "sack": agreed.sack}
    assert all(value for key, value in others.items() if key != field)


@pytest.mark.live
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    ("manner", "field", "off"),
    [
        (Manner(window_scale=None), "rcv_shift", 0),
        (Manner(timestamps=False), "timestamps", False),
        (Manner(sack=False), "sack", False),
        (Manner(mss=900), "mss", None),
    ],
)
def test_what_we_do_not_offer_is_not_in_force(
    version: int, manner: Manner, field: str, off: object, tmp_path: Path
) -> None:
    with both(tmp_path) as (client, server, path), answering(server):
        found = call(client, target(server, version), manner=manner)
    assert (found.verdict, found.close) == (Verdict.OPEN, Close.CLEAN)
    assert found.negotiated is not None
    if off is not None:
        assert getattr(found.negotiated, field) == off
    syn = seen(path)[0].segment
    assert syn.options.mss == (900 if field == "mss" else 1460 if version == 4 else 1440)
    assert (syn.options.timestamps is None) == (field == "timestamps")
    assert syn.options.sack_permitted == (field != "sack")
    assert (syn.options.window_scale is None) == (field == "rcv_shift")


@contextmanager
def fast_opening(server: Host, heard: list[bytes]) -> Iterator[None]:
    server.sysctl("net.ipv4.tcp_fastopen", 3)

    def serve(caller: socket.socket) -> None:
        heard.append(caller.recv(100))
        caller.sendall(b"welcome")
        hang_up(caller)

    with serving(server, serve, prepare=_fast_open):
        yield


def _fast_open(listener: socket.socket) -> None:
    listener.setsockopt(socket.IPPROTO_TCP, _TCP_FASTOPEN, 16)


@pytest.mark.live
@pytest.mark.parametrize("version", [4, 6])
def test_fast_open_gives_a_cookie_and_takes_data_with_it(version: int, tmp_path: Path) -> None:
    heard: list[bytes] = []
    with both(tmp_path) as (client, server, path):
        with fast_opening(server, heard):
            manner = Manner(fast_open=b"", data=b"one")
            first = call(client, target(server, version), manner=manner)
        assert first.negotiated is not None
        cookie = bytes.fromhex(first.negotiated.fast_open or "")
        with fast_opening(server, heard):
            manner = Manner(fast_open=cookie, data=b"hello", expect=b"welcome")
            found = call(client, target(server, version), manner=manner)
    assert len(cookie) == 8
    assert (first.verdict, found.verdict) == (Verdict.OPEN, Verdict.OPEN)
    assert heard == [b"one", b"hello"]
    assert found.said is not None
    assert (found.said.acknowledged, found.said.received, found.said.expected) == (
        5,
        b"welcome",
        True,
    )
    syn, syn_ack = [each.segment for each in seen(path) if each.segment.syn][2:]
    assert (syn.payload, syn.options.fast_open) == (b"hello", cookie)
    assert syn_ack.ack == syn.seq + 6


@pytest.mark.live
def test_a_wrong_cookie_brings_the_data_after_the_handshake(tmp_path: Path) -> None:
    heard: list[bytes] = []
    with both(tmp_path) as (client, server, path), fast_opening(server, heard):
        manner = Manner(fast_open=bytes(8), data=b"hello", expect=b"welcome")
        found = call(client, target(server, 4), manner=manner)
    assert (found.verdict, heard) == (Verdict.OPEN, [b"hello"])
    syn, syn_ack = [each.segment for each in seen(path)][:2]
    assert syn.payload == b"hello"
    assert syn_ack.ack == syn.seq + 1


def signed(key: bytes, version: int, address: str) -> bytes:
    """Return struct tcp_md5sig for a peer."""
    if version == 4:
        place = struct.pack("=HH4s", socket.AF_INET, 0, socket.inet_aton(address))
    else:
        there = socket.inet_pton(socket.AF_INET6, address)
        place = struct.pack("=HHI16sI", socket.AF_INET6, 0, 0, there, 0)
    return place.ljust(128, b"\0") + struct.pack("=BBHi80s", 0, 0, len(key), 0, key)


@pytest.mark.live
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    ("key", "verdict"),
    [(b"secret", Verdict.OPEN), (b"guess", Verdict.FILTERED), (b"", Verdict.FILTERED)],
)
def test_a_server_that_wants_signatures(version: int, key: bytes, verdict: Verdict) -> None:
    with pair() as (client, server):
        address = client.v4 if version == 4 else client.v6
        listener = server.listen(PORT, server.v4 if version == 4 else server.v6)
        listener.setsockopt(socket.IPPROTO_TCP, _TCP_MD5SIG, signed(b"secret", version, address))
        patience = Patience.of(timeout=0.5, retries=0, close_timeout=0.5)
        with listener:
            found = call(client, target(server, version), patience, Manner(md5=key))
    assert found.verdict is verdict
    if verdict is Verdict.OPEN:
        assert found.negotiated is not None
        assert found.negotiated.md5
        assert found.close is Close.PEER_KEPT_OPEN


@pytest.mark.live
@pytest.mark.parametrize("version", [4, 6])
def test_a_server_that_speaks_multipath_tcp_answers_in_kind(version: int, tmp_path: Path) -> None:
    with both(tmp_path) as (client, server, path):
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        listener = server.socket(family, proto=_MPTCP)
        with listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("", PORT))
            listener.listen()
            # Version 1, no checksums, HMAC-SHA256 (RFC 8684 section 3.1).
            manner = Manner(options=((30, bytes((0x01, 0x01))),))
            patience = Patience.of(close_timeout=0.2)
            found = call(client, target(server, version), patience, manner)
    assert found.verdict is Verdict.OPEN
    assert found.negotiated is not None
    assert found.negotiated.mptcp
    assert [each.segment.options.mptcp for each in seen(path)[:2]] == ["MP_CAPABLE"] * 2


@pytest.mark.live
def test_any_header_that_was_asked_for_is_on_the_wire(tmp_path: Path) -> None:
    with both(tmp_path) as (client, server, path), answering(server):
        manner = Manner(
            mss=1000,
            window=2048,
            window_scale=3,
            iss=4_294_967_290,
            source_port=4242,
            ttl=9,
            tos=0xB8,
            options=((253, b"\xf9\x89"),),
            flags=Flags.SYN | Flags.PSH,
        )
        for version in (4, 6):
            found = call(client, target(server, version), manner=manner)
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
    [(Closing.FIN, "FIN+ACK"), (Closing.RST, "RST"), (Closing.NONE, None)],
)
def test_it_ends_as_it_was_asked_to(closing: Closing, end: str | None) -> None:
    with pair() as (client, server), answering(server):
        found = call(client, target(server, 4), Patience.of(observe=0.1), Manner(closing=closing))
    assert found.verdict is Verdict.OPEN
    shown = [str(each.segment.flags) for each in found.segments]
    assert shown[:4] == ["SYN", "SYN+ACK", "ACK", *([] if end is None else [end])]


@pytest.mark.live
@pytest.mark.parametrize("version", [4, 6])
def test_a_question_and_its_answer(version: int) -> None:
    asked: list[bytes] = []

    def serve(caller: socket.socket) -> None:
        asked.append(caller.recv(100))
        caller.sendall(b"HTTP/1.0 200 OK\r\n\r\nHello.\r\n")

    with pair() as (client, server), serving(server, serve):
        manner = Manner(data=b"GET / HTTP/1.0\r\n\r\n", expect=b" 200 ")
        found = call(client, target(server, version), manner=manner)
    assert asked == [b"GET / HTTP/1.0\r\n\r\n"]
    assert (found.verdict, found.close, found.met) == (Verdict.OPEN, Close.CLEAN, True)
    assert found.said is not None
    assert found.said.received.endswith(b"Hello.\r\n")


@pytest.mark.live
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("ours", [None, 536])
def test_a_peer_that_takes_more_than_our_link_carries(version: int, ours: int | None) -> None:
    heard = bytearray()

    def serve(caller: socket.socket) -> None:
        while part := caller.recv(0xFFFF):
            heard.extend(part)

    data = bytes(range(256)) * 40
    with pair() as (client, server), serving(server, serve):
        server.ip("link set eth0 mtu 9000")
        how = Manner(data=data, mss=ours)
        found = call(client, target(server, version), Patience.of(timeout=2), how)
    assert (found.verdict, found.close) == (Verdict.OPEN, Close.CLEAN)
    assert bytes(heard) == data
    # What we take does not limit what we send: our link does (section 3.7.1).
    room = 1460 if version == 4 else 1440
    assert max(each.segment.payload_length for each in found.segments) == room - 12
    assert found.server is not None
    assert found.server.mss == room + 7500
    assert found.negotiated is not None
    assert found.negotiated.mss == room


@pytest.mark.live
def test_of_a_peer_that_talks_without_end_the_beginning_is_kept() -> None:
    def serve(caller: socket.socket) -> None:
        with suppress(OSError):
            while True:
                caller.sendall(bytes(1 << 16))

    with pair() as (client, server), serving(server, serve):
        patience = Patience.of(hold=2, close_timeout=0.2)
        with client.entered():
            (probe,) = probes(Target.parse(target(server, 4)), patience)
            assert isinstance(probe, Probe)
            found = probe.result
    assert found.verdict is Verdict.OPEN
    assert sum(len(each.packet) for each in found.segments) < 9 << 20
    assert "segments-left-out" in [note.code for note in found.findings]
    assert found.said is not None
    assert len(found.said.received) == 0xFFFF


@pytest.mark.live
@pytest.mark.parametrize("version", [4, 6])
def test_more_than_a_segment_over_a_lossy_path(version: int) -> None:
    heard = bytearray()

    def serve(caller: socket.socket) -> None:
        while part := caller.recv(0xFFFF):
            heard.extend(part)

    data = bytes(range(256)) * 200
    lost = "tcp flags & (syn | fin) == 0x0 numgen inc mod 7 == 3"
    with pair() as (client, server), serving(server, serve), drop(server, "input", lost):
        patience = Patience.of(rto=0.2, timeout=9, retries=3, close_timeout=5)
        found = call(client, target(server, version), patience, Manner(data=data))
    assert found.verdict is Verdict.OPEN
    assert bytes(heard) == data
    assert found.said is not None
    assert found.said.acknowledged == len(data)


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
        patience = Patience.of(timeout=0.3, retries=0)
        place = target(server, 4, PORT if listening else 1)
        found = call(client, place, patience, Manner(flags=asked))
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
        patience = Patience.of(timeout=0.3, retries=0)
        found = call(client, target(server, 4), patience, Manner(flags=asked, ecn=True))
    assert (found.verdict, found.syn_sent) == (verdict, 1)
    assert f"{asked.name}+ECE+CWR" in found.reason
    assert (found.rtt is None) == (verdict is Verdict.FILTERED)


@pytest.mark.live
def test_an_address_and_an_interface_of_ours(tmp_path: Path) -> None:
    with both(tmp_path) as (client, server, path), answering(server):
        client.ip("addr add 10.77.0.11/24 dev eth0", "addr add 192.0.2.1/32 dev lo")
        for manner in (Manner(source=ip_address("10.77.0.11")), Manner(interface="eth0")):
            assert call(client, target(server, 4), manner=manner).verdict is Verdict.OPEN
    callers = {str(each.segment.source.address) for each in seen(path) if _asks(each)}
    assert callers == {"10.77.0.11", "10.77.0.1"}


def _asks(each: Observed) -> bool:
    return each.segment.syn and each.segment.ack is None


@pytest.mark.live
@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("192.0.2.77", "192.0.2.77 is no address of this machine"),
        ("fd77::1", "speak different versions of IP"),
    ],
)
def test_an_address_that_is_not_ours_is_a_local_error(source: str, words: str) -> None:
    how = Manner(source=ip_address(source))
    with pair() as (client, server):
        found = call(client, target(server, 4), manner=how)
    assert (found.verdict, found.syn_sent) == (Verdict.LOCAL_ERROR, 0)
    assert words in found.reason


@pytest.mark.live
def test_a_guard_that_does_not_hold_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(guards.LADDER, "filter", lambda *_: None)
    monkeypatch.setattr(guards, "_answers", lambda *_: False)
    with pair() as (client, server), answering(server), client.entered():
        (probe,) = probes(Target.parse(target(server, 4)), Patience.of(close_timeout=0.2))
        assert isinstance(probe, Probe)
        found = probe.result
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
    shown = [each for each in flags(path) if each != "SYN+ACK"]
    assert shown.count("ACK") - shown[:-4].count("ACK") == 2
    # Our kernel would have reset what it knows nothing of.
    assert "RST" not in shown


def _closed(server: Host) -> bool:
    return not server.run(["ss", "-Htn", "state", "connected", f"sport = :{PORT}"]).stdout


@pytest.mark.live
def test_so_it_is_among_many(tmp_path: Path) -> None:
    lost = partial(drop, hook="input", match=EVERY_OTHER_ACK)
    with both(tmp_path) as (client, server, path), answering(server), lost(server):
        with client.entered():
            found = list(probe_all([Target.parse(target(server, 4))]))
        eventually(lambda: _closed(server), "the server's end to close")
    assert {each.close for each in found} == {Close.CLEAN}
    assert "RST" not in flags(path)
