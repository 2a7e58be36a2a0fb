"""The MD5 signature that a segment may carry (RFC 2385): made, and checked."""

from __future__ import annotations

import hashlib
import hmac
import struct
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from handshake.tcp.option_kinds import Kind
from handshake.tcp.options import MD5_OCTETS, Options, md5
from handshake.tcp.segment import HEADER
from handshake.units import TCP

if TYPE_CHECKING:
    from handshake.tcp.segment import Segment

_PSEUDO: Final = {4: struct.Struct("!4s4sxBH"), 6: struct.Struct("!16s16sI3xB")}
"""The pseudo-header, by the version of IP: RFC 9293 section 3.1, RFC 8200 section 8.1."""


def signed(segment: Segment, key: bytes) -> Segment:
    """Return the segment with its signature in the MD5 option that it has room for."""
    blank = md5(bytes(MD5_OCTETS))
    options = segment.options.raw.replace(blank, md5(digest(segment, key)), 1)
    return replace(segment, options=Options(options))


def verified(segment: Segment, key: bytes) -> bool:
    """Whether the segment carries the signature that this key makes."""
    found = segment.options.data(Kind.MD5)
    return found is not None and hmac.compare_digest(found, digest(segment, key))


def digest(segment: Segment, key: bytes) -> bytes:
    """Return the digest over pseudo-header, fixed header, data and key (RFC 2385 section 2.0).

    The options are left out, and the checksum counts as zero; only the pseudo-header's length
    has the options in it.
    """
    source, destination = segment.source.address.packed, segment.destination.address.packed
    length = segment.data_offset * 4 + segment.payload_length
    numbers = (TCP, length) if segment.source.version == 4 else (length, TCP)
    pseudo = _PSEUDO[segment.source.version].pack(source, destination, *numbers)
    fixed = replace(segment, checksum=0).pack()[: HEADER.size]
    # No choice of ours: RFC 2385 has MD5 in its name.
    return hashlib.md5(pseudo + fixed + segment.payload + key, usedforsecurity=False).digest()
