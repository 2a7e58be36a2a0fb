"""The ports by which Zeek guesses who is the server, and how long it lets one be silent."""

from __future__ import annotations

from typing import Final

from handshake.units import NS_PER_SECOND, SYN_BIT

LIKELY_SERVERS: Final = frozenset(
    {
        *(21, 22, 25, 53, 79, 80, 81, 88, 110, 135, 139, 143, 389, 443, 445, 502, 563, 585, 587),
        *(614, 631, 636, 853, 989, 990, 992, 993, 995, 1080, 1434, 1883, 2811, 3128, 3268, 3306),
        *(3389, 5222, 5223, 5269, 5432, 6379, 6666, 6667, 6668, 6669, 8000, 8080, 8888, 20000),
    }
)
"""Zeek's `likely_server_ports` for TCP, as its standard scripts fill it."""

INTERACTIVE: Final = frozenset({21, 22, 23, 513})
"""Ports of Zeek's `Conn::port_inactivity_timeouts`: someone may be thinking at the keyboard."""

SILENCE: Final = 300 * NS_PER_SECOND
"""So long a connection may be silent, in nanoseconds (`tcp_inactivity_timeout`)."""

THINKING: Final = 3600 * NS_PER_SECOND
"""So long it may be where someone sits at a keyboard."""


def sent_by_server(source: int, destination: int, flags: int) -> bool:
    """Whether the sender of a first segment that was no SYN is rather the one called."""
    if source not in LIKELY_SERVERS:
        return False
    if destination not in LIKELY_SERVERS:
        return True
    # Scans send SYN,ACKs from known ports to known ports.
    return not flags & SYN_BIT and source < destination


def timeout(orig: int, resp: int, *, caller_seen: bool) -> int:
    """Return how long a connection between these ports may be silent."""
    guess = not caller_seen and resp not in LIKELY_SERVERS and orig in LIKELY_SERVERS
    return THINKING if (orig if guess else resp) in INTERACTIVE else SILENCE
