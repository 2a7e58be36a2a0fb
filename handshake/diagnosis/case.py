"""A connection that did not go well, as the rules of a diagnosis look at it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.record import Diagnosis, RuledOut
from handshake.tcp.seq import distance
from handshake.units import ACK_BIT, NS_PER_SECOND, RST_BIT, SYN_BIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from handshake.diagnosis.others import Others
    from handshake.diagnosis.seen import Seen
    from handshake.record import Record
    from handshake.tcp import Endpoint
    from handshake.tcp.icmp import IcmpError


_OPENING: Final = SYN_BIT | ACK_BIT | RST_BIT
_FAR: Final = 1 << 24
"""Octets that no server sends before its SYN-ACK is acknowledged."""


class Claim(NamedTuple):
    """What a rule concludes: a code, how certain it is, and the segments that show it."""

    code: str
    certainty: str
    """`proven`, `likely` or `possible`."""

    evidence: Sequence[Seen]
    values: Mapping[str, object]
    """What its sentences name."""

    ruled_out: Sequence[RuledOut] = ()

    def diagnosis(self) -> Diagnosis:
        """Return it as the record has it."""
        frames = sorted({each.frame for each in self.evidence if each.frame is not None})
        return Diagnosis(
            self.code, self.certainty, tuple(frames), tuple(self.ruled_out), dict(self.values)
        )


@dataclass(eq=False)
class Case:
    """One connection: its record so far, and what was kept of its segments."""

    record: Record
    client: Endpoint
    segments: Sequence[Seen]
    """What was kept of its segments, in the order of the capture."""

    damaged: Sequence[Seen]
    """RSTs with a wrong checksum, which are not among them: the receiver drops them."""

    complete: bool
    """Whether every segment was kept."""

    icmp: Sequence[IcmpError]
    others: Others

    sent: list[Seen] = field(default_factory=list, init=False)
    """What the client sent."""

    answers: list[Seen] = field(default_factory=list, init=False)
    """What the server sent."""

    syns: list[Seen] = field(default_factory=list, init=False)
    """The client's SYNs."""

    syn_acks: list[Seen] = field(default_factory=list, init=False)
    """The server's SYN-ACKs."""

    resets: list[Seen] = field(default_factory=list, init=False)
    """The RSTs of both."""

    @classmethod
    def of(
        cls,
        record: Record,
        client: Endpoint,
        kept: Sequence[Seen],
        others: Others,
        *,
        complete: bool = True,
        icmp: Sequence[IcmpError] = (),
    ) -> Case:
        """Return the case of a connection of which these segments were kept."""
        believed = [each for each in kept if each.believed]
        damaged = [each for each in kept if not each.believed]
        return cls(record, client, believed, damaged, complete, icmp, others)

    def __post_init__(self) -> None:
        client = self.client
        for each in self.segments:
            source, opening = each.source, each.flags & _OPENING
            if source is client or source == client:
                self.sent.append(each)
                if opening == SYN_BIT:
                    self.syns.append(each)
            else:
                self.answers.append(each)
                if opening == SYN_BIT | ACK_BIT:
                    self.syn_acks.append(each)
            if opening & RST_BIT:
                self.resets.append(each)

    @cached_property
    def data(self) -> tuple[list[Seen], list[Seen]]:
        """The segments with data of the server and of the client, without SYNs and RSTs."""
        answers, sent = (
            [each for each in end if each.length and not each.flags & (SYN_BIT | RST_BIT)]
            for end in (self.answers, self.sent)
        )
        return answers, sent

    def by_client(self, seen: Seen) -> bool:
        """Whether the client sent it."""
        source, client = seen.source, self.client
        return source is client or source == client

    @property
    def port(self) -> int:
        """The server's port."""
        return self.record.server.port

    def place(self, seen: Seen) -> int:
        """Return where it stands among the segments."""
        return next(at for at, each in enumerate(self.segments) if each is seen)

    def after(self, seen: Seen) -> Sequence[Seen]:
        """Return the segments that were captured after it."""
        return self.segments[self.place(seen) + 1 :]

    @property
    def final_ack(self) -> Seen | None:
        """The client's first segment that acknowledges a SYN-ACK which was seen before it."""
        return self._final_ack if self.syn_acks else None

    @cached_property
    def _final_ack(self) -> Seen | None:
        isns: set[int] = set()
        for each in self.segments:
            if not self.by_client(each):
                if each.syn_ack:
                    isns.add(each.seq)
            elif not (each.rst or each.syn or each.syn_ack) and _acknowledges(each, isns):
                return each
        return None


def _acknowledges(seen: Seen, isns: Iterable[int]) -> bool:
    ack = seen.ack
    return ack is not None and any(0 < distance(isn, ack) < _FAR for isn in isns)


def seconds(first: Seen, last: Seen) -> float:
    """Return the seconds between two segments; 0 where the clock stepped back."""
    return max(0, last.at - first.at) / NS_PER_SECOND


def ttls(seen: Iterable[Seen]) -> Iterator[int]:
    """Yield each TTL once."""
    return iter(dict.fromkeys(each.ttl for each in seen if each.ttl is not None))


def ordered(found: Sequence[Seen]) -> list[Seen]:
    """Return segments in the order of the capture, each once."""
    return sorted(dict.fromkeys(found), key=lambda each: (each.frame or 0, each.at))


def name_of(case: Case, seen: Seen) -> str:
    """Return which end sent it: `client` or `server`."""
    return "client" if case.by_client(seen) else "server"


def finishes(syn_ack: Seen, final: Seen) -> bool:
    """Whether it acknowledges a SYN-ACK."""
    return final.answers(syn_ack) and final.ack is not None and distance(syn_ack.seq, final.ack) > 0


def rejects(rst: Seen, seen: Seen) -> bool:
    """Whether it is the RST that rejects a segment: its number is SEG.ACK (section 3.5.2)."""
    return rst.rst and rst.answers(seen) and rst.seq == seen.ack
