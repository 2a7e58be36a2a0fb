"""Diagnoses of a handshake that only one end finished."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.diagnosis.case import Claim, finishes, ordered, seconds
from handshake.record import RuledOut
from handshake.units import SOONEST_TIMER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handshake.diagnosis.case import Case
    from handshake.diagnosis.seen import Seen

_SILENT: Final = 3
"""Transmissions of the same data without an answer from which a peer counts as silent."""


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
    return zero and finishes(syn_ack, final) and all(each.rst for each in rest)


def unfinished(case: Case) -> Claim | None:
    """The client finished the handshake, and the server did not: its accept queue, or a wait."""
    final = case.final_ack
    if final is None or not case.syn_acks or not case.syns:
        return None
    syn_ack = case.syn_acks[0]
    if any(each for each in case.answers if not each.syn_ack):
        return _finished_late(case, final)
    again = [each for each in case.syn_acks if each.at - final.at >= SOONEST_TIMER]
    data = [each for each in case.sent if each.length and not each.syn and not each.rst]
    values = {
        "port": case.port,
        "server": case.record.server.address,
        "repeats": len(again),
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
        return Claim("accept-queue-full", certainty, ordered(evidence), values, gone)
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
        each
        for each in case.syn_acks
        if each.at - final.at >= SOONEST_TIMER and each.at <= first.at
    ]
    if not again or len(case.syn_acks) <= len(case.syns) or first.rst:
        return None
    values = {
        "port": case.port,
        "repeats": len(again),
        "waited": seconds(final, again[-1]),
    }
    return Claim("late-accept", "possible", [case.syn_acks[0], final, *again[:8], first], values)


def is_late_accept(evidence: Sequence[Seen]) -> bool:
    """Whether a SYN-ACK, the ACK of it, the SYN-ACK again, and more of the server."""
    syn_ack, final, *again, first = evidence
    return (
        bool(again)
        and finishes(syn_ack, final)
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
        and finishes(syn_ack, final)
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
        and finishes(syn_ack, final)
        and not final.length
        and bool(again)
        and all(_comes_again(syn_ack, final, each) for each in again)
    )


def _comes_again(syn_ack: Seen, final: Seen, again: Seen) -> bool:
    same = again.syn_ack and again.seq == syn_ack.seq and again.same_way(syn_ack)
    return same and again.at > final.at
