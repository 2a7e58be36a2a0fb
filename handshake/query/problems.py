"""Which connections have a problem."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.tracker.findings.codes import HARMLESS

if TYPE_CHECKING:
    from handshake.record import Finding, Record


def is_problem(record: Record) -> bool:
    """Whether a connection failed to open at once, was reset, or has a sign of another problem.

    A handshake, or a direction, that is missing from the capture is not a problem.
    """
    diagnosis = record.diagnosis
    if diagnosis is not None and diagnosis.code != "one-sided-capture":
        return True
    if record.outcome not in ("established", "mid-stream"):
        return True
    handshake = record.handshake
    retransmitted = handshake.syn_retransmissions + handshake.syn_ack_retransmissions
    reset = record.closed is not None and record.closed.startswith("rst")
    return retransmitted > 0 or reset or any(is_wrong(each) for each in record.findings)


def is_wrong(finding: Finding) -> bool:
    """Whether a finding is a problem and not just a note."""
    return finding.code not in HARMLESS
