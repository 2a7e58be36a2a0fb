"""Connections that are over for us, and that a peer may not have forgotten (section 3.6.1)."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from handshake.endpoint.verdict import Close, Verdict
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from handshake.prober.userspace.connection import UserspaceConnection

LINGER: Final = NS_PER_SECOND // 4
"""How long a peer is given to send its FIN again, whose ACK was lost: Linux does after 0.2 s.

TIME-WAIT is longer, 2 MSL. But whoever waits for a prompt waits for this.
"""

_MOST: Final = 4096
"""Connections remembered, and remote ends."""

_PORT: Final = 2
"""Octets of our port, which stands last."""

_ANSWERS: Final = 8
"""How often a FIN is answered: a peer that sends it on and on does not listen."""

_SOONEST: Final = NS_PER_SECOND // 10
"""A FIN that comes sooner is a copy that the network made: no timer repeats one so fast."""

_RESTING: Final = 128
"""Ports of ours that rest after a call to one remote end: the last ones that called it."""

_RESTS: Final = 60 * NS_PER_SECOND
"""How long they do, unless others come after them: as long as Linux is in TIME-WAIT."""

_FORGOTTEN: Final = (Close.CLEAN, Close.RESET)


@dataclass(slots=True)
class _Last:
    """The last ACK of a connection."""

    packet: bytes
    at: int
    """When it was sent."""

    left: int = _ANSWERS


class TimeWait:
    """Remembers each connection, by the peer's end and ours as they stand in a packet."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, None] = OrderedDict()
        self._last: OrderedDict[bytes, _Last] = OrderedDict()
        # A dict keeps its order, too, and takes a third of the room.
        self._resting: OrderedDict[bytes, dict[bytes, int]] = OrderedDict()
        self.until = 0
        """Until when a peer may send a FIN again that was answered."""

    def __contains__(self, incoming: bytes) -> bool:
        """Whether the peer may hold on to it, and would take another SYN for a stray one."""
        return incoming in self._kept

    def recently_used(self, incoming: bytes, now: int) -> bool:
        """Whether a call between these ends is over since a moment ago.

        The peer, or a firewall on the way, may still have something of it: another port is better.
        """
        ports = self._resting.get(incoming[:-_PORT])
        ended = None if ports is None else ports.get(incoming[-_PORT:])
        return ended is not None and now < ended + _RESTS

    def begin(self, incoming: bytes) -> None:
        """Forget what was before: another connection begins between these ends."""
        self._last.pop(incoming, None)

    def end(self, connection: UserspaceConnection, now: int) -> None:
        """Take in a call that has ended."""
        assert connection.conclusion is not None
        verdict, close = connection.conclusion.verdict, connection.conclusion.close
        if close is Close.CLEAN:
            self.until = now + LINGER
            self._last[connection.incoming] = _Last(connection.last, now)
            if len(self._last) > _MOST:
                self._last.popitem(last=False)
        if verdict is not Verdict.CLOSED and close not in _FORGOTTEN:
            self._kept[connection.incoming] = None
            if len(self._kept) > _MOST:
                self._kept.popitem(last=False)
        self._rest(connection.incoming, now)

    def _rest(self, incoming: bytes, now: int) -> None:
        remote, port = incoming[:-_PORT], incoming[-_PORT:]
        ports = self._resting.setdefault(remote, {})
        ports.pop(port, None)
        ports[port] = now
        if len(ports) > _RESTING:
            del ports[next(iter(ports))]
        self._resting.move_to_end(remote)
        if len(self._resting) > _MOST:
            self._resting.popitem(last=False)

    def answer(self, incoming: bytes, now: int) -> bytes | None:
        """Return the packet that answers a FIN that comes again; None where nothing does."""
        last = self._last.get(incoming)
        if last is None or now - last.at < _SOONEST or not last.left:
            return None
        last.at = now
        last.left -= 1
        return last.packet
