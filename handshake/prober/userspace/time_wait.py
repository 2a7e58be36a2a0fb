"""TIME-WAIT: connections that have ended for us but perhaps not for the peer (section 3.6.1)."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from handshake.endpoint.outcome import Close, Verdict
from handshake.units import NS_PER_SECOND, SOONEST_TIMER

if TYPE_CHECKING:
    from collections.abc import Callable

    from handshake.linux.policy_route import PolicyRoute
    from handshake.prober.userspace.connection import UserspaceConnection

LINGER: Final = NS_PER_SECOND // 4
"""How long to wait for a peer to retransmit a FIN whose ACK was lost: Linux does after 0.2 s.

TIME-WAIT proper is longer, 2 MSL, but the user waits for this.
"""

_MOST: Final = 4096
"""Connections remembered, and remote endpoints."""

_PORT: Final = 2
"""Octets of our port, which comes last."""

_ANSWERS: Final = 8
"""How often a retransmitted FIN is answered."""

_PORTS_KEPT: Final = 128
"""Recently used ports remembered for one remote endpoint."""

_AVOIDED: Final = 60 * NS_PER_SECOND
"""How long they are avoided: as long as Linux stays in TIME-WAIT."""

_FORGOTTEN: Final = (Close.CLEAN, Close.RESET)


@dataclass(slots=True)
class _Last:
    """The last ACK of a connection."""

    packet: bytes
    to: tuple[Any, ...] | PolicyRoute
    """Where it was sent."""

    at: int
    """When it was sent."""

    left: int = _ANSWERS


class TimeWait:
    """Remembers connections, by the peer's endpoint and ours as they stand in a packet."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, None] = OrderedDict()
        self._last: OrderedDict[bytes, _Last] = OrderedDict()
        # A dict keeps its order, too, and takes a third of the memory.
        self._used_ports: OrderedDict[bytes, dict[int, int]] = OrderedDict()
        self.until = 0
        """Until when a peer may retransmit a FIN that was acknowledged."""

    def __contains__(self, incoming: bytes) -> bool:
        """Whether the peer may still have the connection, and would reject another SYN."""
        return incoming in self._kept

    def recently_used(self, remote: bytes, now: int) -> Callable[[int], bool]:
        """Return whether a connection from a port of ours ended less than a minute ago.

        `remote` is an incoming packet's ends without our port. The peer, or a firewall on the path,
        may still have state of the connection: another port is better.
        """
        ended, since = self._used_ports.get(remote, {}), now - _AVOIDED
        return lambda ours: ended.get(ours, since) > since

    def begin(self, incoming: bytes) -> None:
        """Forget the previous connection: another one begins between these endpoints."""
        self._last.pop(incoming, None)

    def end(self, connection: UserspaceConnection, now: int) -> None:
        """Remember a connection that has ended."""
        assert connection.outcome is not None
        verdict, close = connection.outcome.verdict, connection.outcome.close
        if close is Close.CLEAN:
            self.until = now + LINGER
            self._last[connection.incoming] = _Last(connection.last, connection.departure.to, now)
            if len(self._last) > _MOST:
                self._last.popitem(last=False)
        if verdict is not Verdict.CLOSED and close not in _FORGOTTEN:
            self._kept[connection.incoming] = None
            if len(self._kept) > _MOST:
                self._kept.popitem(last=False)
        self._remember_port(connection.incoming, now)

    def _remember_port(self, incoming: bytes, now: int) -> None:
        remote, port = incoming[:-_PORT], int.from_bytes(incoming[-_PORT:], "big")
        ports = self._used_ports.setdefault(remote, {})
        ports.pop(port, None)
        ports[port] = now
        if len(ports) > _PORTS_KEPT:
            del ports[next(iter(ports))]
        self._used_ports.move_to_end(remote)
        if len(self._used_ports) > _MOST:
            self._used_ports.popitem(last=False)

    def answer(
        self, incoming: bytes, now: int
    ) -> tuple[bytes, tuple[Any, ...] | PolicyRoute] | None:
        """Return the ACK of a retransmitted FIN, and where it goes; None for no answer."""
        last = self._last.get(incoming)
        if last is None or now - last.at < SOONEST_TIMER or not last.left:
            return None
        last.at = now
        last.left -= 1
        return last.packet, last.to
