"""Which calls are woken, and when."""

from __future__ import annotations

from weakref import ref

from hypothesis import given
from hypothesis import strategies as st

from handshake.endpoint.timer_queue import TimerQueue


class UserspaceConnection:
    """A call, as far as its timer goes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.due: int | None = None
        self.timer = 0


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
        timers.cancel(second)
    assert woken == ["first"]


def test_one_that_has_ended_is_not_kept() -> None:
    timers: TimerQueue[UserspaceConnection] = TimerQueue()
    ended = UserspaceConnection("ended")
    timers.set(ended, 10)
    timers.set(ended, 5)
    kept = ref(ended)
    timers.cancel(ended)
    del ended
    assert kept() is None
    assert list(timers.due(10)) == []


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 50))), st.integers(0, 50))
def test_all_that_are_due_are_woken_in_order(sets: list[tuple[int, int]], now: int) -> None:
    timers: TimerQueue[UserspaceConnection] = TimerQueue()
    calls = [UserspaceConnection(str(number)) for number in range(10)]
    soonest: dict[str, int] = {}
    for number, due in sets:
        timers.set(calls[number], due)
        soonest[str(number)] = min(due, soonest.get(str(number), due))
    assert timers.next == min(soonest.values(), default=None)
    woken = [each.name for each in timers.due(now)]
    assert sorted(woken) == sorted(name for name, due in soonest.items() if due <= now)
    assert [soonest[name] for name in woken] == sorted(soonest[name] for name in woken)


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
