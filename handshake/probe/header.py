"""The headers that an attempt sends: the same fields and options as Linux would choose."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from handshake.tcp import ControlBlock, Flags, Offer, Options, Segment
from handshake.tcp.options import mss, nop, sack_permitted, timestamps, window_scale

if TYPE_CHECKING:
    from handshake.tcp import Seq

LINUX: Final = Offer(mss=1460, window_scale=7, sack_permitted=True, timestamps=True)
"""What Linux offers over Ethernet: some sites drop a SYN that offers less."""


def offer_for(mtu: int, version: int) -> Offer:
    """Return what Linux offers on a path with this MTU (section 3.7.1)."""
    # The length field of IPv4 counts the IP header, that of IPv6 does not.
    room = min(mtu, 0xFFFF) - 40 if version == 4 else min(mtu, 0xFFFF + 40) - 60
    return replace(LINUX, mss=room)


def segment(block: ControlBlock, offer: Offer, flags: Flags, clock: int, seq: Seq) -> Segment:
    """Return the segment without data that this end sends; `clock` is for its timestamp."""
    assert block.remote is not None
    return Segment(
        source=block.local,
        destination=block.remote,
        seq=seq,
        ack=block.rcv.nxt if Flags.ACK in flags else None,
        flags=flags,
        window=_window(block, offer, flags),
        options=_options(block, offer, flags, clock),
    )


def _window(block: ControlBlock, offer: Offer, flags: Flags) -> int:
    if Flags.RST in flags:
        return 0
    # As many whole segments as an unscaled window can count.
    size = offer.mss or 536
    room = 0xFFFF // size * size
    # The window in a SYN is never scaled (RFC 7323 section 2.2); later it is rounded up.
    shift = 0 if Flags.SYN in flags else block.rcv_shift or 0
    return -(-room >> shift)


def _options(block: ControlBlock, offer: Offer, flags: Flags, clock: int) -> Options:
    echo = block.ts_recent if Flags.ACK in flags else None
    stamp = timestamps(clock % 2**32, echo or 0)
    if Flags.RST in flags:
        return Options()
    if Flags.SYN not in flags:
        return Options.of(nop(), nop(), stamp) if block.timestamps else Options()
    # A SYN,ACK offers only what the peer's SYN did (RFC 7323 sections 2.2 and 3.2).
    theirs = block.peer_offered or offer
    stamped = offer.timestamps and theirs.timestamps
    parts = [] if offer.mss is None else [mss(offer.mss)]
    # In Linux's order, which every middlebox has seen before: what fills a word stands first.
    if offer.sack_permitted and theirs.sack_permitted:
        parts += [sack_permitted()] if stamped else [nop(), nop(), sack_permitted()]
    elif stamped:
        parts += [nop(), nop()]
    if stamped:
        parts.append(stamp)
    if offer.window_scale is not None and theirs.window_scale is not None:
        parts += [nop(), window_scale(offer.window_scale)]
    return Options.of(*parts)
