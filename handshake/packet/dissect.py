"""Scapy's part: the IP packets in a frame, where its link layer is one we leave to Scapy."""

from __future__ import annotations

from scapy.config import conf

# What is imported and not used makes itself known to the layers below it.
from scapy.layers import dot11, dot15d4, ppi, sixlowpan  # noqa: F401

from handshake.packet.scapy_codec import ip_layers


def ip_packet(link_type: int, octets: bytes) -> bytes:
    """Return the outermost IP packet of a frame; nothing where it holds none.

    Raises ValueError where Scapy fails.
    """
    try:
        packet = conf.l2types.num2layer[link_type](octets)
        return next((bytes(layer.original) for layer in ip_layers(packet)), b"")
    except Exception as error:  # what Scapy may raise on hostile octets, nobody has listed
        raise ValueError(f"not understood ({type(error).__name__})") from error
