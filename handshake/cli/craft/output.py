"""What `handshake craft` does with a packet: it is drawn, printed in a form, or written."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from handshake.errors import UsageError

if TYPE_CHECKING:
    from handshake.crafter.decoded import Decoded
    from handshake.crafter.fields import PacketFields

DRAW: Final = "draw"

_ROOM: Final = 36
"""Lines of a screen on which the header is drawn with its bits numbered."""


@dataclass(frozen=True)
class CraftOutput:
    """What to print of a packet, and where to write it."""

    form: str | None = None
    """One of the forms; None for a drawing on a terminal, and hexadecimal in a pipe."""

    write: str | None = None
    as_json: bool = False
    plain: bool = False
    ascii_only: bool = False
    language: str = "en"

    def __post_init__(self) -> None:
        from handshake.crafter.forms import FORMS

        if self.form is not None and self.form not in (DRAW, *FORMS):
            choices = (DRAW, *FORMS)
            raise UsageError("choice", option="--format", value=self.form, choices=choices)
        chosen = [
            *(["--json"] if self.as_json else []),
            *(["--format"] if self.form is not None else []),
            *(["-w -"] if self.write == "-" else []),
        ]
        if len(chosen) > 1:
            raise UsageError("exclusive", options=chosen)

    def check_send(self) -> None:
        """Raise UsageError for a form that what comes back cannot have."""
        if self.form is not None and self.form != DRAW:
            raise UsageError("exclusive", options=["--send", f"--format {self.form}"])

    def show(self, fields: PacketFields) -> int:
        """Show the packet that these fields make; return the exit code."""
        from handshake.crafter.fields import build

        octets = build(fields)
        if self.write is not None:
            self._write(fields, octets)
            if self.form is None and not self.as_json:
                return 0
        if self.as_json:
            from handshake.crafter.packet_record import packet_record

            sys.stdout.write(json.dumps(packet_record(_again(fields, octets))) + "\n")
            return 0
        form = self.form or (DRAW if sys.stdout.isatty() else "hex")
        if form == DRAW:
            self._draw(fields, octets)
            return 0
        from handshake.crafter.forms import written

        sys.stdout.write(written(form, fields, octets) + "\n")
        return 0

    def _draw(self, fields: PacketFields, octets: bytes) -> None:
        from handshake.cli.console import console, glyphs, show, show_whole
        from handshake.crafter.scapy_code import scapy_code
        from handshake.view.layout import line
        from handshake.view.packet_page import PacketPage

        out = console(plain=self.plain)
        ruled = not out.is_terminal or out.height >= _ROOM
        signs = glyphs(self.language, ascii_only=self.ascii_only)
        page = PacketPage(_again(fields, octets), self.language, ruled, signs)
        show(out, page.lines(out.width))
        show(out, [line()])
        show_whole(out, [line((each, "key")) for each in scapy_code(fields).split("\n")])

    def _write(self, fields: PacketFields, octets: bytes) -> None:
        import time

        from handshake.capture.output import begun
        from handshake.capture.pcap_writer import ENDINGS, PcapWriter
        from handshake.capture.pcapng_writer import opened

        assert self.write is not None
        if fields.bare:
            raise UsageError("craft.write-bare")
        if self.write.lower().endswith(ENDINGS):
            with begun(self.write, PcapWriter) as pcap:
                pcap.packet(octets, time.time_ns())
        else:
            with opened(self.write) as pcapng:
                pcapng.packet(octets, time.time_ns(), None)


def _again(fields: PacketFields, octets: bytes) -> Decoded:
    """Return the packet taken apart, as a receiver does."""
    from handshake.crafter.decode import decode

    return decode(octets, "tcp" if fields.bare else "ip")
