"""The talk: what is said, heard and seen while a connection is open, and how long that takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.endpoint.ack_monitor import Taken, Watch
from handshake.endpoint.receive_buffer import Inbox
from handshake.endpoint.send_buffer import Outbox
from handshake.endpoint.timeouts import SECOND
from handshake.tcp import State

if TYPE_CHECKING:
    from handshake.endpoint.options import Manner
    from handshake.endpoint.timeouts import Patience
    from handshake.tcp import ControlBlock, Segment, Seq


class Talk:
    """What our end wants of a connection before it closes it. Times are in nanoseconds."""

    def __init__(self, iss: Seq, patience: Patience, manner: Manner) -> None:
        self.outbox = Outbox(manner.data, iss)
        self.inbox = Inbox(manner.expect)
        self.watch = Watch()
        self.confirmed = False
        """Whether the peer has shown that it took our ACK: by anything but its SYN,ACK."""

        self.used = False
        """Whether anything was said on the connection: by the peer, or by us and acknowledged."""

        self._early = bool(manner.fast_open)
        """Whether the peer may speak before it has our ACK."""

        self._answered: Seq | None = None
        """What its SYN,ACK acknowledged."""

        self._withheld = not manner.answer
        self._patience = patience
        self._held_until = 0
        self._patient_until = 0

    def begin(self, at: int, block: ControlBlock, came: int) -> None:
        """The peer's SYN,ACK is heard, which came by this stamp."""
        assert block.rcv.irs is not None
        self._answered = block.snd.una
        self.inbox.begin(block.rcv.irs)
        self.watch.begin(at, self._patience.observe, came)
        self._held_until = at + self._patience.hold
        self._patient_until = at + self._patience.opening

    def shows(self, seg: Segment, *, syn_again: bool) -> bool:
        """Whether an acceptable segment shows that the peer took our ACK, or what came with it.

        What it says before that shows nothing: data, with Fast Open (RFC 7413 section 4.2.2);
        and the ACK by which it may answer a SYN of ours that came again (section 3.10.7.4).
        """
        answered = self._answered
        if seg.ack is not None and answered is not None and answered < seg.ack:
            return True
        return not (seg.rst or self._early or (syn_again and not seg.length))

    def uses(self, seg: Segment) -> bool:
        """Whether an acceptable segment shows that something was said: data, or the peer's FIN.

        An ACK of our FIN does not: the peer's TCP sends it, whether or not a program wants us.
        """
        if not seg.rst and (seg.payload_length or seg.fin):
            return True
        # Our data have the numbers before our FIN's.
        answered = self._answered
        return (
            seg.ack is not None
            and answered is not None
            and answered < self.outbox.end
            and (answered < seg.ack)
        )

    def until(self, block: ControlBlock) -> int:
        """Return when we may close, unless something comes before."""
        rest = self.outbox.rest(block)
        if block.state is State.CLOSE_WAIT:  # nothing more will come
            return self._patient_until if rest else 0
        waiting = rest or self.inbox.met is False
        return max(
            self._held_until,
            self._patient_until if waiting else 0,
            0 if self.confirmed else self.watch.until,
        )

    @property
    def taken(self) -> Taken:
        """What is known of whether the peer took our ACK."""
        watched = max(self._patience.observe, self._patience.hold) / SECOND
        again = tuple(each / SECOND for each in self.watch.again)
        return Taken(self.confirmed, watched, again, self._withheld)

    @property
    def in_vain(self) -> bool:
        """Whether the peer has taken none of our answers to its SYN,ACK."""
        return not self.confirmed and self.watch.in_vain
