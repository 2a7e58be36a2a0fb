"""`handshake probe`: opens a connection by hand and says what happened."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import typer

from handshake.cli.parameters import Ascii, Json, Plain  # noqa: TC001 - typer reads them
from handshake.cli.probe import options as given
from handshake.cli.probe import privileges, values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handshake.prober import Target

_RTO = 1.0
_WITHHELD = 8.0
"""Seconds to watch a peer that gets no ACK: Linux repeats its SYN,ACK after 1, 3 and 7 of them."""


def probe(
    context: typer.Context,
    target: given.Targets = None,
    file: given.File = None,
    timeout: given.Timeout = None,
    retries: given.Retries = 2,
    rto: given.Rto = _RTO,
    observe: given.Observe = None,
    hold: given.Hold = 0.0,
    concurrency: given.Concurrency = 32,
    rate: given.Rate = 100.0,
    count: given.Count = None,
    interval: given.Interval = 1.0,
    mss: given.Mss = None,
    window: given.Window = None,
    wscale: given.WindowScale = None,
    no_wscale: given.NoWindowScale = False,
    sack: given.Sack = True,
    timestamps: given.Timestamps = True,
    ecn: given.Ecn = False,
    fast_open: given.FastOpen = None,
    md5: given.Md5 = None,
    option: given.OtherOptions = None,
    flags: given.SynFlags = None,
    seq: given.SequenceNumber = None,
    source: given.Source = None,
    source_port: given.SourcePort = 0,
    interface: given.Interface = None,
    ttl: given.Ttl = 64,
    tos: given.Tos = 0,
    data: given.Data = None,
    expect: given.Expect = None,
    no_ack: given.NoAck = False,
    close: given.Close = "fin",
    connect: given.Connect = False,
    raw: given.Raw = False,
    adopt: given.Adopt = False,
    write: given.Write = None,
    quiet: given.Quiet = False,
    brief: given.Brief = False,
    monitor: given.Monitor = None,
    dry_run: given.DryRun = False,
    as_json: Json = False,
    plain: Plain = False,
    ascii_only: Ascii = False,
) -> None:
    """Open a connection by hand, close it again, and say what happened.

    Of one target every segment is shown as it passes, with its header and with what both
    sockets know. Of many (host:80,443,8000-8010, a list) each gets a line as it ends.
    It needs the right to send hand-built segments, CAP_NET_RAW; without, the kernel calls.
    """
    from handshake.cli.probe.conflicts import refuse_senseless
    from handshake.cli.probe.report import Output
    from handshake.endpoint.options import LINUX_SHIFT
    from handshake.endpoint.segment_builder import check
    from handshake.endpoint.timeouts import ACK_OBSERVATION
    from handshake.errors import UsageError
    from handshake.prober import ClientOptions, Timeouts

    by_hand_alone = values.chosen(
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
        }
    )
    if connect:
        values.refuse(by_hand_alone, "--connect", "the kernel makes each segment as it likes")
    values.pace(rate, interval)
    values.above_zero(rto, "--rto")
    refuse_senseless(context)
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
        closing=values.closing(close),
    )
    check(options)
    output = Output(as_json, plain, ascii_only, quiet, monitor, write, brief)
    with ExitStack() as stack:
        found = _targets(target or [], file or [], stack)
        if dry_run:
            from handshake.cli.probe.dry_run import show_syns

            raise typer.Exit(show_syns(found, options, output))
        alone = len(found) == 1 and count is None
        if observe is None:
            # Many are not waited for, unless nothing else would show what became of our ACK.
            watched = ACK_OBSERVATION if alone or close != "fin" else 0.0
            observe = _WITHHELD if no_ack else watched
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
                raise UsageError("--adopt: one connection alone can be joined to our streams")
            raise typer.Exit(run(found[0], timeouts, options, privileges.drop, quiet=quiet))
        by_hand = _by_hand(by_kernel=connect, or_not_at_all=bool(by_hand_alone))
        if alone:
            from handshake.cli.probe.one import show_one

            raise typer.Exit(
                show_one(found[0], timeouts, options, output, privileges.drop if by_hand else None)
            )
        from handshake.cli.probe.many import Many

        opened = privileges.drop if by_hand else None
        many = Many(timeouts, options, concurrency, rate, count, interval, output, opened)
        raise typer.Exit(many.run(found))


def _by_hand(*, by_kernel: bool, or_not_at_all: bool) -> bool:
    """Whether segments are to be built by hand; say so where that was hoped for and cannot be."""
    from handshake.linux.privileges import has_cap_net_raw

    if by_kernel or or_not_at_all or has_cap_net_raw():
        return not by_kernel
    print(  # noqa: T201
        "note: without CAP_NET_RAW the kernel makes the call (--connect), and no segment of it is "
        "shown: run it with sudo, or insist on that by --raw",
        file=sys.stderr,
    )
    return False


def _targets(asked: Sequence[str], files: Sequence[str], stack: ExitStack) -> list[Target]:
    """Return whom to call: all are understood before the first is called."""
    from handshake.prober import loopback_listener, targets

    found = list(targets(asked))
    if files:
        from handshake.cli.probe.many import read_files

        found += read_files(files)
    return found or [stack.enter_context(loopback_listener())]
