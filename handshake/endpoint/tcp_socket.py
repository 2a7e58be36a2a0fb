"""One end of one connection: the calls of its program, the segments of its peer, its timers.

It opens actively, passively (from a `ListeningSocket`) or at once with its peer, and closes in
every way of RFC 9293. No clock, no random numbers, no descriptors: segments and the time come in,
segments to send and the next deadline come out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from handshake.endpoint.buffers import ReceiveBuffer, SendBuffer
from handshake.endpoint.options import ClientOptions, Timeouts
from handshake.endpoint.outcome import Notes
from handshake.endpoint.rejection import Rejections, dropped
from handshake.endpoint.segment_builder import ETHERNET, LINUX
from handshake.endpoint.sender import Segments, Sender
from handshake.tcp import ControlBlock, Flags, Input, ReceiveSpace, SendSpace, State
from handshake.tcp.copy import changed
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from handshake.tcp import Endpoint, Observed, Offer, Segment, Seq
    from handshake.tcp.icmp import IcmpError

_SYN_ACK: Final = Flags.SYN | Flags.ACK
_FIN_ACK: Final = Flags.FIN | Flags.ACK

TIME_WAIT: Final = 60 * NS_PER_SECOND
"""How long Linux stays in TIME-WAIT, in nanoseconds, where RFC 9293 says 2 MSL."""

FIN_TIMEOUT: Final = 60 * NS_PER_SECOND
"""How long Linux waits in FIN-WAIT-2 once its program has closed (tcp_fin_timeout)."""

LEAST_WINDOW: Final = 0xFFFF
"""What a SYN-ACK advertises at most, in octets: its window is not scaled."""

_NO_DATA_YET: Final = (State.CLOSED, State.LISTEN, State.SYN_SENT, State.SYN_RECEIVED)
_CLOSED_BY_US: Final = (State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSING, State.TIME_WAIT)
_MAY_SEND: Final = (State.ESTABLISHED, State.CLOSE_WAIT)


@dataclass(kw_only=True)
class TcpSocket:
    """One end of one connection. All times are nanoseconds of one clock.

    `connect`, `accepts`, `send`, `shutdown`, `close`, `abort` are the calls of its program. Each
    returns what to send now, as `receive` and `on_timer` do; `on_timer` is due at `deadline`.
    """

    local: Endpoint
    remote: Endpoint
    iss: Seq
    offer: Offer = LINUX
    ticks: int = 0
    """Our timestamp clock at time 0, in milliseconds."""

    timeouts: Timeouts = field(default_factory=Timeouts)
    """Of them `rto` and `retries`."""

    options: ClientOptions = field(default_factory=ClientOptions)
    path_mss: int = ETHERNET
    """The largest segment our side of the path carries, in octets of options and data."""

    notes: Notes = field(init=False, default_factory=Notes)
    """Remarks on what was received."""

    timed_out: bool = field(init=False, default=False)
    """Whether it ended because nothing answered any more (ETIMEDOUT)."""

    refused: bool = field(init=False, default=False)
    """Whether our SYN was answered by a RST (ECONNREFUSED)."""

    unreachable: IcmpError | None = field(init=False, default=None)
    """The ICMP error that ended it: our SYN did not reach the peer (EHOSTUNREACH and others)."""

    was_reset: bool = field(init=False, default=False)
    """Whether the peer reset it (ECONNRESET)."""

    aborted: bool = field(init=False, default=False)
    """Whether we reset it."""

    _sender: Sender = field(init=False)
    _sending: SendBuffer = field(init=False)
    _received: ReceiveBuffer = field(init=False)
    _rejections: Rejections = field(init=False)
    _closing: bool = field(init=False, default=False)
    """Whether the program has no more to send."""

    _deaf: bool = field(init=False, default=False)
    """Whether the program takes no more either: it has closed."""

    _early: bool = field(init=False, default=False)
    """Whether its program may send before the ACK of our SYN-ACK (Fast Open)."""

    _waits_until: int | None = field(init=False, default=None)
    _opening_sent_at: int | None = field(init=False, default=None)

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
        self._sending = SendBuffer(b"", self.iss)
        self._received = ReceiveBuffer(b"")
        self._rejections = Rejections(self.iss, self.notes)

    @property
    def block(self) -> ControlBlock:
        """The current control block."""
        return self._sender.block

    @property
    def state(self) -> State:
        """Where it stands."""
        return self.block.state

    @property
    def done(self) -> bool:
        """Whether there is no connection any more."""
        return self.state is State.CLOSED

    @property
    def received(self) -> bytes:
        """The first octets that the peer sent, as far as none before them is missing."""
        return self._received.octets

    @property
    def deadline(self) -> int | None:
        """When `on_timer` is due; None while no timer runs."""
        timer = self._sender.timer
        due = [at for at in (timer.at, timer.gives_up_at, self._waits_until) if at is not None]
        return min(due, default=None)

    @property
    def retransmitted(self) -> int:
        """How often the timer sent again what is not acknowledged."""
        return self._sender.timer.expired

    @property
    def gives_up(self) -> bool:
        """Whether it ends when the timer expires, instead of sending again."""
        return self._sender.timer.gives_up_at is not None

    # The calls of its program (section 3.10.1 to 3.10.5).

    def connect(self, at: int) -> Segments:
        """Open actively: send the SYN; with a Fast Open cookie `options.data` goes with it."""
        self._sending.write(self.options.data)
        self._sender.timer.start(at)
        self._opening_sent_at = at
        return self._sender.syn(at)

    def accepts(self, syn: Segment, at: int, *, with_data: bool = False) -> Segments:
        """Open passively: take the SYN that a listener received, and send the SYN-ACK.

        Its data is taken too `with_data`: the client showed a cookie (RFC 7413 section 4.1.2).
        """
        listening = ControlBlock(local=self.local, state=State.LISTEN, passive=True)
        block = listening.received(syn)
        self._received.begin(syn.seq)
        self._early = with_data
        if with_data:
            self._received.take(changed(syn, seq=syn.seq + 1, flags=syn.flags & ~Flags.SYN))
            nxt = syn.seq + 1 + syn.payload_length
            block = changed(block, rcv=changed(block.rcv, nxt=nxt))
        self._sender.block = block
        self._sender.timer.start(at)
        self._opening_sent_at = at
        return self._sender.send(_SYN_ACK, at, seq=self.iss)

    def resumes(self, ack: Segment, peer: Offer) -> None:
        """Open passively where nothing was remembered: a cookie tells what the SYN offered.

        `receive` then takes the ACK.
        """
        stamps = ack.options.timestamps
        irs = ack.seq - 1
        self._sender.block = ControlBlock(
            local=self.local,
            remote=self.remote,
            state=State.SYN_RECEIVED,
            passive=True,
            snd=SendSpace(iss=self.iss, una=self.iss, nxt=self.iss + 1),
            rcv=ReceiveSpace(irs=irs, nxt=ack.seq, wnd=LEAST_WINDOW),
            offered=self.offer,
            peer_offered=peer,
            ts_recent=None if stamps is None else stamps.value,
            last_ack_sent=ack.seq,
        )
        self._received.begin(irs)

    def send(self, octets: bytes, at: int) -> Segments:
        """Send octets, as soon as the connection is open and the peer's window lets us."""
        self._sending.write(octets)
        return self._send(at)

    def read(self) -> bytes:
        """Take what the peer has sent since the last call: there is room for as much again."""
        return self._received.read()

    @property
    def unacknowledged(self) -> int:
        """Octets that the program sent and that the peer has not acknowledged."""
        return self._sending.rest(self.block)

    def shutdown(self, at: int) -> Segments:
        """Send no more: a FIN follows the last octet. The peer may go on."""
        self._closing = True
        return self._send(at)

    def close(self, at: int) -> Segments:
        """Send no more and take no more; in SYN-SENT there is nothing to close."""
        self._deaf = True
        self._sender.timer.allow(self.timeouts.orphan_retries)
        if self.state is State.SYN_SENT:
            self._end(Input.CLOSE)
            return ()
        if self.state is State.FIN_WAIT_2:
            self._waits_until = at + FIN_TIMEOUT
        return self.shutdown(at)

    def abort(self, at: int) -> Segments:
        """End it at once, by a RST if the peer may know of it."""
        known = self.state not in (State.CLOSED, State.LISTEN, State.SYN_SENT, State.TIME_WAIT)
        out = self._sender.send(Flags.RST | Flags.ACK, at) if known else ()
        self.aborted = True
        self._end(Input.ABORT)
        return out

    # The segments of its peer (section 3.10.7).

    def receive(self, observed: Observed, at: int) -> Segments:
        """Process a received segment."""
        seg = observed.segment
        if self.done or dropped(observed, self.options.md5, self.notes):
            return ()
        if not self.block.acceptable(seg):
            return self._reject(seg, at)
        before = self.block
        if self._deaf and before.state in _CLOSED_BY_US and seg.payload_length and not seg.rst:
            # Data for a program that has gone: as Linux, a RST tells so.
            self.aborted = True
            self._end(Input.ABORT)
            return () if seg.ack is None else self._sender.send(Flags.RST, at, seq=seg.ack)
        self._sender.block = before.received(seg)
        if seg.rst:
            self.refused = before.state is State.SYN_SENT
            self.was_reset = not self.refused
            self._end(Input.RECV_RST)
            return ()
        if not before.state.synchronized:
            return self._opening(before, seg, at)
        self._received.take(seg)
        if self.block.snd.una != before.snd.una:
            self._acknowledged(at)
        out = self._send(at)
        if seg.length and not out:
            out = self._sender.send(Flags.ACK, at)
        return out + self._moved(before.state, at)

    def _opening(self, before: ControlBlock, seg: Segment, at: int) -> Segments:
        """Go on where a SYN was received, or ours was acknowledged."""
        if before.state is State.SYN_SENT:
            self._received.begin(seg.seq)
        if self.state is State.SYN_RECEIVED:  # simultaneous open
            self._sender.timer.start(at)
            return self._sender.send(_SYN_ACK, at, seq=self.iss)
        if self._opening_sent_at is not None:
            self._sender.timer.measured(at - self._opening_sent_at)
        self._sender.timer.stop()
        self._sender.timer.linear = 0
        self._sender.timer.allow(self.timeouts.data_retries)
        if before.state is State.SYN_SENT:
            # What waits to be sent carries the ACK.
            return self._send(at) or self._sender.send(Flags.ACK, at)
        self._received.take(seg)
        out = self._send(at)
        if seg.length > seg.syn and not out:
            out = self._sender.send(Flags.ACK, at)
        return out + self._moved(before.state, at)

    def _reject(self, seg: Segment, at: int) -> Segments:
        """Answer a segment that is not acceptable."""
        block = self.block
        if block.state is State.SYN_RECEIVED and seg.syn and seg.seq == block.rcv.irs:
            # The SYN again: our SYN-ACK was lost, or is late.
            if seg.ack is not None:
                return ()
            self._sender.timer.restart(at)
            self._opening_sent_at = None
            return self._sender.send(_SYN_ACK, at, seq=self.iss)
        if block.state is State.TIME_WAIT and seg.fin:
            self._waits_until = at + TIME_WAIT
        answer = self._rejections.answer(block, seg, at)
        return () if answer is None else self._sender.send(answer.flags, at, seq=answer.seq)

    def icmp(self, error: IcmpError, at: int) -> Segments:  # noqa: ARG002 - one form for all events
        """Process an ICMP error that quotes a segment of ours.

        As Linux, any that says "unreachable" ends an attempt at once, and none an open connection.
        """
        ours = error.seq == self.iss  # what only a host on the path knows (RFC 5927 section 4.1)
        if self.state is State.SYN_SENT and ours and error.unreachable:
            self.unreachable = error
            self._end(Input.ABORT)
        return ()

    # Time passes.

    def on_timer(self, at: int) -> Segments:
        """Do what is due by a time."""
        timer = self._sender.timer
        if self._waits_until is not None and at >= self._waits_until:
            self._waits_until = None
            self._end(Input.TIMEOUT_2MSL)
            return ()
        if timer.gives_up_at is not None and at >= timer.gives_up_at:
            self.give_up()
            return ()
        if timer.at is not None and at >= timer.at:
            # What is sent twice measures no round trip (Karn's algorithm, RFC 6298 section 3).
            self._opening_sent_at = None
            return self._sender.retransmit(self._sending, at)
        return ()

    def give_up(self) -> None:
        """End it although the timer could run on: its host has no room."""
        self.timed_out = True
        self._end(Input.ABORT)

    # What follows from them.

    def _send(self, at: int) -> Segments:
        """Send what may be sent: data, then our FIN."""
        if self.state in _NO_DATA_YET and not self._early:
            return ()
        out: Segments = ()
        if self._sending.rest(self.block):
            out = self._sender.data(self._sending, at)
        if self._closing and self.state in _MAY_SEND and self._sending.sent:
            out += self._sender.send(_FIN_ACK, at)
            if self._sender.timer.at is None:
                self._sender.timer.start(at)
        return out

    def _acknowledged(self, at: int) -> None:
        """Restart the timer for what is not acknowledged yet; stop it where nothing is left."""
        snd, timer = self.block.snd, self._sender.timer
        self._sending.release(self.block)
        if snd.una == snd.nxt:
            timer.stop()
        else:
            timer.start(at)

    def _moved(self, before: State, at: int) -> Segments:
        """Set the timers of the state that the last segment led to."""
        if self.state is before:
            return ()
        match self.state:
            case State.FIN_WAIT_2:
                self._waits_until = at + FIN_TIMEOUT if self._deaf else None
            case State.TIME_WAIT:
                self._waits_until = at + TIME_WAIT
            case State.CLOSED:
                self._end(Input.RECV_ACK_OF_FIN)
        return ()

    def _end(self, cause: Input) -> None:
        if self.state is not State.CLOSED:
            block = self.block.after(cause)
            self._sender.block = block if block.state is State.CLOSED else block.after(Input.ABORT)
        self._sender.timer.stop()
        self._waits_until = None
