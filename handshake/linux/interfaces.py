"""The interfaces of this machine: which of them cannot send."""

from __future__ import annotations

import struct
from typing import Final

from handshake.linux.netlink import ask, attributes

_LINK: Final = struct.Struct("=BxHiII")
_GET_LINK: Final = 18
_NAME: Final = 3

_UP: Final = 0x1
_NO_ARP: Final = 0x80
_LOWER_UP: Final = 0x10000


def down() -> list[str]:
    """Return the names of those that are switched off, and have neighbours when they are not."""
    return [name for name, flags in _flags().items() if not flags & (_UP | _NO_ARP)]


def without_carrier() -> list[str]:
    """Return the names of those that are switched on, and have no cable or nobody behind it."""
    return [name for name, flags in _flags().items() if flags & _UP and not flags & _LOWER_UP]


def _flags() -> dict[str, int]:
    found = {}
    for link in ask(_GET_LINK, _LINK.pack(0, 0, 0, 0, 0), all_of_them=True):
        name = attributes(link, _LINK.size)[_NAME].rstrip(b"\0").decode("utf-8", "replace")
        found[name] = _LINK.unpack_from(link)[3]
    return found
