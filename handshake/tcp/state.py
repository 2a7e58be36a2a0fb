"""The states of a connection and what moves it between them: the table of figure 5."""

from __future__ import annotations

from enum import Enum
from typing import Final


class State(Enum):
    """Where one end of a connection stands (section 3.3.2)."""

    CLOSED = "CLOSED"
    """No connection: there is no control block."""

    LISTEN = "LISTEN"
    """Waits for a SYN from any host."""

    SYN_SENT = "SYN-SENT"
    """Has sent a SYN and waits for the peer's."""

    SYN_RECEIVED = "SYN-RECEIVED"
    """Has received and sent a SYN, and waits for the acknowledgment of its own."""

    ESTABLISHED = "ESTABLISHED"
    """Both SYNs are acknowledged, as far as this end knows: data may flow."""

    FIN_WAIT_1 = "FIN-WAIT-1"
    """Has sent FIN; it is not yet acknowledged."""

    FIN_WAIT_2 = "FIN-WAIT-2"
    """Its FIN is acknowledged; the peer may still send."""

    CLOSE_WAIT = "CLOSE-WAIT"
    """The peer has sent FIN; this end may still send."""

    CLOSING = "CLOSING"
    """The two FINs crossed: waits for the acknowledgment of its own."""

    LAST_ACK = "LAST-ACK"
    """Sent FIN after the peer's, and waits for its acknowledgment."""

    TIME_WAIT = "TIME-WAIT"
    """Waits until no old segment can be left in the network."""

    synchronized: bool
    """Whether both ends know where the other's numbers start (section 3.5.2)."""

    # By identity: an enum hashes its name each time, and the table is asked for every segment.
    __hash__ = object.__hash__

    def __str__(self) -> str:
        return str(self.value)


_NOT_SYNCHRONIZED: Final = frozenset(
    {State.CLOSED, State.LISTEN, State.SYN_SENT, State.SYN_RECEIVED}
)
for _state in State:
    _state.synchronized = _state not in _NOT_SYNCHRONIZED


class Input(Enum):
    """What moves a state: a user call, a segment whose numbers were checked, a timeout."""

    PASSIVE_OPEN = "passive OPEN"
    ACTIVE_OPEN = "active OPEN"
    CLOSE = "CLOSE"
    ABORT = "ABORT"
    RECV_SYN = "rcv SYN"
    RECV_SYN_ACK = "rcv SYN,ACK"
    RECV_ACK_OF_SYN = "rcv ACK of SYN"
    RECV_FIN = "rcv FIN"
    RECV_ACK_OF_FIN = "rcv ACK of FIN"
    RECV_RST = "rcv RST"
    TIMEOUT_2MSL = "timeout 2MSL"

    __hash__ = object.__hash__

    def __str__(self) -> str:
        return self.value


TRANSITIONS: Final[dict[State, dict[Input, State]]] = {
    State.CLOSED: {
        Input.PASSIVE_OPEN: State.LISTEN,
        Input.ACTIVE_OPEN: State.SYN_SENT,
    },
    State.LISTEN: {
        Input.RECV_SYN: State.SYN_RECEIVED,
        Input.ACTIVE_OPEN: State.SYN_SENT,  # SEND on a passive OPEN, in the figure
        Input.CLOSE: State.CLOSED,
        Input.ABORT: State.CLOSED,
    },
    State.SYN_SENT: {
        Input.RECV_SYN_ACK: State.ESTABLISHED,
        Input.RECV_SYN: State.SYN_RECEIVED,  # simultaneous open
        Input.RECV_RST: State.CLOSED,
        Input.CLOSE: State.CLOSED,
        Input.ABORT: State.CLOSED,
    },
    State.SYN_RECEIVED: {
        Input.RECV_ACK_OF_SYN: State.ESTABLISHED,
        Input.RECV_FIN: State.CLOSE_WAIT,  # not drawn; section 3.10.7.4, eighth step
        Input.CLOSE: State.FIN_WAIT_1,
        Input.RECV_RST: State.CLOSED,
        Input.ABORT: State.CLOSED,
    },
    State.ESTABLISHED: {
        Input.CLOSE: State.FIN_WAIT_1,
        Input.RECV_FIN: State.CLOSE_WAIT,
        Input.RECV_RST: State.CLOSED,
        Input.ABORT: State.CLOSED,
    },
    State.FIN_WAIT_1: {
        # A FIN that also acknowledges ours is two inputs, and ends in TIME-WAIT.
        Input.RECV_ACK_OF_FIN: State.FIN_WAIT_2,
        Input.RECV_FIN: State.CLOSING,
        Input.RECV_RST: State.CLOSED,
        Input.ABORT: State.CLOSED,
    },
    State.FIN_WAIT_2: {
        Input.RECV_FIN: State.TIME_WAIT,
        Input.RECV_RST: State.CLOSED,
        Input.ABORT: State.CLOSED,
    },
    State.CLOSE_WAIT: {
        Input.CLOSE: State.LAST_ACK,
        Input.RECV_RST: State.CLOSED,
        Input.ABORT: State.CLOSED,
    },
    State.CLOSING: {
        Input.RECV_ACK_OF_FIN: State.TIME_WAIT,
        Input.RECV_RST: State.CLOSED,
        Input.ABORT: State.CLOSED,
    },
    State.LAST_ACK: {
        Input.RECV_ACK_OF_FIN: State.CLOSED,
        Input.RECV_RST: State.CLOSED,
        Input.ABORT: State.CLOSED,
    },
    State.TIME_WAIT: {
        Input.TIMEOUT_2MSL: State.CLOSED,
        Input.RECV_RST: State.CLOSED,
        Input.ABORT: State.CLOSED,
    },
}
"""Figure 5, with the RST and ABORT of section 3.10, most of which it leaves out (its note 3)."""


def after(state: State, cause: Input, *, passive: bool = False) -> State:
    """Return the state that follows; the same one where the table has no row for `cause`."""
    # The one arc that depends on the past: RST in SYN-RECEIVED leads back to LISTEN
    # where the connection came from a passive OPEN (section 3.10.7.4, second step).
    if passive and state is State.SYN_RECEIVED and cause is Input.RECV_RST:
        return State.LISTEN
    return TRANSITIONS[state].get(cause, state)
