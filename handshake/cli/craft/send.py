"""`handshake craft --send`: sends exactly this packet, and shows what comes back."""

from __future__ import annotations

import json
import secrets
import sys
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from handshake.endpoint.outcome import Verdict
from handshake.errors import LocalError, UsageError
from handshake.messages import Message
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from handshake.cli.craft.output import CraftOutput
    from handshake.cli.probe.report import Output
    from handshake.crafter.fields import PacketFields
    from handshake.events import Step
    from handshake.packet.checksum import Address
    from handshake.prober import Probe, Result
    from handshake.tcp import Endpoint

_LIKELY: Final = range(32768, 61000)
"""The ports that Linux gives to its own connections (net.ipv4.ip_local_port_range)."""

_SEQUENCE: Final = 32

_NOT_SEEN: Final = "unsent.not-seen"


def destination(target: str | None) -> Endpoint:
    """Return the first address of the target. Raises UsageError without one."""
    from handshake.prober import Target
    from handshake.prober.resolver import lookup

    if target is None:
        raise UsageError("craft.send-target")
    return lookup(Target.parse(target))[0]


def send(
    fields: PacketFields,
    output: CraftOutput,
    timeout: float,
    *,
    own_source: bool,
    own_port: bool,
    own_seq: bool,
) -> int:
    """Send the packet once, and show what comes back; return the exit code.

    What the user did not choose of source, port and sequence number is chosen as for a
    connection. What a raw socket would change is handed to the interface. Raises UsageError for
    what is no whole packet.
    """
    from handshake.cli.privileges import drop
    from handshake.cli.probe.report import Output
    from handshake.crafter.decode import decode
    from handshake.crafter.fields import build
    from handshake.prober import ClientOptions, Prober, Target, Timeouts
    from handshake.tcp import Endpoint

    _check(fields)
    remote = fields.destination
    local = fields.source if own_source else Endpoint(_source(remote), fields.source.port)
    if not own_port:
        local = Endpoint(local.address, secrets.choice(_LIKELY))
    seq = fields.seq if own_seq else secrets.randbits(_SEQUENCE)
    whole = replace(fields, source=local, seq=seq)
    octets, mended = build(whole), build(_mended(whole))
    # A header that lies may hide the segment: a raw socket would send that one.
    first = replace(decode(mended, "ip").segment, source=local, destination=remote)
    options = ClientOptions(
        first=first,
        packet=octets,
        exact=remote.address.version == 4 and mended != octets,
        iss=seq,
        ttl=fields.ttl or 1,
        tos=fields.tos,
        source=local.address if own_source else None,
        source_port=local.port,
    )
    how = Output(
        plain=output.plain,
        ascii_only=output.ascii_only,
        quiet=output.write == "-",
        write=output.write,
        verbose=0 if output.write == "-" else 1,
        language=output.language,
    )
    timeouts = Timeouts.of(timeout=timeout, retries=0)
    target = Target.of(str(remote.address), remote.port)
    with how.evidence() as evidence:
        opened = partial(drop, output.language)
        prober = Prober(timeouts, options, opened=opened, observer=evidence.observer)
        with prober:
            probe = next(iter(prober.probes(target)))
            return _show(probe, how, as_json=output.as_json, timeout=timeout, exact=options.exact)


def _show(probe: Probe | Result, how: Output, *, as_json: bool, timeout: float, exact: bool) -> int:
    """Show each segment as it passes, then what came back; return the exit code."""
    from handshake.cli.console import console, show
    from handshake.cli.probe.one import ProbeScreen
    from handshake.prober import Result
    from handshake.step_record import step_record
    from handshake.view.layout import line

    if isinstance(probe, Result):
        raise LocalError("craft.unsent", why=probe.reason)
    with closing(probe):
        steps: list[Step] = []
        if as_json:
            for step in probe:
                sys.stdout.write(json.dumps(step_record(step)) + "\n")
        elif not how.quiet:
            ProbeScreen(how).explain(probe, steps)
        result = probe.finish()
    # A header that lies about its length hides our own segment from us, too.
    hidden = exact and getattr(result.reason, "code", "") == _NOT_SEEN
    if result.verdict is Verdict.LOCAL_ERROR and not hidden:
        raise LocalError("craft.unsent", why=result.reason)
    came = _answer(result, timeout)
    if not (as_json or how.quiet):
        style = "bad" if came.code == "sent.nothing" else "title"
        show(console(plain=how.plain), [line(), line((came.said(how.language), style))])
    return int(came.code == "sent.nothing")


def _answer(result: Result, timeout: float) -> Message:
    """Return what came back of the packet, in a sentence."""
    came = [each for each in result.segments if not each.outgoing]
    answers = [each.segment for each in came]
    took = (came[0].at - result.segments[0].at) / NS_PER_SECOND if came else 0.0
    values: dict[str, object] = {"rtt": took, "port": result.port, "icmp": result.icmp}
    if any(each.syn for each in answers):
        return _sent("syn-ack", values)
    if any(each.rst for each in answers):
        return _sent("rst", values)
    if answers:
        return _sent("other", values | {"flags": answers[0].flags})
    if result.icmp is not None:
        return _sent("icmp", values)
    return _sent("nothing", {"timeout": timeout})


def _sent(code: str, values: dict[str, object]) -> Message:
    return Message("problems", f"sent.{code}", values)


def _source(remote: Endpoint) -> Address:
    """Return our address on the way to a remote end."""
    from handshake.linux.next_hop import Selector
    from handshake.linux.route import route

    return route(remote.address, Selector(port=remote.port)).source


def _check(fields: PacketFields) -> None:
    """Raise UsageError for what is no whole packet."""
    others = [
        name
        for name, given in {
            "--bare": fields.bare,
            "--cut": fields.cut is not None,
            "--trailer": bool(fields.trailer),
        }.items()
        if given
    ]
    if others:
        raise UsageError("craft.send-part", others=others)


def _mended(fields: PacketFields) -> PacketFields:
    """Return the fields with an IPv4 header as a raw socket sends it."""
    from handshake.crafter.fields import IDENTIFICATION
    from handshake.tcp.checksum import Checksum

    return replace(
        fields,
        length=None,
        words=None,
        ip_checksum=Checksum.RIGHT,
        identification=fields.identification or IDENTIFICATION,
    )
