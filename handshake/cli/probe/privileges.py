"""Gives all rights up once the sockets are open, and reads before what is needed after that."""

from __future__ import annotations

import codecs
from importlib import import_module
from typing import Final

_NEEDED: Final = (
    "handshake.cli.console",
    "handshake.cli.relay",
    "handshake.export.evidence",
    "handshake.export.monitor",
    "handshake.prober.rst_origin",
    "handshake.record",
    "handshake.view.explanation",
    "handshake.view.numbers",
    "handshake.view.probe",
    "handshake.view.probe_lines",
    "handshake.view.text",
    "handshake.view.words",
)
"""What is imported where it is used, and is used after this; each brings what it needs itself."""

_CODECS: Final = ("ascii", "idna", "latin-1", "punycode", "unicode_escape", "utf-8")
"""What names of hosts are looked up by, and what a peer says is shown by: Python reads a codec
when it is used for the first time."""


def drop() -> None:
    """Go on as a user without any right.

    Python, its packages and ours may lie where that user can read nothing, below /root for
    instance: whatever were read of them from now on could not be found. So all of it is read
    here. What is needed anew belongs into these lists; a live test finds what is missing.
    """
    for name in _NEEDED:
        import_module(name)
    for name in _CODECS:
        codecs.lookup(name)
    from rich.cells import cell_len

    from handshake import messages
    from handshake.linux import privileges

    messages.load()
    cell_len("…")  # reads a table of widths, as no sign of a frame does
    privileges.drop()
