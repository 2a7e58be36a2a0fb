"""What an analyst asks of a capture of 5,000 connections, with the keys that the screen names.

Each question has the most keys that its answer may take; letters of a filter are counted apart.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.cli.busy_capture import LOST, REFUSES_FROM, REFUSING, SLOWEST, busy
from tests.cli.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENTER, ESCAPE = "\r", "\x1b"
KEYS = "Enter open  / find  :N go  s sort  n problem  b servers  D diff  "


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the capture, written once."""
    return busy(tmp_path_factory.mktemp("busy") / "busy.pcap")


class Asked(Terminal):
    """A list on a terminal; it counts the keys."""

    count = 0

    def press(self, keys: str) -> None:
        """Press keys, each of which counts."""
        self.count += len(keys)
        super().press(keys)


@contextmanager
def asked(capture: Path, columns: int = 80, lines: int = 24) -> Iterator[Asked]:
    with Asked(["-m", "handshake", "list", str(capture), "--lang", "en"], columns, lines) as list_:
        # The keys that are needed stand on the screen.
        list_.see(KEYS)
        yield list_
        assert list_.process.poll() is None


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_the_server_that_refuses_most_and_since_when(capture: Path, size: tuple[int, int]) -> None:
    with asked(capture, *size) as list_:
        list_.press("b")
        since = (REFUSES_FROM - 1) * 0.12
        number = REFUSES_FROM
        address, port = REFUSING
        list_.see(f"── {address}:{port} ──")
        list_.see(f"41 refused: the first at {since:.3f}s")
        list_.see(f"#{number}, the last at")
        assert list_.count <= 6


def test_the_worst_round_trip_and_why(capture: Path) -> None:
    with asked(capture) as list_:
        list_.press("ss")
        list_.see("sort -rtt")
        list_.see(f">{SLOWEST} ! established")
        list_.see(" rtt 1.9 s: 1.9 s between here and the server, ")
        list_.see("! slow-path (likely): Each of the two SYNs got a SYN-ACK of its own, 1.9 s")
        assert list_.count <= 6


def test_connection_4000(capture: Path) -> None:
    with asked(capture) as list_:
        list_.press(":4000" + ENTER)
        list_.see(">4000 ")
        assert list_.count <= 6


def test_the_next_lost_syn_ack_and_which_segment_was_lost(capture: Path) -> None:
    typed = "syn-ack-lost"
    with asked(capture) as list_:
        list_.press("/" + typed + ENTER)
        list_.see("shown 3 of 5,000")
        list_.see(f">{LOST[0]} ! established")
        list_.see("╳─")
        list_.press(ENTER)
        list_.see("SYN-ACK lost seq=0")
        list_.press("n")
        list_.see("step 2/")
        list_.see("is half-open. Lost: this SYN-ACK ")
        assert len(typed) <= 30
        assert list_.count - len(typed) <= 4


def test_a_good_and_a_failed_connection_to_one_server(capture: Path) -> None:
    with asked(capture) as list_:
        list_.press("b" + ENTER)
        list_.see(f"filter server == {REFUSING[0]}:{REFUSING[1]}")
        list_.press("nD")
        list_.see("the segments differ from 2 on")
        list_.see("* outcome")
        assert list_.count <= 8
