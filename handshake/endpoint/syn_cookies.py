"""SYN cookies: an ISS from which a listener that remembers nothing knows its SYN-ACK again.

See RFC 4987 section 3.6. As Linux: one of four MSS in the cookie, the other options in the low bits
of the timestamp of the SYN-ACK, which the ACK echoes.
"""

from __future__ import annotations

from hashlib import blake2s
from typing import TYPE_CHECKING, Final

from handshake.tcp import Offer, Seq
from handshake.units import MODULUS, NS_PER_SECOND

if TYPE_CHECKING:
    from handshake.tcp import Endpoint, Segment

SIZES: Final = {4: (536, 1300, 1440, 1460), 6: (1220, 1300, 1420, 1440)}
"""The MSS values that a cookie can hold, by IP version, as those of Linux."""

_PERIOD: Final = 60 * NS_PER_SECOND
_VALID: Final = 2
"""For how many periods a cookie counts."""

_BITS: Final = 24
_SHIFT, _SACK, _ECN = 0xF, 1 << 4, 1 << 5
_OPTIONS: Final = _SHIFT | _SACK | _ECN
_NO_SHIFT: Final = _SHIFT


class SynCookies:
    """Make and check cookies with one secret."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def iss(self, syn: Segment, at: int) -> Seq:
        """Return the ISS of the SYN-ACK that answers this SYN."""
        sizes, period = SIZES[syn.source.version], at // _PERIOD
        size = syn.options.mss or sizes[0]
        index = max((place for place, each in enumerate(sizes) if each <= size), default=0)
        low = (self._hash(syn.source, syn.destination, period) + index) % (1 << _BITS)
        base = self._hash(syn.source, syn.destination, -1) + int(syn.seq)
        return Seq((base + (period << _BITS) + low) % MODULUS)

    def clock(self, clock: int, offer: Offer) -> int:
        """Return a timestamp clock, not later than it is, that holds what a SYN offered."""
        shift = _NO_SHIFT if offer.window_scale is None else min(offer.window_scale, 14)
        held = shift | (_SACK if offer.sack_permitted else 0) | (_ECN if offer.ecn else 0)
        found = clock & ~_OPTIONS | held
        return (found if found <= clock else found - _OPTIONS - 1) % MODULUS

    def offer(self, ack: Segment, at: int) -> Offer | None:
        """Return what the SYN of this ACK offered; None if its number is no cookie."""
        if ack.ack is None:
            return None
        base = self._hash(ack.source, ack.destination, -1) + int(ack.seq) - 1
        rest = (int(ack.ack) - 1 - base) % MODULUS
        now, sizes = at // _PERIOD, SIZES[ack.source.version]
        for period in range(now, now - _VALID, -1):
            low = self._hash(ack.source, ack.destination, period)
            index = (rest - (period << _BITS) - low) % (1 << _BITS)
            if index < len(sizes) and (rest >> _BITS) - (period & 0xFF) in (0, -256):
                return _offer(sizes[index], ack)
        return None

    def _hash(self, source: Endpoint, destination: Endpoint, period: int) -> int:
        ends = f"{source}>{destination}#{period}".encode()
        return int.from_bytes(blake2s(ends, key=self._secret, digest_size=3).digest(), "big")


def _offer(mss: int, ack: Segment) -> Offer:
    stamps = ack.options.timestamps
    if stamps is None:
        return Offer(mss=mss)
    held = stamps.echo & _OPTIONS
    shift = held & _SHIFT
    return Offer(
        mss=mss,
        window_scale=None if shift == _NO_SHIFT else shift,
        sack_permitted=bool(held & _SACK),
        timestamps=True,
        ecn=bool(held & _ECN),
    )
