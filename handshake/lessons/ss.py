"""What `ss -tan` prints of a socket: the part of its control information that a command shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from handshake.tcp import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.tcp import ControlBlock

_NAMES: Final = {
    State.SYN_RECEIVED: "SYN-RECV",
    State.ESTABLISHED: "ESTAB",
}
"""Where `ss` has another name than the RFC."""

OPEN: Final = (State.ESTABLISHED, State.CLOSE_WAIT)
"""States in which `ss -ti` has all to tell."""

_ETHERNET: Final = 1460
_STAMP: Final = 12
"""Octets that timestamps take from each segment."""

ANY: Final = "0.0.0.0"  # noqa: S104 - what `ss` prints for any address


@dataclass(frozen=True, slots=True)
class SsRow:
    """A line of `ss -tan`."""

    state: str
    """As `ss` names it."""

    recv_q: int
    """Octets that the program has not read; of a listening socket its accept queue."""

    send_q: int
    """Octets that are not acknowledged, a SYN or FIN as one; of a listening socket the backlog."""

    local: str
    peer: str
    info: str = ""
    """What `ss -ti` adds, as far as the handshake decides it; of open connections only."""

    def __str__(self) -> str:
        return f"{self.state:<10} {self.recv_q:>4} {self.send_q:>5}  {self.local:<19} {self.peer}"


def state_name(state: State) -> str:
    """Return the name that `ss` has for a state."""
    return _NAMES.get(state, str(state))


def listening_row(port: int, waiting: int, backlog: int) -> SsRow:
    """Return the line of a socket that listens on any address."""
    return SsRow(str(State.LISTEN), waiting, backlog, f"{ANY}:{port}", f"{ANY}:*")


def socket_row(block: ControlBlock, *, read: bool = True) -> Iterator[SsRow]:
    """Yield the line of a socket with a connection; nothing where there is none.

    With `read` its program has read all that came.
    """
    if block.state is State.CLOSED or block.remote is None:
        return  # the kernel has no place in its tables for a socket without a port
    snd, rcv = block.snd, block.rcv
    unread = unacknowledged = 0
    # A listener's entry has no queues, nor has what is left of a socket in TIME-WAIT.
    opening = block.state is State.SYN_RECEIVED and block.passive
    # One that took data with the SYN is a whole socket already (Fast Open); its SYN does not count.
    early = opening and rcv.irs is not None and rcv.nxt is not None and rcv.irs + 1 < rcv.nxt
    if (early or not opening) and block.state is not State.TIME_WAIT:
        if snd.una is not None and snd.nxt is not None:
            unacknowledged = snd.nxt - snd.una - early
        if not read and rcv.nxt is not None and rcv.irs is not None:
            unread = rcv.nxt - rcv.irs - 1
    if block.state is State.CLOSING:
        unread = 1  # its program has closed, and does not read that the peer has, too
    name = state_name(block.state)
    yield SsRow(name, unread, unacknowledged, str(block.local), str(block.remote), _info(block))


def information(*, timestamps: bool, sack: bool, shifts: tuple[int, int] | None, mss: int) -> str:
    """Return what `ss -ti` prints of the options in use, in its words."""
    found = ["ts"] if timestamps else []
    found += ["sack"] if sack else []
    found += [] if shifts is None else [f"wscale:{shifts[0]},{shifts[1]}"]
    return " ".join([*found, f"mss:{mss}"])


def _info(block: ControlBlock) -> str:
    ours, theirs, mss = block.offered, block.peer_offered, block.mss
    if block.state not in OPEN or ours is None or theirs is None or mss is None:
        return ""
    shifts = None
    if ours.window_scale is not None and theirs.window_scale is not None:
        shifts = (theirs.window_scale, ours.window_scale)
    stamps = bool(block.timestamps)
    return information(
        timestamps=stamps,
        sack=bool(block.sack),
        shifts=shifts,
        mss=min(mss, _ETHERNET) - (_STAMP if stamps else 0),
    )
