"""Diagnoses a connection that did not go well: the cause, how certain it is, and what shows it.

Each cause is a rule, a pure function of a `Case`, and a proof: a predicate over the segments that
the rule names as its evidence. A rule whose proof fails says nothing. The rules stand in the order
in which they are tried: what the packets prove comes before what they only suggest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.diagnosis import answers, resets, silence
from handshake.diagnosis.case import Case
from handshake.diagnosis.facts import Facts
from handshake.diagnosis.others import Others

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from handshake.diagnosis.case import Claim
    from handshake.diagnosis.seen import Seen
    from handshake.record import Diagnosis, Record
    from handshake.tcp import Endpoint

__all__ = ["CODES", "RULES", "Facts", "Others", "diagnose"]


class Cause(NamedTuple):
    """What a code of a diagnosis means, and when its evidence shows it."""

    meaning: str
    proof: Callable[[Sequence[Seen]], bool]


CODES: Final[dict[str, Cause]] = {
    # No answer.
    "no-answer": Cause("the SYN was not answered, nor anything else", silence.is_unanswered),
    "silent-filter": Cause("only SYNs to this port get no answer", silence.is_unanswered),
    "unanswered-by-listener": Cause(
        "a port that answers others did not answer", silence.is_unanswered
    ),
    # An answer that opens nothing.
    "wrong-acknowledgment": Cause(
        "the SYN-ACK acknowledges a number that was not sent", answers.is_wrong_acknowledgment
    ),
    "stale-connection": Cause("the server still has an older connection", answers.is_stale),
    "ack-without-syn": Cause("an ACK without SYN answered the SYN", answers.is_bare_ack),
    "syn-ack-unanswered": Cause("no answer to the SYN-ACK", answers.is_unacknowledged),
    # RSTs.
    "injected-reset": Cause("another device sent a RST in the server's name", resets.is_injected),
    "refused": Cause("a RST answered the SYN", resets.is_refused),
    "refused-by-host": Cause("likewise, with the TTL of the host", resets.is_refused),
    "refused-by-firewall": Cause("likewise, with another TTL", resets.is_refused),
}
"""Every cause by its code: what programs may rely on."""

RULES: Final[tuple[Callable[[Case], Claim | None], ...]] = (
    answers.wrong_acknowledgment,
    resets.injected,
    answers.bare_ack,
    resets.refused,
    silence.unanswered,
    answers.unacknowledged,
)

_NOTHING: Final = Others()


def diagnose(
    record: Record, client: Endpoint, facts: Facts, others: Others | None = None
) -> Diagnosis | None:
    """Return what was wrong with a connection; None if it went well, or nothing shows the cause.

    `others` is what the rest of the capture shows of its hosts.
    """
    case = Case(record, client, facts.segments, facts.complete, facts.icmp, others or _NOTHING)
    for rule in RULES:
        claim = rule(case)
        if claim is not None and CODES[claim.code].proof(claim.evidence):
            return claim.diagnosis()
    return None
