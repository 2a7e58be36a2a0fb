"""For Scapy's users: steps of packets that Scapy has read, and segments to Scapy and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.plist import PacketList
from scapy.sendrecv import sniff
from scapy.utils import PcapReader, rdpcap

import handshake
from handshake.crafter.fields import PacketFields, checksummed_segment
from tests.crafter.making import PACKETS

if TYPE_CHECKING:
    from collections.abc import Iterator

CAPTURES = Path(__file__).parents[1] / "captures"
NAMES = ["mixed", "refused", "open-close-v4", "unreachable", "lost-syn-ack"]


def by_replay(name: str) -> list[tuple[Any, ...]]:
    """Return what replay says of each step of a capture."""
    steps = handshake.replay(CAPTURES / f"{name}.pcap")
    return [(each.stream, each.index, each.since_start, each.why, each.segment) for each in steps]


def told(steps: Iterator[handshake.Step] | list[handshake.Step]) -> list[tuple[Any, ...]]:
    """Return the same of other steps."""
    return [(each.stream, each.index, each.since_start, each.why, each.segment) for each in steps]


@pytest.mark.parametrize("name", NAMES)
def test_all_ways_to_read_with_scapy_tell_the_same_as_replay(name: str) -> None:
    path = str(CAPTURES / f"{name}.pcap")
    want = by_replay(name)
    assert told(handshake.track(rdpcap(path))) == want
    assert told(handshake.track(list(rdpcap(path)))) == want
    with PcapReader(path) as reader:
        assert told(handshake.track(packet for packet in reader)) == want
    steps: list[handshake.Step] = []
    sniffed = sniff(offline=path, session=handshake.HandshakeSession(steps.append))
    assert told(steps) == want
    assert len(sniffed) == len(rdpcap(path))


def test_a_step_knows_its_packet() -> None:
    packets = rdpcap(str(CAPTURES / "open-close-v4.pcap"))
    for step in handshake.track(packets):
        assert any(step.scapy is each for each in packets)
        assert step.scapy[TCP].seq == int(step.segment.seq)


def test_a_tracker_of_ones_own_keeps_the_connections() -> None:
    tracker = handshake.Tracker()
    list(handshake.track(rdpcap(str(CAPTURES / "mixed.pcap")), tracker))
    assert len(tracker.connections) == 25


def test_packets_without_a_segment_and_such_that_scapy_made_itself() -> None:
    syn = handshake.craft().to_scapy()
    odd = [IP() / UDP(), Ether() / b"xx", IP() / b"short", syn, Ether() / syn.copy()]
    steps = list(handshake.track(PacketList(odd)))
    assert steps[0].segment.syn
    assert len(steps) <= 2


def test_a_class_is_a_session_too() -> None:
    path = str(CAPTURES / "refused.pcap")
    assert len(sniff(offline=path, session=handshake.HandshakeSession)) == 2


def test_what_a_callback_raises_is_seen_and_sniffing_goes_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(_: handshake.Step) -> None:
        raise ZeroDivisionError("mine")

    session = handshake.HandshakeSession(fail)
    assert len(sniff(offline=str(CAPTURES / "refused.pcap"), session=session)) == 2
    assert capsys.readouterr().err.count("ZeroDivisionError: mine") == 2


@settings(max_examples=80, deadline=None)
@given(PACKETS)
def test_a_segment_goes_to_scapy_and_comes_back(fields: PacketFields) -> None:
    segment = checksummed_segment(fields)
    packet = segment.to_scapy()
    octets = bytes(packet[TCP])
    assert octets == segment.pack() + segment.payload
    assert handshake.Segment.from_scapy(packet) == segment
    assert handshake.Segment.from_scapy(type(packet)(bytes(packet))) == segment


def test_craft_takes_what_the_command_takes() -> None:
    segment = handshake.craft(
        "[2001:db8::7]:443",
        flags="SA",
        seq=7,
        ack=9,
        mss=0,
        timestamps=(1, 2),
        options=[(254, b"\xf9\x89")],
        checksum="wrong",
        payload=b"x",
    )
    assert str(segment) == "<SEQ=7><ACK=9><DATA=1><CTL=SYN,ACK>"
    assert segment.options.mss is None
    assert segment.options.timestamps == (1, 2)
    assert segment.source.version == 6
    found = handshake.decode(bytes(segment.to_scapy()))
    assert [each.code for each in found.problems] == ["checksum"]
    assert handshake.decode(bytes.fromhex("00" * 19 + "ff"), "tcp").segment.urgent == 0xFF
    with pytest.raises(handshake.UsageError):
        handshake.craft("nowhere")
    wrong: tuple[dict[str, Any], ...] = (
        {"seq": -1},
        {"mss": -1},
        {"window_scale": 256},
        {"timestamps": (1 << 32, 0)},
        {"options": [(256, b"")]},
        {"options": [(30, bytes(300))]},
    )
    for each in wrong:
        with pytest.raises(handshake.UsageError):
            handshake.craft(**each)
    assert handshake.craft(flags=0x12).flags == handshake.Flags.SYN | handshake.Flags.ACK
    with pytest.raises(ValueError, match="no TCP segment"):
        handshake.Segment.from_scapy(IP() / UDP())
