"""Writes a pcap file packet by packet, from the IP header on, with time stamps in nanoseconds."""

from __future__ import annotations

import struct
from typing import BinaryIO, Final

from handshake.errors import LocalError, system_error
from handshake.units import NS_PER_SECOND

ENDINGS: Final = (".pcap", ".cap", ".dmp")
"""How names of such files end."""

_RAW: Final = 101
_MAGIC: Final = 0xA1B23C4D
_VERSION: Final = (2, 4)
_SNAP_LENGTH: Final = 0x40000


class PcapWriter:
    """Writes the header of a file, then packets one by one.

    The file is complete after each packet. Raises LocalError, which names the file as `name`, if
    writing fails.
    """

    def __init__(self, out: BinaryIO, *, name: str = "the capture") -> None:
        self._out = out
        self._name = name
        self._write(struct.pack("<IHHiIII", _MAGIC, *_VERSION, 0, 0, _SNAP_LENGTH, _RAW))

    def packet(self, octets: bytes, at: int, original_length: int | None = None) -> None:
        """Write a packet captured `at` nanoseconds since 1970."""
        seconds, fraction = divmod(at, NS_PER_SECOND)
        length = len(octets) if original_length is None else original_length
        self._write(struct.pack("<IIII", seconds, fraction, len(octets), length) + octets)

    def _write(self, octets: bytes) -> None:
        try:
            self._out.write(octets)
            self._out.flush()
        except BrokenPipeError:  # the reader has closed the pipe
            raise
        except OSError as error:
            raise LocalError("file.unwritten", why=system_error(error)).at(self._name) from error
