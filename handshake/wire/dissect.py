"""Scapy's part: from a frame down to the IP packets in it, whatever they are wrapped in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

# What is imported and not used makes itself known to the layers below it.
from scapy.contrib import erspan, mpls  # noqa: F401
from scapy.layers import l2tp, ppp, vxlan  # noqa: F401
from scapy.layers.inet import ICMP, IP, TCP, IPerror
from scapy.layers.inet6 import IPerror6, IPv6, _ICMPv6
from scapy.layers.l2 import CookedLinux, CookedLinuxV2, Dot1Q, Ether
from scapy.packet import NoPayload, bind_layers

if TYPE_CHECKING:
    from collections.abc import Iterator

# The tag that QinQ had before 802.1ad gave it one of its own.
bind_layers(Ether, Dot1Q, type=0x9100)
bind_layers(Dot1Q, Dot1Q, type=0x9100)

_NULL, _LOOP = 0, 108
_RAW_IP: Final = frozenset((12, 14, 101, 228, 229))
_LINKS: Final[dict[int, Any]] = {1: Ether, 113: CookedLinux, 276: CookedLinuxV2}

_FAMILIES: Final = {2: IP, 10: IPv6, 24: IPv6, 28: IPv6, 30: IPv6}
"""AF_INET is 2 everywhere; of AF_INET6 each system has its own idea."""

NAMES: Final = {
    9: "PPP",
    50: "PPP over HDLC",
    51: "PPPoE",
    104: "Cisco HDLC",
    105: "IEEE 802.11",
    127: "IEEE 802.11 with radiotap",
    147: "private use",
    189: "USB",
    195: "IEEE 802.15.4",
    220: "USB",
    227: "CAN",
    239: "NFLOG",
    252: "upper PDUs of Wireshark",
    258: "PKTAP",
}
"""Link types that are not read, where a number alone would puzzle."""


class UnknownLinkError(Exception):
    """Frames of this link type cannot be read."""


def dissect(link_type: int, octets: bytes) -> Any:
    """Return Scapy's packet. Raises UnknownLinkError, or whatever Scapy may raise."""
    if link_type in (_NULL, _LOOP):
        # LOOP is in network order, NULL in that of a host which nobody names.
        family = min(int.from_bytes(octets[:4], "big"), int.from_bytes(octets[:4], "little"))
        layer, octets = _FAMILIES.get(family), octets[4:]
    elif link_type in _RAW_IP:
        layer = {4: IP, 6: IPv6}.get(octets[0] >> 4 if octets else 0)
    elif link_type in _LINKS:
        layer = _LINKS[link_type]
    else:
        raise UnknownLinkError
    # Of no octets at all Scapy would make a packet with its defaults.
    return layer(octets) if layer and octets else NoPayload()


def ip_layers(packet: Any) -> Iterator[Any]:
    """Yield the IP headers in a Scapy packet, outermost first; not those that ICMP quotes."""
    layer = packet
    while not isinstance(layer, NoPayload | TCP | ICMP | _ICMPv6 | IPerror | IPerror6):
        if isinstance(layer, IP | IPv6):
            yield layer
        layer = layer.payload
