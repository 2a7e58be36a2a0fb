"""Diagnoses of a RST: who sent it, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.diagnosis.case import Claim, seconds
from handshake.diagnosis.seen import distance
from handshake.record import RuledOut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handshake.diagnosis.case import Case
    from handshake.diagnosis.seen import Seen

_INITIAL: Final = (32, 64, 128, 255)
"""Values at which systems begin a TTL."""

_LATE: Final = 1_000_000
"""Nanoseconds after a RST from which a segment of its sender is not just out of order."""


def injected(case: Case) -> Claim | None:
    """A RST in the server's name, after which the server goes on as if it had sent none."""
    for rst in (each for each in case.answers if each.rst):
        later = next((each for each in case.after(rst) if _goes_on(rst, each)), None)
        if later is None or any(each.syn for each in _between(case, rst, later)):
            continue
        syn = next((each for each in case.syns if each.at <= rst.at), None)
        own = [each.ttl for each in case.answers if not each.rst and each.ttl is not None]
        other = rst.ttl is not None and bool(own) and rst.ttl not in own
        opening = later.syn_ack
        if not (other or opening):
            continue
        evidence = [each for each in (syn, rst, later) if each is not None]
        values = {
            "port": case.port,
            "opening": opening,
            "other": other,
            "ttl": rst.ttl,
            "own": later.ttl,
            "after": seconds(rst, later),
        }
        gone = [RuledOut("port-closed", later.frame)] if opening else []
        return Claim("injected-reset", "proven" if other else "likely", evidence, values, gone)
    return None


def _goes_on(rst: Seen, later: Seen) -> bool:
    """Whether a sender whose connection a RST had ended would not have sent this."""
    if later.rst or not later.same_way(rst):
        return False
    if later.syn_ack:
        return rst.ack is not None and later.ack == rst.ack
    return later.at - rst.at >= _LATE and distance(rst.seq, later.seq) >= 0


def _between(case: Case, first: Seen, last: Seen) -> list[Seen]:
    return case.segments[case.place(first) + 1 : case.place(last)]


def is_injected(evidence: Sequence[Seen]) -> bool:
    """Whether a RST, and what its sender sent after it all the same."""
    *_, rst, later = evidence
    return rst.rst and _goes_on(rst, later)


def refused(case: Case) -> Claim | None:
    """A RST that answers the SYN: of the host, or of a firewall on its behalf."""
    found = []
    for rst in (each for each in case.answers if each.rst):
        asked = [each for each in case.syns if rst.acknowledges_syn(each) and each.at <= rst.at]
        if asked:
            found.append((asked[-1], rst))
    if not found or case.syn_acks:
        return None
    rst = found[0][1]
    evidence = [each for pair in found[:4] for each in pair]
    values: dict[str, object] = {
        "port": case.port,
        "server": case.record.server.address,
        "ttl": rst.ttl,
        "times": len(found),
        "again": len(found) > 1,
    }
    host = case.others.host(case.record.server.address)
    opened = [] if host is None else [each for each in host.answers if not each.refused]
    known = {each.ttl: each for each in opened if each.ttl is not None}
    if not known or rst.ttl is None:
        return Claim("refused", "possible", evidence, values)
    if rst.ttl in known:
        seen = known[rst.ttl]
        values |= {"frame": seen.frame, "other": seen.port}
        same = [RuledOut("other-ttl", seen.frame, {"ttl": rst.ttl})]
        return Claim("refused-by-host", "likely", evidence, values, same)
    if hops(rst.ttl) in map(hops, known):
        # Some systems send a RST with another initial TTL than a SYN-ACK.
        return Claim("refused", "possible", evidence, values)
    seen = opened[0]
    values |= {"frame": seen.frame, "own": seen.ttl}
    return Claim("refused-by-firewall", "likely", evidence, values)


def hops(ttl: int) -> int:
    """Return how often a TTL was decremented, if it began at the next usual value."""
    return next(initial for initial in _INITIAL if ttl <= initial) - ttl


def is_refused(evidence: Sequence[Seen]) -> bool:
    """Whether pairs of a SYN and a RST that acknowledges it."""
    pairs = list(zip(evidence[::2], evidence[1::2], strict=True))
    return bool(pairs) and all(
        syn.syn and rst.rst and rst.answers(syn) and rst.acknowledges_syn(syn) for syn, rst in pairs
    )
