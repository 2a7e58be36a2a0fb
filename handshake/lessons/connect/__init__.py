"""Lesson 1: connecting to a server, from socket() to ESTABLISHED at both ends."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from handshake.events import Change
from handshake.lessons.scene import Lesson, Moment, Scene
from handshake.lessons.script import CLIENT, SERVER, Conditions, Part, accepts, connects
from handshake.lessons.ss import listening_row, socket_row
from handshake.packet.checksum import checksummed
from handshake.tcp import (
    ControlBlock,
    Endpoint,
    Flags,
    Input,
    Observed,
    Options,
    Segment,
    Seq,
    State,
    options,
)
from handshake.tcp.segment import differing_fields
from handshake.tracker import Tracker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.events import Step
    from handshake.lessons.ss import SsRow

ONE_WAY: Final = 14_200_000
"""The one-way delay in nanoseconds."""

NOWHERE: Final = Endpoint.of("0.0.0.0", 0)  # noqa: S104 - what a new socket has for an address
ANYWHERE: Final = Endpoint.of("0.0.0.0", 80)  # noqa: S104 - any address of the server's

SYN: Final = checksummed(
    Segment(
        CLIENT,
        SERVER,
        seq=Seq(1000),
        ack=None,
        flags=Flags.SYN,
        window=64240,
        options=Options.of(
            options.mss(1460),
            options.sack_permitted(),
            options.timestamps(7000),
            options.nop(),
            options.window_scale(7),
        ),
    )
)

SYN_ACK: Final = checksummed(
    Segment(
        SERVER,
        CLIENT,
        seq=Seq(5000),
        ack=Seq(1001),
        flags=Flags.SYN | Flags.ACK,
        window=65160,
        options=Options.of(
            options.mss(1460),
            options.sack_permitted(),
            options.timestamps(9000, 7000),
            options.nop(),
            options.window_scale(7),
        ),
    )
)

ACK: Final = checksummed(
    Segment(
        CLIENT,
        SERVER,
        seq=Seq(1001),
        ack=Seq(5001),
        flags=Flags.ACK,
        # Scaled by 7 from here on: 502 means 64256 octets.
        window=502,
        options=Options.of(options.nop(), options.nop(), options.timestamps(7028, 9000)),
    )
)

_SEEN_AS: Final = {
    "connect": "connect-begins",
    "syn-arrives": "syn-reaches",
    "established": "accept",
}
"""The first two are seen before the kernel goes on at once: with the SYN, with the SYN-ACK."""

CLIENT_PROGRAM: Final = (
    "s = socket(AF_INET, SOCK_STREAM, 0)",
    "connect(s, 198.51.100.7 port 80)",
    "send(s, ...)",
)

SERVER_PROGRAM: Final = (
    "s = socket(AF_INET, SOCK_STREAM, 0)",
    "bind(s, 0.0.0.0 port 80)",
    "listen(s, 128)",
    "c = accept(s)",
    "recv(c, ...)",
)


def _scenes() -> Iterator[Scene]:
    # What the system calls set in each socket, before any segment.
    empty = ControlBlock(NOWHERE)
    listener = replace(empty, local=ANYWHERE, passive=True).after(Input.PASSIVE_OPEN)
    client = replace(empty, local=CLIENT, remote=SERVER)
    yield _system_call("socket", Change(None, empty), Change(None, empty), 0, 0)
    yield _system_call("listen", _unchanged(empty), Change(empty, listener), 0, 3)
    yield _system_call("connect", Change(empty, client), _unchanged(listener), 1, 3)

    # From here on the tracker knows the state. It looks a listening socket up by the SYN's
    # destination address, not by the socket's own "any address".
    tracker = Tracker(sockets=[client, replace(listener, local=SERVER)])
    syn = tracker.feed(Observed(SYN, 0))
    syn_ack = tracker.feed(Observed(SYN_ACK, ONE_WAY))
    ack = tracker.feed(Observed(ACK, 2 * ONE_WAY))

    yield _leaves("syn", syn, Change(client, syn.client.after), _unchanged(listener), 1, 3)
    # The listening socket is found; the connection is created with the answer, in the next scene.
    yield _arrives("syn-arrives", syn, _unchanged(syn.client.after), _unchanged(listener), 1, 3)
    entry = Change(None, syn_ack.server.after)
    yield _leaves("syn-ack", syn_ack, _unchanged(syn.client.after), entry, 1, 3, SYN)
    half_open = _unchanged(entry.after)
    yield _arrives("syn-ack-arrives", syn_ack, syn_ack.client, half_open, 2, 3, SYN)
    yield _leaves("ack", ack, ack.client, half_open, 2, 3, SYN_ACK)
    yield _arrives("established", ack, _unchanged(ack.client.after), ack.server, 2, 4, SYN_ACK)


def _unchanged(block: ControlBlock | None) -> Change:
    return Change(block, block)


def _system_call(
    name: str, client: Change, server: Change, client_line: int, server_line: int
) -> Scene:
    return Scene(
        name,
        0,
        Moment.CALL,
        client,
        server,
        client_line,
        server_line,
        sockets=_sockets(client, server),
        seen_as=_SEEN_AS.get(name, ""),
    )


def _leaves(
    name: str,
    step: Step,
    client: Change,
    server: Change,
    client_line: int,
    server_line: int,
    before: Segment | None = None,
) -> Scene:
    return Scene(
        name,
        step.observed.at,
        Moment.LEAVES,
        client,
        server,
        client_line,
        server_line,
        step.segment,
        step.by,
        frozenset() if before is None else differing_fields(before, step.segment),
        sockets=_sockets(client, server),
        seen_as=_SEEN_AS.get(name, ""),
        step=step,
    )


def _arrives(
    name: str,
    step: Step,
    client: Change,
    server: Change,
    client_line: int,
    server_line: int,
    before: Segment | None = None,
) -> Scene:
    left = _leaves(name, step, client, server, client_line, server_line, before)
    return replace(left, at=left.at + ONE_WAY, moment=Moment.ARRIVES)


def _sockets(client: Change, server: Change) -> tuple[tuple[SsRow, ...], tuple[SsRow, ...]]:
    """Return what `ss -tan` prints on both hosts: the listening socket stays what it is."""
    rows = [
        tuple(() if each.after is None else socket_row(each.after)) for each in (client, server)
    ]
    listens = server.after is not None and server.after.state is not State.CLOSED
    return rows[0], (*([listening_row(SERVER.port, 0, 128)] if listens else []), *rows[1])


CONNECT: Final = Lesson(
    "connect",
    tuple(_scenes()),
    CLIENT_PROGRAM,
    SERVER_PROGRAM,
    parts=(Part("", (accepts(0), connects()), 0.5),),
    asides=tuple(
        Part(
            name,
            (accepts(0), replace(connects(), data=b"GET")),
            0.5,
            Conditions(quickack=name == "ack-first"),
        )
        for name in ("ack-first", "ack-with-data")
    ),
)
