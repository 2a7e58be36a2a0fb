"""TCP_INFO: what the kernel knows about a TCP socket, as far as this kernel reports it."""

from __future__ import annotations

import socket
import struct
import sys
from dataclasses import dataclass
from typing import Final, Self

from handshake.tcp import State

STATES: Final = {
    1: State.ESTABLISHED,
    2: State.SYN_SENT,
    3: State.SYN_RECEIVED,
    4: State.FIN_WAIT_1,
    5: State.FIN_WAIT_2,
    6: State.TIME_WAIT,
    7: State.CLOSED,
    8: State.CLOSE_WAIT,
    9: State.LAST_ACK,
    10: State.LISTEN,
    11: State.CLOSING,
    12: State.SYN_RECEIVED,  # TCP_NEW_SYN_RECV: a request of a listener, not yet a socket
}
"""RFC 9293's names for the numbers of <net/tcp_states.h>."""

_ROOM: Final = 512
"""Octets: the struct grows from kernel to kernel, 280 in Linux 6.18."""

_ALWAYS: Final = struct.Struct("=BxBxxBBx I4x3I 4x2I 12x3I 4x2I 8xI 12xI")
"""What every Linux since 2.6 has: up to tcpi_total_retrans."""

_OCTETS: Final = struct.Struct("=QQ")
_SEGMENTS: Final = struct.Struct("=II")
_OCTETS_AT: Final = 120
_SEGMENTS_AT: Final = 136
_DATA_SEGMENTS_AT: Final = 152
_WINDOW: Final = struct.Struct("=I")
_WINDOW_AT: Final = 228

_LITTLE: Final = sys.byteorder == "little"

_TIMESTAMPS, _SACK, _WINDOW_SCALE, _ECN, _SYN_DATA = 1, 2, 4, 8, 32


@dataclass(frozen=True, slots=True)
class TcpInfo:
    """A struct tcp_info. Fields that an older kernel does not report are None."""

    state: State
    retransmits: int
    """Retransmission timeouts since data was last acknowledged."""

    timestamps: bool
    sack: bool
    window_scale: bool
    """Whether both ends scale their windows."""

    ecn: bool
    syn_data: bool
    """Whether data was sent in the SYN and acknowledged with it (Fast Open)."""

    snd_shift: int
    rcv_shift: int
    rto: int
    """The retransmission timeout, in microseconds."""

    snd_mss: int
    """The largest payload it sends in a segment, room for options deducted."""

    rcv_mss: int
    unacked: int
    """Segments sent and not acknowledged."""

    lost: int
    retrans: int
    """Segments retransmitted and not acknowledged, those the local machine failed to send left
    out."""

    since_data: int
    """Milliseconds since data was last received; before any, since the connection opened."""

    since_ack: int
    """Milliseconds since an acceptable ACK was last received, that of the SYN included."""

    path_mtu: int
    """The largest packet on the path, in octets."""

    rtt: int
    """The smoothed round trip, in microseconds; 0 if none was measured."""

    rttvar: int
    advmss: int
    """The MSS in its own SYN."""

    total_retrans: int
    """Segments retransmitted over the whole connection, failed attempts included."""

    bytes_acked: int | None
    """What the peer acknowledged: octets of data, plus one each for SYN and FIN."""

    bytes_received: int | None
    segs_out: int | None
    segs_in: int | None
    data_segs_in: int | None
    data_segs_out: int | None
    snd_wnd: int | None
    """The peer's receive window in octets (scaled)."""

    @classmethod
    def parse(cls, octets: bytes) -> Self:
        """Parse a struct tcp_info. Raises ValueError if it is shorter than in any Linux."""
        if len(octets) < _ALWAYS.size:
            raise ValueError(f"struct tcp_info too short: {len(octets)} octets")
        state, retransmits, options, shifts, *numbers = _ALWAYS.unpack_from(octets)
        rto, snd_mss, rcv_mss, unacked, lost, retrans, *numbers = numbers
        since_data, since_ack, path_mtu, rtt, rttvar, advmss, total_retrans = numbers
        bytes_acked, bytes_received = _pair(_OCTETS, octets, _OCTETS_AT)
        segs_out, segs_in = _pair(_SEGMENTS, octets, _SEGMENTS_AT)
        data_segs_in, data_segs_out = _pair(_SEGMENTS, octets, _DATA_SEGMENTS_AT)
        return cls(
            state=STATES[state],
            retransmits=retransmits,
            timestamps=bool(options & _TIMESTAMPS),
            sack=bool(options & _SACK),
            window_scale=bool(options & _WINDOW_SCALE),
            ecn=bool(options & _ECN),
            syn_data=bool(options & _SYN_DATA),
            # Two fields of four bits: their order depends on the machine's byte order.
            snd_shift=shifts & 0xF if _LITTLE else shifts >> 4,
            rcv_shift=shifts >> 4 if _LITTLE else shifts & 0xF,
            rto=rto,
            snd_mss=snd_mss,
            rcv_mss=rcv_mss,
            unacked=unacked,
            lost=lost,
            retrans=retrans,
            since_data=since_data,
            since_ack=since_ack,
            path_mtu=path_mtu,
            rtt=rtt,
            rttvar=rttvar,
            advmss=advmss,
            total_retrans=total_retrans,
            bytes_acked=bytes_acked,
            bytes_received=bytes_received,
            segs_out=segs_out,
            segs_in=segs_in,
            data_segs_in=data_segs_in,
            data_segs_out=data_segs_out,
            snd_wnd=_one(_WINDOW, octets, _WINDOW_AT),
        )


def tcp_info(sock: socket.socket) -> TcpInfo:
    """Return the current TCP_INFO of this socket."""
    return TcpInfo.parse(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ROOM))


def _one(layout: struct.Struct, octets: bytes, at: int) -> int | None:
    if len(octets) < at + layout.size:
        return None
    found: int = layout.unpack_from(octets, at)[0]
    return found


def _pair(layout: struct.Struct, octets: bytes, at: int) -> tuple[int, int] | tuple[None, None]:
    if len(octets) < at + layout.size:
        return None, None
    first, second = layout.unpack_from(octets, at)
    return first, second
