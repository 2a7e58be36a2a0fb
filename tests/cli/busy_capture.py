"""A capture of 5,000 connections in ten minutes, in which some things go wrong."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final

from tests.diagnosis.made import Packet, between, down, later, saved, up

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CONNECTIONS: Final = 5000

REFUSING: Final = ("192.0.2.17", 8443)
"""The server that refuses most, from a moment on; others refuse a few."""

REFUSES_FROM: Final = 3000
"""The number of the first connection to it that is refused."""

SLOWEST: Final = 2718
"""Its round trip is longer than the timer of the SYN."""

LOST: Final = (1234, 3456, 4321)
"""Connections of which the first SYN-ACK was lost behind the capture."""

SILENT: Final = (700, 1700, 2700)


def _offer(clock: int, echo: int = 0) -> dict[str, Any]:
    return {"mss": 1460, "scale": 7, "sack_permitted": True, "stamps": (clock, echo)}


def opened(rtt: float, clock: int = 7000) -> list[Packet]:
    """Return a connection that opens, asks, is answered and closes."""
    return [
        up(0, "S", 100, **_offer(1000)),
        down(rtt, "SA", 500, 101, **_offer(clock, 1000)),
        up(rtt + 0.0001, "A", 101, 501, stamps=(1001, clock)),
        up(rtt + 0.0002, "PA", 101, 501, 120, stamps=(1002, clock)),
        down(2 * rtt, "PA", 501, 221, 300, stamps=(clock + 5, 1002)),
        up(2 * rtt + 0.001, "FA", 221, 801, stamps=(1008, clock + 5)),
        down(3 * rtt, "FA", 801, 222, stamps=(clock + 9, 1008)),
        up(3 * rtt + 0.001, "A", 222, 802, stamps=(1012, clock + 9)),
    ]


def refused(rtt: float) -> list[Packet]:
    """Return a connection that a RST refuses."""
    return [up(0, "S", 100, **_offer(1000)), down(rtt, "RA", 0, 101, window=0)]


def silent(_: float) -> list[Packet]:
    """Return SYNs that get no answer."""
    return [up(at, "S", 100, **_offer(1000 + round(at * 1000))) for at in (0, 1.0, 3.0)]


def slow(_: float) -> list[Packet]:
    """Return a connection whose first SYN was answered after its timer had expired."""
    rtt = 1.9
    return [
        up(0, "S", 100, **_offer(1000)),
        up(1.0, "S", 100, **_offer(2000)),
        down(rtt, "SA", 500, 101, **_offer(7000, 1000)),
        up(rtt + 0.0001, "A", 101, 501, stamps=(2900, 7000)),
        down(1.0 + rtt, "SA", 500, 101, **_offer(8000, 1000)),
        up(1.0 + rtt + 0.0001, "A", 101, 501, stamps=(3900, 7000)),
    ]


def lost_syn_ack(rtt: float) -> list[Packet]:
    """Return a connection whose first SYN-ACK did not arrive."""
    return [
        up(0, "S", 100, **_offer(1000)),
        down(rtt, "SA", 500, 101, **_offer(7000, 1000)),
        up(1.0, "S", 100, **_offer(2000)),
        down(1.0 + rtt, "SA", 500, 101, **_offer(8000, 1000)),
        *later(opened(rtt, 8000)[2:], 1.0),
    ]


def busy(path: Path, connections: int = CONNECTIONS) -> Path:
    """Write the capture, here with more or fewer connections; the same octets each time."""
    dice, packets = random.Random(9293), list[Packet]()
    for number in range(1, connections + 1):
        rtt = dice.uniform(0.01, 0.06)
        server = (f"192.0.2.{1 + number % 40}", 443)
        kind: Callable[[float], list[Packet]] = opened
        if number % 50 == 0:
            server = REFUSING
            kind = refused if number >= REFUSES_FROM else opened
        elif number % 997 == 0:
            kind = refused
        if number == SLOWEST:
            kind = slow
        elif number in LOST:
            kind = lost_syn_ack
        elif number in SILENT:
            kind = silent
        ends = {"client": (f"10.1.0.{1 + number % 200}", 10_000 + number), "server": server}
        packets += later(between(kind(rtt), **ends), number * 0.12)
    return saved(sorted(packets, key=lambda each: each.at), path)
