"""Reads the steps of connections in a thread, so that keys are answered meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from handshake.cli.background import Background
from handshake.errors import HandshakeError
from handshake.messages import ENGLISH
from handshake.survey.follow.step_log import StepLog
from handshake.view.browser import Preview

if TYPE_CHECKING:
    from collections.abc import Callable

    from handshake.capture.open import Watch
    from handshake.record import Record

_SHORT: Final = 1000
"""Segments of a connection that is read as a whole for its preview."""

_FIRST: Final = 60
"""Segments that are read of a longer one."""

_MOMENT: Final = 0.05

_KEPT: Final = 200
"""Previews that are kept."""


class Readable(Protocol):
    """What a connection's steps can be read from again."""

    def read_again(
        self, record: Record, log: StepLog, most: int | None = None, watch: Watch = ...
    ) -> None:
        """Give a log the steps of a connection, at most `most`. Raises CaptureError.

        `watch` is called now and then; what it raises ends the reading.
        """
        ...


@runtime_checkable
class Followable(Readable, Protocol):
    """What also gives the steps of a connection that goes on."""

    def follow_steps(self, record: Record, log: StepLog, watch: Watch) -> None:
        """Give a log the steps of a connection as they come. Raises CaptureError."""
        ...


class StepReader:
    """Reads one connection at a time; remembers the beginnings of the last ones."""

    def __init__(self, source: Readable, language: str = ENGLISH) -> None:
        self._language = language
        self.source = source
        self._previews: dict[tuple[str | None, int], tuple[int, Preview]] = {}
        """By capture and number: how many segments there were, and the beginning."""

        self._reading: Background | None = None

    @property
    def busy(self) -> bool:
        """Whether a connection is being read."""
        return self._reading is not None and not self._reading.wait(0)

    def preview(self, record: Record) -> Preview | None:
        """Return the beginning of a connection; None if it has not been read."""
        count, found = self._previews.get(_key(record), (0, None))
        return found if count == _count(record) else None

    def last_preview(self, record: Record) -> Preview | None:
        """Return the same, also if more segments have come since."""
        return self._previews.get(_key(record), (0, None))[1]

    def read_preview(self, record: Record) -> None:
        """Read the beginning of a connection in the background."""
        most = None if _count(record) <= _SHORT else _FIRST
        log = StepLog(record.stream)
        self._read(record, log, most)

    def open(self, record: Record) -> StepLog:
        """Return the log of a connection whose steps are being read in the background."""
        log = StepLog(record.stream)
        if isinstance(self.source, Followable):
            self._read(record, log, None, self.source.follow_steps)
            return log
        known = self.preview(record)
        if known is not None and known.steps and known.whole:
            log.steps, log.record, log.ended = list(known.steps), record, True
        else:
            self._read(record, log, None)
        return log

    def _read(
        self,
        record: Record,
        log: StepLog,
        most: int | None,
        follow: Callable[[Record, StepLog, Watch], None] | None = None,
    ) -> None:
        def work() -> None:
            try:
                if follow is not None:
                    follow(record, log, reading.go_on)
                else:
                    self.source.read_again(record, log, most, reading.go_on)
                log.end(log.record or record)
                if follow is not None:
                    return
                if most is not None or _count(record) <= _SHORT:
                    self._remember(record, Preview(log.steps, whole=most is None))
            except HandshakeError as error:
                self._remember(record, Preview(problem=error.said(self._language)))
            except OSError as error:
                self._remember(record, Preview(problem=str(error)))
            finally:
                log.ended = True

        self.stop()
        reading = self._reading = Background(work)
        reading.start()

    def wait(self) -> None:
        """Wait a moment for the connection that is being read."""
        if self._reading is not None:
            self._reading.wait(_MOMENT)

    def stop(self) -> None:
        """Read no more."""
        if self._reading is not None:
            self._reading.stop()

    def _remember(self, record: Record, preview: Preview) -> None:
        if len(self._previews) >= _KEPT:
            self._previews.clear()
        self._previews[_key(record)] = _count(record), preview

    def forget(self) -> None:
        """Forget what was read: the captures have grown."""
        self._previews.clear()


def _key(record: Record) -> tuple[str | None, int]:
    """Return what tells a connection from all others."""
    return record.capture, record.stream


def _count(record: Record) -> int:
    return record.client.segments + record.server.segments
