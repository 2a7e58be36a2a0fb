"""The frames of one capture file, or of several that are parts of one capture."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from handshake.capture.open import STANDARD_INPUT, is_url, read
from handshake.capture.order import in_order
from handshake.errors import CaptureError
from handshake.escape import printable
from handshake.survey.read.joints import AROUND, missing_between
from handshake.survey.read.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from handshake.capture.checkpoints import Checkpoints
    from handshake.capture.open import Watch
    from handshake.capture.sink import FrameSink
    from handshake.packet.frame import Frame
    from handshake.survey.read.whereabouts import Whereabouts


class Reused(NamedTuple):
    """What came before a connection on the same sockets."""

    number: int
    """The connection before it."""

    first: int | None
    """The first frame of that, if the state of its ends may go on."""


class Places(NamedTuple):
    """Where the frames of a file are, so that some can be read again."""

    name: str

    first: int
    """The number of its first frame."""

    checkpoints: Checkpoints


@dataclass(slots=True)
class ReadReport:
    """Warnings and errors of reading, and where to read what again."""

    warnings: list[CaptureError] = field(default_factory=list)
    """What is wrong with files and packets."""

    errors: list[CaptureError] = field(default_factory=list)
    """Why files could not be read at all."""

    read: list[str] = field(default_factory=list)
    """The names of the files that could be read, at least in part."""

    left_out: int = 0
    """How many connections are in no record, as too many were open."""

    places: list[Places] = field(default_factory=list)
    """Of each file, in their order."""

    reused: dict[tuple[str, int], Reused] = field(default_factory=dict)
    """By the names of the captures and the numbers of the connections."""

    where: dict[tuple[str, int], Whereabouts] = field(default_factory=dict)
    """Where the frames of scattered flows are, by the names of the captures and their numbers."""

    def add(self, other: ReadReport) -> None:
        """Add what is said of another file."""
        self.left_out += other.left_out
        self.places += other.places
        self.reused.update(other.reused)
        self.where.update(other.where)
        self.warnings += other.warnings
        self.errors += other.errors
        self.read += other.read


class File:
    """One capture file."""

    def __init__(
        self,
        path: str | Path,
        *,
        reorder: bool = False,
        max_unpacked: int | None = None,
        folder: str = "",
    ) -> None:
        """With `reorder` the frames are sorted by time; `max_unpacked` is as in `read`.

        `folder` is where a relative path begins, if not in the current directory.
        """
        self._max_unpacked = max_unpacked
        self._path = path if is_url(path) or not folder else Path(folder, path)
        self._reorder = reorder
        self.name = STANDARD_INPUT if str(path) == "-" else str(path)

    def frames(
        self,
        report: ReadReport,
        sink: FrameSink | None = None,
        watch: Watch | None = None,
        first: int = 1,
    ) -> Iterator[Frame]:
        """Yield every frame that `sink` does not take, and report what is wrong with the file.

        `first` is the number of its first frame, if not here, then in the capture.
        """
        try:
            taken = None if self._reorder else sink
            capture = read(self._path, taken, watch, self._max_unpacked, self.name)
        except CaptureError as error:
            report.errors.append(error)
            return
        report.places.append(Places(self.name, first, capture.checkpoints))
        with capture:
            yield from in_order(capture) if self._reorder else capture
        found = [each.at(self.name) for each in capture.warnings]
        if capture.readable:
            report.read.append(self.name)
            report.warnings += found
        else:
            report.errors += found

    def some(
        self, wanted: Sequence[range], places: Sequence[Places], watch: Watch
    ) -> Iterator[Frame]:
        """Yield at least the frames of these numbers, which ascend, by an earlier reading.

        Raises CaptureError if the file cannot be read any more.
        """
        spans = places[0].checkpoints.spans(wanted)
        with read(self._path, None, watch, self._max_unpacked, self.name, spans) as capture:
            yield from capture

    def file_of(self, frame: int | None) -> str:  # noqa: ARG002 - there is but one
        """Return its name."""
        return self.name


class Parts:
    """Files that are parts of one capture (tcpdump -C, -G).

    They are read in the order of their first packets; frame numbers continue from one file to
    the next, as `mergecap -a` joins them.
    """

    def __init__(
        self,
        paths: Sequence[str | Path],
        *,
        reorder: bool = False,
        max_unpacked: int | None = None,
        folder: str = "",
    ) -> None:
        self._reorder = reorder
        ordered = sorted(paths, key=_begins)
        self._files = [File(each, max_unpacked=max_unpacked, folder=folder) for each in ordered]
        self._firsts = [1]
        """The number of each file's first frame."""

        self.name = f"{len(paths)} files"

    def frames(
        self,
        report: ReadReport,
        sink: FrameSink | None = None,  # noqa: ARG002
        watch: Watch | None = None,
    ) -> Iterator[Frame]:
        """Yield the frames of all readable files. The sink takes none: all get new numbers."""
        frames = self._numbered(report, watch)
        yield from in_order(frames) if self._reorder else frames

    def _numbered(self, report: ReadReport, watch: Watch | None) -> Iterator[Frame]:
        self._firsts.clear()
        number = latest = 0
        reading = Reading(None if watch is None else lambda whole: watch(whole.octets, number))
        before: deque[Frame] = deque(maxlen=AROUND)
        for at, file in enumerate(self._files):
            self._firsts.append(number + 1)
            overlaps = False
            earlier = list(before)
            after: list[Frame] = []
            for frame in file.frames(report, watch=reading.of(at), first=number + 1):
                if not after and frame.time < latest:
                    overlaps = True
                    report.warnings.append(CaptureError("list.overlap").at(file.name))
                if len(after) < AROUND:
                    after.append(frame)
                    if len(after) == AROUND and not overlaps:
                        self._join(earlier, after, at, report)
                number += 1
                latest = max(latest, frame.time)
                yield frame._replace(number=number)
                before.append(frame)
            if len(after) < AROUND and not overlaps:
                self._join(earlier, after, at, report)

    def some(
        self, wanted: Sequence[range], places: Sequence[Places], watch: Watch
    ) -> Iterator[Frame]:
        """Yield at least the frames of these numbers, as `File.some` does."""
        files = {each.name: each for each in self._files}
        ends = [*(each.first for each in places[1:]), wanted[-1].stop]
        for place, end in zip(places, ends, strict=True):
            before = place.first - 1
            own = [
                range(max(each.start - before, 1), min(each.stop, end) - before) for each in wanted
            ]
            own = [each for each in own if each]
            for frame in files[place.name].some(own, [place], watch) if own else ():
                yield frame._replace(number=frame.number + before)

    def _join(
        self, before: Iterable[Frame], after: list[Frame], at: int, report: ReadReport
    ) -> None:
        """Report octets that are missing where a file follows the one before it."""
        count = missing_between(before, after) if at and after else 0
        if count:
            names = {"count": count, "before": printable(self._files[at - 1].name)}
            error = CaptureError("list.missing", **names)
            report.warnings.append(error.at(self._files[at].name))

    def file_of(self, frame: int | None) -> str:
        """Return the name of the file that holds a frame, by its number over all files."""
        return self._files[bisect_right(self._firsts, frame or 1) - 1].name


Source: TypeAlias = File | Parts
"""The frames of one capture."""


def _begins(path: str | Path) -> float:
    """Return the time of a file's first packet; infinite if that is not known yet."""
    # A pipe can be read only once, and is likely the part still being written.
    if not is_url(path) and not Path(path).is_file():
        return float("inf")
    try:
        with read(path) as capture:
            return next((frame.time for frame in capture), float("inf"))
    except CaptureError:
        return float("inf")
