"""A client that is drawn while it runs, as the RFC draws; times in milliseconds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from handshake.endpoint.segment_builder import offer_for
from handshake.prober import Attempt, ClientOptions, Close, Timeouts, Verdict
from handshake.tcp import Observed, Options, Segment, Seq
from tests.segments import A, B, segment

if TYPE_CHECKING:
    from handshake.tcp.icmp import IcmpError

MS = 1_000_000


class DrawnAttempt:
    """A client and the figure of what it receives and sends."""

    def __init__(
        self, iss: int = 100, timeouts: Timeouts | None = None, options: ClientOptions | None = None
    ) -> None:
        options = options or ClientOptions()
        offer = offer_for(1500, 4, options)
        how = timeouts or Timeouts(), options
        self.attempt = Attempt(A, B, Seq(iss), offer, 0, *how)
        self.lines: list[str] = []
        self.sent: list[Segment] = []
        self._send(self.attempt.start(0), 0)

    def receive(
        self,
        text: str,
        at: int,
        *,
        checksum_ok: bool | None = True,
        options: Options | None = None,
        window: int = 65535,
        data: bytes = b"",
    ) -> None:
        """The peer's segment arrives; `data` is what the notation has no place for."""
        seg = segment(text, by=B, options=options, window=window)
        if data:
            seg = replace(seg, payload=data, payload_length=len(data))
        observed = Observed(seg, at * MS, checksum_ok=checksum_ok)
        self.lines.append("")
        answers = self.attempt.receive(observed, at * MS)
        self.lines[-1] = f"{at:4} {self.attempt.block.state!s:12} <-- {text}"
        self._send(answers, at)

    def icmp(self, error: IcmpError, at: int) -> None:
        """An ICMP error arrives."""
        self._send(self.attempt.icmp(error, at * MS), at)

    def on_timer(self) -> None:
        """Nothing arrives until the next timer expires."""
        at = self.attempt.deadline
        self._send(self.attempt.on_timer(at), at // MS)

    def run_to_end(self) -> None:
        """Nothing arrives until the client is done."""
        while not self.attempt.done:
            self.on_timer()

    def _send(self, segments: tuple[Segment, ...], at: int) -> None:
        self.sent += segments
        state = self.attempt.block.state
        self.lines += [f"{at:4} {state!s:12} --> {each}" for each in segments]

    @property
    def sent_lines(self) -> list[str]:
        """The lines of what was sent, without the states."""
        return [f"{line[:4]} {line[22:]}" for line in self.lines if line[18:21] == "-->"]

    @property
    def end(self) -> tuple[Verdict | None, Close | None]:
        """The verdict and how the connection was closed."""
        assert self.attempt.done
        return self.attempt.verdict, self.attempt.close

    @property
    def codes(self) -> list[str]:
        """The codes of the notes."""
        return [note.code for note in self.attempt.notes]


def opened(timeouts: Timeouts | None = None, options: ClientOptions | None = None) -> DrawnAttempt:
    """Return a client after the SYN-ACK, with no lines drawn yet."""
    drawn = DrawnAttempt(timeouts=timeouts, options=options)
    drawn.receive("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10)
    drawn.lines.clear()
    return drawn
