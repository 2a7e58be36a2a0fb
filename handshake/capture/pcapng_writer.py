"""Writes a pcapng file packet by packet, from the IP header on, with time stamps and comments.

The format is that of https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-04.html
"""

from __future__ import annotations

import struct
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, Final

from handshake.capture.output import begun
from handshake.errors import LocalError, system_error
from handshake.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from handshake.packet.frame import Frame

RAW: Final = 101
"""The link type of packets that begin with an IPv4 or IPv6 header."""

MOST: Final = 0xFFFF
"""The longest comment in octets: its length field has 16 bits."""

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
    """Writes one section with its interfaces, then packets one by one.

    The file is complete after each packet, however the run ends. It has either `packet`s without
    a link layer or `frames` with one, as libpcap reads files of one link type only. Raises
    LocalError, which names the file as `name`, if writing fails.
    """

    def __init__(
        self,
        out: BinaryIO,
        *,
        interface: str | None = None,
        link_layers: bool = False,
        name: str = "the capture",
    ) -> None:
        """`interface` is that of the packets; `link_layers` begins a file of frames."""
        self._out = out
        self._name = name
        self._interfaces = 0
        application = [(_APPLICATION, _text(f"handshake {__version__}"))]
        section = struct.pack("<IHHq", _BYTE_ORDER, 1, 0, _UNKNOWN_LENGTH)
        raw = b"" if link_layers else _interface(interface, RAW)
        self._write(_block(_SECTION, section, application) + raw)

    def frames(self, interfaces: Sequence[tuple[str, int]], frames: Iterable[Frame]) -> None:
        """Write frames of these interfaces, by name and link type, all at once."""
        new = interfaces[self._interfaces :]
        self._interfaces += len(new)
        blocks = [_interface(name, link_type) for name, link_type in new]
        for each in frames:
            at, octets = each.time, bytes(each.data)
            head = each.interface, at >> 32, at & 0xFFFFFFFF, len(octets), each.length
            fixed = struct.pack("<IIIII", *head)
            blocks.append(_block(_ENHANCED_PACKET, fixed + _padded(octets), ()))
        if blocks:
            self._write(b"".join(blocks))

    def packet(
        self,
        octets: bytes,
        at: int,
        outgoing: bool | None,
        comments: Iterable[str] = (),
        original_length: int | None = None,
    ) -> None:
        """Write a packet captured `at` nanoseconds since 1970.

        Comments that are too long are truncated, empty ones omitted.
        """
        length = len(octets) if original_length is None else original_length
        fixed = struct.pack("<IIIII", 0, at >> 32, at & 0xFFFFFFFF, len(octets), length)
        options = []
        if outgoing is not None:
            options.append((_FLAGS, struct.pack("<I", _DIRECTIONS[outgoing])))
        options += [(_COMMENT, _text(comment)) for comment in comments if comment]
        self._write(_block(_ENHANCED_PACKET, fixed + _padded(octets), options))

    def end_frames(self) -> None:
        """End a file of frames: one that has none must have an interface, too."""
        if not self._interfaces:
            self._write(_interface(None, RAW))

    def _write(self, blocks: bytes) -> None:
        try:
            self._out.write(blocks)
            self._out.flush()
        except BrokenPipeError:  # the reader has closed the pipe
            raise
        except OSError as error:
            raise LocalError("file.unwritten", why=system_error(error)).at(self._name) from error


@contextmanager
def opened(
    name: str, *, interface: str | None = None, link_layers: bool = False
) -> Iterator[PcapngWriter]:
    """Open a file for packets, or for frames; `-` is standard output, an existing file is lost.

    Raises UsageError for a bad name or a terminal, and LocalError if the machine does not let us
    write, now or later.
    """
    begin = partial(PcapngWriter, interface=interface, link_layers=link_layers)
    with begun(name, begin) as writer:
        yield writer


def _interface(name: str | None, link_type: int) -> bytes:
    named = [] if name is None else [(_NAME, _text(name))]
    fixed = struct.pack("<HxxI", link_type, _NO_LIMIT)
    return _block(_INTERFACE, fixed, [*named, (_RESOLUTION, _NANOSECONDS)])


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
    """Return text in UTF-8, truncated at the end of a character if it is too long."""
    # Programs in C take a NUL for the end.
    octets = text.replace("\0", "\\0").encode("utf-8", "backslashreplace")
    if len(octets) <= MOST:
        return octets
    return octets[:MOST].decode("utf-8", "ignore").encode("utf-8")
