from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from handshake.linux.tcp_info import TcpInfo
from handshake.prober.kernel.ack_monitor import KernelAckMonitor
from handshake.tcp import State
from handshake.units import NS_PER_SECOND
from tests.linux.test_tcp_info import OCTETS

OPEN = replace(TcpInfo.parse(OCTETS), bytes_acked=1, segs_in=1)
"""As it is when the SYN,ACK came, and nothing else."""


def ack_status(rtt: float = 0.01) -> KernelAckMonitor:
    return KernelAckMonitor(OPEN, 0, 2 * NS_PER_SECOND, round(rtt * NS_PER_SECOND))


@pytest.mark.parametrize(
    "seen",
    [
        {"bytes_acked": 2},
        {"data_segs_in": 1},
        {"state": State.FIN_WAIT_2},
        {"state": State.CLOSE_WAIT},
    ],
)
def test_what_shows_that_the_peer_took_it(seen: dict[str, Any]) -> None:
    found = ack_status()
    found.see(OPEN)
    assert not found.confirmed
    found.see(replace(OPEN, **seen))
    assert found.confirmed
    # It stays so: the kernel forgets the state, and the peer does not.
    found.see(replace(OPEN, state=State.CLOSED))
    assert found.confirmed


@pytest.mark.parametrize("state", [State.ESTABLISHED, State.FIN_WAIT_1, State.CLOSED])
def test_what_does_not(state: State) -> None:
    found = ack_status()
    found.see(replace(OPEN, state=state, segs_in=9))
    assert not found.confirmed


def test_segments_that_show_nothing_new_are_counted_once() -> None:
    found = ack_status()
    assert found.unexplained(OPEN) == 0
    assert found.unexplained(replace(OPEN, segs_in=3)) == 2
    assert found.unexplained(replace(OPEN, segs_in=3)) == 0
    assert found.unexplained(replace(OPEN, segs_in=4, bytes_acked=2)) == 0


def test_a_kernel_that_counts_no_segments_shows_none() -> None:
    assert ack_status().unexplained(replace(OPEN, segs_in=None, data_segs_in=None)) == 0


@pytest.mark.parametrize(
    ("rtt", "times", "repeats"),
    [
        (0.01, [1.0], 1),
        (0.01, [1.0, 3.0], 2),
        # The answers to two SYNs of ours come one after the other.
        (0.01, [0.02], 0),
        # On a slow path our ACK cannot have been there when the peer sent again at 1 s ...
        (1.5, [1.0, 3.0], 1),
        # ... nor at 3 s.
        (4.0, [1.0, 3.0], 0),
    ],
)
def test_what_left_before_our_ack_can_have_come_proves_nothing(
    rtt: float, times: list[float], repeats: int
) -> None:
    found = ack_status(rtt)
    for each in times:
        found.answered_again(round(each * NS_PER_SECOND))
    assert (len(found.monitor.again), found.in_vain) == (repeats, repeats > 1)


def test_who_has_shown_that_he_took_it_is_believed() -> None:
    found = ack_status()
    found.answered_again(1 * NS_PER_SECOND)
    found.answered_again(3 * NS_PER_SECOND)
    found.see(replace(OPEN, bytes_acked=2))
    assert not found.in_vain
    assert found.until == 0
