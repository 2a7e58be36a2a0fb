"""Findings: what an expert would point at in a connection or a capture, and the frame as proof."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.record import Finding
from handshake.tracker.findings.capture import CaptureFindings, capture_findings
from handshake.tracker.findings.codes import CODES, HARMLESS
from handshake.tracker.findings.data import DataFindings
from handshake.tracker.findings.handshake import HandshakeFindings
from handshake.tracker.findings.offers import OptionFindings
from handshake.tracker.findings.path import PathFindings
from handshake.tracker.findings.resets import ResetFindings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.events import Step
    from handshake.events.run import Run, RunStart
    from handshake.tcp.icmp import IcmpError

__all__ = [
    "CODES",
    "HARMLESS",
    "CaptureFindings",
    "ConnectionFindings",
    "Finding",
    "capture_findings",
]


class ConnectionFindings:
    """Collects the findings of one connection, step by step, in little memory."""

    __slots__ = ("_parts", "_quoted")

    def __init__(self) -> None:
        self._parts = (
            HandshakeFindings(),
            OptionFindings(),
            ResetFindings(),
            DataFindings(),
            PathFindings(),
        )
        """The last one looks at packets, the others at what their headers say."""

        self._quoted = _IcmpFindings()

    def observe(self, step: Step) -> None:
        """Take one step into account."""
        parts = self._parts[-1:] if step.segment.bogus or step.copy else self._parts
        for part in parts:
            part.feed(step)

    def settled(self, start: RunStart) -> bool:
        """Whether a run may begin, in which nothing is found; it may restrict what is in it."""
        return all(part.settled(start) for part in self._parts)

    def skip(self, run: Run) -> None:
        """Take a run into account."""
        for part in self._parts:
            part.skip(run)

    def quoted(self, error: IcmpError, *, of_syn: bool) -> None:
        """Take an ICMP error into account that quotes a segment; `of_syn`: the unanswered SYN."""
        self._quoted.feed(error, of_syn=of_syn)

    def found(self) -> tuple[Finding, ...]:
        """Return what was found so far, in the order of the frames that prove it."""
        found = [finding for part in (*self._parts, self._quoted) for finding in part.found()]
        codes = {each.code for each in found}
        if "unreachable" in codes:
            # The ICMP error is the answer.
            found = [each for each in found if each.code != "no-answer"]
        if "numbers-rewritten" in codes:
            # One SYN-ACK, before and after its number was rewritten.
            found = [each for each in found if each.code != "syn-ack-isns"]
        return tuple(sorted(found, key=lambda each: each.frame or 0))


class _IcmpFindings:
    """Keeps the first ICMP error that answers the SYN, and the first of each type and code."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: dict[tuple[int, int] | None, Finding] = {}

    def feed(self, error: IcmpError, *, of_syn: bool) -> None:
        """Take one ICMP error into account; `of_syn`: it quotes the unanswered SYN."""
        values = {"sender": error.sender, "destination": error.destination, "error": str(error)}
        if of_syn and error.unreachable:
            self._kept.setdefault(None, Finding("unreachable", error.frame, values))
            return
        # The quoted numbers prove that its sender saw the segment; what TCP makes of the error
        # is section 3.9.2.2.
        self._kept.setdefault((error.type, error.code), Finding("icmp-error", error.frame, values))

    def found(self) -> Iterator[Finding]:
        """Yield what was found so far."""
        yield from self._kept.values()
