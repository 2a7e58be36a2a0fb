"""Scenario 22, SYN-ACK segments whose options or lengths are malformed."""

from pathlib import Path

import pytest

from handshake.prober import Close, Timeouts, Verdict
from handshake.tcp import Observed, Options
from handshake.tcp import options as opt
from tests.live.lab.exchanges import CLEAN, SYN
from tests.live.lab.packets import packet
from tests.live.lab.probing import Way, every_way, play
from tests.live.lab.scripted_server import Listener, Packets, syn_ack

MSS = opt.mss(1400)


def listener_with(raw: bytes) -> Listener:
    def syn(_: Listener, received: Observed) -> Packets:
        return [packet(syn_ack(received, options=Options(raw)))]

    return Listener(syn=syn)


@pytest.mark.live
@every_way
@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("length-0", MSS + b"\x63\x00\x00\x00"),
        ("length-1", MSS + b"\x63\x01\x00\x00"),
        ("no-length", MSS + b"\x01\x01\x01\x63"),
        ("past-the-end", MSS + b"\x63\x0a\x00\x00"),
        ("mss-of-3", MSS + b"\x02\x03\x05\x00"),
        ("mss-of-6", MSS + b"\x02\x06\x05\xb4\x05\xb4\x00\x00"),
        ("shift-of-2", MSS + b"\x03\x02\x01\x01"),
        ("clocks-of-9", MSS + b"\x08\x09" + bytes(7) + b"\x01\x01\x01"),
        ("permitted-of-3", MSS + b"\x04\x03\x00\x01"),
        ("unknown-before", b"\x63\x06abcd\x01\x01" + MSS),
        ("experiment-before", b"\xfd\x06\x12\x34\x56\x78\x01\x01" + MSS),
        ("cookie-not-asked-for", b"\x22\x0a12345678\x01\x01" + MSS),
        ("garbage-after-end", MSS + b"\x00\xff\xff\xff"),
        ("forty-octets", MSS + b"\x01" * 36),
    ],
)
def test_22_malformed_options(way: Way, name: str, raw: bytes, tmp_path: Path) -> None:
    # "MUST be prepared to handle an illegal option length" and "MUST ignore without error any
    # option it does not implement" (section 3.2): what could be read before it is in force.
    assert len(raw) % 4 == 0, name
    found = play(way, tmp_path, listener_with(raw))
    assert (found.result.verdict, found.result.close) == (Verdict.OPEN, Close.CLEAN)
    assert found.wire == CLEAN
    in_force = found.result.negotiated
    assert in_force is not None
    assert in_force.mss == 1400
    assert (in_force.sack, in_force.timestamps, in_force.ecn) == (False, False, False)
    assert (in_force.snd_shift, in_force.rcv_shift) == (0, 0)


@pytest.mark.live
@every_way
def test_22_no_options_at_all(way: Way, tmp_path: Path) -> None:
    # Who names no MSS takes 536 octets, or 1220 over IPv6 (section 3.7.1).
    found = play(way, tmp_path, listener_with(b""))
    assert found.wire == CLEAN
    assert found.result.negotiated is not None
    assert found.result.negotiated.mss == (536 if way.version == 4 else 1220)


@pytest.mark.live
@every_way
@pytest.mark.parametrize(("shift", "in_force"), [(0, 0), (14, 14), (15, 14), (255, 14)])
def test_22_a_window_shift_beyond_14(way: Way, shift: int, in_force: int, tmp_path: Path) -> None:
    # "MUST use 14 instead" (RFC 7323 section 2.3).
    found = play(way, tmp_path, listener_with(MSS + opt.window_scale(shift) + b"\x01"))
    assert found.wire == CLEAN
    assert found.result.negotiated is not None
    assert (found.result.negotiated.snd_shift, found.result.negotiated.rcv_shift) == (in_force, 7)


BAD_LENGTH = {"offset-0": 0, "offset-4": 4, "offset-15": 15}


@pytest.mark.live
@every_way
@pytest.mark.parametrize("name", BAD_LENGTH)
def test_22_an_impossible_data_offset(way: Way, name: str, tmp_path: Path) -> None:
    # No header has fewer than five words, or ends behind its segment (section 3.1): there is
    # nothing to be read, and every kernel drops it. The next one is in order.
    def syn(listener: Listener, received: Observed) -> Packets:
        if listener.times("syn") == 1:
            return [packet(syn_ack(received, data_offset=BAD_LENGTH[name]))]
        return listener.syn(received)

    found = play(way, tmp_path, Listener(syn=syn), Timeouts.of(rto=0.2))
    assert (found.result.verdict, found.result.close) == (Verdict.OPEN, Close.CLEAN)
    assert found.result.syn_sent == 2
    assert (found.wire[0], found.wire[2:]) == (SYN, CLEAN)
