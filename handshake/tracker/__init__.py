"""Tracks connections from captured segments: an observed segment in, a step out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.events import Role
from handshake.tcp import State
from handshake.tracker.connection import Connection, End
from handshake.tracker.summary import summarize, summarize_end, zeek_records

if TYPE_CHECKING:
    from collections.abc import Iterable

    from handshake.events import Step
    from handshake.tcp import ControlBlock, Endpoint, Observed, Segment
    from handshake.tcp.icmp import IcmpError

__all__ = ["Connection", "End", "Tracker", "summarize", "summarize_end", "zeek_records"]


class Tracker:
    """Return for each segment what it changed at both ends. Never raises on what a wire carries.

    `sockets` are control blocks that are known before the first segment, such as a lesson's
    listening socket: without them an end is unknown until it sends a segment. `client` is the end
    that is known to be the client, for a probe whose first segment is no SYN.
    """

    def __init__(
        self, sockets: Iterable[ControlBlock] = (), client: Endpoint | None = None
    ) -> None:
        self.connections: list[Connection] = []
        self.forgotten: dict[tuple[Endpoint, Endpoint], int] = {}
        """The numbers of earlier connections that have ended, by socket pair: all that is kept."""

        self._current: dict[tuple[Endpoint, Endpoint], Connection] = {}
        self._known_client = client
        self._sockets = {block.local: block for block in sockets}

    def feed(self, observed: Observed) -> Step:
        """Return what the segment changed, in its connection."""
        return self.connection_of(observed.segment).feed(observed)

    def quoted(self, error: IcmpError) -> Connection | None:
        """Return the connection whose segment this ICMP error quotes; None where none is known."""
        connection = self._current.get((error.source, error.destination))
        if connection is not None:
            connection.quoted(error)
        return connection

    def connection_of(self, seg: Segment) -> Connection:
        """Return the connection that the segment belongs to: a new one where it opens one."""
        pair = (seg.source, seg.destination)
        known = self._current.get(pair)
        if known is None or _opens_another(known, seg):
            known = self._new(seg, known)
            self._current[pair] = self._current[pair[::-1]] = known
        return known

    def _new(self, seg: Segment, earlier: Connection | None) -> Connection:
        active, roles = _client(seg)
        # The sender of a SYN without ACK is a client, even if its peer was the known client.
        if roles != "syn" and self._known_client in (seg.source, seg.destination):
            active, roles = self._known_client, "known"
        passive = seg.destination if active == seg.source else seg.source
        client = End(active, Role.CLIENT, self._sockets.get(active))
        server = End(passive, Role.SERVER, self._sockets.get(passive))
        if earlier is not None:
            _inherit(server, earlier)
        forgotten = self.forgotten.get((seg.source, seg.destination))
        connection = Connection(
            number=len(self.connections),
            client=client,
            server=server,
            roles=roles,
            reused=forgotten if earlier is None else earlier.number,
        )
        self.connections.append(connection)
        return connection


def _opens_another(known: Connection, seg: Segment) -> bool:
    """Whether this SYN has another number than its sender's ISN, known or assumed."""
    if not seg.syn or seg.ack is not None:
        return False
    base = known.end(known.role_of(seg.source)).numbers.base
    return base is not None and base != int(seg.seq)


def _client(seg: Segment) -> tuple[Endpoint, str]:
    """Return the client, and how it was identified."""
    if seg.syn:
        return (seg.source, "syn") if seg.ack is None else (seg.destination, "syn-ack")
    # Servers listen on low ports; between equal ports, the first sender is the client.
    ends = (seg.source, seg.destination)
    return max(ends, key=lambda end: end.port), "guess"


def _inherit(server: End, earlier: Connection) -> None:
    """Let the server keep a connection that only the client has lost (figure 9)."""
    block = earlier.end(earlier.role_of(server.endpoint)).block
    if block is not None and block.state.synchronized and block.state is not State.TIME_WAIT:
        server.block = block
