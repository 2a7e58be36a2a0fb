"""What is played in a part of a lesson: the conditions, and the calls of both programs.

`stage` plays it on two hosts of `endpoint`, `live` on two hosts of a real kernel.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from handshake.events import Role
from handshake.tcp import Endpoint, Offer, Seq
from handshake.tcp.address import ip_address

CLIENT: Final = Endpoint.of("192.0.2.10", 49152)
SERVER: Final = Endpoint.of("198.51.100.7", 80)
ROUTER: Final = ip_address("203.0.113.1")
LINUX: Final = Offer(mss=1460, window_scale=7, sack_permitted=True, timestamps=True)


@dataclass(frozen=True)
class Conditions:
    """What the world of a lesson is like."""

    rtt: int = 28_400_000
    """The round trip in nanoseconds."""

    drops: frozenset[tuple[str, int]] = frozenset()
    """Segments that are lost: one of `KINDS`, and which of its kind, from 1; 0 for all of them."""

    closed: bool = False
    """Whether no program listens on the server's port."""

    backlog: int = 128
    cookies: bool = False
    """Whether the server answers SYNs with cookies where its queue is full."""

    offers: tuple[Offer, Offer] = (LINUX, LINUX)
    """What the client's host and the server's host offer in their SYNs."""

    numbers: tuple[Seq, Seq] = (Seq(1000), Seq(5000))
    """The initial sequence numbers of client and server; a kernel chooses its own."""

    data: bytes = b""
    """What the client's program sends with connect(), by Fast Open, if it has a cookie."""

    fast_open: bytes = b""
    """The server's secret of Fast Open cookies; empty where it has no Fast Open."""

    icmp: int | None = None
    """The code of the ICMP error "destination unreachable" by which a router before the server
    answers everything that is for it; None for no such router."""

    crossing: bool = False
    """Whether the server's program connects, too, instead of listening (simultaneous open)."""

    quickack: bool = True
    """Whether the client's kernel acknowledges at once, as Linux does by default (TCP_QUICKACK)."""

    retries: int = 6
    """tcp_syn_retries of the client: how often its SYN is sent again, and `linear` times more."""

    linear: int = 4
    """tcp_syn_linear_timeouts of the client, as Linux has it since 6.5; 0 before that."""


class Action(Enum):
    """What a program does, or what reaches a host from outside of the conversation."""

    CONNECT = "connect"
    ACCEPT = "accept"
    SEND = "send"
    SHUTDOWN = "shutdown"
    CLOSE = "close"
    ABORT = "abort"
    FLOOD = "flood"
    """SYNs arrive at the server whose senders never answer: `number` of them."""

    FORGE = "forge"
    """A RST arrives at the client that the server did not send, with the sequence number
    `number`."""


PROGRAM: Final = (Action.SEND, Action.SHUTDOWN, Action.CLOSE, Action.ABORT)
"""What a program can do only once connect() or accept() has returned."""


@dataclass(frozen=True, slots=True)
class Call:
    """Something that is done at a time."""

    name: str
    """The name of the scene."""

    at: float
    """When, in seconds."""

    by: Role
    action: Action
    data: bytes = b""
    """What is sent; by a call of connect() 10 ms after it has returned."""

    number: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a lesson: each begins anew, with a connection of its own."""

    name: str
    calls: tuple[Call, ...]
    seconds: float
    """How long it takes."""

    conditions: Conditions = field(default_factory=Conditions)


def connects(at: float = 0.0) -> Call:
    """Return the call of the client's program that opens the connection."""
    return Call("connect", at, Role.CLIENT, Action.CONNECT)


def accepts(at: float) -> Call:
    """Return the call of the server's program that takes the connection."""
    return Call("accept", at, Role.SERVER, Action.ACCEPT)


def client(action: Action, at: float, data: bytes = b"") -> Call:
    """Return another call of the client's program; its scene has the name of the action."""
    return Call(action.value, at, Role.CLIENT, action, data)


def server(name: str, action: Action, at: float, data: bytes = b"") -> Call:
    """Return a call of the server's program, on the connection that it accepted."""
    return Call(name, at, Role.SERVER, action, data)
