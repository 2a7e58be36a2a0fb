"""Findings: what an expert would point at in a connection or a capture, and the frame as proof."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.record import Finding
from handshake.tracker.findings.capture import CaptureFindings, capture_findings
from handshake.tracker.findings.codes import CODES, NOTES
from handshake.tracker.findings.data import DataFindings
from handshake.tracker.findings.handshake import HandshakeFindings
from handshake.tracker.findings.icmp import IcmpFindings
from handshake.tracker.findings.offers import OptionFindings
from handshake.tracker.findings.path import PathFindings
from handshake.tracker.findings.resets import ResetFindings

if TYPE_CHECKING:
    from handshake.events import Step
    from handshake.tcp.icmp import IcmpError

__all__ = [
    "CODES",
    "NOTES",
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
        self._quoted = IcmpFindings()

    def observe(self, step: Step) -> None:
        """Take one step into account."""
        for part in self._parts:
            part.feed(step)

    def quoted(self, error: IcmpError, *, of_syn: bool) -> None:
        """Take an ICMP error into account that quotes a segment; `of_syn`: the unanswered SYN."""
        self._quoted.feed(error, of_syn=of_syn)

    def found(self) -> tuple[Finding, ...]:
        """Return what was found so far, in the order of the frames that prove it."""
        found = [finding for part in (*self._parts, self._quoted) for finding in part.found()]
        if any(each.code == "unreachable" for each in found):
            # The ICMP error is the answer.
            found = [each for each in found if each.code != "no-answer"]
        return tuple(sorted(found, key=lambda each: each.frame or 0))
