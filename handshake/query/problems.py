"""Which connections somebody should look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.tracker.findings.codes import NOTES

if TYPE_CHECKING:
    from handshake.record import Finding, Record


def is_problem(record: Record) -> bool:
    """Whether a connection did not open at once, was broken off, or shows something wrong.

    That its opening is not in the capture says nothing against it.
    """
    if record.outcome not in ("established", "mid-stream"):
        return True
    opening = record.handshake
    again = opening.syn_retransmissions + opening.syn_ack_retransmissions
    reset = record.closed is not None and record.closed.startswith("rst")
    return again > 0 or reset or any(is_wrong(each) for each in record.findings)


def is_wrong(finding: Finding) -> bool:
    """Whether a finding says that something is wrong, and not just how things are."""
    return finding.code not in NOTES
