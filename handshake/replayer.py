"""Replays a saved capture: each segment in it, and what it changed at both ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.errors import CaptureError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from handshake.capture.open import Capture
    from handshake.events import Step
    from handshake.tracker import Tracker


class Replay:
    """The steps of one capture, in order, made as they are asked for and once only."""

    tracker: Tracker
    """Knows the connections seen so far."""

    def __init__(
        self,
        capture: Capture,
        tracker: Tracker | None = None,
        *,
        dedup: bool = False,
        reorder: bool = False,
    ) -> None:
        from handshake.tracker import Tracker

        self.tracker = tracker or Tracker()
        self._dedup = dedup
        self._reorder = reorder
        self._capture = capture
        self._skipped: list[CaptureError] = []

    @property
    def name(self) -> str:
        """The file's name as it was given; `handshake.escape` makes it printable."""
        return self._capture.name

    @property
    def warnings(self) -> list[CaptureError]:
        """What is wrong with the file and its packets; complete after the last step."""
        tracked = self.tracker.connections
        copies = sum(end.copies for each in tracked for end in (each.client, each.server))
        noted = []
        if copies:
            noted.append(CaptureError("copies", count=copies, dropped=self._dedup))
        return self._capture.warnings + self._skipped + noted

    @property
    def readable(self) -> bool:
        """Whether any frame could be read; known after the last step."""
        return self._capture.readable

    def __iter__(self) -> Iterator[Step]:
        from handshake.capture.order import in_order
        from handshake.packet.decode import Decoder
        from handshake.tcp import Observed

        decoder = Decoder()
        with self._capture:
            for frame in in_order(self._capture) if self._reorder else self._capture:
                found = decoder.observed(frame)
                if isinstance(found, Observed):
                    if not (self._dedup and self.tracker.drop_copy(found)):
                        yield self.tracker.feed(found)
                elif found is not None:
                    self.tracker.quoted(found)
        self._skipped = decoder.warnings


def replay(
    path: str | Path,
    tracker: Tracker | None = None,
    *,
    dedup: bool = False,
    reorder: bool = False,
) -> Replay:
    """Return the replay of the capture at `path`; `-` is standard input.

    With `dedup` packets that were captured before are dropped; with `reorder` the packets are
    sorted by time, for which all must be read first.

    `tracker` takes the place of a new one: `Tracker(observers=())` spends no time on the findings
    and on Zeek's reading, which only a record needs.

    Raises CaptureError if the file cannot be read or is not a capture.
    """
    from handshake.capture.open import read

    return Replay(read(path), tracker, dedup=dedup, reorder=reorder)
