"""Two sockets written straight from section 3.10, and a network that loses and delays.

They share nothing with the package but the notation of a segment: what the tracker
concludes from the wire is held against what they know.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from handshake.tcp import Endpoint, Flags, Segment, Seq

M = 2**32
WINDOW = 60000


def _ahead(later: int, earlier: int) -> int:
    """Return how far one number is ahead of another, in the nearer direction."""
    return (later - earlier + M // 2) % M - M // 2


@dataclass
class Socket:
    """One end, in plain integers."""

    here: Endpoint
    there: Endpoint
    iss: int
    state: str = "CLOSED"
    una: int | None = None
    nxt: int | None = None
    irs: int | None = None
    rcv: int | None = None
    fin_at: int | None = None
    unacked: list[tuple[int, Flags, int]] = field(default_factory=list)
    out: list[Segment] = field(default_factory=list)

    # The calls of section 3.10.1 to 3.10.5.

    def listen(self) -> None:
        self.state = "LISTEN"

    def connect(self) -> None:
        self.state = "SYN-SENT"
        self.una = self.nxt = self.iss
        self._queue(Flags.SYN, 0)

    def send(self, octets: int) -> None:
        if self.state in ("ESTABLISHED", "CLOSE-WAIT"):
            self._queue(Flags.ACK | Flags.PSH, octets)

    def close(self) -> None:
        following = {"ESTABLISHED": "FIN-WAIT-1", "CLOSE-WAIT": "LAST-ACK"}
        if self.state in following:
            assert self.nxt is not None
            self.state = following[self.state]
            self.fin_at = self.nxt
            self._queue(Flags.FIN | Flags.ACK, 0)

    def abort(self) -> None:
        if self.state in ("ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT"):
            assert self.nxt is not None
            self._emit(self.nxt, Flags.RST | Flags.ACK, 0)
            self.state = "CLOSED"
            self.unacked.clear()

    def time_out(self) -> None:
        """Send the oldest unacknowledged segment again (section 3.8.1)."""
        if self.unacked:
            seq, flags, octets = self.unacked[0]
            if flags & Flags.SYN and self.state != "SYN-SENT":
                flags |= Flags.ACK
            self._emit(seq, flags, octets)

    # Section 3.10.7.

    def arrives(self, seg: Segment) -> None:
        seq, ack = int(seg.seq), None if seg.ack is None else int(seg.ack)
        if self.state == "CLOSED":
            return
        if self.state == "LISTEN":
            self._arrives_in_listen(seg, seq)
        elif self.state == "SYN-SENT":
            self._arrives_in_syn_sent(seg, seq, ack)
        else:
            self._arrives_otherwise(seg, seq, ack)

    def _arrives_in_listen(self, seg: Segment, seq: int) -> None:
        if seg.syn and seg.ack is None:
            self.irs, self.rcv = seq, (seq + 1) % M
            self.una = self.nxt = self.iss
            self.state = "SYN-RECEIVED"
            self._queue(Flags.SYN | Flags.ACK, 0)

    def _arrives_in_syn_sent(self, seg: Segment, seq: int, ack: int | None) -> None:
        assert self.nxt is not None
        if ack is not None and not (_ahead(ack, self.iss) > 0 >= _ahead(ack, self.nxt)):
            return
        if seg.rst:
            if ack is not None:
                self.state = "CLOSED"
            return
        if not seg.syn:
            return
        self.irs, self.rcv = seq, (seq + 1) % M
        if ack is None:
            self.state = "SYN-RECEIVED"
            self._emit(self.iss, Flags.SYN | Flags.ACK, 0)
            return
        self._acknowledged(ack)
        self.state = "ESTABLISHED"
        self._emit(self.nxt, Flags.ACK, 0)

    def _arrives_otherwise(self, seg: Segment, seq: int, ack: int | None) -> None:
        assert self.rcv is not None
        assert self.nxt is not None
        crossed = self.state == "SYN-RECEIVED" and seg.syn and seq == self.irs and ack is not None
        if seg.rst:
            if seq == self.rcv:
                self.state = "CLOSED"
            return
        length = seg.payload_length + seg.syn + seg.fin
        last = (seq + max(length - 1, 0)) % M
        in_window = 0 <= _ahead(seq, self.rcv) < WINDOW or 0 <= _ahead(last, self.rcv) < WINDOW
        if ack is None or not (in_window or crossed):
            if not (seg.syn and ack is None and self.state == "SYN-RECEIVED"):
                self._emit(self.nxt, Flags.ACK, 0)
            return
        if _ahead(ack, self.nxt) > 0:
            return
        if self.state == "SYN-RECEIVED":
            if _ahead(ack, self.iss) <= 0:
                return
            self.state = "ESTABLISHED"
        self._acknowledged(ack)
        self._fin_acknowledged()
        if not crossed:
            self._take(seg, seq)

    def _take(self, seg: Segment, seq: int) -> None:
        assert self.rcv is not None
        assert self.nxt is not None
        if _ahead(seq, self.rcv) > 0:
            # This socket keeps nothing that comes ahead: it asks for what is missing.
            if seg.payload_length or seg.fin:
                self._emit(self.nxt, Flags.ACK, 0)
            return
        end = (seq + seg.payload_length) % M
        self.rcv = max(self.rcv, end, key=lambda number: _ahead(number, seq))
        if seg.fin and self.rcv == end:
            following = {"ESTABLISHED": "CLOSE-WAIT", "FIN-WAIT-1": "CLOSING"}
            following |= {"FIN-WAIT-2": "TIME-WAIT"}
            if self.state in following:
                self.state = following[self.state]
                self.rcv = (self.rcv + 1) % M
        if seg.payload_length or seg.fin:
            self._emit(self.nxt, Flags.ACK, 0)

    def _acknowledged(self, ack: int) -> None:
        assert self.una is not None
        if _ahead(ack, self.una) > 0:
            self.una = ack
        self.unacked = [
            (seq, flags, octets)
            for seq, flags, octets in self.unacked
            if _ahead((seq + octets + bool(flags & (Flags.SYN | Flags.FIN))) % M, ack) > 0
        ]

    def _fin_acknowledged(self) -> None:
        if self.fin_at is None or self.una is None or _ahead(self.una, self.fin_at) <= 0:
            return
        following = {"FIN-WAIT-1": "FIN-WAIT-2", "CLOSING": "TIME-WAIT", "LAST-ACK": "CLOSED"}
        self.state = following.get(self.state, self.state)

    def _queue(self, flags: Flags, octets: int) -> None:
        assert self.nxt is not None
        self.unacked.append((self.nxt, flags, octets))
        self._emit(self.nxt, flags, octets)
        self.nxt = (self.nxt + octets + bool(flags & (Flags.SYN | Flags.FIN))) % M

    def _emit(self, seq: int, flags: Flags, octets: int) -> None:
        ack = Seq(self.rcv) if flags & Flags.ACK and self.rcv is not None else None
        self.out.append(
            Segment(self.here, self.there, Seq(seq), ack, flags, WINDOW, payload=b"x" * octets)
        )
