"""What the rest of a capture shows of the hosts of a connection, in a bounded table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from handshake.diagnosis.seen import Seen
    from handshake.tcp import Endpoint

HOSTS: Final = 4096
"""Hosts that are remembered; the oldest are dropped first."""

_PORTS: Final = 64
"""Ports of a host that are remembered."""


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


@dataclass(slots=True)
class Host:
    """The first and the last answer of each port of a host."""

    ports: dict[int, tuple[Answer, Answer]] = field(default_factory=dict)

    def add(self, answer: Answer) -> None:
        """Remember an answer."""
        known = self.ports.get(answer.port)
        if known is not None:
            self.ports[answer.port] = (
                min(known[0], answer, key=lambda each: each.at),
                max(known[1], answer, key=lambda each: each.at),
            )
        elif len(self.ports) < _PORTS:
            self.ports[answer.port] = answer, answer

    @property
    def answers(self) -> list[Answer]:
        """All that are remembered, in the order of time."""
        found = {answer for pair in self.ports.values() for answer in pair}
        return sorted(found, key=lambda each: each.at)


class Others:
    """The hosts of a capture, as far as it was read."""

    def __init__(self) -> None:
        self._hosts: dict[str, Host] = {}

    def host(self, address: str) -> Host | None:
        """Return what is known of a host; None if it never answered."""
        return self._hosts.get(address)

    def answered(self, address: str, answer: Answer) -> None:
        """Remember that a host answered."""
        host = self._hosts.get(address)
        if host is None:
            if len(self._hosts) >= HOSTS:
                del self._hosts[next(iter(self._hosts))]
            host = self._hosts[address] = Host()
        host.add(answer)

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
            self.answered(str(server.address), answer)
            return
