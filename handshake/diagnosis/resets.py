"""Diagnoses of a RST: who sent it, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.diagnosis.case import Claim, finishes, seconds
from handshake.diagnosis.seen import IDLE
from handshake.record import RuledOut
from handshake.tcp.address import hops
from handshake.tcp.seq import distance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handshake.diagnosis.case import Case
    from handshake.diagnosis.seen import Seen

_GAVE_UP: Final = 3_000_000_000
"""Nanoseconds after its last SYN from which a program may have given up: few wait less."""

_AT_ONCE: Final = 100_000_000
"""Nanoseconds within which several RSTs belong together."""

_LATE: Final = 1_000_000
"""Nanoseconds after a RST from which a segment of its sender is not just out of order."""


def injected(case: Case) -> Claim | None:
    """A RST in the name of an end that goes on as if it had sent none."""
    for rst in case.resets:
        later = next((each for each in case.after(rst) if _goes_on(rst, each)), None)
        if later is None or any(each.syn for each in _between(case, rst, later)):
            continue
        syn = next((each for each in case.syns if each.at <= rst.at), None)
        mine = (each for each in case.segments if each.same_way(rst) and not each.rst)
        own = [each.ttl for each in mine if each.ttl is not None]
        other = rst.ttl is not None and bool(own) and rst.ttl not in own
        opening = later.syn_ack
        if not (other or (opening and not case.by_client(rst))):
            continue
        evidence = [each for each in (syn, rst, later) if each is not None]
        values = {
            "port": case.port,
            "series": False,
            "by": "client" if case.by_client(rst) else "server",
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


def _between(case: Case, first: Seen, last: Seen) -> Sequence[Seen]:
    return case.segments[case.place(first) + 1 : case.place(last)]


def is_injected(evidence: Sequence[Seen]) -> bool:
    """Whether a RST, and what its sender sent after it all the same; or several RSTs at once."""
    *_, rst, later = evidence
    return (rst.rst and _goes_on(rst, later)) or (len(evidence) > 3 and _shows_series(evidence))


def refused(case: Case) -> Claim | None:
    """A RST that answers the SYN: of the host, or of a firewall on its behalf."""
    found: list[tuple[Seen, Seen]] = []
    for rst in (each for each in case.answers if each.rst):
        asked = [each for each in case.syns if rst.acknowledges_syn(each) and each.at <= rst.at]
        # A second RST to the same SYN is no second refusal.
        if asked and not any(syn is asked[-1] for syn, _ in found):
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
    opened, known = ((), {}) if host is None else (host.opened, host.known)
    if not known or rst.ttl is None:
        return Claim("refused", "possible", evidence, values)
    if rst.ttl in known:
        same = [RuledOut("other-ttl", known[rst.ttl], {"ttl": rst.ttl})]
        return Claim("refused-by-host", "likely", evidence, values, same)
    if hops(rst.ttl) in map(hops, known):
        # Some systems send a RST with another initial TTL than a SYN-ACK.
        return Claim("refused", "possible", evidence, values)
    values["own"] = opened[0].ttl if opened else min(known)
    return Claim("refused-by-firewall", "likely", evidence, values)


def by_client(case: Case) -> Claim | None:
    """The client answers the SYN-ACK with a RST: a scan, a tool's SYN, or it had given up."""
    rst = next((each for each in case.sent if each.rst), None)
    syn_ack = next(iter(case.syn_acks), None)
    if rst is None or syn_ack is None or rst.at < syn_ack.at or not _follows(rst, syn_ack):
        return None
    final = case.final_ack
    later = [each for each in case.after(rst) if each.source == rst.source and not each.rst]
    values = {
        "port": case.port,
        "after": seconds(syn_ack, rst),
        "client": case.record.client.address,
    }
    syns = [each for each in case.syns if each.at <= syn_ack.at]
    evidence = [*syns[:1], syn_ack, rst]
    on = next((each for each in later if each.ack is not None and not each.syn_ack), None)
    if syns and on is not None and (final is None or final.at > rst.at):
        gone = [RuledOut("gave-up", on.frame)]
        return Claim("hand-made-syn", "likely", [*evidence, on], values, gone)
    if final is not None:
        return None
    if not syns:
        return Claim("unexpected-syn-ack", "possible", evidence, values)
    values["waited"] = seconds(syns[0], syn_ack)
    if syn_ack.at - syns[-1].at >= _GAVE_UP:
        return Claim("client-gave-up", "likely", evidence, values)
    return Claim("reset-by-client", "possible", evidence, values)


def _follows(rst: Seen, syn_ack: Seen) -> bool:
    """Whether a RST has the number that the SYN-ACK acknowledges: it answers, or aborts, it."""
    return rst.answers(syn_ack) and rst.seq == syn_ack.ack


def is_by_client(evidence: Sequence[Seen]) -> bool:
    """Whether a SYN-ACK and the RST of its receiver, perhaps after the SYN."""
    *syn, syn_ack, rst = evidence
    return (
        syn_ack.syn_ack
        and rst.rst
        and _follows(rst, syn_ack)
        and all(each.syn and syn_ack.acknowledges_syn(each) for each in syn)
    )


def is_hand_made(evidence: Sequence[Seen]) -> bool:
    """Whether the client went on with a connection that its own RST had ended."""
    *opening, later = evidence
    rst = opening[-1]
    return is_by_client(opening) and later.same_way(rst) and not later.rst and later.at > rst.at


def after_accept(case: Case) -> Claim | None:
    """The server accepted the connection, and reset it without having sent data."""
    final = case.final_ack
    rst = next((each for each in case.answers if each.rst), None)
    if final is None or rst is None or not case.syn_acks or rst.at < final.at:
        return None
    before = [each for each in case.answers if each.at < rst.at]
    if any(each.length or each.fin for each in before if not each.syn_ack) or case.client == (
        case.segments[0].destination
    ):
        return None
    if any(each.fin or each.rst for each in case.sent if each.at < rst.at):
        return None
    syn_ack = case.syn_acks[0]
    values = {
        "port": case.port,
        "after": seconds(final, rst),
        "server": case.record.server.address,
        "ttl": rst.ttl,
        "own": syn_ack.ttl,
    }
    evidence = [syn_ack, final, rst]
    beyond = [each for each in case.answers if each.rst and _is_series(rst, each)]
    if beyond and rst.ttl != syn_ack.ttl:
        values |= {"series": True, "other": True, "opening": False, "by": "server"}
        return Claim("injected-reset", "likely", [*evidence, *beyond[:3]], values)
    if case.record.closed != "rst-by-server":
        return None  # The client had to drop it.
    # A host with the connection sends a RST with ACK; one without it repeats SEG.ACK.
    if rst.ack is None and rst.seq == final.ack and not rst.window and rst.ttl == syn_ack.ttl:
        syn = next(iter(case.syns), None)
        if syn is not None and _is_bare(syn, syn_ack):
            return Claim("syn-cookies", "possible", evidence, values)
        return Claim("unknown-to-server", "possible", evidence, values)
    if rst.ttl != syn_ack.ttl and None not in (rst.ttl, syn_ack.ttl):
        return Claim("reset-by-other-device", "possible", evidence, values)
    return Claim("closed-at-once", "possible", evidence, values)


def _is_bare(syn: Seen, syn_ack: Seen) -> bool:
    """Whether a SYN-ACK has none of the options that the SYN offered, as with SYN cookies."""
    offered = syn.scale is not None and syn.sack_permitted
    refused = syn_ack.scale is None and not syn_ack.sack_permitted and syn_ack.stamp is None
    return offered and refused and not (syn.cut or syn_ack.cut)


def _is_series(rst: Seen, later: Seen) -> bool:
    """Whether a second RST at once has another number, though no data lies between.

    An injector tries several numbers, since it does not know which one is expected. They may arrive
    in any order.
    """
    return 0 < later.at - rst.at < _AT_ONCE and distance(rst.seq, later.seq) != 0


def _shows_series(evidence: Sequence[Seen]) -> bool:
    """Whether a connection was accepted, and RSTs at once with different numbers follow."""
    syn_ack, final, rst, *rest = evidence
    return (
        is_after_accept([syn_ack, final, rst])
        and rst.ttl != syn_ack.ttl
        and bool(rest)
        and all(each.rst and each.same_way(rst) and _is_series(rst, each) for each in rest)
    )


def is_after_accept(evidence: Sequence[Seen]) -> bool:
    """Whether a SYN-ACK, the ACK of it, and a RST of the server."""
    syn_ack, final, rst = evidence
    return syn_ack.syn_ack and finishes(syn_ack, final) and rst.rst and rst.same_way(syn_ack)


def is_stateless(evidence: Sequence[Seen]) -> bool:
    """Likewise, where the RST is that of a host without the connection (section 3.5.2)."""
    _, final, rst = evidence
    return is_after_accept(evidence) and rst.ack is None and rst.seq == final.ack


def after_idle(case: Case) -> Claim | None:
    """A RST after a long silence: something on the path, or an end, had forgotten it."""
    for rst in case.resets:
        place = case.place(rst)
        quiet = [
            (a, b)
            for a, b in zip(case.segments[:place], case.segments[1 : place + 1], strict=True)
            if b.at - a.at >= IDLE
        ]
        if not quiet or rst.at - quiet[-1][1].at > IDLE:
            continue
        last, first = quiet[-1]
        woke = [each for each in case.segments[:place] if each.at >= first.at]
        if any(each.source == rst.source for each in woke) or last.syn or last.syn_ack:
            continue
        values = {
            "idle": seconds(last, first),
            "by": "client" if case.by_client(rst) else "server",
            "at_once": first is rst,
        }
        evidence = [last, first] if first is rst else [last, first, rst]
        return Claim("idle-reset", "possible", evidence, values)
    return None


def is_idle_reset(evidence: Sequence[Seen]) -> bool:
    """Whether a long silence, and then a RST, at once or as an answer."""
    last, first, *rest = evidence
    return first.at - last.at >= IDLE and [*rest, first][0].rst


def is_refused(evidence: Sequence[Seen]) -> bool:
    """Whether pairs of a SYN and a RST that acknowledges it."""
    pairs = list(zip(evidence[::2], evidence[1::2], strict=True))
    return bool(pairs) and all(
        syn.syn and rst.rst and rst.answers(syn) and rst.acknowledges_syn(syn) for syn, rst in pairs
    )
