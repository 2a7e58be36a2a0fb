"""Where each field of a TCP header stands: its octets, and what RFC explains it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.tcp import Flags
from handshake.view.header import option_texts

if TYPE_CHECKING:
    from handshake.tcp import Segment


class HeaderField(NamedTuple):
    """A field of the header, as figure 1 of RFC 9293 has it."""

    key: str
    """Its name in `Segment` and in the grid."""

    title: str
    begin: int
    """Its first octet in the header, from 0."""

    end: int
    """One more than its last octet; 0 for the end of the header."""

    section: str
    meaning: str


FIELDS: Final = (
    HeaderField(
        *("source", "Source Port", 0, 2, "RFC 9293 3.1"),
        "The port of the socket that sent it. With both addresses and the other port it names the "
        "connection. A client's is usually chosen by its kernel, from the ephemeral ports.",
    ),
    HeaderField(
        *("destination", "Destination Port", 2, 4, "RFC 9293 3.1"),
        "The port of the socket that it is for. If none listens there, the host answers a SYN with "
        "a RST.",
    ),
    HeaderField(
        *("seq", "Sequence Number", 4, 8, "RFC 9293 3.1, 3.4"),
        "The number of the first octet of data; in a SYN the initial sequence number, and the data "
        "begins one later. SYN and FIN take a number each, so that they can be acknowledged. A "
        "retransmission has the number of the original.",
    ),
    HeaderField(
        *("ack", "Acknowledgment Number", 8, 12, "RFC 9293 3.1, 3.10.7.4"),
        "The number that its sender expects next: it has received all before it. It means nothing "
        "unless the ACK bit is set.",
    ),
    HeaderField(
        *("data_offset", "Data Offset", 12, 13, "RFC 9293 3.1"),
        "The length of the header in words of 32 bits, in the upper four bits of this octet: 5 "
        "without options, 15 at most.",
    ),
    HeaderField(
        *("reserved", "Reserved", 12, 13, "RFC 9293 3.1, RFC 9768 3.2"),
        "The lower four bits: zero, but for the last of them, AE, which belongs to accurate ECN "
        "feedback.",
    ),
    HeaderField(
        *("flags", "Control bits", 13, 14, "RFC 9293 3.1, RFC 3168 6.1"),
        "CWR and ECE report congestion; URG and ACK say that those fields have a meaning; PSH asks "
        "the receiver to pass the data on; RST ends the connection at once; SYN opens it; FIN says "
        "that its sender has no more data.",
    ),
    HeaderField(
        *("window", "Window", 14, 16, "RFC 9293 3.1, RFC 7323 2.2"),
        "How many octets from the acknowledgment number on its sender can take: room in its "
        "receive buffer. It is shifted left by the window scale of its sender, except in a SYN.",
    ),
    HeaderField(
        *("checksum", "Checksum", 16, 18, "RFC 9293 3.1"),
        "The ones' complement sum over addresses, header and data. Network cards often calculate "
        "it after the point of the capture, which then shows a partial sum.",
    ),
    HeaderField(
        *("urgent", "Urgent Pointer", 18, 20, "RFC 9293 3.1, 3.8.5, RFC 6093"),
        "Where urgent data ends, counted from the sequence number; it means nothing unless URG is "
        "set. New programs should not use it.",
    ),
    HeaderField(
        *("options", "Options", 20, 0, "RFC 9293 3.1, 3.2"),
        "A kind, a length and a value each. MSS, window scale and SACK permitted are offered in a "
        "SYN only, and hold if both ends offer them; timestamps are then in each segment.",
    ),
)


def octets_of(field: HeaderField, segment: Segment) -> range:
    """Return the octets of a field, counted from the beginning of the TCP header."""
    return range(field.begin, field.end or max(20, segment.data_offset * 4))


def value_of(field: HeaderField, segment: Segment) -> str:
    """Return the value of a field, numbers in hexadecimal, too."""
    match field.key:
        case "source" | "destination":
            port = getattr(segment, field.key).port
            return f"{port} = 0x{port:04x}"
        case "seq":
            return f"{segment.seq} = 0x{int(segment.seq):08x}"
        case "ack":
            unused = "" if segment.ack is not None else ", unused: the ACK bit is not set"
            return f"{segment.ack_field} = 0x{segment.ack_field:08x}{unused}"
        case "data_offset":
            return f"{segment.data_offset} = {segment.data_offset * 4} octets"
        case "reserved":
            accurate = " AE" if Flags.AE in segment.flags else ""
            return f"{segment.reserved}{accurate}"
        case "flags":
            return f"{segment.flags} = 0x{int(segment.flags) & 0xFF:02x}"
        case "window":
            return f"{segment.window} = 0x{segment.window:04x}"
        case "checksum":
            return f"0x{segment.checksum:04x}"
        case "urgent":
            return str(segment.urgent)
    return ", ".join(option_texts(segment)) or "none"
