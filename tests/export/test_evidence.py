"""What a probe saw, written down: each packet as it was, and what it changed."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

from handshake.capture.pcapng_writer import PcapngWriter
from handshake.export.evidence import PacketLog
from handshake.packet.icmp import IcmpError, quoted
from handshake.packet.ip import Datagram
from handshake.packet.scapy_codec import packet
from handshake.tcp import Observed
from tests.capture.blocks import INBOUND, OUTBOUND, Packet, packets
from tests.capture.packets import AT, QUOTING
from tests.segments import LINUX, A, B, segment

if TYPE_CHECKING:
    from collections.abc import Iterable

TALK = (
    (0, "><SEQ=1000><CTL=SYN>"),
    (28, "<<SEQ=5000><ACK=1001><CTL=SYN,ACK>"),
    (29, "><SEQ=1001><ACK=5001><CTL=ACK>"),
    (30, "><SEQ=1001><ACK=5001><CTL=FIN,ACK>"),
    (58, "<<SEQ=5001><ACK=1002><CTL=FIN,ACK>"),
    (59, "><SEQ=1002><ACK=5002><CTL=ACK>"),
)


def seen(at: int, text: str) -> Observed:
    ours = text[0] == ">"
    options = LINUX if "SYN" in text else None
    found = segment(text[1:], by=A if ours else B, options=options)
    return Observed(found, AT + at, outgoing=ours, packet=bytes(packet(found)))


def icmp(at: int) -> IcmpError:
    error = quoted(Datagram.parse(QUOTING), AT + at)
    assert error is not None
    return error


def found(received: Iterable[Observed | IcmpError]) -> list[Packet]:
    out = io.BytesIO()
    account = PacketLog(PcapngWriter(out))
    for each in received:
        account.add(each)
    return packets(out.getvalue())


def test_each_packet_has_a_comment_on_sender_change_and_reason() -> None:
    packets = [seen(*each) for each in TALK]
    written = found(packets)
    assert [(each.at, each.octets) for each in written] == [
        (each.at, each.packet) for each in packets
    ]
    assert [each.direction for each in written] == [
        OUTBOUND if text[0] == ">" else INBOUND for _, text in TALK
    ]
    comments = [comment.split("\n") for each in written for comment in each.comments]
    assert [first for first, _ in comments] == [
        "SYN from the client: client ? -> SYN-SENT, server ?",
        "SYN-ACK from the server: client SYN-SENT -> ESTABLISHED, server ? -> SYN-RECEIVED",
        "ACK from the client: client ESTABLISHED, server SYN-RECEIVED -> ESTABLISHED",
        (
            "FIN-ACK from the client: client ESTABLISHED -> FIN-WAIT-1, "
            "server ESTABLISHED -> CLOSE-WAIT"
        ),
        "FIN-ACK from the server: client FIN-WAIT-1 -> TIME-WAIT, server CLOSE-WAIT -> LAST-ACK",
        "ACK from the client: client TIME-WAIT, server LAST-ACK -> CLOSED",
    ]
    assert "its sequence numbers start at 1000." in comments[0][1]
    assert comments[3][1].startswith("FIN: the client ")


def test_what_is_not_proven_bears_its_mark() -> None:
    (_, refused) = found(
        [seen(0, "><SEQ=1000><CTL=SYN>"), seen(1, "<<SEQ=0><ACK=1001><CTL=RST,ACK>")]
    )
    first, why = refused.comments[0].split("\n")
    assert first == "RST-ACK from the server: client SYN-SENT -> CLOSED, server ? -> CLOSED?"
    assert why.startswith("Connection refused: ")


def test_errors_stand_where_they_came() -> None:
    again = replace(seen(10, "><SEQ=1000><CTL=SYN>"), outgoing=None)
    written = found([seen(0, "><SEQ=1000><CTL=SYN>"), icmp(5), again, icmp(10)])
    assert [each.at - AT for each in written] == [0, 5, 10, 10]
    assert [each.direction for each in written] == [OUTBOUND, INBOUND, None, INBOUND]
    assert written[1] == Packet(
        AT + 5,
        QUOTING,
        len(QUOTING),
        INBOUND,
        [
            (
                "203.0.113.1 reports: communication administratively prohibited (ICMP 3/13)\n"
                "Quotes the segment with SEQ=1234 from 192.0.2.1:40000 to 198.51.100.1:80."
            )
        ],
    )


def test_a_clock_set_back_changes_no_comment() -> None:
    times = (0, -5000, -4000)
    packets = [seen(at, text) for at, (_, text) in zip(times, TALK, strict=False)]
    assert [each.at - AT for each in found(packets)] == [*times]
    assert [each.comments for each in found(packets)][2][0].startswith(
        "ACK from the client: client E"
    )


def test_the_sender_of_a_first_segment_that_is_no_syn_is_the_client() -> None:
    asked, refused = found(
        [seen(0, "><SEQ=1000><ACK=5000><CTL=SYN,ACK>"), seen(1, "<<SEQ=5000><CTL=RST>")]
    )
    assert asked.comments[0].startswith("SYN-ACK from the client: ")
    assert refused.comments[0].startswith("RST from the server: ")


def test_a_packet_without_octets_is_tracked_and_not_written() -> None:
    syn, *rest = [seen(*each) for each in TALK]
    written = found([replace(syn, packet=b""), replace(icmp(0), packet=b""), *rest])
    assert written == found([syn, *rest])[1:]


def test_several_probes_in_one_file_are_independent() -> None:
    out = io.BytesIO()
    writer = PcapngWriter(out)
    for _ in range(2):
        PacketLog(writer).add(seen(*TALK[0]))
    first, second = packets(out.getvalue())
    assert first == second
