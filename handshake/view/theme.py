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


def style_of(segment: Segment) -> str:
    """Return the style of a segment, by its purpose."""
    if segment.rst:
        return "tcp.rst"
    if segment.syn:
        return "tcp.syn"
    if segment.fin:
        return "tcp.fin"
    return "tcp.data" if segment.payload_length else "tcp.ack"
