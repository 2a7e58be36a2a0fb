"""Capture files: one function that reads them all, and says in a line why it cannot."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from handshake.capture import pcap, pcapng, snoop
from handshake.capture.compression import unpacker
from handshake.capture.reader import PIECE, Reader
from handshake.errors import CaptureError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import BufferedReader
    from types import TracebackType

    from handshake.packet.frame import Frame
    from handshake.packet.packed_frames import Taken

_OTHERS: Final = {
    b"\xfd7zXZ\0": ("packed with xz", "unpack it with xz -d"),
    b"BZh": ("packed with bzip2", "unpack it with bzip2 -d"),
    b"PK\x03\x04": ("a zip archive", "unpack it"),
}
"""What other files begin with, what they are, and the way out."""

_MAGIC_OCTETS: Final = 12


class Capture:
    """The frames of one capture, read once and in order."""

    name: str
    """The file's name, fit to be shown."""

    warnings: list[str]
    """What was wrong with the file, a line each; whole only after the last frame."""

    count: int
    """How many frames were handed out so far."""

    def __init__(
        self,
        name: str,
        read: Callable[[int], bytes],
        close: Callable[[], None],
        taken: Taken | None = None,
    ) -> None:
        self.name = name
        self.warnings = []
        self.count = 0
        self.close = close
        """Let go of the file before the last frame was read."""

        stream = Reader(iter(partial(read, PIECE), b""))
        self._frames = _frames(stream, self.warnings, taken)

    @property
    def readable(self) -> bool:
        """Whether anything came of it: no frame, and a warning, means that nothing was whole."""
        return self.count > 0 or not self.warnings

    def __iter__(self) -> Iterator[Frame]:
        for frame in self._frames:
            self.count += 1
            yield frame
        self.close()

    def __enter__(self) -> Capture:
        return self

    def __exit__(
        self,
        layout: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def read(path: str | Path, taken: Taken | None = None) -> Capture:
    """Return the capture at `path`, or on standard input where it is `-`.

    pcap, pcapng and snoop, plain or packed with gzip, zstd or lz4. Raises CaptureError where
    the file cannot be read or is no capture; one that breaks off later gives its frames, then
    a warning.

    Plain frames between ends that `taken` has may be put there, and not handed out.
    """
    if str(path) == "-":
        if sys.stdin.isatty():
            raise CaptureError("standard input is a terminal: name a file, or pipe a capture in")
        # read1 takes what has come, so a capture still being written is shown as it grows.
        stdin = cast("BufferedReader", sys.stdin.buffer)
        return _capture("standard input", stdin.read1, lambda: None, taken)
    name = str(path) if str(path).isprintable() else ascii(str(path))
    try:
        file = Path(path).open("rb", buffering=0)  # noqa: SIM115 - the capture closes it
    except FileNotFoundError:
        raise CaptureError(f"{name}: there is no such file: check its name") from None
    except IsADirectoryError:
        raise CaptureError(f"{name}: it is a directory: name a file in it") from None
    except PermissionError:
        raise CaptureError(f"{name}: it may not be read: check its permissions") from None
    except (OSError, ValueError) as error:
        # ValueError: no file can have a name with a NUL in it.
        why = getattr(error, "strerror", None) or error
        raise CaptureError(f"{name}: it cannot be opened: {why}") from None
    try:
        return _capture(name, file.read, file.close, taken)
    except CaptureError:
        file.close()
        raise


def _capture(
    name: str, read: Callable[[int], bytes], close: Callable[[], None], taken: Taken | None
) -> Capture:
    try:
        return Capture(name, read, close, taken)
    except CaptureError as error:
        raise CaptureError(f"{name}: {error}") from None


def _frames(stream: Reader, warnings: list[str], taken: Taken | None) -> Iterator[Frame]:
    magic = bytes(stream.peek(_MAGIC_OCTETS))
    if (unpack := unpacker(magic)) is not None:
        stream = Reader(unpack(stream.rest()))
        magic = bytes(stream.peek(_MAGIC_OCTETS))
    if magic[:4] in pcap.MAGICS:
        return pcap.frames(stream, warnings, taken)
    if magic[:4] == pcapng.MAGIC:
        return pcapng.frames(stream, warnings)
    if magic.startswith(snoop.MAGIC):
        return snoop.frames(stream, warnings)
    raise CaptureError(_what_it_is(stream, magic))


def _what_it_is(stream: Reader, magic: bytes) -> str:
    if not magic:
        if stream.broken:
            return f"nothing could be read: {stream.broken}"
        return "it is empty: nothing was captured"
    for begin, (what, way_out) in _OTHERS.items():
        if magic.startswith(begin):
            return f"it is {what}, which is not read yet: {way_out}"
    if all(octet in b"\t\n\r" or 0x20 <= octet < 0x7F for octet in bytes(stream.peek(256))):
        return "it is text, not a capture: save one with tcpdump -w FILE"
    if len(magic) < 4:
        return "it is too short to be a capture: capture it again"
    return "it is neither pcap nor pcapng: save one with tcpdump -w FILE"
