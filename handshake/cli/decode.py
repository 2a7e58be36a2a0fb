"""`handshake decode`: takes one packet apart, and says what is wrong with it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Final

import typer

from handshake.cli.parameters import Ascii, Json, Lang, Plain, language
from handshake.errors import UsageError

if TYPE_CHECKING:
    from handshake.crafter.decoded import Decoded
    from handshake.packet.checksum import Address

_ROOM: Final = 36
"""Lines of a screen on which the header is drawn with its bits numbered."""


def decode(
    given: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="OCTETS", help="Hexadecimal in any form, base64, a file, or - for stdin."
        ),
    ] = None,
    frame: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Frame N of a capture, or packet N of a dump."),
    ] = None,
    beginning: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="LAYER",
            help="It begins with ethernet, cooked, cooked2, loopback, ip or tcp.",
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", hidden=True, help="With --as tcp: of the checksum's pseudo-header."
        ),
    ] = None,
    destination: Annotated[
        str | None, typer.Option(metavar="ADDRESS", hidden=True, help="Likewise.")
    ] = None,
    as_json: Json = False,
    plain: Plain = False,
    ascii_only: Ascii = False,
    lang: Lang = None,
) -> None:
    """Draw one packet, and name what is wrong with it and what makes it."""
    from handshake.cli.packet_input import packet_input
    from handshake.crafter.beginnings import BEGINNINGS

    said = language(lang)
    if beginning is not None and beginning not in BEGINNINGS:
        raise UsageError("choice", option="--as", value=beginning, choices=list(BEGINNINGS))
    ends = _ends(source, destination)
    found = packet_input(given or [], frame, beginning, ends, said)
    if as_json:
        from handshake.crafter.packet_record import packet_record

        sys.stdout.write(json.dumps(packet_record(found)) + "\n")
        return
    _draw(found, said, plain=plain, ascii_only=ascii_only)


def _draw(found: Decoded, said: str, *, plain: bool, ascii_only: bool) -> None:
    from handshake.cli.console import console, glyphs, show, show_whole
    from handshake.view.layout import line
    from handshake.view.packet_page import PacketPage

    out = console(plain=plain)
    ruled = not out.is_terminal or out.height >= _ROOM
    page = PacketPage(found, said, ruled, glyphs(said, ascii_only=ascii_only))
    show(out, page.lines(out.width))
    show(out, [line()])
    show_whole(out, [line((found.command, "key"))])


def _ends(source: str | None, destination: str | None) -> tuple[Address, Address] | None:
    """Return the addresses that the checksum of a segment alone covers."""
    from handshake.crafter.endpoints import endpoint

    if source is None and destination is None:
        return None
    if source is None or destination is None:
        raise UsageError("decode.ends")
    ends = endpoint(source, "--source")[0], endpoint(destination, "--destination")[0]
    if ends[0].version != ends[1].version:
        raise UsageError("craft.versions", source=ends[0], address=ends[1])
    return ends
