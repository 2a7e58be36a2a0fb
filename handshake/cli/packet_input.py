"""The packet that `handshake decode` is given: as text, in a file of text, or in a capture."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from handshake.cli.stderr import tell
from handshake.errors import HandshakeError, UsageError, system_error

if TYPE_CHECKING:
    from io import BufferedReader

    from handshake.crafter.decoded import Decoded
    from handshake.packet.checksum import Address

_CAPTURES: Final = (
    *(b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d"),
    *(b"\x34\xcd\xb2\xa1", b"\xa1\xb2\xcd\x34"),
    *(b"\x0a\x0d\x0d\x0a", b"snoop\0\0\0"),
    *(b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18"),
)
"""How captures begin, and what compresses them; `UNSUPPORTED` begins others."""

_LONGEST: Final = 8
_MUCH: Final = 64 << 20
"""Octets of text that are read: more is not what someone pasted."""

_TEXT: Final = frozenset((*b"\t\n\r\x0b\x0c", *range(0x20, 0x7F), *range(0x80, 0x100)))


def packet_input(
    given: list[str],
    number: int | None,
    beginning: str | None,
    ends: tuple[Address, Address] | None,
    language: str,
) -> Decoded:
    """Return the packet that the arguments name, taken apart.

    `number` is that of a frame; `language` that of remarks. Raises UsageError or CaptureError if
    there is none.
    """
    from handshake.crafter.decode import decode

    name = _file(given)
    if given and given != ["-"] and name is None:
        octets = " ".join(given).encode("utf-8", "surrogateescape")
    else:
        found = _content(name)
        if found is None:
            return _of_capture(name or "-", number, beginning, language)
        octets = found
    try:
        packets = _packets(octets)
    except UsageError as error:
        if name is not None:
            raise error.at(name) from None
        if len(given) == 1 and Path(given[0]).suffix:
            raise UsageError("file.not-found").at(given[0]) from None
        raise
    if number is not None and number > len(packets):
        raise UsageError("decode.frame-text", number=number, count=len(packets))
    if len(packets) > 1 and number is None:
        _note(HandshakeError("decode.several", count=len(packets)), language)
    return decode(packets[(number or 1) - 1], beginning, ends=ends)


def _file(given: list[str]) -> str | None:
    """Return the file that the only argument names, if there is one."""
    if len(given) == 1 and given[0] not in ("", "-"):
        with suppress(OSError, ValueError):  # octets may be too long for a name
            if Path(given[0]).exists():
                return given[0]
    return None


def _content(name: str | None) -> bytes | None:
    """Return what a file or standard input holds; None of a capture."""
    from handshake.capture.open import UNSUPPORTED

    captures = (*_CAPTURES, *UNSUPPORTED)
    if name is None:
        if sys.stdin.isatty():
            raise UsageError("decode.nothing")
        try:
            stdin = cast("BufferedReader", sys.stdin.buffer)
            if stdin.peek(_LONGEST).startswith(captures):
                return None
            return stdin.read(_MUCH)
        except OSError as error:
            raise UsageError("stdin", why=system_error(error)) from None
    try:
        with Path(name).open("rb") as file:
            if file.peek(_LONGEST).startswith(captures):
                return None
            return file.read(_MUCH)
    except IsADirectoryError:
        raise UsageError("file.directory").at(name) from None
    except PermissionError:
        raise UsageError("file.permission").at(name) from None
    except OSError as error:
        raise UsageError("file.unopened", why=system_error(error)).at(name) from None


def _packets(octets: bytes) -> list[bytes]:
    """Return the packets in a text; octets that are no text are one packet."""
    from handshake.crafter.hex_text import packets

    if not octets.strip():
        raise UsageError("decode.empty")
    if not _TEXT.issuperset(octets):
        return [octets]
    try:
        return packets(octets.decode("utf-8"))
    except UnicodeDecodeError:
        return [octets]


def _of_capture(name: str, number: int | None, beginning: str | None, language: str) -> Decoded:
    """Return a frame of a capture: the first that has a segment, unless a number is given."""
    from handshake.capture.open import read
    from handshake.crafter.decode import decode

    count = 0
    with read(name) as capture:
        frames = iter(capture)
        for frame in frames:
            count += 1
            if number is not None and frame.number != number:
                continue
            kind = None if beginning else frame.link_type
            try:
                found = decode(bytes(frame.data), beginning, link_type=kind, length=frame.length)
            except UsageError as error:
                if number is None:
                    continue
                raise error.at(f"{capture.name}: frame {number}") from None
            if number is None and (count > 1 or next(frames, None) is not None):
                _note(HandshakeError("decode.first", frame=frame.number), language)
            return found
    if number is None:
        raise UsageError("decode.no-tcp").at(name)
    raise UsageError("decode.frame", number=number, count=count).at(name)


def _note(remark: HandshakeError, language: str) -> None:
    tell("note", remark.said(language), language)
