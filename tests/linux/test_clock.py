"""The clock of time stamps, when the system clock is set while a probe runs."""

import time

import pytest

from handshake.linux.clock import Clock
from handshake.units import NS_PER_MS, NS_PER_SECOND

HOUR = 3600 * NS_PER_SECOND


class Clocks:
    """A system clock that can be set, and a monotonic one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monotonic = 5 * NS_PER_SECOND
        self.ahead = 1_700_000_000 * NS_PER_SECOND
        monkeypatch.setattr(time, "monotonic_ns", lambda: self.monotonic)
        monkeypatch.setattr(time, "time_ns", lambda: self.monotonic + self.ahead)

    def pass_by(self, milliseconds: float) -> int:
        """Let time pass; return the system clock's time, which stamps a packet."""
        self.monotonic += round(milliseconds * NS_PER_MS)
        return self.monotonic + self.ahead


@pytest.mark.parametrize("step", [HOUR, -HOUR, NS_PER_SECOND, -NS_PER_SECOND])
@pytest.mark.parametrize("late", [0, 6000])
def test_a_round_trip_across_a_step_is_what_it_was(
    step: int, late: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clocks = Clocks(monkeypatch)
    clock = Clock()
    syn = clocks.pass_by(1)
    # The program may read both packets long after they arrived, and after the step.
    if not late:
        assert clock.stamped(syn, clock.now()) == syn
    clocks.ahead += step
    answer = clocks.pass_by(30)
    clocks.pass_by(late)
    now = clock.now()
    if late:
        syn = clock.stamped(syn, now)
    found = clock.stamped(answer, now)
    if not (late and 0 < step < late * NS_PER_MS):
        assert found - syn == 30 * NS_PER_MS
    assert 0 <= found - syn <= now - syn


def test_without_a_step_stamps_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = Clocks(monkeypatch)
    clock = Clock()
    stamps = [clocks.pass_by(each) for each in (1, 30, 0.1, 2000)]
    clocks.pass_by(10_000)
    assert [clock.stamped(each, clock.now()) for each in stamps] == stamps
