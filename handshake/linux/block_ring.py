"""A ring of blocks of a packet socket: bursts of packets of any length wait in it for their reader.

The kernel fills a block, or gives it over after a while; a block is read and returned as a whole
(packet(7), `PACKET_RX_RING`, in the form `TPACKET_V3`).
"""

from __future__ import annotations

import mmap
import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

_SOL_PACKET: Final = 263
_RX_RING, _STATISTICS, _VERSION = 5, 6, 10
_TPACKET_V3: Final = 2

_BLOCK: Final = 1 << 17
"""Octets of a block: more than the longest packet, but few, for it may be given over unfilled."""

_FRAME: Final = 2048
_RETIRED: Final = 50
"""Milliseconds after which the kernel gives over a block that is not full."""

_REQUEST: Final = struct.Struct("=IIIIIII")
# struct tpacket_block_desc: version, offset_to_priv, then block_status, num_pkts,
# offset_to_first_pkt.
_DESCRIPTOR: Final = struct.Struct("=8xIII").unpack_from
_STATUS_AT: Final = 8
# struct tpacket3_hdr: tp_next_offset, tp_sec, tp_nsec, tp_snaplen, tp_len, tp_status, tp_mac,
# tp_net, tp_rxhash, tp_vlan_tci, tp_vlan_tpid; then struct sockaddr_ll at 48: sll_protocol,
# sll_ifindex, sll_hatype, sll_pkttype.
_PACKET: Final = struct.Struct("=IIIIIIHH4xIH2x8x2xHiHB").unpack_from
_COUNTS: Final = struct.Struct("=III")  # tp_packets, tp_drops, tp_freeze_q_cnt
_OURS: Final = 0x01  # TP_STATUS_USER
_VLAN: Final = 0x10  # TP_STATUS_VLAN_VALID
_KERNEL: Final = bytes(4)  # TP_STATUS_KERNEL
_MACS: Final = 12
_TAG: Final = struct.Struct("!HH")
_TPID: Final = 0x8100


class Taken(NamedTuple):
    """A packet as the kernel has put it into the ring."""

    octets: bytes
    """From its link-layer header on, with the VLAN tag that the kernel had taken off."""

    length: int
    """How many octets it had."""

    at: int
    """The kernel's time stamp, in nanoseconds since 1970."""

    network: int
    """The offset of the header behind the link layer's."""

    number: int
    """The number of its interface."""

    hardware: int
    """The kind of its interface (`sll_hatype`)."""

    kind: int
    """Whether it was received or sent (`sll_pkttype`)."""


class BlockRing:
    """The packets of one packet socket."""

    def __init__(self, sock: socket.socket, size: int) -> None:
        """Set up a ring of so many octets, before the socket is bound.

        Raises OSError if the kernel refuses.
        """
        self._sock = sock
        self._blocks = max(2, size // _BLOCK)
        self._next = 0
        sock.setsockopt(_SOL_PACKET, _VERSION, _TPACKET_V3)
        octets = self._blocks * _BLOCK
        request = _BLOCK, self._blocks, _FRAME, octets // _FRAME, _RETIRED, 0, 0
        sock.setsockopt(_SOL_PACKET, _RX_RING, _REQUEST.pack(*request))
        self._memory = mmap.mmap(sock.fileno(), octets)

    def close(self) -> None:
        """Release the memory; the socket is closed by its owner."""
        self._memory.close()

    def read(self) -> Iterator[list[Taken]]:
        """Yield the packets of each block that the kernel has given over."""
        for _ in range(self._blocks):
            begin = self._next * _BLOCK
            status, count, first = _DESCRIPTOR(self._memory, begin)
            if not status & _OURS:
                return
            found = self._packets(begin + first, count)
            at = begin + _STATUS_AT
            self._memory[at : at + 4] = _KERNEL
            self._next = (self._next + 1) % self._blocks
            yield found

    def lost(self) -> int:
        """Return how many packets found no room since the last call."""
        found = self._sock.getsockopt(_SOL_PACKET, _STATISTICS, _COUNTS.size)
        return int(_COUNTS.unpack(found)[1])

    def _packets(self, at: int, count: int) -> list[Taken]:
        memory, found = self._memory, []
        for _ in range(count):
            # fmt: off
            (
                step, seconds, nanoseconds, captured, length, status, link, network, tag, tpid,
                _, number, hardware, kind,
            ) = _PACKET(memory, at)
            # fmt: on
            octets = memory[at + link : at + link + captured]
            inside = network - link
            if status & _VLAN and captured >= _MACS:
                tagged = _TAG.pack(tpid or _TPID, tag & 0xFFFF)
                octets = octets[:_MACS] + tagged + octets[_MACS:]
                length, inside = length + len(tagged), inside + len(tagged)
            time = seconds * NS_PER_SECOND + nanoseconds
            found.append(Taken(octets, length, time, inside, number, hardware, kind))
            at += step
        return found
