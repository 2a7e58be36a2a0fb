"""A small server that follows RFC 9293, except in the steps that a test replaces.

def syn(listener: Listener, received: Observed) -> Packets:
    if listener.times("syn") == 1:
        return [packet(syn_ack(received, ack=5000))]
    return listener.syn(received)

with peer(Listener(syn=syn)) as (client, server): ...
"""

import functools
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from handshake.tcp import Flags, Observed, Options, Segment, Seq
from handshake.tcp import options as opt
from tests.live.lab.packets import Packet, packet

Packets: TypeAlias = Iterable[Packet]
Step: TypeAlias = Callable[["Listener", Observed], Packets]

ISS = 300
"""The number of the listener's SYN, as in the figures of the RFC."""

OFFER = Options.of(opt.mss(1460), opt.nop(), opt.nop(), opt.sack_permitted())

RST, ACK, FIN = Flags.RST, Flags.ACK, Flags.FIN
SYN_ACK = Flags.SYN | Flags.ACK
RST_ACK = Flags.RST | Flags.ACK
FIN_ACK = Flags.FIN | Flags.ACK


def reply(
    received: Observed,
    flags: Flags,
    *,
    seq: int | Seq = ISS + 1,
    ack: int | Seq | None = None,
    **fields: Any,
) -> Segment:
    """Return a reply; with ACK it acknowledges all that was received, unless `ack` is given.

    `fields` are more fields of `Segment`.
    """
    seg = received.segment
    acked = None
    if Flags.ACK in flags:
        acked = seg.end if ack is None else Seq(int(ack))
    fields = {"window": 64240} | fields
    return Segment(seg.destination, seg.source, Seq(int(seq)), acked, flags, **fields)


def syn_ack(received: Observed, *more: Flags, **fields: Any) -> Segment:
    """Return the SYN-ACK that answers a SYN, with `more` flags and the arguments of `reply`."""
    flags = functools.reduce(Flags.__or__, more, SYN_ACK)
    given: dict[str, Any] = {"seq": ISS, "options": OFFER} | fields
    return reply(received, flags, **given)


class Listener:
    """The script of a correct server: it accepts a connection, and closes when the client does.

    A segment is a `syn`, a `rst`, a `fin`, or else an `ack`. Each is the name of a step that
    may be replaced, by `otherwise`.
    """

    def __init__(self, **otherwise: Step) -> None:
        assert otherwise.keys() <= {"syn", "rst", "fin", "ack"}
        self._otherwise = otherwise
        self._received: Counter[str] = Counter()

    def __call__(self, received: Observed) -> Packets:
        seg = received.segment
        step = "rst" if seg.rst else "syn" if seg.syn else "fin" if seg.fin else "ack"
        self._received[step] += 1
        if step in self._otherwise:
            return self._otherwise[step](self, received)
        correct: Callable[[Observed], Packets] = getattr(self, step)
        return correct(received)

    def times(self, step: str) -> int:
        """Return how many such segments were received, this one included."""
        return self._received[step]

    # The correct steps.

    def syn(self, received: Observed) -> Packets:
        """Answer a SYN."""
        return [packet(syn_ack(received))]

    def ack(self, received: Observed) -> Packets:
        """Acknowledge data, if there is any."""
        if not received.segment.payload_length:
            return []
        return [packet(reply(received, ACK))]

    def fin(self, received: Observed) -> Packets:
        """Close, too: our FIN acknowledges the client's."""
        return [packet(reply(received, FIN_ACK))]

    def rst(self, received: Observed) -> Packets:  # noqa: ARG002 - as the other steps
        """Send nothing."""
        return []
