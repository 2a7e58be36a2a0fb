"""A pcapng file as it grows: packets from their IP header on, to the nanosecond, with comments.

The format is that of https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-04.html
"""

from __future__ import annotations

import struct
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO, Final

from handshake.errors import LocalError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

RAW: Final = 101
"""The link type of packets that begin with their IP header, of either version."""

MOST: Final = 0xFFFF
"""Octets of one comment: its length has 16 bits."""

_SECTION: Final = 0x0A0D0D0A
_INTERFACE: Final = 1
_ENHANCED_PACKET: Final = 6

_BYTE_ORDER: Final = 0x1A2B3C4D
_UNKNOWN_LENGTH: Final = -1
_NO_LIMIT: Final = 0
_NANOSECONDS: Final = b"\x09"

_END_OF_OPTIONS: Final = 0
_COMMENT: Final = 1
_NAME: Final = 2  # of an interface
_FLAGS: Final = 2  # of a packet
_APPLICATION: Final = 4
_RESOLUTION: Final = 9

_DIRECTIONS: Final = {False: 1, True: 2}
"""Inbound and outbound, in the lowest bits of a packet's flags."""


class PcapngWriter:
    """Writes one section with one interface, and each packet as it comes.

    What is written is a whole file after each packet, however the run ends. Raises LocalError
    where it cannot be written; `name` is who it says that of.
    """

    def __init__(
        self, out: BinaryIO, *, interface: str | None = None, name: str = "the capture"
    ) -> None:
        self._out = out
        self._name = name
        application = [(_APPLICATION, _text(f"handshake {_version()}".strip()))]
        named = [] if interface is None else [(_NAME, _text(interface))]
        self._write(
            _block(_SECTION, struct.pack("<IHHq", _BYTE_ORDER, 1, 0, _UNKNOWN_LENGTH), application)
            + _block(
                _INTERFACE,
                struct.pack("<HxxI", RAW, _NO_LIMIT),
                [*named, (_RESOLUTION, _NANOSECONDS)],
            )
        )

    def packet(
        self,
        octets: bytes,
        at: int,
        outgoing: bool | None,
        comments: Iterable[str] = (),
        original_length: int | None = None,
    ) -> None:
        """Write a packet that was seen `at` nanoseconds since 1970.

        A comment that is too long is cut; an empty one is left out.
        """
        length = len(octets) if original_length is None else original_length
        fixed = struct.pack("<IIIII", 0, at >> 32, at & 0xFFFFFFFF, len(octets), length)
        options = []
        if outgoing is not None:
            options.append((_FLAGS, struct.pack("<I", _DIRECTIONS[outgoing])))
        options += [(_COMMENT, _text(comment)) for comment in comments if comment]
        self._write(_block(_ENHANCED_PACKET, fixed + _padded(octets), options))

    def _write(self, blocks: bytes) -> None:
        try:
            self._out.write(blocks)
            self._out.flush()
        except BrokenPipeError:  # whoever reads has enough
            raise
        except OSError as error:
            raise LocalError(f"{self._name}: it cannot be written: {_why(error)}") from error


@contextmanager
def opened(name: str, *, interface: str | None = None) -> Iterator[PcapngWriter]:
    """Open a file for packets, `-` for standard output; what stood in it is gone.

    Raises UsageError where the name is no good or leads to a terminal, and LocalError where this
    machine does not let us write to it, now or later.
    """
    if name == "-":
        _refuse_terminal(sys.stdout.buffer, "standard output")
        yield PcapngWriter(sys.stdout.buffer, interface=interface, name="standard output")
        return
    shown = name if name and name.isprintable() else ascii(name)
    file = _open(name, shown)
    try:
        _refuse_terminal(file, shown)
        yield PcapngWriter(file, interface=interface, name=shown)
    except BaseException:
        with suppress(OSError):  # what went wrong first is what is said
            file.close()
        raise
    try:
        file.close()
    except OSError as error:
        # A file system over the network may say only now that it is full.
        raise LocalError(f"{shown}: it cannot be written: {_why(error)}") from error


def _open(name: str, shown: str) -> BinaryIO:
    try:
        return open(name, "wb")  # noqa: PTH123 - a name, as it was given; `opened` closes it
    except FileNotFoundError:
        raise UsageError(f"{shown}: the folder that it is to be in is not there") from None
    except IsADirectoryError:
        raise UsageError(f"{shown}: it is a directory: name a file in it") from None
    except NotADirectoryError:
        raise UsageError(f"{shown}: what stands before its last / is no directory") from None
    except PermissionError:
        raise LocalError(f"{shown}: it may not be written: check its permissions") from None
    except ValueError as error:  # no file can have a name with a NUL in it
        raise UsageError(f"{shown}: it cannot be opened: {error}") from None
    except OSError as error:
        raise LocalError(f"{shown}: it cannot be opened: {_why(error)}") from None


def _refuse_terminal(file: BinaryIO, shown: str) -> None:
    if file.isatty():
        raise UsageError(f"{shown} is a terminal: name a file, or pipe the capture on")


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _block(layout: int, body: bytes, options: Iterable[tuple[int, bytes]]) -> bytes:
    written = [struct.pack("<HH", code, len(value)) + _padded(value) for code, value in options]
    if written:
        written.append(struct.pack("<HH", _END_OF_OPTIONS, 0))
    body += b"".join(written)
    length = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", layout) + length + body + length


def _padded(octets: bytes) -> bytes:
    return octets + bytes(-len(octets) % 4)


def _text(text: str) -> bytes:
    """Return text in UTF-8, cut where it is too long, but never inside a character."""
    # Programs in C would take a NUL for the end.
    octets = text.replace("\0", "\\0").encode("utf-8", "backslashreplace")
    if len(octets) <= MOST:
        return octets
    return octets[:MOST].decode("utf-8", "ignore").encode("utf-8")


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("handshake")
    except PackageNotFoundError:
        return ""
