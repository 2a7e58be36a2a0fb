"""Explains a verdict: the code and values of the sentence that says what it follows from."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from handshake.endpoint.outcome import Verdict
from handshake.messages import Message
from handshake.tcp import Flags
from handshake.units import ACK_BIT, FIN_BIT, SYN_BIT

if TYPE_CHECKING:
    from handshake.endpoint.ack_monitor import AckStatus
    from handshake.endpoint.outcome import DataExchange, Outcome
    from handshake.packet.checksum import Address
    from handshake.tcp import Endpoint
    from handshake.tcp.icmp import IcmpError


_FIRST_RTO: Final = 1.0
"""Seconds before which no SYN-ACK need be retransmitted (RFC 6298 section 2)."""

_REQUEST: Final = SYN_BIT | FIN_BIT | ACK_BIT
"""The control bits that tell a connection request from other segments."""


def verdict_message(code: str, **values: Any) -> Message:
    """Return a sentence of `messages/en/verdicts.toml`."""
    return Message("verdicts", code, values)


def explain(
    outcome: Outcome,
    source: Address,
    remote: Endpoint,
    seconds: float,
    *,
    asked: Flags = Flags.SYN,
    signed: bool = False,
    against: str = "",
    kernel: bool = False,
) -> Message:
    """Return why the connection from a source address has its verdict after so many seconds.

    `asked` are the control bits of our first segment; `signed` whether our segments were.
    `against` is the code of the note that speaks against what the verdict suggests; empty for none.
    The `kernel` shows no segment: that connect() succeeded is all it tells.
    """
    port, count = remote.port, outcome.syn_sent
    request = int(asked) & _REQUEST == SYN_BIT
    found = None if request else _segment(outcome, asked, port, seconds)
    if found is None and outcome.crossed:
        found = _crossed(outcome, port)
    if found is not None:
        return found
    ack = outcome.ack_status
    match outcome.verdict:
        case Verdict.OPEN:
            proxied = against == "syn-proxy"
            return _open(port, ack, _missing(outcome.data), proxied=proxied, kernel=kernel)
        case Verdict.CLOSED:
            return _refused(against, port)
        case Verdict.FILTERED:
            code = "ignored" if outcome.ignored else "signed" if signed else "silent"
            return verdict_message(f"filtered.{code}", count=count, seconds=seconds)
        case Verdict.UNREACHABLE:
            return _unreachable(outcome, source, remote)
        case Verdict.HALF_OPEN:
            return _half_open(ack)
        case Verdict.RESET:
            return verdict_message("reset", accepted=ack.confirmed)
        case Verdict.BAD_PEER:
            return verdict_message("bad-peer", count=count)
        case Verdict.LOCAL_ERROR:
            return verdict_message("unsent.segment", asked=asked, why=outcome.failure)
    raise ValueError("no connection was made: there is nothing to explain")


def _refused(against: str, port: int) -> Message:
    if not against:
        return verdict_message("closed", port=port)
    code = "contradicted" if against == "reset-and-syn-ack" else "several"
    return verdict_message(f"refused.{code}", port=port)


@lru_cache
def _open(
    port: int, ack: AckStatus, missing: Message | str, *, proxied: bool, kernel: bool
) -> Message:
    if kernel:
        code = "connected-proxied" if proxied else "connected"
    else:
        code = "open-proxied" if proxied else "open"
    accepted = _accepted(ack, seen=not kernel)
    return verdict_message(code, port=port, ack=accepted, missing=missing)


def no_neighbour(neighbour: Address, remote: Address) -> Message:
    """Return why nothing leaves for the remote address: the neighbour on our link is silent."""
    gateway = neighbour.packed != remote.packed
    return verdict_message(
        "unreachable.neighbour",
        protocol=_resolution(remote.version),
        gateway=gateway,
        address=neighbour,
    )


def _resolution(version: int) -> str:
    return "ARP" if version == 4 else "neighbour discovery"


def _unreachable(outcome: Outcome, source: Address, remote: Endpoint) -> Message:
    error = outcome.icmp
    if error is None:
        assert outcome.failure is not None
        return outcome.failure
    if error.sender.packed == source.packed:
        if host_unreachable(error):
            # What the kernel reports to itself when ARP or neighbour discovery fails.
            protocol = _resolution(error.version)
            values = {"protocol": protocol, "address": remote.address}
            return verdict_message("unreachable.no-reply", error=error, **values)
        return verdict_message("unreachable.rejected", error=error)
    if error.sender.packed == remote.address.packed:
        return verdict_message("unreachable.host", error=error)
    return verdict_message("unreachable.router", sender=error.sender, error=error)


def host_unreachable(error: IcmpError) -> bool:
    """Whether the error says that a host, or a neighbour, does not answer on its link."""
    return (error.type, error.code) == ((1, 3) if error.version == 6 else (3, 1))


def _accepted(ack: AckStatus, *, seen: bool) -> Message:
    if ack.confirmed:
        return verdict_message("ack.accepted", seen=seen)
    if ack.late is not None:
        return verdict_message("ack.late", late=ack.late)
    if ack.again:
        count = len(ack.again)
        return verdict_message("ack.retransmitted", count=count, once=count == 1, seen=seen)
    if ack.watched:
        code = "silent" if ack.watched > _FIRST_RTO else "too-soon"
        return verdict_message(f"ack.{code}", watched=ack.watched, seen=seen)
    return verdict_message("ack.unobserved")


def _missing(data: DataExchange | None) -> Message | str:
    if data is None or data.expected is not False:
        return ""
    if not data.received:
        return verdict_message("missing.no-data")
    return verdict_message("missing.other-data", count=len(data.received))


def _half_open(ack: AckStatus) -> Message:
    after = [f"{each:.1f}" for each in ack.again]
    if ack.withheld and after:
        return verdict_message("half-open.withheld", after=after)
    if ack.withheld:
        stateless = ack.watched > _FIRST_RTO
        values = {"watched": ack.watched, "stateless": stateless}
        return verdict_message("half-open.withheld-silent", **values)
    if len(after) > 1:
        return verdict_message("half-open.retransmitted", after=after)
    return verdict_message("half-open.unacknowledged")


def _crossed(outcome: Outcome, port: int) -> Message | None:
    """Return why, if the peer sent a SYN that is no answer to ours."""
    split = [each for each in outcome.findings if each.code == "split-handshake"]
    match outcome.verdict:
        case Verdict.OPEN if split and split[0].values["first"]:
            return verdict_message("crossed.split", port=port)
        case Verdict.OPEN if split:
            return verdict_message("crossed.split-syn-first", port=port)
        case Verdict.OPEN:
            return verdict_message("crossed.open", port=port)
        case Verdict.CLOSED | Verdict.RESET:
            return verdict_message("crossed.reset", port=port)
        case Verdict.HALF_OPEN:
            return verdict_message("crossed.half-open", port=port)
    return None


def _segment(outcome: Outcome, asked: Flags, port: int, seconds: float) -> Message | None:
    """Return why, if the first segment was no connection request and that makes a difference."""
    count = outcome.syn_sent
    what = asked or verdict_message("segment.none")
    waited = {"count": count, "many": count > 1, "seconds": seconds, "port": port}
    match outcome.verdict:
        case Verdict.RESET:
            return verdict_message("segment.reset", asked=what, port=port)
        # Systems differ in what a listening socket does with a SYN that carries a FIN.
        case Verdict.CLOSED if Flags.SYN in asked:
            return verdict_message("segment.closed-syn", asked=what, port=port)
        case Verdict.CLOSED:
            return verdict_message("segment.closed", asked=what, port=port)
        case Verdict.HALF_OPEN:
            return verdict_message("segment.open", asked=what, port=port)
        case Verdict.FILTERED if Flags.ACK in asked:
            return verdict_message("segment.filtered-ack", asked=what, **waited)
        case Verdict.FILTERED if Flags.SYN in asked:
            return verdict_message("segment.filtered-syn", asked=what, **waited)
        case Verdict.FILTERED:
            return verdict_message("segment.filtered", asked=what, **waited)
        case Verdict.LOCAL_ERROR:
            return verdict_message("unsent.segment", asked=what, why=outcome.failure)
    return None
