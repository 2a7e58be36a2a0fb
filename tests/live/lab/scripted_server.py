"""A server of a few lines that does all as RFC 9293 says, except at the steps done otherwise.

def syn(listener: Listener, heard: Observed) -> Packets:
    if listener.times("syn") == 1:
        return [packet(syn_ack(heard, ack=5000))]
    return listener.syn(heard)

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
    heard: Observed,
    flags: Flags,
    *,
    seq: int | Seq = ISS + 1,
    ack: int | Seq | None = None,
    **fields: Any,
) -> Segment:
    """Return a segment back; with ACK it acknowledges all that was heard, unless told otherwise.

    `fields` are more fields of `Segment`.
    """
    seg = heard.segment
    acked = None
    if Flags.ACK in flags:
        acked = seg.end if ack is None else Seq(int(ack))
    fields = {"window": 64240} | fields
    return Segment(seg.destination, seg.source, Seq(int(seq)), acked, flags, **fields)


def syn_ack(heard: Observed, *more: Flags, **fields: Any) -> Segment:
    """Return the SYN,ACK that answers a SYN, with `more` flags, and what else `reply` takes."""
    flags = functools.reduce(Flags.__or__, more, SYN_ACK)
    given: dict[str, Any] = {"seq": ISS, "options": OFFER} | fields
    return reply(heard, flags, **given)


class Listener:
    """The script of a correct server: it lets a caller in, and closes when he does.

    A segment is a `syn`, a `rst`, a `fin`, or else an `ack`. Each is the name of a step that
    may be done `otherwise`.
    """

    def __init__(self, **otherwise: Step) -> None:
        assert otherwise.keys() <= {"syn", "rst", "fin", "ack"}
        self._otherwise = otherwise
        self._heard: Counter[str] = Counter()

    def __call__(self, heard: Observed) -> Packets:
        seg = heard.segment
        step = "rst" if seg.rst else "syn" if seg.syn else "fin" if seg.fin else "ack"
        self._heard[step] += 1
        if step in self._otherwise:
            return self._otherwise[step](self, heard)
        correct: Callable[[Observed], Packets] = getattr(self, step)
        return correct(heard)

    def times(self, step: str) -> int:
        """Return how often such a segment has come, this one included."""
        return self._heard[step]

    # The correct steps.

    def syn(self, heard: Observed) -> Packets:
        """Answer a SYN."""
        return [packet(syn_ack(heard))]

    def ack(self, heard: Observed) -> Packets:
        """Acknowledge data, if there is any."""
        if not heard.segment.payload_length:
            return []
        return [packet(reply(heard, ACK))]

    def fin(self, heard: Observed) -> Packets:
        """Close, too: our FIN acknowledges his."""
        return [packet(reply(heard, FIN_ACK))]

    def rst(self, heard: Observed) -> Packets:  # noqa: ARG002 - as the other steps
        """Say nothing."""
        return []
