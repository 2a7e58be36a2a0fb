"""Packets that were captured more than once are copies; segments that were sent again are not."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import pytest
from scapy.layers.inet import IP, TCP, IPOption_RR
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1Q, Ether

from handshake.replayer import replay
from handshake.survey import records
from tests.survey.engines import by_survey, by_tracker
from tests.survey.made import save

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from handshake.record import Record
    from tests.survey.made import Packet

MS = 1_000_000

CLIENT, SERVER = True, False

Sent: TypeAlias = tuple[float, bool, str, int, int, bytes]
"""Milliseconds, who sends, flags, SEQ, ACK, payload."""

OPEN_AND_CLOSE: tuple[Sent, ...] = (
    (0, CLIENT, "S", 100, 0, b""),
    (20, SERVER, "SA", 900, 101, b""),
    (21, CLIENT, "A", 101, 901, b""),
    (30, CLIENT, "PA", 101, 901, b"q" * 100),
    (50, SERVER, "A", 901, 201, b""),
    (60, SERVER, "PA", 901, 201, b"a" * 200),
    (61, CLIENT, "A", 201, 1101, b""),
    (100, CLIENT, "FA", 201, 1101, b""),
    (120, SERVER, "FA", 1101, 202, b""),
    (121, CLIENT, "A", 202, 1102, b""),
)


class Way(NamedTuple):
    """How the packets of a connection are made."""

    version: int = 4
    idents: str = "counted"
    """The IPv4 identification: counted, none (0), or constant."""

    timestamps: bool = True


WAYS = (Way(), Way(6), Way(idents="none"), Way(idents="constant"), Way(timestamps=False))


def packets(way: Way, segments: tuple[Sent, ...] = OPEN_AND_CLOSE) -> list[Packet]:
    """Return the frames of a connection, and when each was captured, in nanoseconds."""
    made, clocks = [], {CLIENT: 0, SERVER: 0}
    for count, (at, by_client, flags, seq, ack, payload) in enumerate(segments, start=1):
        options: list[tuple[str, object]] = []
        if "S" in flags:
            options = [("MSS", 1460), ("SAckOK", b""), ("WScale", 7)]
        if way.timestamps:
            clocks[by_client] = 1000 + int(at)
            options.append(("Timestamp", (clocks[by_client], clocks[not by_client])))
        ports = {"sport": 40000, "dport": 443} if by_client else {"sport": 443, "dport": 40000}
        tcp = TCP(**ports, seq=seq, ack=ack, flags=flags, options=options, window=65000)
        hosts = (
            ("192.0.2.1", "198.51.100.1") if way.version == 4 else ("2001:db8::1", "2001:db8::2")
        )
        source, target = hosts if by_client else hosts[::-1]
        ident = {"counted": 7 * count, "none": 0, "constant": 1}[way.idents]
        ip = (
            IP(src=source, dst=target, id=ident, ttl=64)
            if way.version == 4
            else IPv6(src=source, dst=target, hlim=64)
        )
        frame = bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / ip / tcp / payload)
        made.append((frame, 1_700_000_000_000_000_000 + int(at * MS)))
    return made


def routed(frame: bytes) -> bytes:
    """Return a frame after a router: one hop less to live, another checksum of the header."""
    again = Ether(frame)
    if IP in again:
        again[IP].ttl -= 1
        del again[IP].chksum
    else:
        again[IPv6].hlim -= 1
    again.src = "02:00:00:00:00:0a"
    return bytes(again)


def tagged(frame: bytes) -> bytes:
    """Return a frame in another VLAN."""
    again = Ether(frame)
    return bytes(Ether(src=again.src, dst=again.dst) / Dot1Q(vlan=7) / again.payload)


def the_record(path: Path, *, dedup: bool = False, reorder: bool = False) -> Record:
    (found,) = records(path, dedup=dedup, reorder=reorder)
    return found


def twins(path: Path) -> None:
    """Both engines make the same of it."""
    assert by_survey(path) == by_tracker(path)


def numbers(record: Record) -> tuple[object, ...]:
    """Return what copies must not change."""
    ends = record.client, record.server
    return (
        record.outcome,
        record.closed,
        record.duration,
        record.handshake.rtt,
        record.handshake.rtt_ambiguous,
        record.handshake.syn_retransmissions,
        record.handshake.syn_ack_retransmissions,
        *((end.state, end.bytes, end.resent, end.reordered, end.repeated_acks) for end in ends),
    )


def check(tmp_path: Path, way: Way, seen: list[Packet], count: int) -> None:
    """`count` packets are copies; the rest tells what the connection does alone."""
    alone = the_record(save(tmp_path / "alone.pcap", packets(way)))
    path = save(tmp_path / "seen.pcap", seen)
    twins(path)
    found = the_record(path)
    assert found.client.copies + found.server.copies == count
    assert numbers(found) == numbers(alone)
    assert [each.code for each in found.findings] == ["seen-twice"]
    dropped = the_record(path, dedup=True)
    assert numbers(dropped) == numbers(alone)
    assert dropped.findings == ()
    assert (dropped.client.segments, dropped.server.segments) == (6, 4)
    steps = list(replay(path))
    assert [step.events[0].code for step in steps].count("copy") == count
    assert len(list(replay(path, dedup=True))) == 10


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("times", [2, 3])
def test_several_capture_points_of_one_host(tmp_path: Path, way: Way, times: int) -> None:
    found = packets(way)
    seen = [(frame, at + 7_000 * more) for frame, at in found for more in range(times)]
    check(tmp_path, way, seen, 10 * (times - 1))


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("change", [routed, tagged])
def test_both_sides_of_a_router_or_switch(
    tmp_path: Path, way: Way, change: Callable[[bytes], bytes]
) -> None:
    seen = []
    for frame, at in packets(way):
        seen += [(frame, at), (change(frame), at + 3_000)]
    check(tmp_path, way, seen, 10)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_the_second_point_comes_a_burst_later(tmp_path: Path, way: Way) -> None:
    found = packets(way)
    seen = []
    for one, two in zip(found[::2], found[1::2], strict=True):
        # Both packets pass the first point before either passes the second.
        late = two[1] + 20_000
        seen += [one, two, (routed(one[0]), late), (routed(two[0]), late + 1_000)]
    check(tmp_path, way, seen, 10)


@pytest.mark.parametrize("way", [Way(), Way(6), Way(idents="none")], ids=str)
@pytest.mark.parametrize("later", [10_000, 121, 0])
def test_a_file_that_was_replayed_or_joined_twice(tmp_path: Path, way: Way, later: int) -> None:
    found = packets(way)
    seen = [(frame, at + later * MS * times) for times in range(3) for frame, at in found]
    check(tmp_path, way, seen, 20)


def test_a_segment_that_is_sent_again_is_another_packet(tmp_path: Path) -> None:
    again = (*OPEN_AND_CLOSE[:4], (32, CLIENT, "PA", 101, 901, b"q" * 100), *OPEN_AND_CLOSE[4:])
    path = save(tmp_path / "again.pcap", packets(Way(timestamps=False), again))
    twins(path)
    found = the_record(path)
    assert (found.client.copies, found.client.resent + found.client.reordered) == (0, 1)


def test_without_an_identification_only_what_no_timer_can_do_is_a_copy(tmp_path: Path) -> None:
    for gap, copies in ((0.003, 1), (2, 0), (250, 0)):
        again = list(OPEN_AND_CLOSE)
        again.insert(4, (30 + gap, CLIENT, "PA", 101, 901, b"q" * 100))
        again.sort(key=lambda each: each[0])
        way = Way(6, timestamps=False)
        path = save(tmp_path / "again.pcap", packets(way, tuple(again)))
        twins(path)
        assert the_record(path).client.copies == copies


def test_a_fast_retransmission_answers_duplicate_acks(tmp_path: Path) -> None:
    data = (*OPEN_AND_CLOSE[:3], (30, CLIENT, "A", 101, 901, b"q" * 100))
    acks = ((30.1 + each / 100, SERVER, "A", 901, 101, b"") for each in range(3))
    again = (*data, *acks, (30.5, CLIENT, "A", 101, 901, b"q" * 100))
    path = save(tmp_path / "fast.pcap", packets(Way(6, timestamps=False), again))
    twins(path)
    found = the_record(path)
    assert (found.client.copies, found.server.copies, found.server.repeated_acks) == (0, 0, 3)


def test_other_ip_options_make_another_packet(tmp_path: Path) -> None:
    tcp = TCP(sport=40000, dport=80, seq=100, flags="S")
    seen = [
        (
            bytes(Ether() / IP(dst="198.51.100.1", id=1, options=[option] if option else []) / tcp),
            number * MS,
        )
        for number, option in enumerate((None, IPOption_RR(), None))
    ]
    path = save(tmp_path / "options.pcap", seen)
    assert the_record(path).client.copies == 1


@pytest.mark.parametrize("way", [Way(6), Way(idents="none")], ids=str)
def test_a_packet_whose_last_octet_was_damaged_is_no_copy(tmp_path: Path, way: Way) -> None:
    seen = packets(way)
    frame, at = seen[3]
    seen.insert(4, (frame[:-1] + b"Q", at + 7_000))
    path = save(tmp_path / "damaged.pcap", seen)
    twins(path)
    assert the_record(path).client.copies == 0


def test_a_syn_with_the_old_number_is_no_replay_if_it_is_another_packet(tmp_path: Path) -> None:
    later = (*OPEN_AND_CLOSE, (5_000, CLIENT, "S", 100, 0, b""))
    path = save(tmp_path / "late.pcap", packets(Way(), later))
    twins(path)
    assert the_record(path).client.copies == 0


def test_reorder_sorts_by_time(tmp_path: Path) -> None:
    found = packets(Way())
    mixed = [found[at] for at in (1, 0, 2, 5, 3, 4, 9, 7, 8, 6)]
    path = save(tmp_path / "mixed.pcap", mixed)
    alone = the_record(save(tmp_path / "alone.pcap", found))
    assert numbers(the_record(path, reorder=True)) == numbers(alone)
    assert [step.segment for step in replay(path, reorder=True)] == [
        step.segment for step in replay(tmp_path / "alone.pcap")
    ]
    listed = records(path, reorder=True)
    (record,) = listed
    assert record.frames == (2, 7)
    assert [step.observed.frame for step in listed.steps(record)] == [2, 1, 3, 5, 6, 4, 10, 8, 9, 7]


def test_said_once_for_the_file(tmp_path: Path) -> None:
    seen = [each for each in packets(Way()) for _ in range(2)]
    path = save(tmp_path / "seen.pcap", seen)
    listed, replayed = records(path), replay(path)
    assert len(list(listed)) == 1
    assert len(list(replayed)) == 20
    for warnings in (listed.warnings, replayed.warnings):
        assert [(each.code, each.values["count"]) for each in warnings] == [("copies", 10)]
