"""The tracker's states of both ends against those of their kernels, after each step.

Segments pass one at a time, a capture is taken at the interface of each host, and after each
step both kernels are asked. Then the tracker reads what each capture had by that step:

- For the host where a capture was taken, it must always agree with the kernel.
- Of the other host too, unless something is on its way or was lost before it came here.
- Otherwise a history lists what must be assumed, and the tracker must agree with that.

If a kernel has no connection, the tracker has CLOSED, or nothing for an end that has not sent: no
capture can show whether a port is listening. It has LISTEN only for a listener.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from handshake.events import Role
from handshake.linux.tcp_info import TcpInfo
from handshake.replayer import replay
from handshake.tcp import ControlBlock, Endpoint, State
from handshake.tracker import summarize
from tests.live.lab import loss_histories, option_histories  # noqa: F401 - they add histories
from tests.live.lab.cable import Kernel, Moment, stepwise
from tests.live.lab.histories import HISTORIES

MTU = 1500
HEADERS = {4: 20 + 20, 6: 40 + 20}
TIMESTAMPS = 12
"""Octets that the timestamps take of each segment, filled up to whole words."""


KNOWN = {
    # RFC 7323 section 2.2: the window in a SYN is never scaled. Linux scales that of a SYN-ACK
    # which comes in SYN-RECEIVED, until the next segment.
    "simultaneous_open": {"snd_wnd"},
    # Linux takes the octets of the timestamps off when it leaves SYN-RECEIVED for ESTABLISHED, and
    # this end never was there.
    "fast_open_closed_before_the_last_ack": {"advmss"},
}
"""What the kernel has otherwise than tracker and RFC, by history."""


class View:
    """What the tracker made of the capture at one side, segment by segment."""

    def __init__(self, path: Path, ends: dict[Role, Endpoint]) -> None:
        source = replay(path)
        self._blocks: list[dict[Role, ControlBlock | None]] = [dict.fromkeys(Role)]
        for step in source:
            connection = source.tracker.connections[step.stream]
            known = {
                connection.client.endpoint: step.client.after,
                connection.server.endpoint: step.server.after,
            }
            others = known.keys() != set(ends.values())
            now = {role: known.get(end) for role, end in ends.items()}
            self._blocks.append(self._blocks[-1] if others else now)
        records = [summarize(connection) for connection in source.tracker.connections]
        self.fast_open = any(record.handshake.fast_open for record in records)

    def block(self, end: Role, packets: int) -> ControlBlock | None:
        """Return what was known of an end after so many packets."""
        return self._blocks[packets][end]


@dataclass(frozen=True, slots=True)
class Difference:
    """Where tracker and kernel do not agree."""

    step: str
    what: str
    at: Role
    of: Role
    tracker: object
    kernel: object


def agrees(block: ControlBlock | None, kernel: Kernel) -> bool:
    """Whether the tracker agrees with the kernel about an end."""
    if kernel.entry is None:
        if block is None or block.state is State.CLOSED:
            return True
        return block.state is State.LISTEN and kernel.listening
    return block is not None and block.state is kernel.state


def says(block: ControlBlock | None) -> str:
    return "nothing" if block is None else str(block.state)


def agreed(block: ControlBlock, info: TcpInfo) -> dict[str, tuple[object, object]]:
    """Return what came into force, as the tracker and as the kernel has it."""
    mss = min(block.mss or 0, MTU - HEADERS[block.local.version])
    assert block.offered is not None
    # Linux takes the octets that the timestamps need off both, once they are in force.
    taken = TIMESTAMPS * bool(block.timestamps)
    return {
        "snd_shift": (block.snd_shift, info.snd_shift),
        "rcv_shift": (block.rcv_shift, info.rcv_shift),
        "sack": (block.sack, info.sack),
        "timestamps": (block.timestamps, info.timestamps),
        "ecn": (block.ecn, info.ecn),
        "mss": (mss - taken, info.snd_mss),
        "advmss": (block.offered.mss or info.advmss + taken, info.advmss + taken),
        "snd_wnd": (block.snd.wnd, info.snd_wnd),
    }


def differences(moment: Moment, views: dict[Role, View]) -> Iterator[Difference]:
    for at, view in views.items():
        for end, kernel in moment.kernels.items():
            block = view.block(end, moment.packets[at])
            differs = partial(Difference, moment.step, at=at, of=end)
            assumed = moment.assumed.get((at, end))
            if assumed is not None:
                # If it is right none the less, nothing need be assumed.
                if says(block) != str(assumed) or agrees(block, kernel):
                    yield differs("assumed", tracker=says(block), kernel=str(kernel.state))
            elif at is end or moment.informed[at]:
                if not agrees(block, kernel):
                    yield differs("state", tracker=says(block), kernel=str(kernel.state))
                elif block is not None and kernel.info is not None:
                    for what, (ours, theirs) in agreed(block, kernel.info).items():
                        # A repeated segment does not show whether a window arrived.
                        if ours != theirs and (at is end or what != "snd_wnd"):
                            yield differs(what, tracker=ours, kernel=theirs)


@pytest.mark.live
@pytest.mark.parametrize("name", HISTORIES)
@pytest.mark.parametrize("version", [4, 6])
def test_the_tracker_agrees_with_both_kernels(name: str, version: int, tmp_path: Path) -> None:
    with stepwise(tmp_path, version) as (cable, captures):
        HISTORIES[name](cable)
    views = {role: View(taken.path, cable.ends) for role, taken in captures.items()}
    found = [each for moment in cable.moments for each in differences(moment, views)]
    known = KNOWN.get(name, set())
    assert [each for each in found if each.what not in known] == []
    assert {each.what for each in found} == known
    infos = [kernel.info for moment in cable.moments for kernel in moment.kernels.values()]
    taken = any(info.syn_data for info in infos if info is not None)
    assert [view.fast_open for view in views.values()] == [taken, taken]
