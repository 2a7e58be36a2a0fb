"""`handshake serve`: answers handshakes by hand, and shows each segment and both ends."""

from __future__ import annotations

import math
import socket
from typing import TYPE_CHECKING

import typer

from handshake.cli.parameters import HiddenAscii, HiddenLang, HiddenPlain, language
from handshake.cli.probe import values
from handshake.cli.serve import options as opt  # noqa: TC001 - typer reads them
from handshake.cli.serve.options import EXIT_CODES
from handshake.errors import UsageError

if TYPE_CHECKING:
    from handshake.endpoint.server import Program

__all__ = ["EXIT_CODES", "serve"]

_LONGEST = 3600.0


def serve(
    port: opt.Port = None,
    address: opt.Address = None,
    interface: opt.Interface = None,
    only_v4: opt.OnlyV4 = False,
    only_v6: opt.OnlyV6 = False,
    backlog: opt.Backlog = 128,
    cookies: opt.Cookies = False,
    count: opt.Count = None,
    data: opt.Data = None,
    silent: opt.Silent = False,
    misbehave: opt.Misbehave = None,
    list_names: opt.ListNames = False,
    mss: opt.Mss = None,
    window: opt.Window = None,
    wscale: opt.WindowScale = None,
    no_wscale: opt.NoWindowScale = False,
    sack: opt.Sack = True,
    timestamps: opt.Timestamps = True,
    ecn: opt.Ecn = False,
    fast_open: opt.FastOpen = False,
    md5: opt.Md5 = None,
    option: opt.OtherOptions = None,
    seq: opt.SequenceNumber = None,
    retries: opt.Retries = 5,
    rto: opt.Rto = 1.0,
    ttl: opt.Ttl = 64,
    tos: opt.Tos = 0,
    brief: opt.Brief = False,
    verbose: opt.Verbose = False,
    write: opt.Write = None,
    as_json: opt.AsJson = False,
    plain: HiddenPlain = False,
    ascii_only: HiddenAscii = False,
    lang: HiddenLang = None,
) -> None:
    """Answer handshakes by hand: the server end of TCP, segment by segment.

    The kernel is kept silent on the port, and this program answers in its place: LISTEN, half-open
    entries, retransmitted SYN-ACKs, the accept queue; then it echoes. Shows every header and what
    both ends know. Replies to received segments only. Needs CAP_NET_RAW.
    """
    from handshake.cli.serve.screen import ServeOutput, run, show_names

    spoken = language(lang)
    if list_names:
        show_names(spoken)
        return
    if port is None:
        raise UsageError("serve.no-port")

    from handshake.endpoint.misbehaviour import Behaviour, misbehaviour
    from handshake.endpoint.options import LINUX_SHIFT, ClientOptions, Timeouts
    from handshake.server.serving import Service

    for names in (
        {"--data": data is not None, "--silent": silent},
        {"-4": only_v4, "-6": only_v6, "--address": address is not None},
        {"--wscale": wscale is not None, "--no-wscale": no_wscale},
        {"--json": as_json, "--brief": brief, "-v": verbose, "-w -": write == "-"},
    ):
        if len(chosen := values.given(names)) > 1:
            raise UsageError("exclusive", options=chosen)
    values.check_positive(rto, "--rto", _LONGEST)
    versions = (4,) if only_v4 else (6,) if only_v6 else (4, 6) if socket.has_ipv6 else (4,)
    service = Service(
        port=_port(port),
        address=values.address(address),
        versions=versions,
        backlog=backlog,
        cookies=cookies,
        fast_open=fast_open,
        options=ClientOptions(
            mss=mss,
            window=window,
            window_scale=None if no_wscale else LINUX_SHIFT if wscale is None else wscale,
            sack=sack,
            timestamps=timestamps,
            ecn=ecn,
            md5=values.octets(md5, "--md5"),
            extra_options=values.options(option),
            iss=seq,
            ttl=ttl,
            tos=tos,
            interface=values.interface(interface),
        ),
        timeouts=Timeouts.of(rto=rto, retries=retries),
        program=_program(data, silent=silent),
        behaviour=Behaviour() if misbehave is None else misbehaviour(misbehave),
    )
    output = ServeOutput(
        as_json=as_json,
        brief=brief,
        verbose=verbose,
        plain=plain,
        ascii_only=ascii_only,
        write=write,
        misbehaves=misbehave or "",
        language=spoken,
    )
    raise typer.Exit(run(service, output, math.inf if count is None else count))


def _port(word: str) -> int:
    """Return the port of a number, or of the name of a service."""
    if word.isascii() and word.isdecimal():
        number = int(word[:6])
    else:
        try:
            number = socket.getservbyname(word, "tcp")
        except (OSError, ValueError):
            number = 0
    if not 0 < number <= 0xFFFF:
        raise UsageError("serve.port", text=word)
    return number


def _program(data: str | None, *, silent: bool) -> Program:
    """Return what is done with connections that have opened."""
    from handshake.endpoint.server import Echo, FixedAnswer, Silent

    if data is not None:
        return FixedAnswer(values.octets(data, "--data"))
    return Silent() if silent else Echo()
