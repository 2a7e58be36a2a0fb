"""A connection as in Zeek's conn.log: `conn_state`, `history`, and the counters beside them.

These are the rules of Zeek 8, as its documentation and its TCP analyzer have them. Zeek tracks less
state (a side that sent a FIN is closed, acknowledged or not) and its timeouts are shorter: after
seconds without an answer, or minutes of inactivity, the same ports are another connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.events import Role
from handshake.tcp.copy import changed
from handshake.tracker.zeek.conn import Conn
from handshake.tracker.zeek.row import ZeekRecord, conn_state, record
from handshake.units import SYN_BIT

if TYPE_CHECKING:
    from handshake.events import Step
    from handshake.events.run import Run, RunStart
    from handshake.tcp import Observed
    from handshake.tcp.icmp import IcmpError

__all__ = ["Conn", "Zeek", "ZeekRecord", "conn_state", "record"]


class Zeek:
    """Tracks a socket pair as Zeek does: each of `conns` becomes a row of conn.log."""

    __slots__ = ("_ports", "_start", "conns")

    conns: list[Conn]
    _start: RunStart | None
    """What may be in a run that is taken into account at once, though it has copies."""

    def __init__(self, ports: tuple[int, int] | None = None) -> None:
        self._ports = ports
        self.conns = []
        self._start = None

    @property
    def main(self) -> Conn | None:
        """The row that stands for the connection: the last that began with a SYN, or the first.

        This skips unanswered SYNs before it, a stray SYN after it, and what came after its timeout.
        """
        best: Conn | None = None
        for conn in self.conns:
            if best is None or (conn.opened and (conn.answered or not best.answered)):
                best = conn
        return best

    def feed(
        self,
        by: int,
        at: int,
        flags: int,
        seq: int,
        ack: int,
        window: int,
        length: int,
        captured: int,
        octets: int,
    ) -> None:
        """Take the next segment, sent by the first or the second port (0, 1).

        Of the payload's `length` octets, `captured` are there; `octets` is the IP packet's length.
        """
        conn = self.conns[-1] if self.conns else None
        if conn is None or conn.over(at) or (flags & SYN_BIT and conn.reused_by(flags, seq)):
            assert self._ports is not None
            conn = Conn(at, self._ports, by, flags)
            self.conns.append(conn)
        conn.feed(by, at, flags, seq, ack, window, length, captured, octets)

    def observe(self, step: Step) -> None:
        """Take the segment of a step; the client's port is the first.

        Checksums are ignored, as with `zeek -C`: most that are wrong in a capture were filled in
        later by the network card (offload), or the capture was edited.
        """
        seg, observed = step.segment, step.observed
        if self._ports is None:
            ports = (seg.source.port, seg.destination.port)
            self._ports = ports if step.by is Role.CLIENT else ports[::-1]
        if not 0 <= seg.data_offset * 4 - 20 - len(seg.options.raw) < 4:
            # Zeek ignores a header whose length is wrong or whose end was not captured.
            return
        self.feed(
            int(step.by is Role.SERVER),
            observed.at,
            int(seg.flags),
            seg.seq.value,
            seg.ack_field,
            seg.window,
            seg.payload_length,
            len(seg.payload),
            ip_length(observed),
        )

    def settled(self, start: RunStart) -> bool:
        """Whether Zeek's connection is open, and only what may be in a run changes nothing else."""
        conn = self.conns[-1] if self.conns else None
        if conn is None or not start.doubled:
            return conn is not None and conn.settled(start)
        # Of copies it knows nothing: if need be, it takes each packet.
        known = changed(start, client=changed(start.client), server=changed(start.server))
        self._start = known if conn.settled(known) else None
        return True

    def skip(self, run: Run) -> None:
        """Take a run into account."""
        conn, start, self._start = self.conns[-1], self._start, None
        if run.copies is None or (start is not None and conn.may_skip(run, run.copies, start)):
            conn.skip(run)
            return
        for each in run.copies.packets:
            # fmt: off
            self.feed(int(each.by is Role.SERVER), each.at, each.flags, each.seq, each.ack,
                      each.window, each.length, each.captured, each.octets)
            # fmt: on

    def quoted(self, error: IcmpError, *, of_syn: bool) -> None:
        """Ignore an ICMP error, as Zeek does."""


def ip_length(observed: Observed) -> int:
    """Return the length of the IP packet, headers included."""
    seg, packet = observed.segment, observed.packet
    above = seg.data_offset * 4 + seg.payload_length
    if packet and packet[0] >> 4 == 4:
        return above + (packet[0] & 0xF) * 4
    if seg.source.version == 4:
        return above + 20
    # The IPv6 header does not count itself; 0 is a jumbogram (RFC 2675).
    length = int.from_bytes(packet[4:6], "big")
    return 40 + (length or above)
