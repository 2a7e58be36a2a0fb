"""A kernel's TCP sockets: state and options, read through NETLINK_SOCK_DIAG."""

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from handshake.tcp import Endpoint, State
from tests.live.lab.namespaces import TIMEOUT, Host

_NETLINK_SOCK_DIAG: Final = 4
_SOCK_DIAG_BY_FAMILY: Final = 20
_REQUEST_DUMP: Final = 0x301
_ERROR, _DONE = 2, 3
_INFO: Final = 2  # INET_DIAG_INFO: a struct tcp_info

_MESSAGE = struct.Struct("=IHHII")
_QUERY = struct.Struct("=BBBxI48x")
_ANSWER = struct.Struct("=BBxx2s2s16s16s12x20x")
_ATTRIBUTE = struct.Struct("=HH")
_TCP_INFO = struct.Struct("=5xBB9xI64xI140xI")
"""tcpi_options, the two shifts, tcpi_snd_mss, tcpi_advmss, tcpi_snd_wnd: <linux/tcp.h>."""

STATES: Final = {
    1: State.ESTABLISHED,
    2: State.SYN_SENT,
    3: State.SYN_RECEIVED,
    4: State.FIN_WAIT_1,
    5: State.FIN_WAIT_2,
    6: State.TIME_WAIT,
    8: State.CLOSE_WAIT,
    9: State.LAST_ACK,
    10: State.LISTEN,
    11: State.CLOSING,
    12: State.SYN_RECEIVED,  # TCP_NEW_SYN_RECV: an entry of a listener's, not yet a socket
}
"""RFC 9293's names for the numbers of <net/tcp_states.h>. Rows with others have no connection."""


@dataclass(frozen=True, slots=True)
class Info:
    """What TCP_INFO reports as negotiated; the kernel reports it for full sockets only."""

    timestamps: bool
    sack: bool
    ecn: bool
    syn_data: bool
    """Whether data went with the SYN and was acknowledged with it (Fast Open)."""

    snd_shift: int
    rcv_shift: int
    snd_mss: int
    """The most payload that it puts into a segment: room for its options is taken off."""

    advmss: int
    """What it named in its own SYN."""

    snd_wnd: int
    """Room at the peer, in octets (scaled)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the kernel's table."""

    local: Endpoint
    remote: Endpoint
    state: State
    info: Info | None
    """None for a listener's entry and for what is left of a socket in TIME-WAIT."""


class Table:
    """The TCP sockets of one namespace, of one IP version."""

    def __init__(self, host: Host, version: int) -> None:
        self._family = socket.AF_INET if version == 4 else socket.AF_INET6
        with host.entered():
            self._netlink = socket.socket(
                socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG
            )
        self._netlink.settimeout(TIMEOUT)

    def close(self) -> None:
        """Let go of the netlink socket."""
        self._netlink.close()

    def read(self) -> list[Entry]:
        """Return every row as it is now."""
        every_state = 0xFFFFFFFF
        query = _QUERY.pack(self._family, socket.IPPROTO_TCP, 1 << (_INFO - 1), every_state)
        length = _MESSAGE.size + len(query)
        self._netlink.send(_MESSAGE.pack(length, _SOCK_DIAG_BY_FAMILY, _REQUEST_DUMP, 1, 0) + query)
        return list(self._answers())

    def _answers(self) -> Iterator[Entry]:
        while True:
            data = self._netlink.recv(1 << 16)
            while data:
                length, kind, *_ = _MESSAGE.unpack_from(data)
                if kind == _DONE:
                    return
                if kind == _ERROR:
                    raise OSError(f"the kernel does not tell of its sockets: {data.hex(' ')}")
                yield from _entry(data[_MESSAGE.size : length])
                data = data[_aligned(length) :]


def _entry(message: bytes) -> Iterator[Entry]:
    family, number, sport, dport, source, destination = _ANSWER.unpack_from(message)
    state = STATES.get(number)
    if state is None:
        return
    octets = 4 if family == socket.AF_INET else 16
    local, remote = (
        Endpoint(ip_address(address[:octets]), int.from_bytes(port, "big"))
        for address, port in ((source, sport), (destination, dport))
    )
    attributes = dict(_attributes(message[_ANSWER.size :]))
    info = attributes.get(_INFO)
    whole = info and state is not State.LISTEN
    yield Entry(local, remote, state, _info(info) if info and whole else None)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while data:
        length, kind = _ATTRIBUTE.unpack_from(data)
        yield kind, data[_ATTRIBUTE.size : length]
        data = data[_aligned(length) :]


def _info(octets: bytes) -> Info:
    options, shifts, snd_mss, advmss, snd_wnd = _TCP_INFO.unpack_from(octets)
    return Info(
        timestamps=bool(options & 1),
        sack=bool(options & 2),
        ecn=bool(options & 8),
        syn_data=bool(options & 32),
        snd_shift=shifts & 0xF,
        rcv_shift=shifts >> 4,
        snd_mss=snd_mss,
        advmss=advmss,
        snd_wnd=snd_wnd,
    )


def _aligned(length: int) -> int:
    return (length + 3) & ~3
