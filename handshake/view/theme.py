"""All colours of the screens, by role."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.theme import Theme

if TYPE_CHECKING:
    from handshake.tcp import Segment

THEME: Final = Theme(
    {
        "tcp.syn": "bold cyan",
        "tcp.ack": "green",
        "tcp.fin": "yellow",
        "tcp.rst": "bold red",
        "tcp.data": "blue",
        "field.name": "none",
        "field.value": "bold",
        "field.note": "dim",
        "field.chosen": "reverse",
        "header.source": "cyan",
        "header.destination": "magenta",
        "header.seq": "green",
        "header.ack": "blue",
        "header.data_offset": "yellow",
        "header.reserved": "yellow",
        "header.flags": "bold red",
        "header.window": "bright_cyan",
        "header.checksum": "bright_magenta",
        "header.urgent": "bright_yellow",
        "header.options": "bright_green",
        "changed": "bold yellow",
        "inferred": "italic",
        "state": "bold",
        "client": "cyan",
        "server": "magenta",
        "title": "bold",
        "chosen": "reverse",
        "why": "bold",
        "ok": "green",
        "bad": "bold red",
        "warn": "yellow",
        "dim": "dim",
        "rule": "dim",
        "key": "bold cyan",
    }
)
"""Only the terminal's sixteen colours, which suit its background, light or dark."""

FIELD_STYLES: Final = {
    name.removeprefix("header."): name for name in THEME.styles if name.startswith("header.")
}
"""The style of each field of the TCP header, where fields are told apart by colour."""


def style_of(segment: Segment) -> str:
    """Return the style of a segment, by its purpose."""
    if segment.rst:
        return "tcp.rst"
    if segment.syn:
        return "tcp.syn"
    if segment.fin:
        return "tcp.fin"
    return "tcp.data" if segment.payload_length else "tcp.ack"
