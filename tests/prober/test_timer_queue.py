"""Which calls are woken, and when."""

from __future__ import annotations

from handshake.prober.timer_queue import TimerQueue


class UserspaceConnection:
    """A call, as far as its timer goes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.due: int | None = None
        self.slot: list[UserspaceConnection | None] = [self]


def test_each_is_woken_once_and_the_earliest_first() -> None:
    timers: TimerQueue[UserspaceConnection] = TimerQueue()
    first, second, third = (UserspaceConnection(name) for name in ("first", "second", "third"))
    timers.set(second, 20)
    timers.set(first, 30)
    timers.set(first, 10)  # sooner
    timers.set(first, 40)  # later: it is woken before, and may wait again
    timers.set(third, 50)
    assert timers.next == 10
    assert [each.name for each in timers.due(45)] == ["first", "second"]
    assert list(timers.due(45)) == []
    assert timers.next == 50


def test_who_has_ended_is_not_woken() -> None:
    timers: TimerQueue[UserspaceConnection] = TimerQueue()
    first, second = UserspaceConnection("first"), UserspaceConnection("second")
    timers.set(first, 10)
    timers.set(second, 10)
    woken = []
    for each in timers.due(10):
        woken.append(each.name)
        second.slot[0] = None
    assert woken == ["first"]


def test_who_is_due_again_at_once_lets_the_others_have_their_turn() -> None:
    # As a call of the kernel's whose peer sends without end.
    timers: TimerQueue[UserspaceConnection] = TimerQueue()
    busy, other = UserspaceConnection("busy"), UserspaceConnection("other")
    timers.set(busy, 0)
    timers.set(other, 5)
    for _ in range(3):
        woken = []
        for each in timers.due(10):
            woken.append(each.name)
            timers.set(each, 0)
        assert woken == ["busy", "other"]
        assert timers.next == 0
