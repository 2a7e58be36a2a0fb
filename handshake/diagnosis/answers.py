"""Diagnoses of a SYN that was answered by something that opens no connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.diagnosis.case import Claim, rejects, seconds
from handshake.record import RuledOut
from handshake.units import MASK, SOONEST_TIMER

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
        rst = next((each for each in case.after(syn_ack) if rejects(each, syn_ack)), None)
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
    return wrong and all(rejects(each, syn_ack) for each in rest)


def _time(seen: Seen) -> int:
    return seen.at


def bare_ack(case: Case) -> Claim | None:
    """A SYN answered by an ACK without SYN: of an older connection, or of something else."""
    syn = next(iter(case.syns), None)
    answer = None if syn is None else next(iter(case.answers), None)
    if syn is None or answer is None or not answer.bare_ack or not answer.answers(syn):
        return None
    before = case.segments[: case.place(answer)]
    if not all(each.syn for each in before):
        return None  # the client goes on: the SYN-ACK was not captured
    opened = next(iter(case.syn_acks), None)
    if opened is None and not all(each.syn or each.rst for each in case.sent):
        return None
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
    if opened is not None and len(case.syns) == 1:
        return None  # an old segment, overtaken by the SYN: nothing was delayed
    rst = next((each for each in case.after(answer) if rejects(each, answer)), None)
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
    reached = case.others.reached(case.record.client.address, case.record.server.address)
    values["reached"] = reached is not None
    gone = [RuledOut("path-back", *reached)] if reached else []
    evidence = [*case.syns[:1], *case.syn_acks]
    return Claim("syn-ack-unanswered", "possible", evidence, values, gone)


def is_unacknowledged(evidence: Sequence[Seen]) -> bool:
    """Whether SYN-ACKs, perhaps after a SYN."""
    return any(each.syn_ack for each in evidence) and all(
        each.syn or each.syn_ack for each in evidence
    )


def unexplained(case: Case) -> Claim | None:
    """A connection that did not open, and no rule says why."""
    if case.record.outcome in ("established", "mid-stream") or not case.segments:
        return None
    values = {"port": case.port, "client": case.record.client.address}
    values["server"] = case.record.server.address
    return Claim("unexplained", "possible", case.segments[:4], values)


def is_anything(evidence: Sequence[Seen]) -> bool:
    """Whether there is a segment: this claims nothing."""
    return bool(evidence)


def two_servers(case: Case) -> Claim | None:
    """Two SYN-ACKs with different numbers to one SYN, too soon for a second try of one host."""
    if len(case.syn_acks) < 2 or not case.syns:
        return None
    first = case.syn_acks[0]
    other = next((each for each in case.syn_acks if each.seq != first.seq), None)
    if other is None or first.ack != other.ack:
        return None
    alike = first.ttl == other.ttl
    if other.at - first.at >= SOONEST_TIMER and alike:
        return None
    values = {
        "first": first.seq,
        "second": other.seq,
        "ttl": first.ttl,
        "second_ttl": other.ttl,
        "alike": alike,
        "after": seconds(first, other),
    }
    certainty = "possible" if alike else "likely"
    return Claim("two-servers", certainty, [case.syns[0], first, other], values)


def is_two_servers(evidence: Sequence[Seen]) -> bool:
    """Whether a SYN, and two SYN-ACKs of it with different numbers."""
    syn, first, other = evidence
    both = (first, other)
    return (
        syn.syn
        and all(each.syn_ack and each.acknowledges_syn(syn) for each in both)
        and first.seq != other.seq
    )
