"""Shows how a TCP connection is made: on a real host, in a saved capture, in a lesson."""

from handshake.errors import CannotRun, CaptureError, HandshakeError, UsageError
from handshake.events import Change, Event, Role, Step
from handshake.probe import Result, probe
from handshake.record import Record
from handshake.replay import replay
from handshake.survey import records
from handshake.tcp import ControlBlock, Endpoint, Flags, Observed, Options, Segment, Seq, State
from handshake.tracker import Connection, Tracker, summarize

__all__ = [
    "CannotRun",
    "CaptureError",
    "Change",
    "Connection",
    "ControlBlock",
    "Endpoint",
    "Event",
    "Flags",
    "HandshakeError",
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
