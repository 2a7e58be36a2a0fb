"""Shows how a TCP connection is made: on a real host, in a saved capture, in a lesson."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from handshake.errors import CaptureError, HandshakeError, LocalError, UsageError

# These two have the names of the modules they come from: they must be here before anything
# else loads those, and so those load what they need only when they are called.
from handshake.prober import probe
from handshake.replayer import replay

if TYPE_CHECKING:
    from handshake.events import Change, Event, Role, Step
    from handshake.prober import Result
    from handshake.record import Record
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
        "handshake.events": ("Change", "Event", "Role", "Step"),
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
        """Load a public name when it is asked for: `handshake --help` needs none of them."""
        for home, names in _HOMES.items():
            if name in names:
                return getattr(import_module(home), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "CaptureError",
    "Change",
    "Connection",
    "ControlBlock",
    "Endpoint",
    "Event",
    "Flags",
    "HandshakeError",
    "LocalError",
    "Observed",
    "Options",
    "Record",
    "Result",
    "Role",
    "Segment",
    "Seq",
    "State",
    "Step",
    "Tracker",
    "UsageError",
    "probe",
    "records",
    "replay",
    "summarize",
]
