"""Which connections have a problem, and what it is in a word or a few."""

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
    return retransmitted > 0 or _is_reset(record) or any(is_wrong(each) for each in record.findings)


def is_wrong(finding: Finding) -> bool:
    """Whether a finding is a problem and not just a note."""
    return finding.code not in HARMLESS


def resent(record: Record) -> int:
    """Return the retransmissions after the handshake, without copies."""
    handshake = record.handshake
    total = record.client.resent + record.server.resent
    return max(0, total - handshake.syn_retransmissions - handshake.syn_ack_retransmissions)


def reasons(record: Record) -> list[str]:
    """Return what went wrong, the most important first, in the words of the keys.

    That is the diagnosis, which end reset it, how much was retransmitted, and the findings that are
    not just notes.
    """
    found = [] if record.diagnosis is None else [record.diagnosis.code]
    if _is_reset(record) and record.closed is not None:
        found.append(record.closed)
    if again := resent(record):
        found.append(f"{again} resent")
    found += [each.code for each in record.findings if is_wrong(each)]
    # The outcome says that already.
    return [each for each in dict.fromkeys(found) if each != record.outcome]


def _is_reset(record: Record) -> bool:
    return record.closed is not None and record.closed.startswith("rst")
