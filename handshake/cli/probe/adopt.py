"""`handshake probe --adopt`: the kernel carries the connection on, joined to our streams."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from socket import socket

    from handshake.prober import ClientOptions, Result, Target, Timeouts

_HELD = 86_400.0
"""Seconds that the connection may wait to be taken over: until then our end keeps it open."""


def run(
    target: Target,
    timeouts: Timeouts,
    options: ClientOptions,
    drop_privileges: Callable[[], None],
    *,
    quiet: bool,
) -> int:
    """Join standard input and output to the first address that opens; return the exit code.

    What became of each address is said on standard error: the output is the peer's.
    """
    from handshake.linux.tcp_repair import check_permitted
    from handshake.prober import exit_code

    check_permitted()

    timeouts = replace(timeouts, observe=0, hold=round(_HELD * NS_PER_SECOND))
    results: list[Result] = []
    for sock in _opened(target, timeouts, options, results, quiet=quiet):
        with sock:
            drop_privileges()
            from handshake.cli.relay import join

            sys.stdout.flush()
            join(sock)
            return 0
    return exit_code(results)


def _opened(
    target: Target,
    timeouts: Timeouts,
    options: ClientOptions,
    results: list[Result],
    *,
    quiet: bool,
) -> Iterator[socket]:
    """Yield a socket for each address that opens; say what became of all."""
    from handshake.prober import Result, probes
    from handshake.prober.adopt import adopted
    from handshake.prober.userspace.connections import UserspaceConnections
    from handshake.view.probe_lines import result_line

    def say(text: str) -> None:
        if not quiet:
            print(text, file=sys.stderr)  # noqa: T201

    for call in probes(target, timeouts, options):
        if isinstance(call, Result):
            results.append(call)
            say(result_line(call).plain)
            continue
        connections = UserspaceConnections(timeouts, options, attentive=True)
        call.connections = connections
        try:
            with closing(call):
                sock = adopted(call, connections)
                if sock is None:
                    results.append(call.result)
                    say(result_line(call.result).plain)
                    continue
                say(f"OPEN  {call.target.text}: opened by hand, and carried on by the kernel")
                yield sock
        finally:
            connections.close()
