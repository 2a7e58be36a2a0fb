"""What the rest of a capture shows of the hosts of a connection, in bounded tables."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from handshake.units import MASK

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence, Set

    from handshake.diagnosis.seen import Seen
    from handshake.tcp import Endpoint

HOSTS: Final = 4096
"""Entries of a table; the oldest are dropped first."""

PORTS: Final = 256
"""Ports, or clients, that are told apart of one host."""

ANSWERS: Final = 64
"""Ports of a host whose answers are remembered."""

_STAMPS: Final = 16
"""Timestamps remembered of a pair of hosts."""

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class Answer(NamedTuple):
    """An answer of a host to a SYN."""

    frame: int | None
    at: int
    ttl: int | None
    port: int
    refused: bool
    """Whether it was a RST, and not a SYN-ACK."""

    took: int | None = None
    """Nanoseconds after the SYN."""


class Stamp(NamedTuple):
    """A timestamp of a client that a server accepted."""

    frame: int | None
    at: int
    value: int


@dataclass(slots=True)
class Host:
    """The first and the last answer of each port of a host."""

    ports: dict[int, tuple[Answer, Answer]] = field(default_factory=dict)
    refusals: int = 0
    """At how many of the ports the first or the last answer was a RST."""

    ordered: list[Answer] | None = None
    """All answers in the order of time, once they were asked for."""

    accepting: list[Answer] | None = None
    """Those of them that are no RSTs, likewise."""

    ttls: dict[int, int | None] | None = None
    """All TTLs that `known` has, likewise."""

    sent: dict[int, int | None] = field(default_factory=dict)
    """The TTLs of its own SYNs, each with a frame: remembered of a host that refuses."""

    def add(self, answer: Answer) -> None:
        """Remember an answer."""
        known = self.ports.get(answer.port)
        if known is not None:
            self.refusals -= known[0].refused or known[1].refused
            first = min(known[0], answer, key=lambda each: each.at)
            last = max(known[1], answer, key=lambda each: each.at)
        elif len(self.ports) < ANSWERS:
            first = last = answer
        else:
            return
        self.ports[answer.port] = first, last
        self.ordered = self.accepting = self.ttls = None
        self.refusals += first.refused or last.refused

    @property
    def answers(self) -> Sequence[Answer]:
        """All that are remembered, in the order of time."""
        if self.ordered is None:
            found = {answer for pair in self.ports.values() for answer in pair}
            self.ordered = sorted(found, key=lambda each: (each.at, each.frame or 0))
        return self.ordered

    @property
    def known(self) -> dict[int, int | None]:
        """The TTLs of its SYNs and SYN-ACKs, each with a frame."""
        if self.ttls is None:
            opened = {each.ttl: each.frame for each in self.opened if each.ttl is not None}
            self.ttls = self.sent | opened
        return self.ttls

    @property
    def opened(self) -> Sequence[Answer]:
        """Those of `answers` that are SYN-ACKs."""
        if self.accepting is None:
            self.accepting = [each for each in self.answers if not each.refused]
        return self.accepting


@dataclass(slots=True)
class Failures:
    """Connections to one port that got no further than SYN or SYN-ACK, or all of one client."""

    count: int = 0
    names: set[object] = field(default_factory=set)
    """The clients, or the ports."""

    @property
    def capped(self) -> bool:
        """Whether there may be more names than are remembered."""
        return len(self.names) >= PORTS

    def add(self, count: int, names: Iterable[object]) -> None:
        """Count some that differ in these names."""
        self.count += count
        for name in names:
            if len(self.names) < PORTS:
                self.names.add(name)


class Others:
    """The hosts of a capture, as far as it was read."""

    def __init__(self) -> None:
        self._hosts: OrderedDict[str, Host] = OrderedDict()
        self._refusing: set[str] = set()
        self._stamps: OrderedDict[tuple[str, str], list[Stamp]] = OrderedDict()
        self._reached: dict[tuple[str, str], int | None] = {}
        """The first segment of a client that answers a SYN-ACK, by client and server."""

        self._unasked: OrderedDict[tuple[str, int, int], list[Seen]] = OrderedDict()
        """SYN-ACKs to a client that sent no SYN to their sender."""

        self._asked: OrderedDict[tuple[str, int, int], list[Seen]] = OrderedDict()
        """SYNs that got no answer from where they went, by what acknowledges them."""

        self._tried: OrderedDict[tuple[str, str], Failures] = OrderedDict()
        self._swept: OrderedDict[tuple[str, int], Failures] = OrderedDict()
        self._hanging: OrderedDict[tuple[str, int], Failures] = OrderedDict()
        self._tables: dict[str, Mapping[Any, Any]] = {
            "client": self._hosts,
            "server": self._hosts,
            "stamps": self._stamps,
            "tried": self._tried,
            "swept": self._swept,
            "hanging": self._hanging,
            "reached": self._reached,
            "answers_from_elsewhere": self._unasked,
            "asked_elsewhere": self._asked,
        }
        """What each question is asked of."""

    def host(self, address: str) -> Host | None:
        """Return what is known of a host; None if it never answered."""
        return self._hosts.get(address)

    def remembers(self, address: str, port: int) -> bool:
        """Whether an answer of this port of a host is remembered."""
        host = self._hosts.get(address)
        return host is not None and port in host.ports

    def stamps(self, client: str, server: str) -> Sequence[Stamp]:
        """Return timestamps of connections that one host opened to another."""
        return self._stamps.get((client, server), ())

    def tried(self, client: str, server: str) -> Failures | None:
        """Return what failed from one host to another, by port."""
        return self._tried.get((client, server))

    def swept(self, client: str, port: int) -> Failures | None:
        """Return what failed from one host to one port, by server."""
        return self._swept.get((client, port))

    def hanging(self, server: str, port: int) -> Failures | None:
        """Return what was not completed to a port, by client."""
        return self._hanging.get((server, port))

    def reached(self, client: str, server: str) -> tuple[int | None] | None:
        """Return the frame that shows that SYN-ACKs reach a client; None if none does."""
        pair = client, server
        return (self._reached[pair],) if pair in self._reached else None

    @property
    def questions(self) -> Set[str]:
        """What `told` answers: named as methods are; `client` and `server` are `host` of either."""
        return self._tables.keys()

    def knows_nothing(self, question: str) -> bool:
        """Whether the answer to a question is the same for all connections."""
        return not self._tables[question]

    def told(self, question: str, *of: str | int) -> Hashable:
        """Return the answer to a question as far as a diagnosis looks at it; None if there is none.

        `of` is the key of the table. Nothing must be remembered between two calls whose answers
        are compared.
        """
        found = self._tables[question].get(of)
        if isinstance(found, Failures):
            return found.count, len(found.names)
        return found if found is None or isinstance(found, int) else id(found)

    def answers_from_elsewhere(self, syn: Seen) -> list[Seen]:
        """Return the SYN-ACKs of other hosts that acknowledge exactly this SYN."""
        if not self._unasked:
            return []
        found = self._unasked.get(_key(syn.source, syn.end), ())
        return [each for each in found if each.source != syn.destination]

    def asked_elsewhere(self, syn_ack: Seen) -> list[Seen]:
        """Return the SYNs to other hosts that exactly this SYN-ACK acknowledges."""
        if not self._asked:
            return []
        found = self._asked.get(_key(syn_ack.destination, syn_ack.ack), ())
        return [each for each in found if each.destination != syn_ack.source]

    @property
    def refusing(self) -> Set[str]:
        """The addresses that refused a connection."""
        return self._refusing

    def sent(self, address: str, ttl: int | None, frame: int | None) -> None:
        """Remember the TTL of a SYN of a host that refuses connections itself."""
        host = self._hosts.get(address)
        if host is not None and ttl is not None and len(host.sent) < _STAMPS:
            host.sent.setdefault(ttl, frame)
            host.ttls = None

    @property
    def has_unasked(self) -> bool:
        """Whether there was a SYN-ACK without a SYN."""
        return bool(self._unasked)

    def answered(self, address: str, answer: Answer) -> None:
        """Remember that a host answered."""
        if address not in self._hosts and len(self._hosts) >= HOSTS:
            self._refusing.discard(next(iter(self._hosts)))
        host = _of(self._hosts, address, Host)
        host.add(answer)
        if host.refusals:
            self._refusing.add(address)
        else:
            self._refusing.discard(address)

    def reaches(self, client: str, server: str, frame: int | None) -> None:
        """Remember that a client answered a SYN-ACK."""
        if (client, server) not in self._reached and len(self._reached) < HOSTS:
            self._reached[client, server] = frame

    def accepted(self, client: str, server: str, stamp: Stamp) -> None:
        """Remember a timestamp of a connection that opened."""
        known: list[Stamp] = _of(self._stamps, (client, server), list)
        known.append(stamp)
        del known[:-_STAMPS]

    def unasked(self, syn_ack: Seen) -> None:
        """Remember a SYN-ACK whose receiver sent no SYN to its sender."""
        _few(_of(self._unasked, _key(syn_ack.destination, syn_ack.ack), list), syn_ack)

    def asked(self, syn: Seen) -> None:
        """Remember a SYN that got no answer."""
        _few(_of(self._asked, _key(syn.source, syn.end), list), syn)

    def failed(self, client: str, server: str, port: int, *, hanging: bool) -> None:
        """Count a connection that did not open; `hanging`: nor was it refused."""
        self.add_tried((client, server), 1, (port,))
        self.add_swept((client, port), 1, (server,))
        if hanging:
            self.add_hanging((server, port), 1, (client,))

    def add_tried(self, pair: tuple[str, str], count: int, ports: Iterable[int]) -> None:
        """Count connections of one host to another that did not open."""
        _of(self._tried, pair, Failures).add(count, ports)

    def add_swept(self, swept: tuple[str, int], count: int, servers: Iterable[str]) -> None:
        """Count connections of a host to one port that did not open."""
        _of(self._swept, swept, Failures).add(count, servers)

    def add_hanging(self, service: tuple[str, int], count: int, clients: Iterable[str]) -> None:
        """Count connections to a port of a host that were neither completed nor refused."""
        _of(self._hanging, service, Failures).add(count, clients)

    def learn(self, client: str, server: str, segments: Sequence[Seen]) -> None:
        """Remember how a connection began: with an answer without a SYN, or with none."""
        if not segments:
            return
        first = segments[0]
        if first.syn_ack:
            self.unasked(first)
        elif first.syn and all(each.same_way(first) for each in segments):
            self.asked(first)
        elif len(segments) > 2 and segments[1].syn_ack:
            final = segments[2]
            if final.same_way(first) and final.ack == (segments[1].seq + 1) & MASK:
                self.reaches(client, server, final.frame)
            if final.same_way(first) and final.stamp is not None and not final.syn:
                self.accepted(client, server, Stamp(final.frame, final.at, final.stamp))

    def add(self, server: Endpoint, segments: Iterable[Seen], *, refused: bool) -> None:
        """Remember the first answer of a connection's server, by what was kept of it."""
        syn: Seen | None = None
        for each in segments:
            if each.syn and each.destination == server:
                syn = each
            if each.source != server or not (each.syn_ack or (refused and each.rst)):
                continue
            took = None if syn is None else each.at - syn.at
            answer = Answer(each.frame, each.at, each.ttl, server.port, each.rst, took)
            self.answered(server.host, answer)
            return


def _key(client: Endpoint, ack: int | None) -> tuple[str, int, int]:
    return client.host, client.port, -1 if ack is None else ack


def _few(known: list[Seen], seen: Seen) -> None:
    if len(known) < _STAMPS:
        known.append(seen)


def _of(table: OrderedDict[_Key, _Value], key: _Key, new: type[_Value]) -> _Value:
    """Return the entry of a key, a new one if there is none."""
    found = table.get(key)
    if found is None:
        if len(table) >= HOSTS:
            table.popitem(last=False)
        found = table[key] = new()
    return found
