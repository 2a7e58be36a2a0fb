"""Figure 5, arc by arc, and every state times every input."""

from __future__ import annotations

import itertools

import pytest

from handshake.tcp import TRANSITIONS, Input, State
from handshake.tcp.state import after

# Figure 5 as it is drawn, in the order of its arcs from the top; a row is one arrow.
FIGURE_5 = """
CLOSED       | passive OPEN    | LISTEN
CLOSED       | active OPEN     | SYN-SENT
LISTEN       | rcv SYN         | SYN-RECEIVED
LISTEN       | active OPEN     | SYN-SENT
LISTEN       | CLOSE           | CLOSED
SYN-SENT     | rcv SYN         | SYN-RECEIVED
SYN-SENT     | rcv SYN,ACK     | ESTABLISHED
SYN-SENT     | CLOSE           | CLOSED
SYN-RECEIVED | rcv ACK of SYN  | ESTABLISHED
SYN-RECEIVED | CLOSE           | FIN-WAIT-1
ESTABLISHED  | CLOSE           | FIN-WAIT-1
ESTABLISHED  | rcv FIN         | CLOSE-WAIT
FIN-WAIT-1   | rcv ACK of FIN  | FIN-WAIT-2
FIN-WAIT-1   | rcv FIN         | CLOSING
FIN-WAIT-2   | rcv FIN         | TIME-WAIT
CLOSING      | rcv ACK of FIN  | TIME-WAIT
CLOSE-WAIT   | CLOSE           | LAST-ACK
LAST-ACK     | rcv ACK of FIN  | CLOSED
TIME-WAIT    | timeout 2MSL    | CLOSED
"""

BESIDE_THE_FIGURE = {Input.RECV_RST, Input.ABORT}


def test_the_table_is_figure_5() -> None:
    drawn = {
        (State(state), Input(cause)): State(then)
        for state, cause, then in (
            (cell.strip() for cell in row.split("|")) for row in FIGURE_5.strip().splitlines()
        )
    }
    table = {
        (state, cause): then
        for state, row in TRANSITIONS.items()
        for cause, then in row.items()
        if cause not in BESIDE_THE_FIGURE
    }
    # The eighth step of section 3.10.7.4 names an arc that the figure leaves out.
    assert table.pop((State.SYN_RECEIVED, Input.RECV_FIN)) is State.CLOSE_WAIT
    assert table == drawn


@pytest.mark.parametrize(("state", "cause"), list(itertools.product(State, Input)))
def test_every_state_takes_every_input(state: State, cause: Input) -> None:
    then = after(state, cause)
    assert then is TRANSITIONS[state].get(cause, state)


@pytest.mark.parametrize("state", [state for state in State if state.synchronized])
def test_a_reset_ends_every_synchronized_state(state: State) -> None:
    assert after(state, Input.RECV_RST) is State.CLOSED
    assert after(state, Input.ABORT) is State.CLOSED


def test_a_reset_sends_a_half_open_listener_back_to_listen() -> None:
    assert after(State.SYN_RECEIVED, Input.RECV_RST, passive=True) is State.LISTEN
    assert after(State.SYN_RECEIVED, Input.RECV_RST, passive=False) is State.CLOSED


def test_every_state_but_closed_can_be_left_and_reached() -> None:
    reached = {then for row in TRANSITIONS.values() for then in row.values()}
    assert reached == set(State)
    assert all(TRANSITIONS[state] for state in State)
