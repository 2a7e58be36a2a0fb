"""Shows how a TCP connection is made: on a real host, in a saved capture, in a lesson.

What `__all__` lists is the stable Python API, with the public attributes and methods of these
classes: from version 1.0 on it changes incompatibly in a major version only, before that in a
minor version, with a line in CHANGELOG.md. So do the codes of verdicts, reasons, events, findings
and errors, and the keys of JSON and CSV, to which keys may be added; `handshake.record.schema()`
describes them. Sentences may change at any time: compare codes. Everything else is internal.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

# These functions must be imported before anything else loads their modules, which import what
# they need only inside functions.
from handshake.crafter import craft
from handshake.errors import (
    CaptureError,
    ConnectError,
    ConnectionLostError,
    HandshakeError,
    LocalError,
    ResolveError,
    UsageError,
)
from handshake.prober import probe
from handshake.replayer import replay
from handshake.version import __version__

if TYPE_CHECKING:
    from handshake.crafter.decode import decode
    from handshake.crafter.decoded import Decoded
    from handshake.events import Change, Event, Role, Step
    from handshake.export.columns import Columns, columns
    from handshake.linux.guarded_port import guarded_port
    from handshake.prober import Result
    from handshake.record import Record
    from handshake.sniffer import HandshakeSession, track
    from handshake.survey.records import records
    from handshake.tcp import (
        ControlBlock,
        Endpoint,
        Flags,
        Observed,
        Options,
        Segment,
        Seq,
        State,
    )
    from handshake.tracker import Connection, Tracker, summarize
else:
    _HOMES = {
        "handshake.crafter.decode": ("decode",),
        "handshake.crafter.decoded": ("Decoded",),
        "handshake.sniffer": ("HandshakeSession", "track"),
        "handshake.events": ("Change", "Event", "Role", "Step"),
        "handshake.export.columns": ("Columns", "columns"),
        "handshake.linux.guarded_port": ("guarded_port",),
        "handshake.prober": ("Result",),
        "handshake.record": ("Record",),
        "handshake.survey": ("records",),
        "handshake.tcp": (
            "ControlBlock",
            "Endpoint",
            "Flags",
            "Observed",
            "Options",
            "Segment",
            "Seq",
            "State",
        ),
        "handshake.tracker": ("Connection", "Tracker", "summarize"),
    }

    def __getattr__(name: str) -> object:
        """Load a public name on first use: `handshake --help` needs none of them."""
        for home, names in _HOMES.items():
            if name in names:
                return getattr(import_module(home), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "CaptureError",
    "Change",
    "Columns",
    "ConnectError",
    "Connection",
    "ConnectionLostError",
    "ControlBlock",
    "Decoded",
    "Endpoint",
    "Event",
    "Flags",
    "HandshakeError",
    "HandshakeSession",
    "LocalError",
    "Observed",
    "Options",
    "Record",
    "ResolveError",
    "Result",
    "Role",
    "Segment",
    "Seq",
    "State",
    "Step",
    "Tracker",
    "UsageError",
    "__version__",
    "columns",
    "craft",
    "decode",
    "guarded_port",
    "probe",
    "records",
    "replay",
    "summarize",
    "track",
]
