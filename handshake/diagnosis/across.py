"""Diagnoses that take other connections of the capture as their evidence."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from handshake.diagnosis.case import Claim, name_of, seconds
from handshake.record import RuledOut
from handshake.tcp.seq import distance
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handshake.diagnosis.case import Case
    from handshake.diagnosis.others import Answer, Stamp
    from handshake.diagnosis.seen import Seen

_LIVES: Final = 60 * NS_PER_SECOND
"""Nanoseconds for which a host that recycles TIME-WAIT remembers a peer's timestamp (Linux:
TCP_PAWS_MSL)."""

SCAN: Final = 20
"""Ports that must fail before it counts as a scan."""

FLOOD: Final = 100
"""Connections to one port that hang before it counts as a flood."""


def translation_undone(case: Case) -> Claim | None:
    """The SYN is answered from another address than it was sent to, by exactly its number."""
    for syn in case.syns:
        found = [
            each
            for each in case.others.answers_from_elsewhere(syn)
            if 0 <= each.at - syn.at < _LIVES
        ]
        if found and not case.answers:
            return _translated(syn, found[0])
    if case.syns or not case.syn_acks:
        return None
    for syn_ack in case.syn_acks[:1]:
        asked = [
            each
            for each in case.others.asked_elsewhere(syn_ack)
            if 0 <= syn_ack.at - each.at < _LIVES
        ]
        if asked:
            return _translated(asked[0], syn_ack)
    return None


def _translated(syn: Seen, syn_ack: Seen) -> Claim:
    values = {
        "sent_to": syn.destination,
        "answered": syn_ack.source,
        "server": syn_ack.source.address,
        "after": seconds(syn, syn_ack),
    }
    gone = [RuledOut("no-answer", syn_ack.frame)]
    return Claim("translation-undone", "proven", [syn, syn_ack], values, gone)


def is_translation_undone(evidence: Sequence[Seen]) -> bool:
    """Whether a SYN, and a SYN-ACK of another endpoint that acknowledges it to the same port."""
    syn, syn_ack = evidence
    return (
        syn.syn
        and syn_ack.syn_ack
        and syn_ack.destination == syn.source
        and syn_ack.source != syn.destination
        and syn_ack.acknowledges_syn(syn)
    )


def timestamps_behind(case: Case) -> Claim | None:
    """SYNs without an answer whose timestamp lies behind another of the same client address."""
    if case.answers or not case.syns:
        return None
    record, syn = case.record, case.syns[0]
    known = case.others.stamps(record.client.address, record.server.address)
    if not known or syn.stamp is None:
        return None
    if any(distance(a.value, b.value) < 0 for a, b in _in_turn(known)):
        return None  # the server does accept a timestamp that goes back
    before = [each for each in known if 0 <= syn.at - each.at < _LIVES]
    ahead = [each for each in before if distance(each.value, syn.stamp) < -1]
    if not ahead:
        return None
    newest = ahead[-1]
    values = {
        "stamp": syn.stamp,
        "known": newest.value,
        "frame": newest.frame,
        "count": len(case.syns),
        "client": record.client.address,
        "server": record.server.address,
    }
    host = case.others.host(record.server.address)
    answers = [] if host is None else [each for each in host.answers if not each.refused]
    gone = [_not_down(each) for each in answers[-1:]]
    return Claim("timestamps-behind", "likely", case.syns, values, gone)


def _in_turn(known: Sequence[Stamp]) -> list[tuple[Stamp, Stamp]]:
    found = sorted(known, key=lambda each: each.at)
    return list(pairwise(found))


def has_timestamps(evidence: Sequence[Seen]) -> bool:
    """Whether the same SYN with timestamps, sent again."""
    return all(each.syn and each.stamp is not None for each in evidence) and bool(evidence)


def scan(case: Case) -> Claim | None:
    """One of many ports of a host that one client tries in vain."""
    if case.answers or not case.syns:
        return None
    record = case.record
    failed = case.others.tried(record.client.address, record.server.address)
    if failed is None or len(failed.names) < SCAN:
        return _host_scan(case)
    values = {
        "client": record.client.address,
        "server": record.server.address,
        "ports": len(failed.names),
        "capped": failed.capped,
        "port": case.port,
    }
    host = case.others.host(record.server.address)
    values["up"] = host is not None
    gone = [] if host is None else [_not_down(host.answers[0])]
    return Claim("port-scan", "likely", case.syns, values, gone)


def _host_scan(case: Case) -> Claim | None:
    client = case.record.client.address
    failed = case.others.swept(client, case.port)
    if failed is None or len(failed.names) < SCAN:
        return None
    values = {"client": client, "port": case.port, "hosts": len(failed.names)}
    values["capped"] = failed.capped
    return Claim("host-scan", "likely", case.syns, values)


def _not_down(answer: Answer) -> RuledOut:
    values = {"port": answer.port, "refused": answer.refused}
    return RuledOut("host-down", answer.frame, values)


def flood(case: Case) -> Claim | None:
    """One of many connections to one port that hang."""
    record = case.record
    if record.outcome not in ("no-answer", "half-open") or case.final_ack is not None:
        return None
    hanging = case.others.hanging(record.server.address, case.port)
    if not case.syns or hanging is None or hanging.count < FLOOD:
        return None
    values = {
        "server": record.server.address,
        "port": case.port,
        "count": hanging.count,
        "clients": len(hanging.names),
        "capped": hanging.capped,
        "many": len(hanging.names) > 1,
    }
    evidence = [*case.syns, *case.syn_acks]
    return Claim("syn-flood", "possible", evidence, values)


def is_hanging(evidence: Sequence[Seen]) -> bool:
    """Whether SYNs, and perhaps SYN-ACKs, alone."""
    return bool(evidence) and all(each.syn or each.syn_ack for each in evidence)


def itself(case: Case) -> Claim | None:
    """A socket that connects to its own address and port."""
    syn = next(iter(case.segments), None)
    if syn is None or syn.source != syn.destination:
        return None
    evidence = [each for each in case.segments if each.syn or each.syn_ack][:4]
    values = {"port": case.port, "endpoint": syn.source}
    return Claim("self-connect", "proven", evidence, values) if evidence else None


def is_itself(evidence: Sequence[Seen]) -> bool:
    """Whether segments from an endpoint to itself."""
    return bool(evidence) and all(each.source == each.destination for each in evidence)


def one_sided(case: Case) -> Claim | None:
    """One end acknowledges what the other sent, and nothing of the other is in the capture."""
    ends = (case.sent, case.answers)
    if not any(ends) or all(ends):
        return None
    (mine,) = [each for each in ends if each]
    first = mine[0]
    advancing = [each for each in mine if each.ack and not each.rst]
    if len({each.ack for each in advancing}) < 2 and not (
        first.syn and any(each.bare_ack or each.length for each in advancing)
    ):
        return None
    if first.source == first.destination or len(advancing) < 2:
        return None
    values = {
        "by": name_of(case, first),
        "other": "server" if case.by_client(first) else "client",
        "count": len(mine),
    }
    gone = [RuledOut("unanswered", advancing[-1].frame)]
    evidence = [first, *advancing[:4]]
    silent = case.record.server if case.by_client(first) else case.record.client
    host = case.others.host(silent.address)
    if host is not None:
        # The capture does see its answers to others.
        gone.append(RuledOut("capture-filter", host.answers[0].frame))
        return Claim("asymmetric-path", "likely", evidence, values, gone)
    return Claim("one-sided-capture", "likely", evidence, values, gone)


def is_one_sided(evidence: Sequence[Seen]) -> bool:
    """Whether segments of one end that acknowledge what the other end sent."""
    first, *acks = evidence
    return bool(acks) and all(each.same_way(first) and each.ack for each in acks)
