"""Diagnoses of a SYN that had to be sent more than once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.diagnosis.case import Claim, finishes, ordered, seconds
from handshake.record import RuledOut
from handshake.units import MASK, SOONEST_TIMER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handshake.diagnosis.case import Case
    from handshake.diagnosis.seen import Seen

_ALIKE: Final = 0.2
"""The share by which two times may differ and still count as the same."""


def fast_open_fallback(case: Case) -> Claim | None:
    """A SYN with data that got no answer, and the same SYN without it that did."""
    syn_ack = next(iter(case.syn_acks), None)
    if syn_ack is None:
        return None
    before = [each for each in case.syns if each.at <= syn_ack.at]
    if not before or _is_fast(before[-1]) or not _is_fast(before[0]):
        return None
    bare = before[-1]
    if syn_ack.ack != (bare.seq + 1) & MASK:
        return None
    named = bare.stamp is not None and syn_ack.echo == bare.stamp != before[0].stamp
    values = {
        "data": before[0].length,
        "delay": seconds(before[0], bare),
        "port": case.port,
        "named": named,
    }
    certainty = "likely" if named else "possible"
    gone = [RuledOut("first-syn-answered", syn_ack.frame)] if named else []
    return Claim("fast-open-fallback", certainty, [before[0], bare, syn_ack], values, gone)


def _is_fast(syn: Seen) -> bool:
    """Whether it carries data, or the Fast Open option."""
    return syn.length > 0 or syn.cookie is not None


def is_fast_open_fallback(evidence: Sequence[Seen]) -> bool:
    """Whether a SYN with data, the same without, and the SYN-ACK that takes none of the data."""
    carrying, bare, syn_ack = evidence
    same = carrying.syn and bare.syn and carrying.seq == bare.seq and carrying.same_way(bare)
    return (
        same
        and _is_fast(carrying)
        and not _is_fast(bare)
        and syn_ack.syn_ack
        and syn_ack.answers(bare)
        and syn_ack.ack == (bare.seq + 1) & MASK
    )


def ecn_fallback(case: Case) -> Claim | None:
    """SYNs that request ECN without an answer, and the same SYN without ECN that got one."""
    syn_ack = next(iter(case.syn_acks), None)
    if syn_ack is None:
        return None
    before = [each for each in case.syns if each.at <= syn_ack.at]
    if len(before) < 2 or not before[0].ecn or before[-1].ecn:
        return None
    asked = [each for each in before if each.ecn]
    values = {
        "count": len(asked),
        "many": len(asked) > 1,
        "delay": seconds(before[0], before[-1]),
    }
    certainty = "likely" if len(asked) > 1 else "possible"
    return Claim("ecn-fallback", certainty, [*asked, before[-1], syn_ack], values)


def is_ecn_fallback(evidence: Sequence[Seen]) -> bool:
    """Whether SYNs with ECN, the same SYN without, and its SYN-ACK."""
    *asked, bare, syn_ack = evidence
    return (
        bool(asked)
        and all(each.syn and each.ecn and each.seq == bare.seq for each in asked)
        and bare.syn
        and not bare.ecn
        and syn_ack.syn_ack
        and syn_ack.acknowledges_syn(bare)
    )


def delayed(case: Case) -> Claim | None:
    """A SYN that had to be sent again before the connection opened."""
    syn_ack = next(iter(case.syn_acks), None)
    if syn_ack is None or case.final_ack is None:
        return None
    before = [each for each in case.syns if each.at <= syn_ack.at]
    if len(before) < 2 or before[-1].at - before[0].at < SOONEST_TIMER:
        return None
    values = {
        "count": len(before),
        "delay": seconds(before[0], syn_ack),
        "port": case.port,
        "took": seconds(before[-1], syn_ack),
    }
    if (slow := _slow(case, before)) is not None:
        values["took"] = slow
        pairs = [*case.syns[:2], *case.syn_acks[:2]]
        values["echoed"] = False
        gone = [RuledOut("syn-lost", case.syn_acks[1].frame)]
        return Claim("slow-path", "likely", ordered(pairs), values, gone)
    later = [each.stamp for each in before[1:] if each.stamp is not None]
    named = syn_ack.echo in later and syn_ack.echo != before[0].stamp
    values["named"] = named
    return Claim("syn-lost", "likely" if named else "possible", [*before[:8], syn_ack], values)


def _slow(case: Case, before: Sequence[Seen]) -> float | None:
    """Return the round trip if each SYN has a SYN-ACK of its own, at the same distance."""
    answers = case.syn_acks
    if len(before) != 2 or len(answers) != 2 or len(case.syns) != 2:
        return None
    asked, told = seconds(*before), seconds(answers[0], answers[1])
    took = seconds(before[0], answers[0])
    if answers[0].at <= before[1].at or abs(asked - told) > _ALIKE * asked or took < asked:
        return None
    return took if answers[0].echo == before[0].stamp and answers[0].echo is not None else None


def answer_lost(case: Case) -> Claim | None:
    """A SYN that was sent again although its SYN-ACK had been seen."""
    final, syn_ack = case.final_ack, next(iter(case.syn_acks), None)
    if final is None or syn_ack is None or not case.syns:
        return None
    between = [each for each in case.syns if syn_ack.at < each.at < final.at]
    first = case.syns[0]
    if (
        not between
        or between[0].at - first.at < SOONEST_TIMER
        or not syn_ack.acknowledges_syn(first)
    ):
        return None
    later = [each.stamp for each in case.syn_acks if each.at < final.at]
    values = {
        "delay": seconds(first, final),
        "named": final.echo in later[1:] and final.echo != syn_ack.stamp,
        "took": seconds(syn_ack, final),
        "echoed": True,
    }
    evidence = [first, syn_ack, between[0], final]
    if final.echo is not None and final.echo == syn_ack.stamp and final.echo not in later[1:]:
        gone = [RuledOut("answer-lost", syn_ack.frame)]
        return Claim("slow-path", "likely", evidence, values, gone)
    certainty = "likely" if values["named"] else "possible"
    return Claim("syn-ack-lost", certainty, evidence, values)


def is_answer_lost(evidence: Sequence[Seen]) -> bool:
    """Whether a SYN, its SYN-ACK, the SYN again, and then the ACK."""
    syn, syn_ack, again, final = evidence
    return (
        syn.syn
        and syn_ack.acknowledges_syn(syn)
        and again.syn
        and again.seq == syn.seq
        and again.at > syn_ack.at
        and finishes(syn_ack, final)
    )


def is_slow_path(evidence: Sequence[Seen]) -> bool:
    """Whether two SYNs, and a SYN-ACK for each, the first of which answers the first SYN.

    Or whether the final ACK echoes the first SYN-ACK, though the SYN was sent again before it.
    """
    first, second, one, two = evidence
    if second.syn_ack:
        return is_answer_lost(evidence) and two.echo == second.stamp
    return (
        first.syn
        and second.syn
        and one.syn_ack
        and two.syn_ack
        and one.seq == two.seq
        and one.echo == first.stamp
    )


def is_delayed(evidence: Sequence[Seen]) -> bool:
    """Whether the same SYN more than once, and then a SYN-ACK."""
    *syns, syn_ack = evidence
    return (
        len(syns) > 1
        and all(each.syn and each.seq == syns[0].seq for each in syns)
        and syn_ack.syn_ack
        and syn_ack.acknowledges_syn(syns[-1])
    )
