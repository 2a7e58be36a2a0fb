"""IEEE 802.11: unencrypted data frames of a wireless network."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from handshake.packet.layer import DOT11, LLC, RADIOTAP, Next

if TYPE_CHECKING:
    from handshake.packet.layer import Layer, Octets

_DATA: Final = 2
_TO_AND_FROM_AP: Final = 0x0300
_MORE_FRAGMENTS, _PROTECTED, _ORDER = 0x0400, 0x4000, 0x8000
_QOS, _NO_DATA = 0x8, 0x4
_AGGREGATE: Final = 0x80
_SNAP: Final = b"\xaa\xaa\x03\0\0\0"


class EncryptedError(Exception):
    """The frame is encrypted."""


def _radiotap(octets: Octets, at: int, limit: int) -> Next:
    (length,) = struct.unpack_from("<H", octets, at + 2)
    return Next(DOT11, at + length, limit)


def _dot11(octets: Octets, at: int, limit: int) -> Next | None:
    (control,) = struct.unpack_from("<H", octets, at)
    subtype = control >> 4 & 0xF
    if control & 3 or control >> 2 & 3 != _DATA or subtype & _NO_DATA:
        return None
    (sequence,) = struct.unpack_from("<H", octets, at + 22)
    fragment = sequence & 0xF or control & _MORE_FRAGMENTS
    at += 30 if control & _TO_AND_FROM_AP == _TO_AND_FROM_AP else 24
    if subtype & _QOS:
        quality = octets[at]
        at += 6 if control & _ORDER else 2
    else:
        quality = 0
    if control & _PROTECTED:
        return Next(LLC, _decrypted(octets, at), limit)
    if fragment:
        return None
    if quality & _AGGREGATE:
        # The first frame of an A-MSDU, after two addresses and a length.
        (length,) = struct.unpack_from("!H", octets, at + 12)
        return Next(LLC, at + 14, min(limit, at + 14 + length))
    # Some drivers pad the header to a whole word: LLC shows where it begins.
    if octets[at] != 0xAA and bytes(octets[at + 2 : at + 4]) == b"\xaa\xaa":
        at += 2
    return Next(LLC, at, limit)


def _decrypted(octets: Octets, at: int) -> int:
    """Return where LLC begins in a frame that is marked as protected.

    Some drivers decrypt a frame and leave the mark, and the initialization vector of WEP (four
    octets) or of TKIP and CCMP (eight). Raises EncryptedError if there is no LLC.
    """
    for begin in (at, at + 4, at + 8):
        if bytes(octets[begin : begin + 6]) == _SNAP:
            return begin
    raise EncryptedError


LAYERS: Final[dict[int, tuple[int, Layer]]] = {RADIOTAP: (8, _radiotap), DOT11: (24, _dot11)}
"""The reader of each kind, and the fewest octets of its header."""
