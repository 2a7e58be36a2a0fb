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

# Section 3.10, read paragraph by paragraph: OPEN 3.10.1, CLOSE 3.10.4, ABORT 3.10.5, segments
# 3.10.7, the timeout 3.10.8. A dot is a state that stays: the user gets an error, or the segment is
# dropped or answered by an ACK or RST. One paragraph is left out: the SYN in the window that sends
# a passive SYN-RECEIVED back to LISTEN (3.10.7.4, fourth step); RFC 5961 answers it with an ACK.
SECTION_3_10 = """
      OPEN    OPEN   CLOSE  ABORT  SYN    SYN,ACK ACK of RST    FIN    ACK of 2MSL
      passive active                              SYN                  FIN
C     L       SS     .      .      .      .       .      .      .      .      .
L     .       SS     C      C      SR     .       .      .      .      .      .
SS    .       .      C      C      SR     E       .      C      .      .      .
SR    .       .      F1     C      .      .       E      C      CW     .      .
E     .       .      F1     C      .      .       .      C      CW     .      .
F1    .       .      .      C      .      .       .      C      CG     F2     .
F2    .       .      .      C      .      .       .      C      TW     .      .
CW    .       .      LA     C      .      .       .      C      .      .      .
CG    .       .      .      C      .      .       .      C      .      TW     .
LA    .       .      .      C      .      .       .      C      .      C      .
TW    .       .      .      C      .      .       .      C      .      .      C
"""

COLUMNS = (
    Input.PASSIVE_OPEN,
    Input.ACTIVE_OPEN,
    Input.CLOSE,
    Input.ABORT,
    Input.RECV_SYN,
    Input.RECV_SYN_ACK,
    Input.RECV_ACK_OF_SYN,
    Input.RECV_RST,
    Input.RECV_FIN,
    Input.RECV_ACK_OF_FIN,
    Input.TIMEOUT_2MSL,
)

SHORT = {
    "C": State.CLOSED,
    "L": State.LISTEN,
    "SS": State.SYN_SENT,
    "SR": State.SYN_RECEIVED,
    "E": State.ESTABLISHED,
    "F1": State.FIN_WAIT_1,
    "F2": State.FIN_WAIT_2,
    "CW": State.CLOSE_WAIT,
    "CG": State.CLOSING,
    "LA": State.LAST_ACK,
    "TW": State.TIME_WAIT,
}

READ = {
    (SHORT[state], cause): SHORT.get(then, SHORT[state])
    for state, *cells in (row.split() for row in SECTION_3_10.strip().splitlines()[2:])
    for cause, then in zip(COLUMNS, cells, strict=True)
}

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
def test_every_state_takes_every_input_as_section_3_10_says(state: State, cause: Input) -> None:
    assert after(state, cause) is READ[state, cause]


@pytest.mark.parametrize("state", [state for state in State if state.synchronized])
def test_a_reset_ends_every_synchronized_state(state: State) -> None:
    assert after(state, Input.RECV_RST) is State.CLOSED
    assert after(state, Input.ABORT) is State.CLOSED


def test_a_reset_sends_a_half_open_listener_back_to_listen() -> None:
    assert after(State.SYN_RECEIVED, Input.RECV_RST, passive=True) is State.LISTEN
    assert after(State.SYN_RECEIVED, Input.RECV_RST, passive=False) is State.CLOSED


@pytest.mark.parametrize(("state", "cause"), list(itertools.product(State, Input)))
def test_nothing_else_depends_on_who_opened(state: State, cause: Input) -> None:
    if (state, cause) != (State.SYN_RECEIVED, Input.RECV_RST):
        assert after(state, cause, passive=True) is READ[state, cause]


def test_every_state_but_closed_can_be_left_and_reached() -> None:
    reached = {then for row in TRANSITIONS.values() for then in row.values()}
    assert reached == set(State)
    assert all(TRANSITIONS[state] for state in State)
