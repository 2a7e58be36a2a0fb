"""The rules of RFC 9293: header, control block, state table; standard library only."""

from handshake.tcp.agreement import Agreement
from handshake.tcp.control_block import ControlBlock
from handshake.tcp.option_kinds import Kind
from handshake.tcp.options import Option, Options, Timestamps
from handshake.tcp.segment import Endpoint, Flags, Observed, Segment
from handshake.tcp.seq import Seq
from handshake.tcp.space import Offer, ReceiveSpace, SendSpace
from handshake.tcp.state import TRANSITIONS, Input, State

__all__ = [
    "TRANSITIONS",
    "Agreement",
    "ControlBlock",
    "Endpoint",
    "Flags",
    "Input",
    "Kind",
    "Observed",
    "Offer",
    "Option",
    "Options",
    "ReceiveSpace",
    "Segment",
    "SendSpace",
    "Seq",
    "State",
    "Timestamps",
]
