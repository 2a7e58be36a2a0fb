"""What a server does wrong on purpose: a table of named departures from RFC 9293.

Each overrides the part of `Behaviour` in which it departs; the sockets themselves stay right.
"""

# ruff: noqa: ARG002 - a part that is not overridden does not need what it is given.

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from handshake.endpoint.tcp_host import reset_of
from handshake.errors import UsageError
from handshake.tcp import Flags, Segment
from handshake.tcp.copy import changed
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from handshake.endpoint.options import ClientOptions
    from handshake.endpoint.sender import Segments
    from handshake.endpoint.tcp_socket import TcpSocket
    from handshake.tcp import Endpoint, Observed

_OFF: Final = 1000
"""How far the wrong acknowledgment is off."""

_REMEMBERED: Final = 4096
"""Clients whose ignored SYNs are counted."""

_MOST: Final = 60.0


class Behaviour:
    """A server as it should be."""

    accepting = True
    """Whether the program accepts connections."""

    def options(self, options: ClientOptions) -> ClientOptions:
        """Return the options of all that is sent."""
        return options

    def hears(self, seg: Segment) -> bool:
        """Whether the sockets receive a segment at all."""
        return True

    def opens(self, syn: Observed, entry: TcpSocket, at: int) -> Segments | None:
        """Answer a SYN for which `entry` is a socket in CLOSED; None to let the listener do so."""
        return None

    def sends(self, seg: Segment) -> Iterator[tuple[int, Segment]]:
        """Yield what is sent in place of a segment, each with the nanoseconds until then."""
        yield 0, seg

    def accepted(self, sock: TcpSocket, at: int) -> Segments | None:
        """Do something with a connection that has opened; None to let the program have it."""
        return None


class NoSynAck(Behaviour):
    """Keeps the half-open entry, and lets its SYN-ACK not leave."""

    def sends(self, seg: Segment) -> Iterator[tuple[int, Segment]]:
        """Yield all but SYN-ACKs."""
        if not seg.syn:
            yield 0, seg


@dataclass
class LateSynAck(Behaviour):
    """Lets each SYN-ACK wait."""

    seconds: float = 1.5

    def sends(self, seg: Segment) -> Iterator[tuple[int, Segment]]:
        """Yield SYN-ACKs for later."""
        yield round(self.seconds * NS_PER_SECOND) if seg.syn else 0, seg


class SynAckTwice(Behaviour):
    """Sends each SYN-ACK twice in a row."""

    def sends(self, seg: Segment) -> Iterator[tuple[int, Segment]]:
        """Yield SYN-ACKs twice."""
        yield 0, seg
        if seg.syn:
            yield 0, seg


class WrongAck(Behaviour):
    """Acknowledges in the SYN-ACK what the client has not sent."""

    def sends(self, seg: Segment) -> Iterator[tuple[int, Segment]]:
        """Yield SYN-ACKs with another acknowledgment number."""
        if seg.syn and seg.ack is not None:
            number = seg.ack + _OFF
            seg = changed(seg, ack=number, ack_field=int(number))
        yield 0, seg


class RstAfterSyn(Behaviour):
    """Refuses, as a host does on whose port nothing listens."""

    def opens(self, syn: Observed, entry: TcpSocket, at: int) -> Segments | None:
        """Answer with a RST."""
        return reset_of(syn.segment)


class RstAfterAccept(Behaviour):
    """Resets what has just opened, as a program does that closes with SO_LINGER 0."""

    def accepted(self, sock: TcpSocket, at: int) -> Segments | None:
        """Abort."""
        return sock.abort(at)


class NoAckOfData(Behaviour):
    """Never receives data: the handshake completes, and what follows is lost."""

    def hears(self, seg: Segment) -> bool:
        """Whether it carries no data."""
        return not seg.payload_length


class ZeroWindow(Behaviour):
    """Has no room for data, ever."""

    def options(self, options: ClientOptions) -> ClientOptions:
        """Advertise a window of 0."""
        return replace(options, window=0)


class NoWindowScaling(Behaviour):
    """Does not scale windows: an old host, or a device that removes the option."""

    def options(self, options: ClientOptions) -> ClientOptions:
        """Leave the window scale option out."""
        return replace(options, window_scale=None)


class TinyMss(Behaviour):
    """Asks for segments of one octet."""

    def options(self, options: ClientOptions) -> ClientOptions:
        """Offer an MSS of 1."""
        return replace(options, mss=1)


class OptionsStripped(Behaviour):
    """Offers nothing, as behind a device that removes all options."""

    def options(self, options: ClientOptions) -> ClientOptions:
        """Leave all options out."""
        return replace(
            options, mss=0, window_scale=None, sack=False, timestamps=False, extra_options=()
        )


class SplitHandshake(Behaviour):
    """Sends its ACK and its SYN apart: the client has to send a SYN-ACK."""

    def opens(self, syn: Observed, entry: TcpSocket, at: int) -> Segments | None:
        """Acknowledge the SYN, and open actively."""
        ends = entry.local, entry.remote
        # It has no number yet; this one fits what follows the SYN.
        ack = Segment(*ends, entry.iss + 1, syn.segment.seq + 1, Flags.ACK, window=0xFFFF)
        return (ack, *entry.connect(at))


class CrossingSyns(Behaviour):
    """Opens actively as the SYN arrives: the two SYNs cross (section 3.5, figure 7)."""

    def opens(self, syn: Observed, entry: TcpSocket, at: int) -> Segments | None:
        """Open actively, then receive the SYN."""
        return (*entry.connect(at), *entry.receive(syn, at))


class HalfClose(Behaviour):
    """Sends its FIN at once and stays open for what the client sends."""

    def accepted(self, sock: TcpSocket, at: int) -> Segments | None:
        """Close our direction only."""
        return sock.shutdown(at)


class NoAccept(Behaviour):
    """Never calls accept(): connections wait in the accept queue, and it fills."""

    accepting = False


@dataclass
class IgnoreSyns(Behaviour):
    """Does not hear the first SYNs of each client."""

    count: int = 2
    _ignored: dict[Endpoint, int] = field(init=False, default_factory=dict)

    def hears(self, seg: Segment) -> bool:
        """Whether it is no SYN, or enough were ignored."""
        if not seg.syn or seg.ack is not None:
            return True
        known = self._ignored.get(seg.source, 0)
        if known >= self.count:
            self._ignored.pop(seg.source, None)
            return True
        if len(self._ignored) >= _REMEMBERED:
            self._ignored.clear()
        self._ignored[seg.source] = known + 1
        return False


MISBEHAVIOURS: Final[dict[str, Callable[[], Behaviour]]] = {
    "no-syn-ack": NoSynAck,
    "late-syn-ack": LateSynAck,
    "syn-ack-twice": SynAckTwice,
    "wrong-ack": WrongAck,
    "rst-after-syn": RstAfterSyn,
    "rst-after-accept": RstAfterAccept,
    "no-data-ack": NoAckOfData,
    "zero-window": ZeroWindow,
    "no-window-scaling": NoWindowScaling,
    "mss-1": TinyMss,
    "options-stripped": OptionsStripped,
    "split-handshake": SplitHandshake,
    "simultaneous-open": CrossingSyns,
    "half-close": HalfClose,
    "ignore-syns": IgnoreSyns,
    "no-accept": NoAccept,
}
"""By name, in the order of a connection's life. `serve.toml` has a sentence for each."""


def misbehaviour(text: str) -> Behaviour:
    """Return the departure of this name; `late-syn-ack=3` and `ignore-syns=1` take a number.

    Raises UsageError for a name or number that there is none of.
    """
    name, given, value = text.partition("=")
    made = MISBEHAVIOURS.get(name)
    if made is None:
        raise UsageError("serve.misbehave", name=name, names=tuple(MISBEHAVIOURS))
    if not given:
        return made()
    try:
        if made is LateSynAck and 0 <= float(value) <= _MOST:
            return LateSynAck(float(value))
        if made is IgnoreSyns and value.isascii() and value.isdecimal() and int(value[:3]) <= _MOST:
            return IgnoreSyns(int(value))
    except ValueError:
        pass
    raise UsageError("serve.misbehave-value", text=text, most=round(_MOST))
