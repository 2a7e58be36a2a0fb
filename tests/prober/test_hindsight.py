"""The steps of a probe that is over are those that `replay` shows of its capture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.events import Fate
from handshake.prober import Verdict
from handshake.prober.hindsight import steps_of
from handshake.tcp import State
from tests.prober.test_diagnosis import SYN, received, result, sent

if TYPE_CHECKING:
    from handshake.events.base import Change

SYN_ACK = "<SEQ=300><ACK=101><CTL=SYN,ACK>"
ACK = "<SEQ=101><ACK=301><CTL=ACK>"


def state(end: Change) -> State | None:
    return None if end.after is None else end.after.state


def test_an_ack_that_the_server_did_not_take_leaves_it_in_syn_received() -> None:
    segments = (SYN, received(SYN_ACK, 0.02), sent(ACK, 0.021), received(SYN_ACK, 1.02))
    steps = steps_of(result(Verdict.HALF_OPEN, *segments))
    assert [state(each.server) for each in steps[1:]] == [State.SYN_RECEIVED] * 3
    assert [state(each.client) for each in steps[1:]] == [State.ESTABLISHED] * 3


def test_an_ack_that_it_took_makes_it_established() -> None:
    fin = "<SEQ=301><ACK=101><CTL=FIN,ACK>"
    segments = (SYN, received(SYN_ACK, 0.02), sent(ACK, 0.021), received(fin, 0.03))
    steps = steps_of(result(Verdict.OPEN, *segments))
    assert state(steps[2].server) is State.ESTABLISHED
    assert steps[1].fate is Fate.ARRIVED


def test_a_stray_syn_is_a_connection_of_its_own() -> None:
    stray = received("<SEQ=900><CTL=SYN>", 0.03)
    segments = (SYN, received(SYN_ACK, 0.02), sent(ACK, 0.021), stray)
    assert len(steps_of(result(Verdict.OPEN, *segments))) == 4
