"""Opens a capture file of any supported format."""

from __future__ import annotations

import os
import re
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, cast

from handshake.capture import pcap, pcapng, snoop
from handshake.capture.checkpoints import Checkpoints
from handshake.capture.compression import (
    Restarts,
    at_most,
    decompressor,
    go_on,
    is_compressed,
    limited,
)
from handshake.capture.reader import LARGE_PIECE, LARGEST_PIECE, PIECE, Reader
from handshake.errors import CaptureError, system_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import BufferedReader, RawIOBase
    from types import TracebackType
    from typing import BinaryIO

    from handshake.capture.checkpoints import Spans
    from handshake.capture.sink import FrameSink
    from handshake.packet.frame import Frame

UNSUPPORTED: Final = {
    b"\xfd7zXZ\0": "capture.xz",
    b"BZh": "capture.bzip2",
    b"PK\x03\x04": "capture.zip",
}
"""What files in unsupported formats begin with, and the error for them."""

_PACKETS: Final = 8192
"""Packets read at a time where that is not too much."""

_MAGIC_OCTETS: Final = 12

_URL: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")

STANDARD_INPUT: Final = "standard input"
"""The name of the capture that is read from there."""


_NO_CAPTURE: Final = ("capture.empty", "capture.text", "capture.short", "capture.unknown")
"""Errors of a file that stands beside captures and is none."""


class Watch(Protocol):
    """Is told how far a file was read, before each piece that is read from it."""

    def __call__(self, octets: int, packets: int, /) -> None:
        """Take the octets, as they stand in the file, and the packets read so far."""
        ...


class Capture:
    """The frames of one capture, read once and in order."""

    name: str
    """The file's name as it was given, which may hold characters that cannot be printed."""

    warnings: list[CaptureError]
    """What is wrong with the file; complete only after the last frame."""

    count: int
    """How many frames were read so far, the last of those that a sink took perhaps not yet."""

    checkpoints: Checkpoints
    """Places from which it can be read again, as far as it was read."""

    def __init__(
        self,
        name: str,
        read: Callable[[int], bytes],
        close: Callable[[], None],
        sink: FrameSink | None = None,
        watch: Watch | None = None,
        most: Callable[[int], int] = at_most,
        seek: Callable[[int], object] | None = None,
        spans: Spans | None = None,
    ) -> None:
        """`most` returns how much may be unpacked of so many octets that were read.

        `seek` goes to an offset, if the file can be read from there; with `spans` only their frames
        are read.
        """
        self.name = name
        self.warnings = []
        self.count = 0
        self.checkpoints = Checkpoints()
        self.close = close
        """Closes the file before the last frame was read."""

        self._read = 0
        self._in_columns = sink is not None

        def again(offset: int, _: int) -> Iterator[bytes] | None:
            if seek is None:
                return None
            seek(offset)
            return self._pieces(read, watch)

        stream = Reader(self._pieces(read, watch), again)
        self._frames = _frames(
            stream, self.warnings, sink, lambda: most(self._read), self.checkpoints, spans
        )

    @property
    def readable(self) -> bool:
        """Whether anything could be read: a warning and no frame means that nothing could."""
        return self.count > 0 or not self.warnings

    def __iter__(self) -> Iterator[Frame]:
        for frame in self._frames:
            self.count = frame.number
            yield frame
        self.close()

    def _pieces(self, read: Callable[[int], bytes], watch: Watch | None) -> Iterator[bytes]:
        piece, unknown, large, most = b"begin", True, False, PIECE
        while piece:
            if watch is not None:
                watch(self._read, self.count)
            piece = read(most)
            if unknown:
                # What is unpacked of a piece would be too much to be kept.
                large, unknown = self._in_columns and not is_compressed(piece), False
            self._read += len(piece)
            yield piece
            if large:
                # Columns are to be of some length.
                many = _PACKETS * self._read // self.count if self.count else 0
                most = min(max(LARGE_PIECE, many), LARGEST_PIECE)

    def __enter__(self) -> Capture:
        return self

    def __exit__(
        self,
        layout: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def is_capture(path: str | Path) -> bool:
    """Whether a file begins like a capture, or may be one but cannot be opened."""
    try:
        read(path).close()
    except CaptureError as error:
        if error.code in UNSUPPORTED.values():
            return "cap" in Path(path).name.lower()
        return error.code not in _NO_CAPTURE
    return True


def is_url(path: str | Path) -> bool:
    """Whether a path is a URL, which fsspec opens: `s3://bucket/day.pcap`."""
    return isinstance(path, str) and _URL.match(path) is not None


def read(
    path: str | Path,
    sink: FrameSink | None = None,
    watch: Watch | None = None,
    max_unpacked: int | None = None,
    name: str | None = None,
    spans: Spans | None = None,
) -> Capture:
    """Return the capture at `path`, which is a file or a URL; `-` is standard input.

    Reads pcap, pcapng and snoop, plain or compressed with gzip, zstd or lz4. Raises CaptureError
    if the file cannot be read or is not a capture; one that is damaged later yields its frames,
    then a warning.

    `sink` may take plain frames, which are then not yielded; `watch` is told how far it was read.
    A compressed capture ends with a warning where it unpacks to more than `max_unpacked` octets, by
    default `TIMES` its size, and `FLOOR` at least. `name` is what errors call it, if not `path`.
    `spans`, which the checkpoints of an earlier reading give, are all that is read.
    """
    most = at_most if max_unpacked is None else lambda _: max_unpacked
    if str(path) == "-":
        if sys.stdin.isatty():
            raise CaptureError("capture.terminal")
        # read1 returns what is there, so that a capture still being written is shown as it grows.
        stdin = cast("BufferedReader", sys.stdin.buffer)
        return _capture(STANDARD_INPUT, stdin.read1, lambda: None, sink, watch, most, None, None)
    name = name or str(path)
    try:
        file = _opened(path)
    except FileNotFoundError:
        raise CaptureError("file.not-found").at(name) from None
    except IsADirectoryError:
        raise CaptureError("file.directory").at(name) from None
    except PermissionError:
        raise CaptureError("file.permission").at(name) from None
    except (OSError, ValueError) as error:
        # ValueError: a file name cannot contain NUL.
        why = system_error(error) if isinstance(error, OSError) else error
        raise CaptureError("file.unopened", why=why).at(name) from None
    except CaptureError as error:
        raise error.at(name) from None
    try:
        size = _size(file)
        if max_unpacked is None:
            most = lambda octets: at_most(max(octets, size))  # noqa: E731
        seek = file.seek if file.seekable() else None
        return _capture(name, file.read, file.close, sink, watch, most, seek, spans)
    except CaptureError:
        file.close()
        raise


def _size(file: RawIOBase | BinaryIO) -> int:
    """Return the size of a file; 0 of a pipe."""
    if hasattr(file, "size"):  # of a URL
        return int(file.size or 0)
    try:
        return os.fstat(file.fileno()).st_size
    except OSError:  # io.UnsupportedOperation, of a URL
        return 0


def _opened(path: str | Path) -> RawIOBase | BinaryIO:
    if not is_url(path):
        return Path(path).open("rb", buffering=0)
    try:
        from fsspec import open as open_url
    except ImportError:
        values = {"library": "fsspec", "package": "'tcp-handshake[cluster]'"}
        raise CaptureError("library", asked="reading a URL", **values) from None
    try:
        return cast("BinaryIO", open_url(path, "rb").open())
    except OSError:
        raise
    except Exception as error:  # of the protocol's library, or there is none for it
        raise CaptureError("file.unopened", why=error) from None


def _capture(
    name: str,
    read: Callable[[int], bytes],
    close: Callable[[], None],
    sink: FrameSink | None,
    watch: Watch | None,
    most: Callable[[int], int],
    seek: Callable[[int], object] | None,
    spans: Spans | None,
) -> Capture:
    try:
        return Capture(name, read, close, sink, watch, most, seek, spans)
    except CaptureError as error:
        raise error.at(name) from None


def _frames(
    stream: Reader,
    warnings: list[CaptureError],
    sink: FrameSink | None,
    most: Callable[[], int],
    checkpoints: Checkpoints,
    spans: Spans | None,
) -> Iterator[Frame]:
    magic = bytes(stream.peek(_MAGIC_OCTETS))
    restarts = checkpoints.restarts
    if (decompress := decompressor(magic, restarts)) is not None:
        restarts = restarts if spans is None else spans.restarts
        again = partial(_unpacked_again, stream, restarts)
        stream = Reader(limited(decompress(stream.rest()), most), again)
        magic = bytes(stream.peek(_MAGIC_OCTETS))
    if magic[:4] in pcap.MAGICS:
        return pcap.frames(stream, warnings, sink, checkpoints, spans)
    if magic[:4] == pcapng.MAGIC:
        return pcapng.frames(stream, warnings, sink, checkpoints, spans)
    if magic.startswith(snoop.MAGIC):
        return snoop.frames(stream, warnings, checkpoints, spans)
    if stream.broken and not magic:
        raise CaptureError("capture.unreadable", why=stream.broken)
    raise CaptureError(_why_not(stream, magic))


def _unpacked_again(
    stream: Reader, restarts: Restarts, offset: int, reached: int
) -> Iterator[bytes] | None:
    """Return the decompressed data from an offset on; None if it is no detour to read on."""
    restart = restarts.before(offset)
    if restart is None or restart.unpacked <= reached <= offset:
        return None
    stream.go_to(restart.packed)
    return go_on(restart, stream.rest(), offset)


def _why_not(stream: Reader, magic: bytes) -> str:
    """Return the code of the error for a file that is not a capture."""
    if not magic:
        return "capture.empty"
    for begin, code in UNSUPPORTED.items():
        if magic.startswith(begin):
            return code
    if all(octet in b"\t\n\r" or 0x20 <= octet < 0x7F for octet in bytes(stream.peek(256))):
        return "capture.text"
    return "capture.short" if len(magic) < 4 else "capture.unknown"
