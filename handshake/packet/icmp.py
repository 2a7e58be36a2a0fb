"""ICMP errors on the wire, and the segments they quote."""

from __future__ import annotations

from typing import Final

from handshake.packet.ip import Datagram, header
from handshake.tcp import Endpoint, Seq
from handshake.tcp.address import ip_address
from handshake.tcp.icmp import IcmpError
from handshake.units import TCP

__all__ = ["PROTOCOLS", "IcmpError", "quoted"]

PROTOCOLS: Final = {1: 4, 58: 6}
"""The IP version by the protocol number of its ICMP."""


def quoted(datagram: Datagram, at: int = 0, frame: int | None = None) -> IcmpError | None:
    """Return the ICMP error in this packet; None if it is not one, or does not quote TCP."""
    version = PROTOCOLS.get(datagram.protocol)
    octets = datagram.payload
    if version is None or len(octets) < 8 or not _is_error(version, octets[0]):
        return None
    try:
        inner = header(octets, 8, len(octets))
    except ValueError:
        return None
    if inner.protocol != TCP or (inner.fragment is not None and inner.fragment.offset):
        return None
    # Old routers quote only eight octets of the payload (RFC 792).
    ports_and_seq = octets[inner.at : inner.end]
    if len(ports_and_seq) < 8:
        return None
    big = octets[0] == 2 if version == 6 else octets[:2] == b"\x03\x04"
    return IcmpError(
        version=version,
        type=octets[0],
        code=octets[1],
        sender=ip_address(datagram.source),
        source=_endpoint(inner.source, ports_and_seq[0:2]),
        destination=_endpoint(inner.destination, ports_and_seq[2:4]),
        seq=Seq(int.from_bytes(ports_and_seq[4:8], "big")),
        mtu=int.from_bytes(octets[6:8] if version == 4 else octets[4:8], "big") if big else 0,
        at=at,
        frame=frame,
        packet=datagram.packet,
    )


def _is_error(version: int, kind: int) -> bool:
    return kind in (3, 11, 12) if version == 4 else 1 <= kind <= 4


def _endpoint(address: bytes, port: bytes) -> Endpoint:
    return Endpoint(ip_address(address), int.from_bytes(port, "big"))
