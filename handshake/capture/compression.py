"""Decompresses captures: gzip, and zstd and lz4 if their libraries are installed."""

from __future__ import annotations

import zlib
from bisect import bisect_right
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.capture.reader import PIECE
from handshake.errors import CaptureError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_GZIP: Final = b"\x1f\x8b"
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
"""Makes zlib expect a gzip header and check the trailer."""

_GZIP_SLICE: Final = 1 << 16
"""Octets decompressed at once: those that are left must be kept with each place to go on from."""

_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_LZ4: Final = b"\x04\x22\x4d\x18"

TIMES: Final = 100
"""How much larger than its file a capture may be: real ones, of text or of a flood, stay below."""

FLOOR: Final = 64 << 20
"""Octets to which any file may unpack."""

_APART: Final = 16 << 20
"""Octets, unpacked, between two places at which unpacking can go on."""

_SLICE: Final = 1024
"""Octets decompressed at once: damage in a slice loses what precedes it there, and zstd, which
takes no output limit, can expand four octets to 128 KiB."""


class Restart(NamedTuple):
    """A place in a compressed file at which unpacking can go on."""

    packed: int
    """Its offset in the file."""

    unpacked: int
    """The same in the decompressed data."""

    state: zlib._Decompress
    """The decompressor, as it is there."""


class Restarts:
    """Those of one file. Only gzip has some, and only in the process that has read it."""

    def __init__(self) -> None:
        self._found: list[Restart] = []

    def __reduce__(self) -> tuple[type[Restarts], tuple[()]]:
        """Leave them behind: a decompressor cannot be sent."""
        return Restarts, ()

    def note(self, packed: int, unpacked: int, state: zlib._Decompress) -> None:
        """Remember a place, if it is far enough from the one before."""
        if not self._found or unpacked >= self._found[-1].unpacked + _APART:
            self._found.append(Restart(packed, unpacked, state))

    def before(self, unpacked: int) -> Restart | None:
        """Return the last one before this offset; None if there is none."""
        at = bisect_right(self._found, unpacked, key=lambda each: each.unpacked)
        return self._found[at - 1] if at else None


def go_on(restart: Restart, pieces: Iterable[bytes], offset: int) -> Iterator[bytes]:
    """Yield the decompressed data from an offset on; `pieces` are the file's from the restart."""
    left = offset - restart.unpacked
    for piece in _gunzip(pieces, begin=restart):
        yield piece[left:]
        left = max(0, left - len(piece))


def decompressor(
    magic: bytes, restarts: Restarts
) -> Callable[[Iterable[bytes]], Iterator[bytes]] | None:
    """Return the decompressor for a file that begins like this; None if it is not compressed.

    It yields all undamaged data, then raises CaptureError if there was damage. Raises CaptureError
    if the library for the format is not installed. `restarts` are noted, where the format has some.
    """
    if magic.startswith(_GZIP):
        return partial(_gunzip, restarts=restarts)
    if magic.startswith(_ZSTD):
        return _by_library("zstd", "zstandard", _unzstd)
    if magic.startswith(_LZ4):
        return _by_library("lz4", "lz4.frame", _unlz4)
    return None


def is_compressed(octets: bytes) -> bool:
    """Whether a file that begins like this is compressed."""
    return octets.startswith((_GZIP, _ZSTD, _LZ4))


def at_most(octets: int) -> int:
    """Return how much a file of so many octets may unpack to, unless a user knows better."""
    return max(FLOOR, TIMES * octets)


def limited(pieces: Iterable[bytes], most: Callable[[], int]) -> Iterator[bytes]:
    """Yield what was unpacked up to `most()` octets. Raises CaptureError if there is more."""
    total = 0
    for piece in pieces:
        room = most() - total
        if len(piece) > room:
            yield piece[: max(0, room)]
            raise CaptureError("capture.unpacked", most=most())
        total += len(piece)
        yield piece


def _by_library(
    name: str, module: str, decompress: Callable[[Iterable[bytes]], Iterator[bytes]]
) -> Callable[[Iterable[bytes]], Iterator[bytes]]:
    from importlib import import_module

    try:
        import_module(module)
    except ImportError:
        raise CaptureError("capture.no-library", format=name) from None
    return decompress


def _unzstd(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the content of zstd frames. Raises CaptureError at damage."""
    import zstandard

    frame = None
    for piece in pieces:
        out: list[bytes] = []
        held = 0
        for at in range(0, len(piece), _SLICE):
            packed = piece[at : at + _SLICE]
            while packed:
                frame = frame or zstandard.ZstdDecompressor().decompressobj()
                try:
                    unpacked = frame.decompress(packed)
                except zstandard.ZstdError as error:
                    yield b"".join(out)
                    raise _damaged("zstd", error) from error
                out.append(unpacked)
                held += len(unpacked)
                packed = b""
                if frame.eof:
                    packed, frame = frame.unused_data, None
            if held >= PIECE:
                yield b"".join(out)
                out.clear()
                held = 0
        yield b"".join(out)
    if frame is not None:
        raise CaptureError("capture.incomplete", format="zstd")


def _unlz4(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the content of lz4 frames. Raises CaptureError at damage."""
    from lz4.frame import LZ4FrameDecompressor

    frame = None
    for piece in pieces:
        for at in range(0, len(piece), _SLICE):
            packed = piece[at : at + _SLICE]
            while packed or (frame is not None and not frame.needs_input):
                frame = frame or LZ4FrameDecompressor()
                try:
                    yield frame.decompress(packed, max_length=PIECE)
                except RuntimeError as error:
                    raise _damaged("lz4", error) from error
                packed = b""
                if frame.eof:
                    packed, frame = frame.unused_data or b"", None
    if frame is not None:
        raise CaptureError("capture.incomplete", format="lz4")


def _gunzip(
    pieces: Iterable[bytes], restarts: Restarts | None = None, begin: Restart | None = None
) -> Iterator[bytes]:
    """Yield the content of gzip members. Raises CaptureError at damage.

    The standard library's own reader would drop what it had decompressed before the damage.
    """
    member = zlib.decompressobj(_GZIP_WINDOW) if begin is None else begin.state.copy()
    read, made = (0, 0) if begin is None else begin[:2]
    for piece in pieces:
        for at in range(0, len(piece), _GZIP_SLICE):
            packed = piece[at : at + _GZIP_SLICE]
            read += len(packed)
            while packed:
                if member.eof:
                    # Like gzip(1), ignore zeros after a member, and what is not a member.
                    packed = packed.lstrip(b"\0")
                    if not packed:
                        break
                    if not packed.startswith(_GZIP[:1]):
                        return
                    member = zlib.decompressobj(_GZIP_WINDOW)
                before = member.copy()
                if restarts is not None:
                    restarts.note(read - len(packed), made, before)
                try:
                    unpacked = member.decompress(packed, PIECE)
                except zlib.error as error:
                    yield from _undamaged(before.copy(), packed)
                    raise _damaged("gzip", error) from error
                if unpacked:
                    made += len(unpacked)
                    yield unpacked
                packed = member.unused_data if member.eof else member.unconsumed_tail
    if unpacked := member.flush():
        yield unpacked
    if not member.eof:
        raise CaptureError("capture.incomplete", format="gzip")


def _damaged(name: str, error: Exception) -> CaptureError:
    return CaptureError("capture.damaged", format=name, why=error)


def _undamaged(member: zlib._Decompress, packed: bytes) -> Iterator[bytes]:
    try:
        for at in range(len(packed)):
            if unpacked := member.decompress(packed[at : at + 1]):
                yield unpacked
    except zlib.error:
        return
