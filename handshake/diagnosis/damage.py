"""Diagnoses of segments that were changed on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.diagnosis.case import Claim, name_of, ordered, rejects, seconds
from handshake.tcp.checksum import Checksum
from handshake.tcp.seq import distance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handshake.diagnosis.case import Case
    from handshake.diagnosis.seen import Seen


def wrong_checksum(case: Case) -> Claim | None:
    """Answers with a wrong checksum, which the client never accepts: it must drop them."""
    if not case.answers and case.syns and all(map(_is_wrong, case.syns)):
        many = len(case.syns) > 1
        values = {"count": len(case.syns), "many": many, "what": "SYN", "receiver": "server"}
        return Claim("wrong-checksum", "likely", case.syns, values)
    resets = [each for each in case.damaged if not case.by_client(each)]
    if resets and case.syns and not case.answers:
        values = {
            "count": len(resets),
            "many": len(resets) > 1,
            "what": "RST",
            "receiver": "client",
        }
        asked = any(each.at > resets[0].at for each in case.syns)
        certainty = "likely" if asked else "possible"
        return Claim("wrong-checksum", certainty, ordered([*case.syns, *resets]), values)
    bad = [each for each in case.syn_acks if _is_wrong(each)]
    if not bad or len(bad) < len(case.syn_acks) or case.final_ack is not None:
        return None
    if not case.syns or any(each.rst for each in case.sent):
        return None
    evidence = ordered([*case.syns, *bad])
    values = {"count": len(bad), "many": len(bad) > 1, "what": "SYN-ACK", "receiver": "client"}
    asked = any(each.at > bad[0].at for each in case.syns)
    return Claim("wrong-checksum", "likely" if asked else "possible", evidence, values)


def is_wrong_checksum(evidence: Sequence[Seen]) -> bool:
    """Whether SYNs, and answers of which each has a wrong checksum; or such SYNs alone."""
    answers = [each for each in evidence if not each.syn]
    wrong = all((each.syn_ack or each.rst) and _is_wrong(each) for each in answers)
    return wrong and (bool(answers) or all(map(_is_wrong, evidence)))


def _is_wrong(seen: Seen) -> bool:
    return seen.checksum is Checksum.WRONG


def tunnel_checksum(case: Case) -> Claim | None:
    """SYNs in a UDP tunnel with a wrong outer checksum that get no answer, unlike a right one."""
    bad = [each for each in case.syns if each.wrong_udp]
    answer = next((each for each in case.answers if each.syn_ack or each.rst), None)
    if not bad or (answer is not None and answer.at < bad[-1].at):
        return None
    good = next((each for each in case.syns if not each.wrong_udp and each.at > bad[-1].at), None)
    stamps = [each.stamp for each in bad if each.stamp is not None]
    if answer is not None and (good is None or answer.at < good.at or answer.echo in stamps):
        return None
    answered = answer if good is not None and answer is not None else None
    if answered is None and good is not None:
        return None
    values = {
        "count": len(bad),
        "many": len(bad) > 1,
        "answered": answered is not None,
        "after": 0.0 if good is None or answered is None else seconds(good, answered),
    }
    evidence = bad[:8] if good is None or answered is None else [*bad[:8], good, answered]
    certainty = "possible" if answered is None else "likely"
    return Claim("tunnel-checksum", certainty, evidence, values)


def is_tunnel_checksum(evidence: Sequence[Seen]) -> bool:
    """Whether SYNs with a wrong checksum of the tunnel's; or then one without, and its answer."""
    bad = [each for each in evidence if each.wrong_udp]
    rest = evidence[len(bad) :]
    asked = bool(bad) and all(each.syn and each.seq == bad[0].seq for each in bad)
    if not rest:
        return asked
    good, *answers = rest
    (answer,) = answers or (good,)
    return asked and good.syn and good.seq == bad[0].seq and answer.acknowledges_syn(good)


def syn_turned_ack(case: Case) -> Claim | None:
    """An ACK that has all of a SYN but the flag: it acknowledges 0, and offers an MSS."""
    found = [each for each in case.segments if _was_syn(each)]
    if not found or any(each.syn or each.syn_ack for each in case.segments):
        return None
    rst = next((each for each in case.segments if each.rst and each.answers(found[0])), None)
    evidence = found[:8] if rst is None else ordered([*found[:8], rst])
    values = {"count": len(found), "many": len(found) > 1, "mss": found[0].mss, "rst": bool(rst)}
    return Claim("syn-turned-ack", "proven", evidence, values)


def _was_syn(seen: Seen) -> bool:
    return seen.ack == 0 and seen.mss is not None and seen.bare_ack


def is_syn_turned_ack(evidence: Sequence[Seen]) -> bool:
    """Whether ACKs of 0 with an MSS, and perhaps the RST that answers."""
    return any(map(_was_syn, evidence)) and all(_was_syn(each) or each.rst for each in evidence)


def timestamp_mangled(case: Case) -> Claim | None:
    """A SYN-ACK that echoes a timestamp which no SYN had: the client rejects it (RFC 7323)."""
    stamps = [each.stamp for each in case.syns if each.stamp is not None]
    if not stamps or not case.syn_acks or case.final_ack is not None:
        return None
    for syn_ack in case.syn_acks:
        # Some systems leave the echo in their SYN-ACK at 0.
        if syn_ack.echo in stamps or not syn_ack.echo:
            continue
        syn = case.syns[0]
        rst = next((each for each in case.after(syn_ack) if rejects(each, syn_ack)), None)
        evidence = [*case.syns[:8], syn_ack, *([] if rst is None else [rst])]
        values = {"echo": syn_ack.echo, "stamp": syn.stamp, "rejected": rst is not None}
        found = ordered(evidence)
        return Claim("timestamp-mangled", "likely", found, values)
    return None


def is_timestamp_mangled(evidence: Sequence[Seen]) -> bool:
    """Whether SYNs with timestamps, and a SYN-ACK that echoes none of them."""
    stamps = {each.stamp for each in evidence if each.syn}
    answers = [each for each in evidence if each.syn_ack]
    return len(answers) == 1 and bool(answers[0].echo) and answers[0].echo not in stamps


def broken_sack(case: Case) -> Claim | None:
    """Selective acknowledgments of octets that were never sent: numbers rewritten on the path."""
    if not case.complete:
        return None
    for seen in case.segments:
        if not seen.sack or seen.ack is None:
            continue
        other = [each for each in case.segments if each.answers(seen) and each.at <= seen.at]
        syn = next((each for each in other if each.syn or each.syn_ack), None)
        if syn is None:
            continue
        most = max((distance(syn.seq, each.end) for each in other), default=0)
        edges = [distance(syn.seq, edge) for block in seen.sack for edge in block]
        if all(0 <= edge <= most for edge in edges):
            continue
        last = max(other, key=lambda each: distance(syn.seq, each.end))
        values = {"by": name_of(case, seen), "other": name_of(case, syn), "edge": seen.sack[0][0]}
        return Claim("sack-not-translated", "likely", [syn, last, seen], values)
    return None


def is_broken_sack(evidence: Sequence[Seen]) -> bool:
    """Whether a SACK block outside of what the other end had sent by then."""
    syn, last, seen = evidence
    most = distance(syn.seq, last.end)
    edges = [distance(syn.seq, edge) for block in seen.sack for edge in block]
    return seen.answers(syn) and any(not 0 <= edge <= most for edge in edges)
