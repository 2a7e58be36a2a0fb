"""Every connection, and every mark of its segments, is as tshark has it."""

from __future__ import annotations

import struct
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from handshake.replayer import replay
from handshake.tracker import summarize
from handshake.tracker.wireshark import Mark
from tests.oracle import public, traffic, tshark
from tests.oracle.known import CAPTURES, KNOWN
from tests.segments import segment

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.oracle.public import Row

FIELDS: Final = {
    "retransmission": Mark.RETRANSMISSION,
    "fast_retransmission": Mark.FAST_RETRANSMISSION,
    "spurious_retransmission": Mark.SPURIOUS_RETRANSMISSION,
    "out_of_order": Mark.OUT_OF_ORDER,
    "duplicate_ack": Mark.DUPLICATE_ACK,
    "zero_window": Mark.ZERO_WINDOW,
    "zero_window_probe": Mark.ZERO_WINDOW_PROBE,
    "zero_window_probe_ack": Mark.ZERO_WINDOW_PROBE_ACK,
    "window_update": Mark.WINDOW_UPDATE,
    "keep_alive": Mark.KEEP_ALIVE,
    "keep_alive_ack": Mark.KEEP_ALIVE_ACK,
    "lost_segment": Mark.GAP,
    "ack_lost_segment": Mark.ACK_OF_UNSEEN,
}

ASKED: Final = [
    "stream",
    "completeness",
    "analysis.initial_rtt",
    *(f"analysis.{field}" for field in FIELDS),
]

OWN: Final = Path(__file__).parents[2] / "captures"

Sides = dict[tuple[str, str], int]
"""How many segments each end sent, by its address and port."""


class Read(NamedTuple):
    """What one program reads in a capture."""

    marks: dict[int, tuple[int, Mark]]
    """By frame: its stream, and what it is marked as."""

    connections: dict[int, tuple[Sides, int, str]]
    """By stream: its ends, its completeness, and its initial RTT."""


def ours(path: Path) -> Read:
    replayed = replay(path)
    marks, counted = {}, dict[int, Counter[str]]()
    for step in replayed:
        end = replayed.tracker.connections[step.stream].end(step.by)
        assert step.observed.frame is not None
        marks[step.observed.frame] = (step.stream, Mark(end.wire.marks))
        counted.setdefault(step.stream, Counter()).update(
            f"{step.by} {mark.name}" for mark in Mark if end.wire.marks & mark
        )
    connections = {}
    for connection in replayed.tracker.connections:
        record = summarize(connection)
        rtt = record.handshake.initial_rtt
        sides = {
            (end.address, str(end.port)): end.segments
            for end in (record.client, record.server)
            if end.segments
        }
        found_rtt = "" if rtt is None else f"{rtt:.9f}"
        connections[record.stream] = (sides, record.completeness, found_rtt)
        # What is counted of a connection is what each of its segments is marked as.
        for role, summed in (("client", record.client), ("server", record.server)):
            found = counted[record.stream]
            assert summed.duplicate_acks == found[f"{role} DUPLICATE_ACK"]
            assert summed.zero_windows == found[f"{role} ZERO_WINDOW"]
            assert summed.out_of_order == found[f"{role} OUT_OF_ORDER"]
            assert summed.keep_alives == found[f"{role} KEEP_ALIVE"]
            assert summed.window_updates == found[f"{role} WINDOW_UPDATE"]
            assert summed.retransmissions == sum(
                found[f"{role} {kind}RETRANSMISSION"] for kind in ("", "FAST_", "SPURIOUS_")
            )
    return Read(marks, connections)


def theirs(rows: dict[int, Row]) -> Read:
    marks = {}
    connections: dict[int, tuple[Sides, int, str]] = {}
    for frame, row in rows.items():
        stream = int(row["stream"])
        marks[frame] = (stream, _marks(row))
        sides, _, rtt = connections.get(stream, ({}, 0, ""))
        end = (row["src"], row["sport"])
        sides[end] = sides.get(end, 0) + 1
        rtt = rtt or row["analysis.initial_rtt"]
        if rtt.startswith("-"):
            assert KNOWN["backwards"]
            rtt = ""
        # The last row has all that was found of the conversation.
        connections[stream] = (sides, int(row["completeness"]), rtt)
    return Read(marks, connections)


def _marks(row: Row) -> Mark:
    found = Mark(0)
    for field, mark in FIELDS.items():
        if row[f"analysis.{field}"]:
            found |= mark
    # tshark marks fast and spurious retransmissions as retransmissions as well.
    if found & (Mark.FAST_RETRANSMISSION | Mark.SPURIOUS_RETRANSMISSION):
        found &= ~Mark.RETRANSMISSION
    return found


def shown(mine: Read, other: Read) -> dict[int, tuple[Sides, int, str]]:
    """Return our connections without the round trips that tshark is known not to show."""
    silent = {
        stream
        for stream, (_, completeness, rtt) in other.connections.items()
        if not rtt and not completeness & 2
    }
    assert KNOWN["unshown"]
    return {
        stream: (sides, completeness, "" if stream in silent else rtt)
        for stream, (sides, completeness, rtt) in mine.connections.items()
    }


def agreement(pairs: Iterable[tuple[Read, Read]]) -> str:
    """Return in words how far two readings agree; raise where a connection is not the same."""
    equal = segments = connections = 0
    for mine, other in pairs:
        assert shown(mine, other) == other.connections
        assert mine.marks.keys() == other.marks.keys()
        equal += sum(mine.marks[frame] == other.marks[frame] for frame in mine.marks)
        segments += len(mine.marks)
        connections += len(mine.connections)
    assert equal >= 0.995 * segments
    share = equal / max(1, segments)
    return f"all of {connections} connections, {share:.2%} of {segments} segments' marks\n"


@public.each(public.captures_with_rows())
def test_the_public_captures(path: Path) -> None:
    mine, other = ours(path), theirs(public.segments(path))
    assert shown(mine, other) == other.connections
    assert mine.marks == other.marks


def test_how_far_the_public_captures_agree(capsys: pytest.CaptureFixture[str]) -> None:
    paths = public.captures_with_rows()
    if not paths:
        pytest.skip(f"the public captures are not at {public.FOLDER}")
    found = agreement((ours(path), theirs(public.segments(path))) for path in paths)
    with capsys.disabled():
        sys.stdout.write(f"\npublic captures as tshark has them: {found}")


@tshark.needed
@public.each(sorted(set(public.captures()) - set(public.captures_with_rows())))
def test_the_captures_that_come_with_zeeks_rows(path: Path) -> None:
    mine, other = ours(path), theirs(tshark.rows(path, ASKED))
    found = shown(mine, other)
    why = CAPTURES.get(path.name)
    if why == "announced":
        assert found != other.connections, KNOWN[why]
        missed = {stream: row[1] for stream, row in other.connections.items() if not row[1] & 1}
        for stream, completeness in missed.items():
            assert found[stream][1] == completeness | 1
            found[stream] = (found[stream][0], completeness, found[stream][2])
    assert found == other.connections
    assert (mine.marks != other.marks) == (why == "check sequence")


@tshark.needed
@pytest.mark.parametrize("path", sorted(OWN.glob("*.pcap*")), ids=lambda path: path.name)
def test_our_own_captures(path: Path) -> None:
    mine, other = ours(path), theirs(tshark.rows(path, ASKED))
    assert shown(mine, other) == other.connections
    assert mine.marks == other.marks


@tshark.needed
@pytest.mark.parametrize("seed", [1, 2])
def test_random_connections(seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "talks.pcap"
    traffic.write(path, [sent for each in traffic.conversations(seed, 300) for sent in each])
    found = agreement([(ours(path), theirs(tshark.rows(path, ASKED)))])
    with capsys.disabled():
        sys.stdout.write(f"\nrandom conversations as tshark has them: {found}")


SYN = segment("<SEQ=100><CTL=SYN>")
ACK = segment("<SEQ=301><ACK=101><CTL=ACK>", by=SYN.destination)


@tshark.needed
def test_known_a_quoted_segment_has_a_number(tmp_path: Path) -> None:
    path = tmp_path / "quoted.pcap"
    traffic.write(path, [traffic.Sent(traffic.START, SYN)])
    written = path.read_bytes()
    quote = written[40:]
    error = struct.pack("!BBHI", 3, 1, 0, 0) + quote
    outer = (
        struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(error), 0, 0, 64, 1, 0) + quote[12:20] + error
    )
    other = bytearray(written[24:])
    other[16 + 20 : 16 + 22] = b"\x10\x00"
    record = struct.pack("<IIII", 1, 0, len(outer), len(outer))
    path.write_bytes(written[:24] + record + outer + other)
    assert list(ours(path).connections) == [0]
    assert list(theirs(tshark.rows(path, ASKED)).connections) == [1], KNOWN["quoted"]


@tshark.needed
def test_known_a_round_trip_backwards(tmp_path: Path) -> None:
    path = tmp_path / "backwards.pcap"
    traffic.write(
        path, [traffic.Sent(traffic.START + n, seg) for n, seg in enumerate((ACK, SYN, SYN))]
    )
    rows = tshark.rows(path, ASKED)
    assert rows[3]["analysis.initial_rtt"].startswith("-"), KNOWN["backwards"]
    assert ours(path) == theirs(rows)


@tshark.needed
def test_known_a_round_trip_that_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "unshown.pcap"
    ack = segment("<SEQ=101><ACK=301><CTL=ACK>")
    traffic.write(path, [traffic.Sent(traffic.START, SYN), traffic.Sent(traffic.START + 9, ack)])
    assert theirs(tshark.rows(path, ASKED)).connections[0][2] == "", KNOWN["unshown"]
    assert ours(path).connections[0][2] == "0.000000009"


@tshark.needed
def test_known_a_syn_at_the_epoch(tmp_path: Path) -> None:
    path = tmp_path / "epoch.pcap"
    traffic.write(path, [traffic.Sent(0, SYN), traffic.Sent(9_000_000, ACK)])
    assert theirs(tshark.rows(path, ASKED)).connections[0][2] == "", KNOWN["epoch"]
    assert ours(path).connections[0][2] == "0.009000000"
