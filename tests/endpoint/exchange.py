"""An attempt and the picture of it, drawn as the RFC draws; times in milliseconds."""

from __future__ import annotations

from dataclasses import replace

from handshake.endpoint.segment_builder import offer_for
from handshake.prober import Attempt, ClientOptions, Close, Timeouts, Verdict
from handshake.tcp import Observed, Options, Segment, Seq
from tests.segments import A, B, segment

MS = 1_000_000


class Talk:
    """An attempt and the picture of what it hears and sends."""

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

    def hears(
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
        heard = Observed(seg, at * MS, checksum_ok=checksum_ok)
        self.lines.append("")
        answers = self.attempt.receive(heard, at * MS)
        self.lines[-1] = f"{at:4} {self.attempt.block.state!s:12} <-- {text}"
        self._send(answers, at)

    def waits(self) -> None:
        """Nothing arrives until the attempt wants to be woken."""
        at = self.attempt.deadline
        self._send(self.attempt.on_timer(at), at // MS)

    def waits_to_the_end(self) -> None:
        """Nothing arrives any more."""
        while not self.attempt.done:
            self.waits()

    def _send(self, segments: tuple[Segment, ...], at: int) -> None:
        self.sent += segments
        state = self.attempt.block.state
        self.lines += [f"{at:4} {state!s:12} --> {each}" for each in segments]

    @property
    def said(self) -> list[str]:
        """What was sent, without the states."""
        return [f"{line[:4]} {line[22:]}" for line in self.lines if line[18:21] == "-->"]

    @property
    def end(self) -> tuple[Verdict | None, Close | None]:
        """What it concluded."""
        assert self.attempt.done
        return self.attempt.verdict, self.attempt.close

    @property
    def codes(self) -> list[str]:
        """The codes of all that stood out."""
        return [note.code for note in self.attempt.notes]


def opened(timeouts: Timeouts | None = None, options: ClientOptions | None = None) -> Talk:
    """Return an attempt whose SYN was answered, and forget how."""
    exchange = Talk(timeouts=timeouts, options=options)
    exchange.hears("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10)
    exchange.lines.clear()
    return exchange
