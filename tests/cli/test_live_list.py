"""What the table of `watch` holds: rows and packets in bounded memory, steps as they come."""

from __future__ import annotations

import threading
from itertools import count
from typing import TYPE_CHECKING

import pytest

from handshake.cli.kept_packets import KeptPackets
from handshake.cli.listing import LiveListing
from handshake.cli.live_list import MOST_STEPS, LiveList
from handshake.errors import CaptureError
from handshake.messages import text
from handshake.packet.frame import Frame
from handshake.survey.follow.step_log import StepLog
from handshake.view.glyphs import UNICODE
from handshake.watcher import LiveWatch
from tests.cli.terminal import PATIENCE
from tests.live.lab.traffic import frames

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from handshake.cli.spool import Snapshot
    from handshake.record import Record

SECOND = 10**9
MAC = "02:00:00:00:00:02"


class Wire:
    """A source to which a test gives frames, and whose clock it sets."""

    def __init__(self) -> None:
        self.lost, self.ended, self.time = 0, False, 0
        self._frames: list[Frame] = []
        self._numbers = count(1)
        self._lock = threading.Lock()

    def give(self, number: int, first: int = 0, last: int = 7) -> None:
        """Let segments of a connection come."""
        with self._lock:
            for octets in frames(number, MAC)[first:last]:
                at = self.time + next(self._numbers)
                self._frames.append(Frame(at - self.time, at, 0, 1, len(octets), octets, 0))

    def read(self, seconds: float) -> list[Frame]:
        threading.Event().wait(min(seconds, 0.01))
        with self._lock:
            found, self._frames = self._frames, []
            return found

    def now(self) -> int:
        return self.time

    warnings = ()

    def interfaces(self) -> list[tuple[str, int]]:
        return [("eth0", 1)]


def until(live: LiveList, wanted: Callable[[Snapshot], bool]) -> Snapshot:
    """Wait for what is wanted of the rows."""
    for _ in range(round(PATIENCE / 0.01)):
        taken = live.take()
        if taken is not None and wanted(taken):
            return taken
        threading.Event().wait(0.01)
    raise AssertionError("it did not come")


def streams(records: Sequence[Record]) -> list[int]:
    return [each.stream for each in records]


def test_open_connections_come_first_the_latest_on_top() -> None:
    wire = Wire()
    with LiveList(LiveWatch(wire), "eth0") as live:
        for number in range(3):
            wire.give(number)
        for number in (3, 4):
            wire.give(number, last=2)
        found = until(live, lambda taken: len(taken.records) == 5)
    assert live.live is not None
    assert live.live.open == {3, 4}
    assert streams(found.records) == [4, 3, 2, 1, 0]
    assert [each.server.state for each in found.records[:2]] == ["SYN-RECEIVED"] * 2


def test_rows_beyond_the_most_are_counted() -> None:
    wire = Wire()
    with LiveList(LiveWatch(wire), "eth0", most=2) as live:
        for number in range(5):
            wire.give(number)
        for number in range(5, 9):
            wire.give(number, last=1)
        found = until(live, lambda taken: len(taken.records) == 4)
        title = live.title(found.records, UNICODE)
    assert streams(found.records) == [8, 7, 4, 3]
    assert title == (
        "watch  eth0  2 open, 39 packets, 0 lost, 5 older connections no longer listed"
    )


def test_an_opened_connection_gets_its_steps_as_they_come() -> None:
    wire = Wire()
    with LiveList(LiveWatch(wire), "eth0") as live:
        wire.give(0, last=2)
        (record,) = until(live, lambda taken: len(taken.records) == 1).records
        log = StepLog(record.stream)
        seen = threading.Event()

        def work() -> None:
            live.follow_steps(record, log, lambda *_: seen.set() if len(log.steps) == 2 else None)

        follower = threading.Thread(target=work)
        follower.start()
        assert seen.wait(PATIENCE)
        assert len(log.steps) == 2
        wire.give(0, first=2)
        until(live, lambda _: not (live.live and live.live.open))
        follower.join(PATIENCE)
        assert not follower.is_alive()
    assert [step.client.after and str(step.client.after.state) for step in log.steps] == [
        *("SYN-SENT", "ESTABLISHED", "ESTABLISHED", "FIN-WAIT-1"),
        *("FIN-WAIT-2", "TIME-WAIT", "TIME-WAIT"),
    ]


def test_of_a_long_connection_so_many_steps_are_followed() -> None:
    wire = Wire()
    with LiveList(LiveWatch(wire), "eth0") as live:
        wire.give(0, last=3)
        (record,) = until(live, lambda taken: len(taken.records) == 1).records
        log = StepLog(record.stream)
        follower = threading.Thread(target=live.follow_steps, args=(record, log, lambda *_: None))
        follower.start()
        for _ in range(MOST_STEPS):
            wire.give(0, first=2, last=3)
        follower.join(PATIENCE)
    assert log.more
    assert len(log.steps) == MOST_STEPS


def test_what_is_no_longer_kept_cannot_be_opened() -> None:
    wire, kept = Wire(), KeptPackets(most=4000)
    with LiveList(LiveWatch(wire), "eth0", kept=kept) as live:
        for number in range(3):
            wire.give(number)
        found = until(live, lambda taken: len(taken.records) == 3).records
        last, *_, first = found
        with pytest.raises(CaptureError) as caught:
            live.read_again(first, StepLog(first.stream))
        assert caught.value.code == "watch.not-kept"
        log = StepLog(last.stream)
        live.read_again(last, log, 3)
    assert len(log.steps) == 3


def test_of_each_connection_the_first_packets_are_kept_and_again_from_a_syn() -> None:
    wire, kept = Wire(), KeptPackets(most_of_one=2)
    with LiveList(LiveWatch(wire), "eth0", kept=kept) as live:
        wire.give(0)
        (record,) = until(live, lambda taken: len(taken.records) == 1).records
        assert [each.number for each in kept.of(record)] == [1, 2]
        wire.give(0, last=1)
        until(live, lambda _: len(kept.of(record)) == 1)
        assert [each.number for each in kept.of(record)] == [8]


def test_what_is_followed_is_given_packets_after_its_first_ones_are_forgotten() -> None:
    wire, kept = Wire(), KeptPackets(most=4000)
    with LiveList(LiveWatch(wire), "eth0", kept=kept) as live:
        wire.give(0, last=3)
        (record,) = until(live, lambda taken: len(taken.records) == 1).records
        with kept.followed(record) as (found, more):
            assert len(found) == 3
            for number in (1, 2, 3):
                wire.give(number)
            until(live, lambda taken: len(taken.records) == 4)
            assert kept.of(record) == []
            wire.give(0, 3)
            assert more.get(timeout=PATIENCE).number == 25


def test_at_the_top_the_list_follows_elsewhere_the_connection_stays_chosen() -> None:
    wire = Wire()
    with LiveList(LiveWatch(wire), "eth0") as live:
        listing = LiveListing([])
        for number in range(3):
            wire.give(number, last=2)
            taken = until(live, lambda taken, at=number: len(taken.records) == at + 1)  # type: ignore[misc]
            listing.grow(taken.records)
            if number < 2:
                assert listing.current is taken.records[0]
                listing.move(number)  # at first the top, then below it
        assert listing.current is not None
        assert (listing.selected, listing.current.stream) == (2, 0)


def test_the_order_of_a_live_list_is_turned_and_undone() -> None:
    wire = Wire()
    with LiveList(LiveWatch(wire), "eth0") as live:
        for number in range(3):
            wire.give(number, last=2)
        listing = LiveListing(until(live, lambda taken: len(taken.records) == 3).records)
    assert listing.order == "live"
    listing.reverse()
    assert (listing.order, streams(listing.rows)) == ("-live", [0, 1, 2])
    assert listing.undo()
    assert (listing.order, streams(listing.rows)) == ("live", [2, 1, 0])
    listing.sort_next()
    assert listing.order == "outcome"
    for _ in range(6):
        listing.sort_next()
    assert listing.order == "live"


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_title_says_what_is_lost_and_left_out(language: str) -> None:
    values = {"open": 1, "packets": 2, "lost": 3, "left_out": 4, "unlisted": 5}
    said = text("screens", "watch.contents", values, language)
    assert all(str(each) in said for each in values.values())
