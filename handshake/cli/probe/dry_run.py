"""`handshake probe --dry-run`: the SYN that would be sent, field by field."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from handshake.cli.probe.report import Output
    from handshake.prober import ClientOptions, Target
    from handshake.tcp import Observed


def show_syns(targets: Sequence[Target], options: ClientOptions, output: Output) -> int:
    """Show the SYN to each address of each target; return the exit code."""
    from handshake.cli.console import console, glyphs, show
    from handshake.view.syn import SynView

    out = console(plain=output.plain)
    signs = glyphs(output.language, ascii_only=output.ascii_only)
    for number, (target, observed) in enumerate(_syns(targets, options)):
        if output.as_json:
            sys.stdout.write(json.dumps(_as_json(target, observed)) + "\n")
        elif output.as_text:
            lines = SynView(target.text, observed, signs).lines(out.width)
            show(out, lines if number == 0 else [lines[0][:0], *lines])
    return 0


def _syns(targets: Sequence[Target], options: ClientOptions) -> Iterator[tuple[Target, Observed]]:
    from handshake.prober.dry_run import syn
    from handshake.prober.resolver import lookup

    for target in targets:
        for remote in lookup(target):
            yield target, syn(remote, options)


def _as_json(target: Target, observed: Observed) -> dict[str, Any]:
    from handshake.step_record import segment_record

    segment = observed.segment
    return {
        "target": target.text,
        "address": str(segment.destination.address),
        "port": segment.destination.port,
        "ttl": observed.ttl,
        "segment": segment_record(segment),
        "packet": observed.packet.hex(),
    }
