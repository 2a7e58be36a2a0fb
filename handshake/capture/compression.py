"""Decompresses captures: gzip, and zstd and lz4 if their libraries are installed."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from handshake.capture.reader import PIECE
from handshake.errors import CaptureError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_GZIP: Final = b"\x1f\x8b"
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
"""Makes zlib expect a gzip header and check the trailer."""

_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_LZ4: Final = b"\x04\x22\x4d\x18"

TIMES: Final = 100
"""How much larger than its file a capture may be: real ones, of text or of a flood, stay below."""

FLOOR: Final = 64 << 20
"""Octets to which any file may unpack."""

_SLICE: Final = 1024
"""Octets decompressed at once: damage in a slice loses what precedes it there, and zstd, which
takes no output limit, can expand four octets to 128 KiB."""


def decompressor(magic: bytes) -> Callable[[Iterable[bytes]], Iterator[bytes]] | None:
    """Return the decompressor for a file that begins like this; None if it is not compressed.

    It yields all undamaged data, then raises CaptureError if there was damage. Raises CaptureError
    if the library for the format is not installed.
    """
    if magic.startswith(_GZIP):
        return _gunzip
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


def _gunzip(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the content of gzip members. Raises CaptureError at damage.

    The standard library's own reader would drop what it had decompressed before the damage.
    """
    member = zlib.decompressobj(_GZIP_WINDOW)
    for packed in pieces:
        while packed:
            if member.eof:
                # Like gzip(1), ignore zeros after a member, and what is not a member.
                packed = packed.lstrip(b"\0")
                if not packed.startswith(_GZIP[:1]):
                    break
                member = zlib.decompressobj(_GZIP_WINDOW)
            before = member.copy()
            try:
                unpacked = member.decompress(packed, PIECE)
            except zlib.error as error:
                yield from _undamaged(before, packed)
                raise _damaged("gzip", error) from error
            if unpacked:
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
