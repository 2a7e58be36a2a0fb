"""What captures come packed with: gzip, and zstd and lz4 where their libraries are installed."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from handshake.capture.reader import PIECE
from handshake.errors import CaptureError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_GZIP: Final = b"\x1f\x8b"
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
"""Tells zlib to expect a gzip header and to check its trailer."""

_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_LZ4: Final = b"\x04\x22\x4d\x18"

_SLICE: Final = 1024
"""How much is unpacked at once: what comes before damage in a slice is lost with it, and of zstd,
which knows no limit, four octets may unpack to 128 KiB."""


def unpacker(magic: bytes) -> Callable[[Iterable[bytes]], Iterator[bytes]] | None:
    """Return what unpacks a file that begins like this; None where it is not packed.

    It yields all that is sound, then raises zlib.error, EOFError or OSError if there was damage.
    Raises CaptureError where the library for it is not installed.
    """
    if magic.startswith(_GZIP):
        return _gunzip
    if magic.startswith(_ZSTD):
        return _of_library("zstd", "zstandard", _unzstd)
    if magic.startswith(_LZ4):
        return _of_library("lz4", "lz4.frame", _unlz4)
    return None


def _of_library(
    name: str, module: str, unpack: Callable[[Iterable[bytes]], Iterator[bytes]]
) -> Callable[[Iterable[bytes]], Iterator[bytes]]:
    from importlib import import_module

    try:
        import_module(module)
    except ImportError:
        raise CaptureError(
            f"it is packed with {name}: pip install 'handshake[compression]', "
            f"or unpack it with {name} -d"
        ) from None
    return unpack


def _unzstd(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what zstd frames held. Raises OSError or EOFError after all that is sound."""
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
                    raise OSError(f"its zstd data is damaged: {error}") from error
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
        raise EOFError("its zstd data is cut off")


def _unlz4(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what lz4 frames held. Raises OSError or EOFError after all that is sound."""
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
                    raise OSError(f"its lz4 data is damaged: {error}") from error
                packed = b""
                if frame.eof:
                    packed, frame = frame.unused_data or b"", None
    if frame is not None:
        raise EOFError("its lz4 data is cut off")


def _gunzip(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what gzip members held. Raises zlib.error or EOFError after all that is sound.

    The standard library's own reader drops what it had unpacked when it meets the damage.
    """
    member = zlib.decompressobj(_GZIP_WINDOW)
    for packed in pieces:
        while packed:
            if member.eof:
                # gzip(1) too ignores zeros after a member, and what is no member.
                packed = packed.lstrip(b"\0")
                if not packed.startswith(_GZIP[:1]):
                    break
                member = zlib.decompressobj(_GZIP_WINDOW)
            before = member.copy()
            try:
                unpacked = member.decompress(packed, PIECE)
            except zlib.error:
                yield from _up_to_the_damage(before, packed)
                raise
            if unpacked:
                yield unpacked
            packed = member.unused_data if member.eof else member.unconsumed_tail
    if unpacked := member.flush():
        yield unpacked
    if not member.eof:
        raise EOFError("its gzip data is cut off")


def _up_to_the_damage(member: zlib._Decompress, packed: bytes) -> Iterator[bytes]:
    try:
        for at in range(len(packed)):
            if unpacked := member.decompress(packed[at : at + 1]):
                yield unpacked
    except zlib.error:
        return
