"""The answer that a probe gives in brief: the strongest evidence, and what to do next."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from handshake.endpoint.outcome import Verdict
from handshake.messages import Message
from handshake.tcp.address import hops
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from handshake.linux.privileges import Shell
    from handshake.prober.answered import Answered
    from handshake.record import Finding
    from handshake.tcp.icmp import IcmpError


_SILENT: Final = ("unreachable.neighbour", "unreachable.no-reply")
"""Reasons of a verdict: nothing answers ARP, or neighbour discovery."""


_STRANGE: Final = ("segment.", "crossed.")
"""What reasons of a verdict begin with where the first segment, or its answer, was not ordinary."""


class NextStep(NamedTuple):
    """What to do next: a command to paste, and what it would tell."""

    command: str
    purpose: Message


def probe_message(code: str, /, **values: Any) -> Message:
    """Return a sentence of `messages/en/probe.toml`."""
    return Message("probe", code, values)


# How the verdict is known.


def evidence(result: Answered) -> Message | None:
    """Return the strongest evidence for the verdict; None where the reason is all there is."""
    if result.reason.code.startswith(_STRANGE):
        return None
    match result.verdict:
        case Verdict.CLOSED:
            return _refused(result)
        case Verdict.FILTERED if result.ignored:
            return probe_message("evidence.ignored")
        case Verdict.FILTERED if result.guard == "none":
            return probe_message("evidence.timeout")
        case Verdict.FILTERED:
            return probe_message("evidence.silence", count=result.syn_sent)
        case Verdict.UNREACHABLE:
            return _undeliverable(result)
        case Verdict.HALF_OPEN:
            return _half_open(result)
        case Verdict.RESET:
            return _reset(result)
        case Verdict.BAD_PEER:
            found = _finding(result, "wrong-ack")
            return None if found is None else probe_message("evidence.wrong-ack", **found.values)
        case Verdict.LOCAL_ERROR if result.reason.code == "unsent.not-seen":
            return probe_message("evidence.not-seen")
        case Verdict.LOCAL_ERROR if "why" in result.reason.values:
            return probe_message("evidence.unsent", why=result.reason.values["why"])
    return None


def _finding(result: Answered, *codes: str) -> Finding | None:
    return next((each for each in result.findings if each.code in codes), None)


def _refused(result: Answered) -> Message:
    """Return whose RST it was, as far as it shows."""
    against = _finding(result, "reset-and-syn-ack", "resets-differ")
    if against is not None:
        if against.code == "resets-differ":
            return probe_message("evidence.several", **against.values)
        return probe_message("evidence.contradicted", **against.values)
    ttl = result.ttl
    if ttl is None:
        return probe_message("evidence.refused")
    sender = _finding(result, "refused-by-firewall", "refused-by-host")
    if sender is None:
        return probe_message("evidence.rst", ttl=ttl, routers=hops(ttl), began=ttl + hops(ttl))
    if sender.code == "refused-by-host":
        return probe_message("evidence.own-rst", ttl=ttl)
    if sender.variant == "near":
        return probe_message("evidence.near-rst", ttl=ttl)
    return probe_message("evidence.far-rst", ttl=ttl)


def _undeliverable(result: Answered) -> Message | None:
    error, reason = result.icmp, result.reason
    if reason.code in _SILENT:
        return probe_message("evidence.no-reply", **_named(reason, "protocol", "address"))
    if error is None:
        return None
    name = "ICMP" if error.version == 4 else "ICMPv6"
    if reason.code == "unreachable.rejected":
        return probe_message("evidence.rejected", name=name, error=error)
    if str(error.sender) == result.address:
        return probe_message("evidence.icmp-host", name=name, error=error)
    return probe_message("evidence.icmp", name=name, error=error)


def _named(reason: Message, *names: str) -> dict[str, object]:
    return {each: reason.values[each] for each in names}


def _half_open(result: Answered) -> Message:
    ack = result.ack_status
    after = [f"{each:.1f}" for each in ack.again]
    if ack.withheld:
        return probe_message("evidence.withheld", again=after, after=after)
    if after:
        return probe_message("evidence.syn-ack-again", after=after)
    return probe_message("evidence.unacknowledged")


def _reset(result: Answered) -> Message | None:
    """Return when the RST came, and whether it has the TTL of the SYN-ACK."""
    received = [each for each in result.segments if not each.outgoing]
    rst = next((each for each in received if each.segment.rst), None)
    answer = next((each for each in received if each.segment.syn), None)
    ours = [each for each in result.segments if each.outgoing and not each.segment.syn]
    if rst is None or answer is None or not ours:
        return None
    after = max(0, rst.at - ours[0].at) / NS_PER_SECOND
    known = rst.ttl is not None and answer.ttl is not None
    return probe_message(
        "evidence.reset", after=after, known=known, ttl=rst.ttl, syn_ack=answer.ttl
    )


# Why, in a few words.

_ICMP: Final = {
    (4, 3): {
        0: "net-unreachable",
        1: "host-unreachable",
        2: "protocol-unreachable",
        3: "port-unreachable",
        9: "net-prohibited",
        10: "host-prohibited",
        13: "admin-prohibited",
    },
    (4, 11): {0: "ttl-exceeded"},
    (6, 1): {
        0: "no-route",
        1: "admin-prohibited",
        3: "addr-unreachable",
        4: "port-unreachable",
        5: "policy-fail",
        6: "reject-route",
    },
    (6, 3): {0: "hop-limit-exceeded"},
}
"""The names of ICMP errors in the rules of nftables, by version and type, then by code."""


def icmp_name(error: IcmpError) -> str:
    """Return an ICMP error in a word: `admin-prohibited`, or its numbers where it has no name."""
    numbers = f"ICMP{'' if error.version == 4 else 'v6'} {error.type}/{error.code}"
    return _ICMP.get((error.version, error.type), {}).get(error.code, numbers)


def cause(result: Answered) -> Message:
    """Return why it has its verdict in a few words, which fit in a column."""
    if result.verdict is not Verdict.OPEN and result.reason.code.startswith(_STRANGE):
        return probe_message("cause.other", reason=result.reason)
    match result.verdict:
        case Verdict.OPEN if result.unmet is not None:
            return probe_message("cause.unmet", why=result.unmet)
        case Verdict.OPEN:
            return probe_message("cause.open", close=str(result.close or "no answer"))
        case Verdict.CLOSED if _finding(result, "reset-and-syn-ack", "resets-differ"):
            return probe_message("cause.contradicted")
        case Verdict.CLOSED if _finding(result, "refused-by-firewall"):
            return probe_message("cause.firewall")
        case Verdict.CLOSED:
            return probe_message("cause.closed")
        case Verdict.FILTERED if result.ignored:
            return probe_message("cause.ignored", count=result.syn_sent)
        case Verdict.FILTERED:
            return probe_message("cause.filtered", count=result.syn_sent)
        case Verdict.UNREACHABLE if result.reason.code in _SILENT:
            return probe_message("cause.no-reply", **_named(result.reason, "protocol", "address"))
        case Verdict.UNREACHABLE if result.icmp is not None:
            name = icmp_name(result.icmp)
            if result.reason.code == "unreachable.rejected":
                return probe_message("cause.rejected", name=name)
            if str(result.icmp.sender) == result.address:
                return probe_message("cause.icmp-host", name=name)
            return probe_message("cause.icmp", name=name, sender=result.icmp.sender)
        case Verdict.HALF_OPEN if result.ack_status.withheld:
            return probe_message("cause.withheld")
        case Verdict.HALF_OPEN:
            return probe_message("cause.half-open")
        case Verdict.RESET:
            return probe_message("cause.reset")
        case Verdict.BAD_PEER:
            return probe_message("cause.bad-peer")
    return probe_message("cause.other", reason=result.reason)


# What to do next.


def next_steps(result: Answered, shell: Shell) -> tuple[NextStep, ...]:
    """Return the commands that would tell more, the best first; none for an open port."""
    port, address = result.port, result.address
    match result.verdict:
        case Verdict.CLOSED if _finding(
            result, "refused-by-firewall", "reset-and-syn-ack", "resets-differ"
        ):
            return (_trace(result, shell), _capture(result, shell))
        case Verdict.CLOSED:
            return (_listening(result),)
        case Verdict.FILTERED:
            return (_trace(result, shell), _capture(result, shell))
        case Verdict.UNREACHABLE:
            return _way(result, shell)
        case Verdict.HALF_OPEN if result.ack_status.withheld:
            command = f"{shell.sudo}{shell.program} probe {_target(result)}"
            return (NextStep(command, probe_message("next.acknowledge")),)
        case Verdict.HALF_OPEN:
            queue = NextStep(_sockets("ltn", port), probe_message("next.queue", address=address))
            return (queue, _capture(result, shell))
        case Verdict.RESET:
            return (
                NextStep(
                    _sockets("ltnp", port, shell.sudo),
                    probe_message("next.program", address=address),
                ),
                _capture(result, shell)
                if result.guard == "none"
                else _by_kernel(result, shell, probe_message("next.kernel")),
            )
        case Verdict.BAD_PEER:
            older = NextStep(_sockets("tan", port), probe_message("next.older", address=address))
            return (older, _capture(result, shell))
        case Verdict.LOCAL_ERROR:
            return (_here(result, shell),)
        case Verdict.NAME_ERROR if result.reason.code == "target.no-name-server":
            return (NextStep("cat /etc/resolv.conf", probe_message("next.name-server")),)
        case Verdict.NAME_ERROR if result.reason.code != "target.version":
            host = result.target.rpartition(":")[0] or result.target.split()[0]
            command = f"getent ahosts {shlex.quote(host)}"
            return (NextStep(command, probe_message("next.name")),)
    return ()


def _target(result: Answered) -> str:
    """Return the address and port as a word of a command."""
    if result.address is None:
        return shlex.quote(result.target)
    host = f"[{result.address}]" if ":" in result.address else result.address
    return shlex.quote(f"{host}:{result.port}")


def _sockets(options: str, port: int, sudo: str = "") -> str:
    return f"{sudo}ss -{options} 'sport = :{port}'"


def _listening(result: Answered) -> NextStep:
    if result.address in ("127.0.0.1", "::1"):
        return NextStep(_sockets("ltn", result.port), probe_message("next.listens-here"))
    purpose = probe_message("next.listens", address=result.address)
    return NextStep(_sockets("ltn", result.port), purpose)


def _capture(result: Answered, shell: Shell) -> NextStep:
    """Return a capture that shows the connection at both ends, whatever translates addresses."""
    icmp = "icmp6" if ":" in (result.address or "") else "icmp"
    command = f"{shell.sudo}tcpdump -ni any 'tcp port {result.port} or {icmp}'"
    return NextStep(command, probe_message("next.both-ends"))


def _trace(result: Answered, shell: Shell) -> NextStep:
    command = f"{shell.sudo}{shell.program} probe {_target(result)} --trace"
    return NextStep(command, probe_message("next.trace"))


def _by_kernel(result: Answered, shell: Shell, purpose: Message) -> NextStep:
    return NextStep(f"{shell.program} probe {_target(result)} --connect", purpose)


def _way(result: Answered, shell: Shell) -> tuple[NextStep, ...]:
    """Return what would tell why our SYN was reported as undeliverable."""
    error, reason, rules = result.icmp, result.reason, f"{shell.sudo}nft list ruleset"
    if reason.code in _SILENT:
        command = f"ip neigh show {reason.values['address']}"
        return (NextStep(command, probe_message("next.neighbour")),)
    if reason.code == "unreachable.rejected":
        return (NextStep(rules, probe_message("next.rule-here")),)
    found = result.diagnosis
    code = "" if found is None else found.code
    if code == "routing-loop":
        return (_trace(result, shell),)
    if error is None or code not in ("host-down", "rejected-by-firewall", "no-route"):
        return (_capture(result, shell),)
    if code == "host-down":
        purpose = probe_message("next.arp", address=result.address)
        return (NextStep(f"ip neigh show {result.address}", purpose),)
    if code == "no-route":
        purpose = probe_message("next.route-there", address=error.sender, server=result.address)
        return (NextStep(f"ip route get {result.address}", purpose),)
    purpose = probe_message("next.rule", address=error.sender, port=result.port)
    return (NextStep(rules, purpose),)


def _here(result: Answered, shell: Shell) -> NextStep:
    """Return what would tell why this machine did not send our SYN."""
    if result.reason.code == "unsent.not-seen":
        return _by_kernel(result, shell, probe_message("next.try-kernel"))
    why = result.reason.values.get("why")
    if isinstance(why, Message) and why.code in ("unsent.dropped", "unsent.rejected"):
        return NextStep(f"{shell.sudo}nft list ruleset", probe_message("next.rule-here"))
    return NextStep(f"ip route get {result.address}", probe_message("next.route-here"))
