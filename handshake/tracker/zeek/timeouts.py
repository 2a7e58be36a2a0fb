"""The ports by which Zeek guesses the server, and its inactivity timeouts."""

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
"""Ports of Zeek's `Conn::port_inactivity_timeouts`: interactive sessions."""

SILENCE: Final = 300 * NS_PER_SECOND
"""The usual inactivity timeout, in nanoseconds (`tcp_inactivity_timeout`)."""

THINKING: Final = 3600 * NS_PER_SECOND
"""The inactivity timeout of interactive sessions."""


def sent_by_server(source: int, destination: int, flags: int) -> bool:
    """Whether the sender of a first segment other than a SYN is likely the server."""
    if source not in LIKELY_SERVERS:
        return False
    if destination not in LIKELY_SERVERS:
        return True
    # Scans send SYN-ACKs from known ports to known ports.
    return not flags & SYN_BIT and source < destination


def timeout(orig: int, resp: int, *, originator_seen: bool) -> int:
    """Return the inactivity timeout of a connection between these ports."""
    guess = not originator_seen and resp not in LIKELY_SERVERS and orig in LIKELY_SERVERS
    return THINKING if (orig if guess else resp) in INTERACTIVE else SILENCE
