"""The kinds of a checksum: right, left to the network card, wrong, or not to be verified."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

from handshake.units import TCP

if TYPE_CHECKING:
    from handshake.tcp.segment import Observed

_ONES: Final = 0xFFFF
_LEAST: Final = 5


class Checksum(Enum):
    """The kinds of a checksum."""

    RIGHT = "right"
    PARTIAL = "partial"
    """The sum of the pseudo-header alone, or 0: the network card of the sender completes it."""

    WRONG = "wrong"
    UNKNOWN = "unknown"
    """It cannot be verified: the packet was cut by the snap length."""


def kind(observed: Observed) -> Checksum:
    """Return the kind of a segment's checksum."""
    if observed.checksum_ok is None:
        return Checksum.UNKNOWN
    if observed.checksum_ok:
        return Checksum.RIGHT
    seg = observed.segment
    addresses = seg.source.address.packed + seg.destination.address.packed
    length = max(seg.data_offset, _LEAST) * 4 + seg.payload_length
    return Checksum.PARTIAL if is_partial(addresses, TCP, length, seg.checksum) else Checksum.WRONG


def is_partial(addresses: bytes, protocol: int, length: int, found: int) -> bool:
    """Whether a checksum field that is not right has the sum of the pseudo-header alone, or 0."""
    # 2**16 is 1 modulo 2**16 - 1, so the sum of the words is the whole number's remainder.
    pseudo = int.from_bytes(addresses, "big") + protocol
    # For a packet that the card also splits, some systems leave out the length.
    return not found or any((pseudo + each - found) % _ONES == 0 for each in (length, 0))
