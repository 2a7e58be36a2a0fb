"""The fewest fields that make the same octets: what is right need not be said."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from handshake.crafter.fields import build
from handshake.errors import UsageError
from handshake.tcp.checksum import Checksum

if TYPE_CHECKING:
    from handshake.crafter.fields import PacketFields

_SIMPLER: Final[tuple[tuple[str, tuple[Any, ...]], ...]] = (
    ("offset", (None,)),
    ("words", (None,)),
    ("length", (None,)),
    ("ip_checksum", (Checksum.RIGHT,)),
    ("checksum", (Checksum.RIGHT, Checksum.PARTIAL)),
    ("cut", (None,)),
)
"""Fields, and what they may be left at: the simplest first."""


def minimal(fields: PacketFields) -> PacketFields:
    """Return fields that make the same octets, with as few of them given as possible."""
    octets = build(fields)
    for name, values in _SIMPLER:
        for value in values:
            simpler = replace(fields, **{name: value})
            if _makes(simpler, octets):
                fields = simpler
                break
    return fields


def _makes(fields: PacketFields, octets: bytes) -> bool:
    try:
        return build(fields) == octets
    except UsageError:  # only a given number may contradict the rest
        return False
