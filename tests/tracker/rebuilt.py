"""A connection made anew from its steps alone, to compare with what the tracker kept."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Final

from handshake.tracker import Connection, End

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handshake.events import Step

_BESIDE: Final = {"analysis", "wire", "numbers", "observers", "unreachable"}
"""What steps do not change: Wireshark's analysis comes before them, an ICMP error is no step."""


def rebuilt(known: Connection, steps: Sequence[Step]) -> Connection:
    """Return the connection that follows from the steps, whose ends are those of `known`."""
    first = steps[0]
    client = End(known.client.endpoint, known.client.role, first.client.before)
    server = End(known.server.endpoint, known.server.role, first.server.before)
    connection = Connection(first.stream, client, server, known.roles, known.reused)
    for step in steps:
        connection.apply(step)
    return connection


def kept(part: Connection | End) -> dict[str, object]:
    """Return all that steps change, by name."""
    found = {each.name: getattr(part, each.name) for each in fields(part)}
    return {
        name: kept(value) if isinstance(value, End) else value
        for name, value in found.items()
        if name not in _BESIDE
    }
