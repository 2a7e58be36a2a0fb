"""Plays several parts of a lesson on real hosts, all at the same time."""

from __future__ import annotations

import os
import select
from typing import TYPE_CHECKING

from handshake.lessons.live_stage import LiveStage
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable

    from handshake.lessons.live_event import LiveEvent
    from handshake.lessons.script import Part


def perform(parts: Iterable[Part], report: Callable[[LiveEvent | str], None], until: int) -> None:
    """Play parts, all at the same time; report each event, and the name of each part that ended.

    Ends as soon as the descriptor `until` can be read, too.
    """
    woken, wake = os.pipe()
    os.set_blocking(woken, False)
    stages = [LiveStage(part, report, wake) for part in parts]
    for each in stages:
        each.begin()
    while stages:
        wires = [end for each in stages for end in each.wire.sockets]
        wait = min(each.due for each in stages) / NS_PER_SECOND
        waited: list[socket.socket | int] = [*wires, woken, until]
        ready, _, _ = select.select(waited, [], [], wait)
        if until in ready:
            return
        if woken in ready:
            os.read(woken, 1 << 10)
        for each in stages:
            each.go_on()
        for each in [each for each in stages if each.ended]:
            report(each.part.name)
            each.close()
            stages.remove(each)
