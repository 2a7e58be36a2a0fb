"""Why a SYN got no answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.diagnosis.case import Claim, seconds
from handshake.record import RuledOut
from handshake.units import NS_PER_SECOND

_NEAR: Final = 120 * NS_PER_SECOND
"""Nanoseconds from a SYN within which an answer shows that the host was up."""

_SEVERAL: Final = 3
"""Connections that one listener leaves unanswered while it answers others."""

_DOWN: Final = frozenset({(4, 3, 1), (4, 3, 7), (6, 1, 3)})
"""IP version, ICMP type and code: no answer to ARP or neighbour discovery on the last link."""

_REJECTED: Final = frozenset(
    {*((4, 3, code) for code in (2, 3, 9, 10, 13)), *((6, 1, code) for code in (1, 4, 5))}
)
"""Likewise: prohibited, or what only a firewall calls unreachable (TCP would send a RST)."""

_NO_ROUTE: Final = frozenset(
    {*((4, 3, code) for code in (0, 6, 11, 12)), *((6, 1, code) for code in (0, 6))}
)
"""Likewise: no way to the network."""

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handshake.diagnosis.case import Case
    from handshake.diagnosis.others import Answer
    from handshake.diagnosis.seen import Seen
    from handshake.tcp.icmp import IcmpError


def unanswered(case: Case) -> Claim | None:
    """No answer to any SYN: what else the capture shows of the host decides what it may be."""
    if case.answers or not case.syns or _error(case) is not None:
        return None
    syns = case.syns
    values = {
        "count": len(syns),
        "more": len(syns) > 1,
        "span": seconds(syns[0], syns[-1]),
        "port": case.port,
        "server": case.record.server.address,
        "up": False,
    }
    host = case.others.host(case.record.server.address)
    answers = [] if host is None else _around(host.answers, syns)
    if not answers:
        return Claim("no-answer", "possible", syns, values)
    same = [each for each in answers if each.port == case.port]
    seen = min(same or answers, key=lambda each: abs(each.at - syns[0].at))
    ruled_out = [RuledOut("host-down", seen.frame, {"port": seen.port, "refused": seen.refused})]
    values |= {"answering": seen.port, "refused": seen.refused, "up": True}
    if not same:
        return Claim("silent-filter", "likely", syns, values, ruled_out)
    if seen.refused:
        return Claim("no-answer", "possible", syns, values, ruled_out)
    hanging = case.others.hanging(case.record.server.address, case.port)
    around = same[0].at < syns[0].at and same[-1].at > syns[-1].at
    if around and hanging is not None and hanging.count >= _SEVERAL:
        values["hanging"] = hanging.count
        ruled_out = [
            RuledOut("host-down", each.frame, {"port": each.port, "refused": False})
            for each in (same[0], same[-1])
        ]
        return Claim("listener-overloaded", "possible", syns, values, ruled_out)
    return Claim("unanswered-by-listener", "possible", syns, values, ruled_out)


def _around(answers: Sequence[Answer], syns: Sequence[Seen]) -> list[Answer]:
    """Return the answers of a time in which some SYNs should have got one."""
    begin, end = syns[0].at - _NEAR, syns[-1].at + _NEAR
    return [each for each in answers if begin <= each.at <= end]


def _error(case: Case) -> IcmpError | None:
    """Return the ICMP error that answers a SYN: its number is hard to guess (section 3.9.2.2)."""
    numbers = {each.seq for each in case.syns}
    found = [each for each in case.icmp if each.source == case.client and int(each.seq) in numbers]
    dropped = [each for each in found if each.unreachable]
    return next((each for each in (*dropped, *found) if each.unreachable or each.expired), None)


def unreachable(case: Case) -> Claim | None:
    """An ICMP error that answers the SYN: its code says what could not be reached."""
    error = _error(case)
    if case.answers or error is None:
        return None
    values = {
        "sender": error.sender,
        "error": str(error),
        "server": case.record.server.address,
        "port": case.port,
        "itself": str(error.sender) == case.record.server.address,
    }
    if error.expired:
        return Claim("routing-loop", "possible", case.syns, values)
    kind = (error.version, error.type, error.code)
    if kind in _DOWN:
        return Claim("host-down", "likely", case.syns, values)
    if kind in _REJECTED:
        return Claim("rejected-by-firewall", "likely", case.syns, values)
    if kind in _NO_ROUTE:
        return Claim("no-route", "likely", case.syns, values)
    return Claim("icmp-error", "possible", case.syns, values)


def is_unanswered(evidence: Sequence[Seen]) -> bool:
    """Whether the evidence is SYNs of one end alone."""
    return bool(evidence) and all(each.syn and each.same_way(evidence[0]) for each in evidence)
