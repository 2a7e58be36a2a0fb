"""A caller: what every call has, whatever its first segment asks for.

It has no clock, no dice and no socket: what arrives, and the time, are handed in; what to send,
and until when to wait, come out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from handshake.endpoint.options import ClientOptions
from handshake.endpoint.segment_builder import ETHERNET, LINUX
from handshake.endpoint.sender import Segments, Sender
from handshake.endpoint.timeouts import Timeouts
from handshake.endpoint.validation import IcmpErrors
from handshake.endpoint.verdict import Close, Notes, Verdict

if TYPE_CHECKING:
    from handshake.tcp import ControlBlock, Endpoint, Flags, Observed, Offer, Seq
    from handshake.tcp.icmp import IcmpError


@dataclass
class Client:
    """One call, from its first segment to its end.

    `start`, `receive`, `icmp` and `on_timer` return what to send now; `on_timer` is due at
    `deadline`. All times are nanoseconds of one clock. When `done`, `verdict` and `close` stand.
    """

    local: Endpoint
    remote: Endpoint
    iss: Seq
    offer: Offer = LINUX
    ticks: int = 0
    """What our timestamps clock shows at time 0, in milliseconds."""

    timeouts: Timeouts = field(default_factory=Timeouts)
    options: ClientOptions = field(default_factory=ClientOptions)
    path_mss: int = ETHERNET
    """What a segment may carry on our side of the path, in octets."""

    verdict: Verdict | None = field(init=False, default=None)
    close: Close | None = field(init=False, default=None)
    done: bool = field(init=False, default=False)
    answer: Observed | None = field(init=False, default=None)
    """The segment that decided what became of our first one."""

    failure: str = field(init=False, default="")
    """Why this machine did not send our first segment, in words."""

    notes: Notes = field(init=False, default_factory=Notes)
    """What an expert would point at."""

    _sender: Sender = field(init=False)
    _icmp_errors: IcmpErrors = field(init=False)
    _give_up_at: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        numbers = self.iss, self.offer, self.ticks
        how = self.timeouts, self.options
        self._sender = Sender(self.local, self.remote, *numbers, *how, self.path_mss)
        self._icmp_errors = IcmpErrors(self.notes)

    @property
    def block(self) -> ControlBlock:
        """What our socket would know now."""
        return self._sender.block

    @property
    def syn_sent(self) -> int:
        """How many times our first segment was sent."""
        return self._sender.syn_sent

    @property
    def error(self) -> IcmpError | None:
        """The ICMP error that decided what became of our first segment."""
        return self._icmp_errors.error

    @property
    def ignored(self) -> bool:
        """Whether something came back that is no answer."""
        return self.notes.of_strays

    @property
    def asked(self) -> Flags:
        """The control bits of our first segment."""
        return self.options.asked

    @property
    def crossed(self) -> bool:
        """Whether the peer called us while we called it."""
        return "simultaneous-open" in self.notes

    def clock(self, at: int) -> int:
        """Return what our timestamps clock shows at a time."""
        return self._sender.clock(at)

    @property
    def deadline(self) -> int:
        """When `on_timer` is due."""
        again = self._sender.timer.at
        return self._give_up_at if again is None else min(self._give_up_at, again)

    def start(self, at: int) -> Segments:
        """Call: return the first segment."""
        self._give_up_at = at + self.timeouts.handshake
        self._sender.timer.start(at)
        return self._sender.syn(at)

    def abort(self, _: int) -> Segments:
        """Return what is to be said where all is to end at once: nothing, without a connection."""
        return ()

    def unsent(self, why: str) -> None:
        """Take note that this machine refused to send a segment."""
        if self.verdict is not None or self.syn_sent > 1 or not self._opening:
            self.notes.add("unsent", f"A segment was not sent: {why}.")
            return
        self.failure = why
        self._sender.syn_sent -= 1
        self._end(Verdict.LOCAL_ERROR)

    @property
    def _opening(self) -> bool:
        """Whether no segment but the first was handed out."""
        return self.answer is None

    def _end(self, verdict: Verdict) -> None:
        self.verdict = verdict
        self.done = True
