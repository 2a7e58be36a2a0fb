"""`handshake probe --adopt`: hands the connection to the kernel, joined to stdin and stdout."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from handshake.escape import printable
from handshake.messages import ENGLISH
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from socket import socket

    from handshake.prober import ClientOptions, Result, Target, Timeouts

_HELD = 86_400.0
"""Seconds that our end holds the connection open until the kernel takes over."""


def run(
    target: Target,
    timeouts: Timeouts,
    options: ClientOptions,
    drop_privileges: Callable[[], None],
    *,
    quiet: bool,
    language: str = ENGLISH,
) -> int:
    """Join standard input and output to the first address that opens; return the exit code.

    The results go to standard error, since standard output is the peer's data.
    """
    from handshake.linux.tcp_repair import check_permitted
    from handshake.prober import exit_code

    check_permitted()

    timeouts = replace(timeouts, observe=0, hold=round(_HELD * NS_PER_SECOND))
    results: list[Result] = []

    def report(text: str) -> None:
        if not quiet:
            print(text, file=sys.stderr)  # noqa: T201

    for sock in _opened(target, timeouts, options, results, report, language):
        with sock:
            drop_privileges()
            from handshake.cli.relay import relay

            sys.stdout.flush()
            relay(sock)
            return 0
    return exit_code(results)


def _opened(
    target: Target,
    timeouts: Timeouts,
    options: ClientOptions,
    results: list[Result],
    report: Callable[[str], None],
    language: str,
) -> Iterator[socket]:
    """Yield a socket for each address that opens; report the result of each."""
    from handshake.prober import Result, probes
    from handshake.prober.answer import probe_message
    from handshake.view.probe_lines import ResultRow

    for probe in probes(target, timeouts, options):
        if isinstance(probe, Result):
            results.append(probe)
            report(ResultRow(probe, language=language).line().plain)
            continue
        with closing(probe):
            sock = probe.adopt()
        # Its packet and raw sockets are closed: whatever the peer sends, it finds none of them.
        if sock is None:
            results.append(probe.result)
            report(ResultRow(probe.result, language=language).line().plain)
            continue
        told = probe_message("title.adopted", target=printable(probe.target.text))
        report(told.said(language))
        yield sock
