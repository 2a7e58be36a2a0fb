"""Handshakes at a rate, injected into a link frame by frame: no socket takes part."""

import socket
import time
from functools import cache

from handshake.packet.checksum import checksummed, internet_checksum
from handshake.packet.template import Templates
from handshake.tcp import Endpoint, Flags, Segment, Seq
from tests.live.lab.namespaces import Host

_ETHERTYPE = {4: 0x0800, 6: 0x86DD}
_SERVER = (443).to_bytes(2, "big")
_PORTS = 50_000
"""Connections from an address."""

_STEP = 0.001
"""Seconds between two segments of a connection."""

FLAGS = (
    (True, Flags.SYN, 0, 0),
    (False, Flags.SYN | Flags.ACK, 0, 1),
    (True, Flags.ACK, 1, 1),
    (True, Flags.FIN | Flags.ACK, 1, 1),
    (False, Flags.ACK, 1, 2),
    (False, Flags.FIN | Flags.ACK, 1, 2),
    (True, Flags.ACK, 2, 2),
)
"""The segments of a connection: from the client, flags, sequence and ACK number."""


def frames(number: int, mac: str, version: int = 4) -> list[bytes]:
    """Return the frames of a connection, different for each number, to a MAC address."""
    high, low = divmod(number, _PORTS)
    return [_numbered(each, low, version) for each in _first(high * _PORTS, mac, version)]


def _numbered(frame: bytes, more: int, version: int) -> bytes:
    """Return a frame with a greater port of the client, and greater numbers."""
    tcp = 14 + (20 if version == 4 else 40)
    port = tcp if frame[tcp + 2 : tcp + 4] == _SERVER else tcp + 2
    fields = [(port, 2), (tcp + 4, 4)]
    if Flags.ACK in Flags(frame[tcp + 13]):
        fields.append((tcp + 8, 4))
    found, check = bytearray(frame), tcp + 16
    total = 0xFFFF - int.from_bytes(frame[check : check + 2], "big")
    for at, size in fields:
        old = int.from_bytes(frame[at : at + size], "big")
        found[at : at + size] = (old + more).to_bytes(size, "big")
        # The checksum follows from what changed (RFC 1624): words of 16 bits, modulo 0xFFFF.
        total += more
    found[check : check + 2] = (0xFFFF - (total % 0xFFFF or 0xFFFF)).to_bytes(2, "big")
    return bytes(found)


@cache
def _first(number: int, mac: str, version: int) -> list[bytes]:
    """Return the frames of the first connection of an address."""
    high = number // _PORTS
    address = f"198.18.{high}.1" if version == 4 else f"2001:2::{high:x}:1"
    client = Endpoint.of(address, 10_000)
    server = Endpoint.of("198.19.0.2" if version == 4 else "2001:2::ff:2", 443)
    link = bytes.fromhex(mac.replace(":", "")) + bytes(6)
    link += _ETHERTYPE[version].to_bytes(2, "big")
    found = []
    templates = _TEMPLATES
    for ours, flags, seq, ack in FLAGS:
        segment = Segment(
            *((client, server) if ours else (server, client)),
            seq=Seq((1000 if ours else 5000) + number + seq),
            ack=Seq((5000 if ours else 1000) + number + ack) if Flags.ACK in flags else None,
            flags=flags,
            window=64240,
        )
        packet = templates.packet(checksummed(segment))
        if version == 4:
            sum_ = internet_checksum(packet[:20]).to_bytes(2, "big")
            packet = packet[:10] + sum_ + packet[12:]
        found.append(link + packet)
    return found


_TEMPLATES = Templates()


def inject(host: Host, interface: str, mac: str, rate: float, connections: int) -> int:
    """Send so many connections at a rate, from a host into its link; return the frames sent."""
    with host.entered():
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        sock.bind((interface, 0))
    due = []
    for number in range(connections):
        begin = number / rate
        due += [(begin + at * _STEP, each) for at, each in enumerate(frames(number, mac))]
    due.sort(key=lambda each: each[0])
    start, sent = time.monotonic(), 0
    with sock:
        for at, frame in due:
            while (left := start + at - time.monotonic()) > 0:
                time.sleep(left)
            sock.send(frame)
            sent += 1
    return sent
