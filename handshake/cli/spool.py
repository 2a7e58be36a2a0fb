"""A capture from standard input, kept in a file while it arrives: it can be read repeatedly."""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.cli.background import Background
from handshake.cli.listing import title
from handshake.errors import HandshakeError
from handshake.tcp.copy import changed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

    from handshake.capture.open import Watch
    from handshake.record import Record
    from handshake.survey import Records
    from handshake.survey.follow.step_log import StepLog
    from handshake.view.glyphs import Glyphs
    from handshake.view.live_table import Live

_NAME: Final = "standard input"

_WAIT: Final = 0.2
"""Seconds to wait for octets at a time."""

_PAUSE: Final = 0.5
"""Seconds between two readings at least."""

_SHARE: Final = 5
"""Pauses are so many times as long as a reading took: most of the time is left to the keys."""

_PIECE: Final = 1 << 18


class Snapshot(NamedTuple):
    """What is known of the capture so far."""

    records: Sequence[Record]
    ended: bool


class Spool:
    """Standard input in a file of its own, which vanishes with the `with` block."""

    word = "reading"
    """What it does, as the screen names it."""

    live: Live | None = None
    """What records do not tell of connections that are watched: these are not."""

    def __init__(self, read: Callable[[str], Records]) -> None:
        """Take what reads a file."""
        self._read = read
        self._file = NamedTemporaryFile(prefix="handshake-", suffix=".pcap")  # noqa: SIM115
        self._size = 0
        self._ended = threading.Event()
        self._source: Records | None = None
        self._snapshot: Snapshot | None = None
        self._error: HandshakeError | None = None
        self._work = (Background(self._copy), Background(self._survey))

    def __enter__(self) -> Self:
        for each in self._work:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._work:
            each.stop()
        self._file.close()

    @property
    def source(self) -> Records | None:
        """What was read last; None if nothing was."""
        return self._source

    def take(self) -> Snapshot | None:
        """Return what was read since the last call; None if that is nothing.

        Raises CaptureError if standard input has ended and is no capture.
        """
        for each in self._work:
            each.wait(0)
        if self._error is not None:
            raise self._error
        taken, self._snapshot = self._snapshot, None
        return taken

    def title(self, records: Sequence[Record], signs: Glyphs) -> str:
        """Return what is read, and what is in it."""
        return title(records, ["-"], signs)

    def read_again(
        self, record: Record, log: StepLog, most: int | None = None, watch: Watch = lambda *_: None
    ) -> None:
        """Give a log the steps of a connection, at most `most`."""
        assert self._source is not None
        self._source.read_again(changed(record, capture=self._file.name), log, most, watch)

    def _copy(self) -> None:
        copying = self._work[0]
        try:
            while True:
                copying.go_on()
                if not select.select([sys.stdin], [], [], _WAIT)[0]:
                    continue
                octets = os.read(sys.stdin.fileno(), _PIECE)
                if not octets:
                    return
                self._file.write(octets)
                self._file.flush()
                self._size += len(octets)
        finally:
            self._ended.set()

    def _survey(self) -> None:
        known, surveying = -1, self._work[1]
        while True:
            surveying.go_on()
            # Asked first: what is read then is all.
            ended, size = self._ended.is_set(), self._size
            took = 0.0
            if size != known or ended:
                begun = time.monotonic()
                self._read_all(surveying, ended=ended)
                known, took = size, time.monotonic() - begun
            if ended:
                return
            self._ended.wait(max(_PAUSE, _SHARE * took))

    def _read_all(self, surveying: Background, *, ended: bool) -> None:
        source = self._read(self._file.name)
        source.watch(surveying.go_on)
        try:
            found = [changed(each, capture=_NAME) for each in source]
        except HandshakeError as error:
            # Until its end it may be that not even the file's header has come.
            self._error = error if ended else None
            return
        self._source, self._snapshot = source, Snapshot(found, ended)
