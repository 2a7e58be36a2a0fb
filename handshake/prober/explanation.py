"""The reason of a verdict, in English: what was seen that it follows from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from handshake.endpoint.verdict import Verdict
from handshake.messages import number
from handshake.tcp import Flags

if TYPE_CHECKING:
    from handshake.endpoint.ack_monitor import AckStatus
    from handshake.packet.checksum import Address
    from handshake.prober.result import DataExchange
    from handshake.tcp import Endpoint
    from handshake.tcp.icmp import IcmpError


_SOONEST: Final = 1.0
"""Seconds before which no SYN,ACK need come again (RFC 6298 section 2)."""


class Concluded(Protocol):
    """What a reason is made of."""

    local: Endpoint
    remote: Endpoint

    @property
    def asked(self) -> Flags:
        """The control bits of our first segment."""

    @property
    def verdict(self) -> Verdict | None:
        """What was concluded."""

    @property
    def error(self) -> IcmpError | None:
        """The ICMP error that decided it."""

    @property
    def failure(self) -> str:
        """Why this machine did not send our SYN."""

    @property
    def syn_sent(self) -> int:
        """How many times our SYN was sent."""

    @property
    def ignored(self) -> bool:
        """Whether something came back that is no answer."""

    @property
    def crossed(self) -> bool:
        """Whether the peer called us while we called it."""

    @property
    def ack_status(self) -> AckStatus:
        """What is known of whether the peer took our ACK."""


def reason(
    attempt: Concluded, seconds: float, data: DataExchange | None = None, *, signed: bool = False
) -> str:
    """Return why the attempt ended as it did, in English.

    `data` is what was said on the connection, and `signed` whether our segments were.
    """
    port, syns = attempt.remote.port, _syns(attempt.syn_sent)
    knocked = Flags.SYN not in attempt.asked or attempt.asked & (Flags.FIN | Flags.ACK)
    if knocked and (found := _knocked(attempt, seconds)) is not None:
        return found
    if attempt.crossed and (found := _crossed(attempt)) is not None:
        return found
    match attempt.verdict:
        case Verdict.OPEN:
            return (
                f"a program listens on port {port}: its answer acknowledges our SYN, "
                f"{_taken(attempt.ack_status)}{_unmet(data)}"
            )
        case Verdict.CLOSED:
            return (
                f"RST answered our SYN: nothing listens on port {port}, or a firewall says so in "
                f"the host's name"
            )
        case Verdict.FILTERED:
            if attempt.ignored:
                return (
                    f"nothing that came back in {seconds:.1f} s is an answer to {syns}: what it "
                    f"was, and why it was ignored, is noted"
                )
            if signed:
                return (
                    f"nothing answered {syns} in {seconds:.1f} s: a host with another key for us, "
                    f"or with none, drops what is signed in silence (RFC 2385), as a firewall "
                    f"does; or it is down or too busy"
                )
            return (
                f"nothing answered {syns} in {seconds:.1f} s: a firewall drops it, or the host is "
                f"down or too busy; TCP cannot tell which"
            )
        case Verdict.UNREACHABLE:
            return _unreachable(attempt)
        case Verdict.HALF_OPEN:
            return f"the peer answered our SYN, {_not_taken(attempt.ack_status)}"
        case Verdict.RESET:
            hung_up = _hung_up(attempt.ack_status)
            return f"the peer answered our SYN, and then reset the connection{hung_up}"
        case Verdict.BAD_PEER:
            return f"{syns} brought only answers that acknowledge what we did not send"
        case Verdict.LOCAL_ERROR:
            return f"this machine did not send our SYN: {attempt.failure}"
    raise ValueError("an attempt that is not done has no reason yet")


def nobody_answers(who: Address, called: Address) -> str:
    """Return why nothing leaves for who is called, where somebody on our link does not answer."""
    whom = "it" if who.packed == called.packed else f"the router on the way, {who}"
    return f"nobody on the link answers for {whom}"


def _unreachable(attempt: Concluded) -> str:
    error = attempt.error
    if error is None:
        return attempt.failure
    if error.sender.packed == attempt.local.address.packed:
        host_unreachable = (1, 3) if error.version == 6 else (3, 1)
        if (error.type, error.code) == host_unreachable:
            # What the kernel says to itself when nobody answers its ARP or solicitations.
            return f"{error}: nobody on the link answers for it, or for the router on the way"
        return f"{error}: a rule on this machine rejects it"
    who = (
        "the host itself" if error.sender.packed == attempt.remote.address.packed else error.sender
    )
    return f"{who} says: {error}"


def _taken(ack_status: AckStatus) -> str:
    if ack_status.confirmed:
        return "and it has taken our ACK"
    if ack_status.again:
        often = "once" if len(ack_status.again) == 1 else f"{len(ack_status.again)} times"
        return f"came again {often}, and then no more: it seems to have taken our last ACK"
    if ack_status.watched > _SOONEST:
        # SYN cookies keep nothing: whether our ACK came or not, they are as silent.
        return (
            f"and did not come again in {ack_status.watched:.3g} s: it seems to have taken our "
            f"ACK, unless it keeps nothing before that, as with SYN cookies"
        )
    if ack_status.watched:
        return (
            f"and did not come again in {ack_status.watched:.3g} s: too soon to tell whether it "
            f"took our ACK"
        )
    return "and whether it took our ACK was not watched"


def _unmet(data: DataExchange | None) -> str:
    if data is None or data.expected is not False:
        return ""
    if not data.received:
        return ". It said nothing, where something was expected"
    count = len(data.received)
    return f". What was expected is not in the {number(count, 'octet')} that it said"


def _not_taken(ack_status: AckStatus) -> str:
    times = [f"{each:.1f}" for each in ack_status.again]
    again = f"its SYN+ACK did not come again in {ack_status.watched:.3g} s"
    if times:
        often = " and ".join(filter(None, (", ".join(times[:-1]), times[-1])))
        again = f"its SYN+ACK came again after {often} s"
    if ack_status.withheld:
        stateless = ": it seems to keep nothing of it, as with SYN cookies or a SYN proxy"
        told = not times and ack_status.watched > _SOONEST
        return f"and our ACK was withheld: {again}{stateless if told else ''}"
    if len(times) > 1:
        return (
            f"but never took our answer to that: {again}. Our ACKs are lost on the way, or the "
            f"server waits for data before it accepts, or its queue of connections to accept is "
            f"full"
        )
    return (
        "and acknowledged nothing that we sent after it: whether it took our ACK, nothing shows. "
        "What we send may be lost on the way, or the server's queue of connections to accept is "
        "full"
    )


def _hung_up(ack_status: AckStatus) -> str:
    took = ", although it had taken our ACK" if ack_status.confirmed else ""
    return (
        f" before a word was said on it{took}: a program there hangs up on us at once, or the "
        f"server's queue of connections to accept is full, or a firewall breaks it off"
    )


def _crossed(attempt: Concluded) -> str | None:
    """Return why, where the peer's SYN came before it could have answered ours."""
    called = f"the peer called us from port {attempt.remote.port} while we called it"
    match attempt.verdict:
        case Verdict.OPEN:
            return f"{called}, and acknowledged our SYN: nobody listens there"
        case Verdict.CLOSED | Verdict.RESET:
            return f"{called}, and then reset the connection"
        case Verdict.HALF_OPEN:
            return f"{called}, and acknowledged nothing of ours"
    return None


def _knocked(attempt: Concluded, seconds: float) -> str | None:
    """Return why, where it is not why an attempt would have ended so."""
    port, asked = attempt.remote.port, attempt.asked
    what = f"our {asked}" if asked else "our segment without control bits"
    times = "" if attempt.syn_sent == 1 else f" {attempt.syn_sent} times"
    match attempt.verdict:
        case Verdict.RESET:
            return (
                f"RST answered {what}, as it does wherever there is no such connection: the host "
                f"is there, or a firewall speaks for it. Whether a program listens on port {port}, "
                f"it does not tell"
            )
        # What a listener does with a SYN that carries a FIN, systems do not agree on.
        case Verdict.CLOSED if Flags.SYN in asked:
            return (
                f"RST answered {what}: nothing listens on port {port}, or a firewall says so in "
                f"the host's name"
            )
        case Verdict.CLOSED:
            return (
                f"RST answered {what}: nothing listens on port {port}, where a listener would have "
                f"dropped it in silence, or a firewall says so in the host's name; some systems "
                f"answer so from any port"
            )
        case Verdict.HALF_OPEN:
            return f"SYN+ACK answered {what}: a program listens on port {port}. We reset it"
        case Verdict.FILTERED if Flags.ACK in asked:
            return (
                f"nothing answered {what}{times} in {seconds:.1f} s: a firewall drops what belongs "
                f"to no connection, or the host is down"
            )
        case Verdict.FILTERED if Flags.SYN in asked:
            return (
                f"nothing answered {what}{times} in {seconds:.1f} s: hosts and firewalls that take "
                f"it for an attack drop it, listener or not, or the host is down"
            )
        case Verdict.FILTERED:
            return (
                f"nothing answered {what}{times} in {seconds:.1f} s: a program listens on port "
                f"{port}, and drops it as RFC 9293 asks, or a firewall does, or the host is down"
            )
        case Verdict.LOCAL_ERROR:
            return f"this machine did not send {what}: {attempt.failure}"
    return None


def _syns(count: int) -> str:
    return "one SYN" if count == 1 else f"{count} SYNs"
