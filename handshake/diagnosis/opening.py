"""Diagnoses of a handshake that took long, or that only one end finished."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.diagnosis.case import Claim, seconds
from handshake.diagnosis.seen import SOONEST, distance
from handshake.record import RuledOut
from handshake.tcp.checksum import Checksum
from handshake.units import MASK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handshake.diagnosis.case import Case
    from handshake.diagnosis.seen import Seen

_SILENT: Final = 3
"""Transmissions of the same data without an answer from which a peer counts as silent."""

_ALIKE: Final = 0.2
"""The share by which two times may differ and still count as the same."""


def syn_proxy(case: Case) -> Claim | None:
    """A SYN-ACK with a window of zero that never opens: a proxy answered, no server."""
    final, syn_ack = case.final_ack, next(iter(case.syn_acks), None)
    if final is None or syn_ack is None or syn_ack.window or not case.syns:
        return None
    if any(each.window and not each.rst for each in case.answers):
        return None
    rst = next((each for each in case.answers if each.rst), None)
    waited = seconds(final, case.segments[-1])
    if rst is None and waited < 1:
        return None
    values = {"port": case.port, "server": case.record.server.address, "waited": waited}
    values["rst"] = rst is not None
    evidence = [syn_ack, final, *([] if rst is None else [rst])]
    return Claim("syn-proxy", "likely", evidence, values)


def is_syn_proxy(evidence: Sequence[Seen]) -> bool:
    """Whether a SYN-ACK with a window of zero, the ACK of it, and perhaps a RST."""
    syn_ack, final, *rest = evidence
    zero = syn_ack.syn_ack and not syn_ack.window
    return zero and _finishes(syn_ack, final) and all(each.rst for each in rest)


def unfinished(case: Case) -> Claim | None:
    """The client finished the handshake, and the server did not: its accept queue, or a wait."""
    final = case.final_ack
    if final is None or not case.syn_acks or not case.syns:
        return None
    syn_ack = case.syn_acks[0]
    if any(each for each in case.answers if not each.syn_ack):
        return _finished_late(case, final)
    again = [each for each in case.syn_acks if each.at - final.at >= SOONEST]
    data = [each for each in case.sent if each.length and not each.syn and not each.rst]
    values = {
        "port": case.port,
        "server": case.record.server.address,
        "again": len(again),
        "count": len(data),
        "span": seconds(data[0], case.segments[-1]) if data else 0,
    }
    if data and (again or len(data) >= _SILENT):
        repeated = [each for each in data if each.seq == data[0].seq]
        if not again and len(repeated) < _SILENT:
            return None
        gone = [RuledOut("deferred-accept", data[0].frame)]
        if again:
            gone.append(RuledOut("path-down", again[0].frame))
        served = _served(case)
        if served is not None:
            gone.append(RuledOut("host-down", served[0], {"port": case.port, "refused": False}))
        certainty = "likely" if again or served else "possible"
        evidence = [case.syns[0], syn_ack, final, *repeated[:8], *again[:8]]
        return Claim("accept-queue-full", certainty, _ordered(evidence), values, gone)
    if again and not data and len(case.syn_acks) > len(case.syns):
        return Claim(
            "deferred-accept",
            "possible",
            [case.syns[0], syn_ack, final, *again[:8]],
            values,
            [RuledOut("server-down", again[-1].frame)],
        )
    return None


def _served(case: Case) -> tuple[int | None, int] | None:
    """Return an answer of the same port to another connection, while this one waited."""
    host = case.others.host(case.record.server.address)
    pair = None if host is None else host.ports.get(case.port)
    mine = {each.frame for each in case.syn_acks}
    for each in pair or ():
        if not each.refused and each.frame not in mine:
            return each.frame, each.at
    return None


def _finished_late(case: Case, final: Seen) -> Claim | None:
    """The SYN-ACK came again although the ACK had been seen, and then the server went on."""
    first = next(each for each in case.answers if not each.syn_ack)
    again = [
        each for each in case.syn_acks if each.at - final.at >= SOONEST and each.at <= first.at
    ]
    if not again or len(case.syn_acks) <= len(case.syns) or first.rst:
        return None
    values = {
        "port": case.port,
        "again": len(again),
        "waited": seconds(final, again[-1]),
    }
    return Claim("late-accept", "possible", [case.syn_acks[0], final, *again[:8], first], values)


def is_late_accept(evidence: Sequence[Seen]) -> bool:
    """Whether a SYN-ACK, the ACK of it, the SYN-ACK again, and more of the server."""
    syn_ack, final, *again, first = evidence
    return (
        bool(again)
        and _finishes(syn_ack, final)
        and all(_comes_again(syn_ack, final, each) for each in again)
        and first.same_way(syn_ack)
        and not first.syn_ack
    )


def is_accept_queue(evidence: Sequence[Seen]) -> bool:
    """Whether a handshake, and after it data sent again and again, and nothing but SYN-ACKs."""
    syn, syn_ack, final, *rest = evidence
    data = [each for each in rest if each.same_way(syn)]
    again = [each for each in rest if each.answers(syn)]
    return (
        syn.syn
        and syn_ack.syn_ack
        and syn_ack.acknowledges_syn(syn)
        and _finishes(syn_ack, final)
        and all(each.length and each.seq == data[0].seq for each in data)
        and (len(data) >= _SILENT or bool(data and again))
        and all(_comes_again(syn_ack, final, each) for each in again)
    )


def is_deferred(evidence: Sequence[Seen]) -> bool:
    """Whether a handshake without data, and the SYN-ACK again after its last ACK."""
    syn, syn_ack, final, *again = evidence
    return (
        syn.syn
        and syn_ack.syn_ack
        and syn_ack.acknowledges_syn(syn)
        and _finishes(syn_ack, final)
        and not final.length
        and bool(again)
        and all(_comes_again(syn_ack, final, each) for each in again)
    )


def _finishes(syn_ack: Seen, final: Seen) -> bool:
    return final.answers(syn_ack) and final.ack is not None and distance(syn_ack.seq, final.ack) > 0


def _comes_again(syn_ack: Seen, final: Seen, again: Seen) -> bool:
    same = again.syn_ack and again.seq == syn_ack.seq and again.same_way(syn_ack)
    return same and again.at > final.at


def _ordered(found: Sequence[Seen]) -> list[Seen]:
    return sorted(dict.fromkeys(found), key=lambda each: (each.frame or 0, each.at))


def wrong_checksum(case: Case) -> Claim | None:
    """SYN-ACKs with a wrong checksum, which the client never accepts: it must drop them."""
    if not case.answers and case.syns and all(map(_is_wrong, case.syns)):
        many = len(case.syns) > 1
        values = {"count": len(case.syns), "many": many, "what": "SYN", "other": "server"}
        return Claim("wrong-checksum", "likely", case.syns, values)
    bad = [each for each in case.syn_acks if _is_wrong(each)]
    if not bad or len(bad) < len(case.syn_acks) or case.final_ack is not None:
        return None
    if not case.syns or any(each.rst for each in case.sent):
        return None
    evidence = _ordered([*case.syns, *bad])
    values = {"count": len(bad), "many": len(bad) > 1, "what": "SYN-ACK", "other": "client"}
    asked = any(each.at > bad[0].at for each in case.syns)
    return Claim("wrong-checksum", "likely" if asked else "possible", evidence, values)


def is_wrong_checksum(evidence: Sequence[Seen]) -> bool:
    """Whether SYNs, and SYN-ACKs of which each has a wrong checksum; or such SYNs alone."""
    answers = [each for each in evidence if not each.syn]
    wrong = all(each.syn_ack and _is_wrong(each) for each in answers)
    return wrong and (bool(answers) or all(map(_is_wrong, evidence)))


def _is_wrong(seen: Seen) -> bool:
    return seen.checksum is Checksum.WRONG


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
    if len(before) < 2 or before[-1].at - before[0].at < SOONEST:
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
        return Claim("slow-path", "likely", _ordered(pairs), values, gone)
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
    if not between or between[0].at - first.at < SOONEST or not syn_ack.acknowledges_syn(first):
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
        and _finishes(syn_ack, final)
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


def syn_turned_ack(case: Case) -> Claim | None:
    """An ACK that has all of a SYN but the flag: it acknowledges 0, and offers an MSS."""
    found = [each for each in case.segments if _was_syn(each)]
    if not found or any(each.syn or each.syn_ack for each in case.segments):
        return None
    rst = next((each for each in case.segments if each.rst and each.answers(found[0])), None)
    evidence = found[:8] if rst is None else _ordered([*found[:8], rst])
    values = {"count": len(found), "many": len(found) > 1, "mss": found[0].mss, "rst": bool(rst)}
    return Claim("syn-turned-ack", "proven", evidence, values)


def _was_syn(seen: Seen) -> bool:
    return seen.bare_ack and seen.ack == 0 and seen.mss is not None


def is_syn_turned_ack(evidence: Sequence[Seen]) -> bool:
    """Whether ACKs of 0 with an MSS, and perhaps the RST that answers."""
    return any(map(_was_syn, evidence)) and all(_was_syn(each) or each.rst for each in evidence)


def two_servers(case: Case) -> Claim | None:
    """Two SYN-ACKs with different numbers to one SYN, too soon for a second try of one host."""
    if len(case.syn_acks) < 2 or not case.syns:
        return None
    first = case.syn_acks[0]
    other = next((each for each in case.syn_acks if each.seq != first.seq), None)
    if other is None or first.ack != other.ack:
        return None
    alike = first.ttl == other.ttl
    if other.at - first.at >= SOONEST and alike:
        return None
    values = {
        "first": first.seq,
        "second": other.seq,
        "ttl": first.ttl,
        "other": other.ttl,
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
