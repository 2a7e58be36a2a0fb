"""By how much something on real hosts is early or late, where their wire itself was late."""

from __future__ import annotations

import pytest

from handshake.events import Role
from handshake.lessons import Moment
from handshake.lessons.live_event import LiveEvent


@pytest.mark.parametrize(
    ("at", "late", "planned", "by"),
    [
        (100, 0, 100, 0),
        (130, 0, 100, 30),
        (70, 0, 100, 30),
        (130, 30, 100, 0),  # a call, which waited
        (100, 30, 100, 0),  # a timer of the kernel, which did not
        (150, 30, 100, 20),
        (60, 30, 100, 40),
    ],
)
def test_what_had_to_wait_is_not_late(at: int, late: int, planned: int, by: int) -> None:
    event = LiveEvent("", "data", at, Moment.LEAVES, Role.CLIENT, late=late)
    assert event.differs_by(planned) == by
