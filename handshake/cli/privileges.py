"""Drops privileges once the sockets are open, after loading all that is needed later."""

from __future__ import annotations

import codecs
from importlib import import_module
from typing import TYPE_CHECKING, Final

from handshake.messages import ENGLISH

if TYPE_CHECKING:
    from collections.abc import Sequence

PROBE: Final = (
    "handshake.cli.console",
    "handshake.cli.probe.live",
    "handshake.cli.relay",
    "handshake.export.evidence",
    "handshake.export.monitor",
    "handshake.linux.policy_route",
    "handshake.prober.diagnosis",
    "handshake.prober.rst_origin",
    "handshake.prober.trace",
    "handshake.record",
    "handshake.view.hexdump",
    "handshake.view.step",
    "handshake.view.probe",
    "handshake.view.probe_live",
    "handshake.view.trace",
    "handshake.view.probe_lines",
    "handshake.view.layout",
    "handshake.view.notation",
)
"""Modules that `probe` imports late and uses after privileges are dropped."""

SERVE: Final = (
    "handshake.cli.console",
    "handshake.cli.probe.live",
    "handshake.export.evidence",
    "handshake.linux.policy_route",
    "handshake.step_record",
    "handshake.view.hexdump",
    "handshake.view.serve",
    "handshake.view.step",
)
"""Those of `serve`."""

_CODECS: Final = ("ascii", "idna", "latin-1", "punycode", "unicode_escape", "utf-8")
"""Codecs for host names and for data of the peer: Python loads a codec on first use."""

WATCH: Final = (
    "handshake.cli.console",
    "handshake.diagnosis.watched",
    "handshake.query.problems",
    "handshake.survey.decode.chunk_items",
    "handshake.survey.alike.models",
    "handshake.survey.follow.run_columns",
    "handshake.view.record_lines",
    "handshake.watcher",
)
"""Those of `watch`."""

TABLE: Final = (
    "handshake.cli.browse",
    "handshake.cli.live_list",
    "handshake.cli.open_list",
    "handshake.cli.tui",
    "handshake.cli.with_export",
    "handshake.cli.with_help",
    "handshake.export.document",
    "handshake.export.formats",
    "handshake.export.html",
    "handshake.export.markdown",
    "handshake.export.pcapng",
    "handshake.export.report",
    "handshake.export.step_document",
    "handshake.export.svg",
    "handshake.export.text",
    "handshake.query.complete",
    "handshake.view.replay",
)
"""Those of its table."""


def drop(language: str = ENGLISH, needed: Sequence[str] = PROBE) -> None:
    """Continue as a user without privileges, with the sentences of a language.

    That user may not be able to read the installation, below /root for instance: so all that is
    needed later is loaded here. A live test finds what is missing from these lists.
    """
    for name in needed:
        import_module(name)
    for name in _CODECS:
        codecs.lookup(name)
    from rich.cells import cell_len

    from handshake import messages
    from handshake.linux import privileges

    messages.load(language)
    cell_len("…")  # loads a table of widths
    privileges.drop()
