"""Diagnoses of a SYN that was answered by something that opens no connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.diagnosis.case import Claim, seconds
from handshake.record import RuledOut
from handshake.units import MASK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handshake.diagnosis.case import Case
    from handshake.diagnosis.seen import Seen


def wrong_acknowledgment(case: Case) -> Claim | None:
    """A SYN-ACK that acknowledges another number than the SYN has: the client must reset it."""
    if not case.syns or case.record.outcome == "established":
        return None
    for syn_ack in case.syn_acks:
        if any(syn_ack.acknowledges_syn(syn) for syn in case.syns):
            continue
        syn = max((each for each in case.syns if each.at <= syn_ack.at), key=_time, default=None)
        if syn is None:
            continue
        rst = next((each for each in case.after(syn_ack) if _rejects(each, syn_ack)), None)
        evidence = [syn, syn_ack] if rst is None else [syn, syn_ack, rst]
        values = {
            "ack": syn_ack.ack,
            "expected": (syn.seq + 1) & MASK,
            "rejected": rst is not None,
            "port": case.port,
        }
        return Claim("wrong-acknowledgment", "proven", evidence, values)
    return None


def is_wrong_acknowledgment(evidence: Sequence[Seen]) -> bool:
    """Whether a SYN, the SYN-ACK that does not acknowledge it, and perhaps the RST that says so."""
    syn, syn_ack, *rest = evidence
    wrong = syn.syn and syn_ack.syn_ack and syn_ack.answers(syn)
    wrong = wrong and not syn_ack.acknowledges_syn(syn)
    return wrong and all(_rejects(each, syn_ack) for each in rest)


def _rejects(rst: Seen, syn_ack: Seen) -> bool:
    """Whether it is the RST that rejects a segment: its number is SEG.ACK (section 3.5.2)."""
    return rst.rst and rst.answers(syn_ack) and rst.seq == syn_ack.ack


def _time(seen: Seen) -> int:
    return seen.at


def bare_ack(case: Case) -> Claim | None:
    """A SYN answered by an ACK without SYN: of an older connection, or of something else."""
    syn = next(iter(case.syns), None)
    answer = None if syn is None else next(iter(case.answers), None)
    if syn is None or answer is None or not answer.bare_ack or not answer.answers(syn):
        return None
    opened = next(iter(case.syn_acks), None)
    count = sum(each.bare_ack for each in case.answers)
    values: dict[str, object] = {
        "ack": answer.ack,
        "expected": (syn.seq + 1) & MASK,
        "port": case.port,
        "count": count,
        "many": count > 1,
    }
    if answer.acknowledges_syn(syn):
        if opened is not None or any(each.syn for each in case.answers):
            return None
        return Claim("ack-without-syn", "proven", [syn, answer], values)
    rst = next((each for each in case.after(answer) if _rejects(each, answer)), None)
    evidence = [each for each in (syn, answer, rst, opened) if each is not None]
    values |= {
        "rejected": rst is not None,
        "opened": opened is not None,
        "delay": 0 if opened is None else seconds(syn, opened),
    }
    return Claim("stale-connection", "likely", evidence, values, _no_loss(opened))


def _no_loss(opened: Seen | None) -> list[RuledOut]:
    """Return that no SYN-ACK was lost before the one that came."""
    return [] if opened is None else [RuledOut("syn-ack-lost", opened.frame)]


def is_bare_ack(evidence: Sequence[Seen]) -> bool:
    """Whether a SYN, and an ACK without SYN that answers it, with the number that it expects."""
    syn, answer, *_ = evidence
    return syn.syn and answer.bare_ack and answer.answers(syn) and answer.acknowledges_syn(syn)


def is_stale(evidence: Sequence[Seen]) -> bool:
    """Whether a SYN, and an ACK that answers it and does not acknowledge it."""
    syn, answer, *_ = evidence
    return syn.syn and answer.bare_ack and answer.answers(syn) and not answer.acknowledges_syn(syn)


def unacknowledged(case: Case) -> Claim | None:
    """SYN-ACKs that the client never acknowledged, nor rejected."""
    if not case.syn_acks or case.record.outcome != "half-open":
        return None
    first, last = case.syn_acks[0], case.syn_acks[-1]
    if case.final_ack is not None or any(each.rst for each in case.sent):
        return None
    count = len(case.syn_acks)
    values = {
        "count": count,
        "many": count > 1,
        "span": seconds(first, last),
        "asked": bool(case.syns),
        "port": case.port,
    }
    return Claim("syn-ack-unanswered", "possible", [*case.syns[:1], *case.syn_acks], values)


def is_unacknowledged(evidence: Sequence[Seen]) -> bool:
    """Whether SYN-ACKs, perhaps after a SYN."""
    return any(each.syn_ack for each in evidence) and all(
        each.syn or each.syn_ack for each in evidence
    )
