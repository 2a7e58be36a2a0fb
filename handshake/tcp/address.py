"""IP addresses, and how far away one is by its TTL.

The text of an address is that of RFC 5952: IPv4-mapped ones end in dotted decimals (section 5).
"""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv6Address
from typing import Final

_V4_OCTETS: Final = 4
_INITIAL_TTLS: Final = (32, 64, 128, 255)
"""The values at which systems begin a TTL."""


class _Mapped(IPv6Address):
    """An IPv4-mapped address; Python writes it so itself from 3.13 on."""

    __slots__ = ()

    def __str__(self) -> str:
        scope = f"%{self.scope_id}" if self.scope_id else ""
        return f"::ffff:{self.ipv4_mapped}{scope}"


def ip_address(address: str | int | bytes) -> IPv4Address | IPv6Address:
    """Return the address with this text, number or octets. Raises ValueError for none."""
    if isinstance(address, bytes) and len(address) == _V4_OCTETS:
        return IPv4Address(address)
    found = ipaddress.ip_address(address)
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return _Mapped(address)
    return found


def hops(ttl: int) -> int:
    """Return how often a TTL was decremented, if it began at the next usual value."""
    return next(initial for initial in _INITIAL_TTLS if ttl <= initial) - ttl
