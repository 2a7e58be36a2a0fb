"""Units and numbers that every part uses: nanoseconds, sequence space, TCP's numbers."""

from __future__ import annotations

from typing import Final

NS_PER_SECOND: Final = 1_000_000_000
NS_PER_MS: Final = 1_000_000

SOONEST_TIMER: Final = NS_PER_SECOND // 10
"""Nanoseconds before which no timer retransmits a SYN or a FIN: RFC 6298 starts at a second, and
Linux never goes below 0.2. What is repeated sooner was captured twice, or duplicated on the path.
"""

MODULUS: Final = 2**32
"""Sequence and acknowledgment numbers and timestamp clocks count modulo this (section 3.4)."""

MASK: Final = MODULUS - 1
"""`x & MASK` is `x % MODULUS`, faster."""

TCP: Final = 6
"""The protocol number in IP headers."""

# `tcp.Flags` as plain integers, for loops that run once a segment: a set of flags would make an
# object of each result.
FIN_BIT: Final = 0x01
SYN_BIT: Final = 0x02
RST_BIT: Final = 0x04
PSH_BIT: Final = 0x08
ACK_BIT: Final = 0x10
