"""A host and its sockets: each segment goes to the one that it is for, or is reset."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from handshake.tcp import Flags, Segment, Seq

if TYPE_CHECKING:
    from handshake.endpoint.listening_socket import ListeningSocket
    from handshake.endpoint.sender import Segments
    from handshake.endpoint.tcp_socket import TcpSocket
    from handshake.tcp import Endpoint, Observed
    from handshake.tcp.icmp import IcmpError


@dataclass
class TcpHost:
    """The sockets of one host, by what tells them apart: ports and addresses."""

    listeners: dict[Endpoint, ListeningSocket] = field(default_factory=dict)
    """By the endpoint that each listens on."""

    connections: dict[tuple[Endpoint, Endpoint], TcpSocket] = field(default_factory=dict)
    """By local and remote endpoint."""

    @property
    def deadline(self) -> int | None:
        """When `on_timer` is due; None while no timer runs."""
        due = (each.deadline for each in self._sockets)
        return min((at for at in due if at is not None), default=None)

    def add(self, connection: TcpSocket) -> None:
        """Let a connection receive what comes from its remote end."""
        self.connections[connection.local, connection.remote] = connection

    def accept(self, listener: ListeningSocket) -> TcpSocket | None:
        """Return the first connection that waits at a listener; None if there is none."""
        connection = listener.accept()
        if connection is not None:
            self.add(connection)
        return connection

    def receive(self, observed: Observed, at: int) -> Segments:
        """Process a received segment; return what to send."""
        seg = observed.segment
        connection = self.connections.get((seg.destination, seg.source))
        listener = self.listeners.get(seg.destination)
        if connection is not None and not connection.done:
            return connection.receive(observed, at)
        if listener is not None:
            return listener.receive(observed, at)
        return () if observed.checksum_ok is False else reset_of(seg)

    def icmp(self, error: IcmpError, at: int) -> Segments:
        """Process an ICMP error that quotes a segment of ours; return what to send."""
        connection = self.connections.get((error.source, error.destination))
        return () if connection is None else connection.icmp(error, at)

    def on_timer(self, at: int) -> Segments:
        """Do what is due by a time."""
        out: Segments = ()
        for each in self._sockets:
            if each.deadline is not None and each.deadline <= at:
                out += each.on_timer(at)
        return out

    @property
    def _sockets(self) -> tuple[ListeningSocket | TcpSocket, ...]:
        return (*self.listeners.values(), *self.connections.values())


def reset_of(seg: Segment) -> Segments:
    """Return the RST that answers a segment for which there is no socket (section 3.10.7.1)."""
    if seg.rst:
        return ()
    flags, seq, ack = (Flags.RST, seg.ack, None)
    if seq is None:
        flags, seq, ack = Flags.RST | Flags.ACK, Seq(0), seg.end
    return (Segment(seg.destination, seg.source, seq, ack, flags, window=0),)
