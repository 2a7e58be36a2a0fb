"""Where each field of a TCP header stands: its octets, and what RFC explains it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.tcp import Flags
from handshake.view.glyphs import UNICODE, Glyphs
from handshake.view.header import option_texts

if TYPE_CHECKING:
    from handshake.tcp import Segment


class HeaderField(NamedTuple):
    """A field of the header, as figure 1 of RFC 9293 has it."""

    key: str
    """Its name in `Segment` and in the grid."""

    begin: int
    """Its first octet in the header, from 0."""

    end: int
    """One more than its last octet; 0 for the end of the header."""

    section: str

    def title(self, glyphs: Glyphs = UNICODE) -> str:
        """Return its name in words."""
        return glyphs.say(f"header.{self.key}.title")

    def meaning(self, glyphs: Glyphs = UNICODE) -> str:
        """Return what it is for."""
        return glyphs.say(f"header.{self.key}.meaning")


FIELDS: Final = (
    HeaderField("source", 0, 2, "RFC 9293 3.1"),
    HeaderField("destination", 2, 4, "RFC 9293 3.1"),
    HeaderField("seq", 4, 8, "RFC 9293 3.1, 3.4"),
    HeaderField("ack", 8, 12, "RFC 9293 3.1, 3.10.7.4"),
    HeaderField("data_offset", 12, 13, "RFC 9293 3.1"),
    HeaderField("reserved", 12, 13, "RFC 9293 3.1, RFC 9768 3.2"),
    HeaderField("flags", 13, 14, "RFC 9293 3.1, RFC 3168 6.1"),
    HeaderField("window", 14, 16, "RFC 9293 3.1, RFC 7323 2.2"),
    HeaderField("checksum", 16, 18, "RFC 9293 3.1"),
    HeaderField("urgent", 18, 20, "RFC 9293 3.1, 3.8.5, RFC 6093"),
    HeaderField("options", 20, 0, "RFC 9293 3.1, 3.2"),
)


def octets_of(field: HeaderField, segment: Segment) -> range:
    """Return the octets of a field, counted from the beginning of the TCP header."""
    return range(field.begin, field.end or max(20, segment.data_offset * 4))


def value_of(field: HeaderField, segment: Segment, glyphs: Glyphs = UNICODE) -> str:
    """Return the value of a field, numbers in hexadecimal, too."""
    match field.key:
        case "source" | "destination":
            port = getattr(segment, field.key).port
            return f"{port} = 0x{port:04x}"
        case "seq":
            return f"{segment.seq} = 0x{int(segment.seq):08x}"
        case "ack":
            number = f"{segment.ack_field} = 0x{segment.ack_field:08x}"
            unused = segment.ack is None
            return glyphs.say("field.unused-ack", number=number) if unused else number
        case "data_offset":
            words = segment.data_offset
            return glyphs.say("field.octets", words=words, count=words * 4)
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
    return ", ".join(option_texts(segment, glyphs)) or glyphs.say("none")
