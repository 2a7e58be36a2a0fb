"""The minimal connection in Python: no checks, no timers, no options, no results."""

from __future__ import annotations

import asyncio
import secrets
import socket
import struct
from ipaddress import ip_address

from hosts import PORT, THEM, US

from handshake.linux.packet_socket import PacketSocket
from handshake.linux.rst_guard_pool import RstGuardPool
from handshake.tcp import Flags

_FIELDS = struct.Struct("!12x4s4sHHIIHHHH")
_FIXED = bytes.fromhex("4500 0028 0001 4000 4006 0000")
_SOURCE, _DESTINATION = ip_address(US).packed, ip_address(THEM).packed
_PSEUDO_HEADER = _SOURCE + _DESTINATION + bytes((0, 6, 0, 20))
_WINDOW = 0xFFFF
# 2**16 is 1 modulo 0xFFFF: a number of any length counts as the sum of its 16-bit words.
_SUM = int.from_bytes(_PSEUDO_HEADER, "big") + PORT + _WINDOW


def packet(port: int, seq: int, ack: int, flags: int) -> bytes:
    """Return a packet from this local port to the server."""
    bits = 0x5000 | flags
    checksum = 0xFFFF - (_SUM + port + seq + ack + bits) % 0xFFFF
    fields = _FIELDS.pack(_SOURCE, _DESTINATION, port, PORT, seq, ack, bits, _WINDOW, checksum, 0)
    return _FIXED + fields[12:]


class Bare:
    """Opens and closes connections with a peer without errors, over a network without loss."""

    def __init__(self, count: int, concurrency: int) -> None:
        self.left, self.open = count, 0
        self.guards = RstGuardPool()
        ports: set[int] = set()
        for _ in range(concurrency):
            ports.add(self.guards.take(ip_address(US), ports.__contains__).port)
        self.ports = list(ports)
        self.link = PacketSocket(ports, all_of_ours=False)
        self.sender = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)

    def send(self, port: int, seq: int, ack: int, flags: int) -> None:
        self.sender.sendto(packet(port, seq, ack, flags), (THEM, 0))

    def connect(self, port: int) -> None:
        self.left -= 1
        self.open += 1
        self.send(port, secrets.randbits(31), 0, Flags.SYN)

    def receive(self) -> None:
        for captured in self.link.read():
            if captured.outgoing:
                continue
            _, _, _, port, seq, ack, bits, *_ = _FIELDS.unpack_from(captured.octets)
            if bits & Flags.SYN:
                self.send(port, ack, seq + 1, Flags.ACK)
                self.send(port, ack, seq + 1, Flags.FIN | Flags.ACK)
            elif bits & Flags.FIN:
                self.send(port, ack, seq + 1, Flags.ACK)
                self.open -= 1
                if self.left:
                    self.connect(port)

    async def run(self) -> None:
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def receive() -> None:
            self.receive()
            if not self.open:
                done.set()

        loop.add_reader(self.link, receive)
        for port in self.ports[: self.left]:
            self.connect(port)
        await asyncio.wait_for(done.wait(), 60)
        loop.remove_reader(self.link)
        self.link.close()
        self.guards.close()
        self.sender.close()
