"""What every client has, whatever its first segment is: addresses, timers, verdict.

No clock, no random numbers, no sockets: segments and the time come in, segments to send and the
next deadline come out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from handshake.endpoint.ack_monitor import UNKNOWN, AckStatus
from handshake.endpoint.options import ClientOptions, Timeouts
from handshake.endpoint.outcome import Close, DataExchange, Negotiated, Notes, Outcome, Verdict
from handshake.endpoint.rejection import IcmpErrors
from handshake.endpoint.segment_builder import ETHERNET, LINUX
from handshake.endpoint.sender import Segments, Sender

if TYPE_CHECKING:
    from handshake.messages import Message
    from handshake.tcp import ControlBlock, Endpoint, Observed, Offer, Seq
    from handshake.tcp.icmp import IcmpError


@dataclass
class Client:
    """The client of one connection, from its first segment to its verdict.

    `start`, `receive`, `icmp` and `on_timer` return what to send now; `on_timer` is due at
    `deadline`. All times are nanoseconds of one clock. `verdict` and `close` are final when `done`.
    """

    local: Endpoint
    remote: Endpoint
    iss: Seq
    offer: Offer = LINUX
    ticks: int = 0
    """Our timestamp clock at time 0, in milliseconds."""

    timeouts: Timeouts = field(default_factory=Timeouts)
    options: ClientOptions = field(default_factory=ClientOptions)
    path_mss: int = ETHERNET
    """The largest segment our side of the path carries, in octets of options and data."""

    verdict: Verdict | None = field(init=False, default=None)
    close: Close | None = field(init=False, default=None)
    done: bool = field(init=False, default=False)
    answer: Observed | None = field(init=False, default=None)
    """The first valid answer to our first segment."""

    failure: Message | None = field(init=False, default=None)
    """Why this machine did not send our first segment."""

    notes: Notes = field(init=False, default_factory=Notes)
    """Remarks on what was received."""

    _sender: Sender = field(init=False)
    _icmp_errors: IcmpErrors = field(init=False)
    _give_up_at: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._sender = Sender(
            self.local,
            self.remote,
            self.iss,
            self.offer,
            self.ticks,
            self.timeouts,
            self.options,
            self.path_mss,
        )
        self._icmp_errors = IcmpErrors(self.notes)

    @property
    def block(self) -> ControlBlock:
        """The current control block."""
        return self._sender.block

    @property
    def syn_sent(self) -> int:
        """How many times our first segment was sent."""
        return self._sender.syn_sent

    @property
    def error(self) -> IcmpError | None:
        """The ICMP error that reports our first segment as undeliverable."""
        return self._icmp_errors.error

    @property
    def ack_status(self) -> AckStatus:
        """What is known about whether the server accepted our ACK."""
        return UNKNOWN

    @property
    def data(self) -> DataExchange | None:
        """The data exchanged, if any."""
        return None

    def outcome(self) -> Outcome:
        """Return what became of the connection, once it is `done`."""
        assert self.verdict is not None, "the connection has not ended"
        return Outcome(
            verdict=self.verdict,
            close=self.close,
            icmp=self.error,
            failure=self.failure,
            syn_sent=self.syn_sent,
            negotiated=Negotiated.of(self.block),
            ack_status=self.ack_status,
            data=self.data,
            findings=tuple(self.notes),
        )

    def clock(self, at: int) -> int:
        """Return our timestamp clock at a time, in milliseconds."""
        return self._sender.clock(at)

    @property
    def ends_by(self) -> int:
        """When it gives up what it waits for now: an answer, or an acknowledgment of our FIN."""
        return self._give_up_at

    @property
    def deadline(self) -> int:
        """When `on_timer` is due."""
        retransmit_at = self._sender.timer.at
        if retransmit_at is None:
            return self._give_up_at
        return min(self._give_up_at, retransmit_at)

    def start(self, at: int) -> Segments:
        """Start the timers; return the first segment."""
        self._give_up_at = at + self.timeouts.handshake
        self._sender.timer.start(at)
        return self._sender.syn(at)

    def postpone(self, late: int) -> None:
        """Let all timers run later: what was to leave at once left so many nanoseconds late."""
        self._give_up_at += late
        self._sender.timer.postpone(late)

    def abort(self, _: int) -> Segments:
        """End at once; return the RSTs to send: none without a connection."""
        return ()

    def unsent(self, why: Message) -> None:
        """Record that this machine did not send a segment, and why."""
        if self.verdict is not None or self.syn_sent > 1 or not self._opening:
            self.notes.add("unsent", why=why)
            return
        self.failure = why
        self._sender.syn_sent -= 1
        self._end(Verdict.LOCAL_ERROR)

    @property
    def _opening(self) -> bool:
        """Whether no segment other than the first was sent."""
        return self.answer is None

    def _end(self, verdict: Verdict) -> None:
        self.verdict = verdict
        self.done = True
