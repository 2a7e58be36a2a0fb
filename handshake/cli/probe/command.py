"""`handshake probe`: opens a connection in user space and explains the result."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import typer

from handshake.cli import privileges
from handshake.cli.parameters import (
    Ascii,
    Json,
    Lang,
    Plain,
    language,
)
from handshake.cli.probe import options as opt
from handshake.cli.probe import values
from handshake.cli.probe.options import EXIT_CODES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handshake.prober import Target

__all__ = ["EXIT_CODES", "probe"]

_RTO = 1.0
_TRACE_WAIT = 1.0
"""Seconds that a router has to report a SYN with --trace."""

_NO_ACK_OBSERVATION = 8.0
"""Seconds to watch a peer that gets no ACK: Linux retransmits its SYN-ACK after 1, 3 and 7 s."""


def probe(
    context: typer.Context,
    target: opt.Targets = None,
    file: opt.File = None,
    only_v4: opt.OnlyV4 = False,
    only_v6: opt.OnlyV6 = False,
    timeout: opt.Timeout = None,
    retries: opt.Retries = 2,
    rto: opt.Rto = _RTO,
    observe: opt.Observe = None,
    hold: opt.Hold = 0.0,
    concurrency: opt.Concurrency = 32,
    rate: opt.Rate = 100.0,
    count: opt.Count = None,
    interval: opt.Interval = 1.0,
    mss: opt.Mss = None,
    window: opt.Window = None,
    wscale: opt.WindowScale = None,
    no_wscale: opt.NoWindowScale = False,
    sack: opt.Sack = True,
    timestamps: opt.Timestamps = True,
    ecn: opt.Ecn = False,
    fast_open: opt.FastOpen = None,
    md5: opt.Md5 = None,
    option: opt.OtherOptions = None,
    flags: opt.SynFlags = None,
    seq: opt.SequenceNumber = None,
    source: opt.Source = None,
    source_port: opt.SourcePort = 0,
    interface: opt.Interface = None,
    ttl: opt.Ttl = 64,
    tos: opt.Tos = 0,
    data: opt.Data = None,
    expect: opt.Expect = None,
    no_ack: opt.NoAck = False,
    close: opt.Close = "fin",
    trace: opt.Trace = False,
    connect: opt.Connect = False,
    raw: opt.Raw = False,
    adopt: opt.Adopt = False,
    write: opt.Write = None,
    export: opt.Export = None,
    verbose: opt.Verbose = 0,
    quiet: opt.Quiet = False,
    brief: opt.Brief = False,
    sort: opt.Sort = "arrival",
    monitor: opt.Monitor = None,
    dry_run: opt.DryRun = False,
    as_json: Json = False,
    plain: Plain = False,
    ascii_only: Ascii = False,
    lang: Lang = None,
) -> None:
    """Open a TCP connection, close it again, and explain what happened.

    With one target: verdict, evidence and what to do next, then the segments; -v shows the header
    of each and what both sockets know. With several (host:80,443,8000-8010, --file), prints a
    line per result. Sends its own raw packets, which needs CAP_NET_RAW; without it, uses the
    kernel's connect().
    """
    from handshake.cli.probe.report import Output
    from handshake.cli.probe.values import check_conflicts
    from handshake.endpoint.options import ACK_OBSERVATION, LINUX_SHIFT
    from handshake.endpoint.segment_builder import check
    from handshake.errors import UsageError
    from handshake.prober import ClientOptions, Timeouts

    raw_options = values.given(
        {
            "--mss": mss is not None,
            "--window": window is not None,
            "--wscale": wscale is not None,
            "--no-wscale": no_wscale,
            "--no-sack": not sack,
            "--no-timestamps": not timestamps,
            "--ecn": ecn,
            "--fast-open": fast_open is not None,
            "--md5": md5 is not None,
            "--option": bool(option),
            "--flags": flags is not None,
            "--seq": seq is not None,
            "--rto": rto != _RTO,
            "--no-ack": no_ack,
            "-w": write is not None,
            "--raw": raw,
            "--trace": trace,
        }
    )
    if connect and raw_options:
        raise UsageError("conflict.connect", others=raw_options)
    values.check_rate(rate, interval)
    values.check_positive(rto, "--rto")
    check_conflicts(context)
    options = ClientOptions(
        mss=mss,
        window=window,
        window_scale=None if no_wscale else LINUX_SHIFT if wscale is None else wscale,
        sack=sack,
        timestamps=timestamps,
        ecn=ecn,
        fast_open=values.cookie(fast_open),
        md5=values.octets(md5, "--md5"),
        extra_options=values.options(option),
        flags=values.flags(flags),
        iss=seq,
        ttl=ttl,
        tos=tos,
        source=values.address(source),
        source_port=source_port,
        interface=values.interface(interface),
        data=values.octets(data, "--data"),
        expect=values.octets(expect, "--expect"),
        answer=not no_ack,
        closing=values.close_mode(close),
    )
    check(options)
    output = Output(
        *(as_json, plain, ascii_only, quiet, monitor, write, brief, verbose),
        language=language(lang),
        order=sort,
        export=export,
    )
    drop = partial(privileges.drop, output.language)
    with ExitStack() as stack:
        version = 4 if only_v4 else 6 if only_v6 else None
        found = _targets(target or [], file or [], stack, version)
        if dry_run:
            from handshake.cli.probe.dry_run import show_syns

            raise typer.Exit(show_syns(found, options, output))
        if trace:
            from handshake.cli.probe.trace import show_trace

            if len(found) > 1:
                raise UsageError("probe.trace-many")
            wait = _TRACE_WAIT if timeout is None else timeout
            raise typer.Exit(show_trace(found[0], options, output, wait, drop))
        alone = len(found) == 1 and count is None
        if observe is None:
            # Many targets do not wait, unless nothing else would show whether our ACK arrived.
            watched = ACK_OBSERVATION if alone or close != "fin" else 0.0
            observe = _NO_ACK_OBSERVATION if no_ack else watched
        timeouts = Timeouts.of(
            timeout=values.timeout(timeout, retries, rto),
            retries=retries,
            rto=rto,
            observe=observe,
            hold=hold,
        )
        if adopt:
            from handshake.cli.probe.adopt import run

            if len(found) > 1:
                raise UsageError("probe.adopt-many")
            code = run(found[0], timeouts, options, drop, quiet=quiet, language=output.language)
            raise typer.Exit(code)
        userspace = _use_raw_packets(
            connect=connect, required=bool(raw_options), language=output.language
        )
        if alone:
            from handshake.cli.probe.one import show_one

            raise typer.Exit(
                show_one(found[0], timeouts, options, output, drop if userspace else None)
            )
        from handshake.cli.probe.many import ManyProbes

        opened = drop if userspace else None
        many = ManyProbes(timeouts, options, concurrency, rate, count, interval, output, opened)
        raise typer.Exit(many.run(found))


def _use_raw_packets(*, connect: bool, required: bool, language: str) -> bool:
    """Whether to send raw packets; print a note if the privilege for them is missing."""
    from handshake.linux.privileges import has_cap_net_raw
    from handshake.prober.answer import probe_message

    if connect or required or has_cap_net_raw():
        return not connect
    print(probe_message("many.no-privilege").said(language), file=sys.stderr)  # noqa: T201
    return False


def _targets(
    given_targets: Sequence[str], files: Sequence[str], stack: ExitStack, version: int | None
) -> list[Target]:
    """Return the targets: all are parsed before the first is probed."""
    from handshake.prober import loopback_listener, targets

    found = list(targets(given_targets))
    if files:
        from handshake.cli.probe.many import read_files

        found += read_files(files)
    if not found:
        return [stack.enter_context(loopback_listener())]
    return found if version is None else [replace(each, version=version) for each in found]
