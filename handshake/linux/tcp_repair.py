"""Repair: hands a connection that was opened by hand over to the kernel, which carries it on.

The kernel lets a socket be told what else only a handshake would teach it (TCP_REPAIR, made for
containers that move to another machine). What it cannot be told is TS.Recent: that it hears.
"""

from __future__ import annotations

import errno
import os
import secrets
import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from handshake.errors import LocalError
from handshake.linux import bpf
from handshake.linux.sockaddr import family, sockaddr
from handshake.packet.checksum import checksummed
from handshake.packet.quick_parse import ends
from handshake.packet.template import flow_label, words_sum
from handshake.tcp import ControlBlock, Flags, Kind, Options, Segment, State
from handshake.tcp.options import nop, timestamps
from handshake.units import MODULUS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from handshake.tcp import Observed, Seq

_TCP_REPAIR: Final = 19
_TCP_REPAIR_QUEUE: Final = 20
_TCP_QUEUE_SEQ: Final = 21
_TCP_REPAIR_OPTIONS: Final = 22
_TCP_TIMESTAMP: Final = 24
_TCP_REPAIR_WINDOW: Final = 29

_ON, _OFF, _OFF_IN_SILENCE = 1, 0, -1
_RECEIVE_QUEUE, _SEND_QUEUE = 1, 2

_NUMBER: Final = struct.Struct("=I")
_OPTION: Final = struct.Struct("=II")
_WINDOW: Final = struct.Struct("=5I")  # snd_wl1, snd_wnd, max_window, rcv_wnd, rcv_wup

_SO_DETACH_FILTER: Final = 27
_SO_MEMINFO: Final = 55
_MEMINFO: Final = struct.Struct("=9I")  # the last one counts the packets that were dropped
_IPV6_TRANSPARENT: Final = 75
_IPV6_AUTOFLOWLABEL: Final = 70
_IPV6_FLOWLABEL_MGR: Final = 32
_IPV6_FLOWINFO_SEND: Final = 33
_LEASE: Final = struct.Struct("=16s4sBBHHHI")
"""struct in6_flowlabel_req: to whom, the label, what is asked, who may share it, flags, times."""

_GET, _SHARED_BY_ALL, _CREATE = 0, 255, 1

_INSTRUCTION: Final = struct.Struct("=HBBI")
_LOAD_WORD, _IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_MARK: Final = 0xFFFFF014  # SKF_AD_OFF + SKF_AD_MARK

_SMALLEST_MSS: Final = 88
_LARGEST_MSS: Final = 0x7FFF
"""What TCP_MAXSEG takes."""


def adopt(
    block: ControlBlock,
    *,
    clock: int | None,
    release: Callable[[], bool],
    received: bytes = b"",
) -> socket.socket:
    """Return an ordinary socket, connected and blocking, that carries the connection on from here.

    `clock` is what our timestamps clock shows now; None where timestamps are not in force.
    `received` are the octets that were acknowledged, which nobody has read yet: they end at
    RCV.NXT, and the socket gives them first. What was not acknowledged the peer sends again.

    `release` is called when the kernel knows the connection, so that it resets nothing more, but
    does not hear it yet, and should not keep it long: there the guard of the port is closed, and
    must be if it is a table of the firewall. It returns whether the peer has said anything that
    is not in this block. If so, or if anything else came before the socket could hear, the kernel
    asks the peer where it stands by a window probe: data and FIN are sent again, never a RST.

    Raises LocalError where the kernel does not let us. Then nothing was sent, and the connection
    can go on by hand if `release` was not called yet.
    """
    if obstacle := _obstacle(block):
        raise LocalError(f"the kernel cannot take the connection over: {obstacle}")
    assert clock is not None or not block.timestamps, "what does our clock show?"
    stamped = clock if block.timestamps else None
    sock = _repairing(family(block.local.address))
    # Closed in repair, a socket goes without a word: neither FIN nor RST.
    try:
        mark = secrets.randbits(32) | 1  # never 0, which is what all others have
        bpf.attach(sock, _marked_alone(mark))
        _connect(sock, block, len(received))
        _tell_options(sock, block)
        if stamped is not None:
            _tell_clock(sock, stamped)
        _queue(sock, received)
        _tell_windows(sock, block)
        missed = release()
        if stamped is not None:
            _hear_again(block, stamped, mark)
            # In a SYN,ACK a window is not scaled: the same one scaled may be a little smaller.
            _tell_windows(sock, block)
        _hear(sock, missed=missed)
    except OSError as error:
        sock.close()
        raise _cannot(error) from error
    except BaseException:
        sock.close()
        raise
    return sock


def see_that_it_may() -> None:
    """Raise LocalError where this process may not do it, before anybody is called for nothing."""
    with _repairing(socket.AF_INET):
        pass


def acknowledged(block: ControlBlock, seen: Iterable[Observed]) -> bytes:
    """Return the octets that led to this block, from all that was seen of its connection."""
    irs = _known(block.rcv.irs)
    octets = bytearray(_known(block.rcv.nxt) - irs - 1)
    ours = ControlBlock(local=block.local, remote=block.remote)
    for each in seen:
        seg = each.segment
        if seg.source == block.local:
            ours = ours.sent(seg)
        # What was refused at the time must not be taken now.
        elif each.checksum_ok is not False and ours.acceptable(seg):
            ours = ours.received(seg)
            if not seg.syn:
                first = seg.seq - irs - 1
                part = seg.payload[max(0, -first) : max(0, len(octets) - first)]
                octets[max(0, first) : max(0, first) + len(part)] = part
    return bytes(octets)


def _obstacle(block: ControlBlock) -> str:
    """Return what the kernel could not carry on, in words; nothing where it can."""
    if block.state is State.CLOSE_WAIT:
        return "the peer has closed it already"
    if block.state is not State.ESTABLISHED:
        return f"it is in {block.state.value}, not in ESTABLISHED"
    if block.snd.una != block.snd.nxt:
        return "the peer has not acknowledged all that was sent"
    if block.ecn:
        return "both ends agreed on ECN, and the kernel cannot be told that"
    return ""


def _cannot(error: OSError) -> LocalError:
    number = error.errno or 0
    name = errno.errorcode.get(number, str(number))
    why = f"{os.strerror(number).lower()} ({name})"
    return LocalError(f"the kernel does not take the connection over: {why}")


def _repairing(version: socket.AddressFamily) -> socket.socket:
    """Return a socket in repair."""
    sock = socket.socket(version, socket.SOCK_STREAM)
    try:
        sock.setblocking(True)  # whatever the default time-out of this program is
        sock.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, _ON)
    except OSError as error:
        sock.close()
        if error.errno != errno.EPERM:
            raise _cannot(error) from error
        raise LocalError(
            "to let the kernel take the connection over needs CAP_NET_ADMIN, since TCP_REPAIR "
            "tells a socket what it would believe of a peer alone: run it as root"
        ) from error
    return sock


def _marked_alone(mark: int) -> bytes:
    """Return a filter that lets nothing through but packets of ours with this mark."""
    program = (
        (_LOAD_WORD, 0, 0, _MARK),
        (_IF_EQUAL, 0, 1, mark),
        (_RETURN, 0, 0, 0xFFFF),
        (_RETURN, 0, 0, 0),
    )
    return b"".join(_INSTRUCTION.pack(*each) for each in program)


def _connect(sock: socket.socket, block: ControlBlock, received: int) -> None:
    """Let the kernel have a connection with these ends and numbers: no segment is sent."""
    assert block.remote is not None
    assert block.mss is not None
    # In repair a port may be bound that a guard still holds.
    sock.bind(sockaddr(block.local.address, block.local.port))
    to = sockaddr(block.remote.address, block.remote.port)
    if block.local.version == 6:
        to = _labelled(sock, block, to)
    for queue, first in (
        (_SEND_QUEUE, _known(block.snd.nxt)),
        (_RECEIVE_QUEUE, _known(block.rcv.nxt) - received),
    ):
        sock.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR_QUEUE, queue)
        sock.setsockopt(socket.IPPROTO_TCP, _TCP_QUEUE_SEQ, _NUMBER.pack(int(first)))
    # The size of segments is computed here. The MSS among the options comes too late for that:
    # until something else makes the kernel compute it again, it would send segments of 536.
    size = min(max(block.mss, _SMALLEST_MSS), _LARGEST_MSS)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, size)
    if not _scaled(block):
        # Here it chooses the shift that it would offer, and keeps it, though none was agreed on:
        # for a window that needs none it is 0.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_WINDOW_CLAMP, 0xFFFF)
    sock.connect(to)


def _labelled(sock: socket.socket, block: ControlBlock, to: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return where to connect, with the flow label that ours had from the first SYN on.

    A path may be chosen by it (RFC 6437). Where the kernel does not let us have it, it is 0.
    """
    assert block.remote is not None
    sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_AUTOFLOWLABEL, 0)
    label = flow_label(words_sum(ends(block.local, block.remote)))
    there, wanted = block.remote.address.packed, label.to_bytes(4, "big")
    request = _LEASE.pack(there, wanted, _GET, _SHARED_BY_ALL, _CREATE, 0, 0, 0)
    try:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_FLOWLABEL_MGR, request)
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_FLOWINFO_SEND, 1)
    except OSError:
        return to
    host, port, _, scope = to
    return host, port, label, scope


def _scaled(block: ControlBlock) -> bool:
    """Whether both ends offered to scale their windows, if only by 0."""
    offers = (block.offered, block.peer_offered)
    return all(each is not None and each.window_scale is not None for each in offers)


def _tell_options(sock: socket.socket, block: ControlBlock) -> None:
    """Tell the kernel what both offers brought into force."""
    assert block.mss is not None
    found = [(Kind.MSS, block.mss)]
    if _scaled(block):
        assert block.snd_shift is not None
        assert block.rcv_shift is not None
        found.append((Kind.WINDOW_SCALE, block.rcv_shift << 16 | block.snd_shift))
    if block.sack:
        found.append((Kind.SACK_PERMITTED, 0))
    if block.timestamps:
        found.append((Kind.TIMESTAMPS, 0))
    octets = b"".join(_OPTION.pack(int(kind), value) for kind, value in found)
    sock.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR_OPTIONS, octets)


def _tell_clock(sock: socket.socket, clock: int) -> None:
    """Let our timestamps clock go on from here: it must not run backwards (RFC 7323)."""
    # An odd number would also ask for a clock that counts microseconds (Linux 6.7).
    even = (clock + 1) % MODULUS & ~1
    sock.setsockopt(socket.IPPROTO_TCP, _TCP_TIMESTAMP, _NUMBER.pack(even))


def _known(number: Seq | None) -> Seq:
    assert number is not None
    return number


def _queue(sock: socket.socket, received: bytes) -> None:
    """Put octets into the receive queue, for the user to read; RCV.NXT moves past them."""
    while received:
        received = received[sock.send(received) :]


def _hear_again(block: ControlBlock, clock: int, mark: int) -> None:
    """Let the socket hear once more what the peer said last, and so learn TS.Recent.

    Else our segments would echo 0 until the peer speaks. The segment goes from this kernel to
    itself; where that is barred, it is done without.
    """
    assert block.remote is not None
    assert block.ts_recent is not None
    echo = timestamps(block.ts_recent, clock % MODULUS)
    seg = Segment(
        source=block.remote,
        destination=block.local,
        seq=_known(block.rcv.nxt),
        ack=block.snd.nxt,
        flags=Flags.ACK,
        window=(block.snd.wnd or 0) >> (block.snd_shift or 0),
        options=Options.of(nop(), nop(), echo),
    )
    local = block.local.address
    with (
        suppress(OSError),
        socket.socket(family(local), socket.SOCK_RAW, socket.IPPROTO_TCP) as wire,
    ):
        # The peer's address is not ours to send from, unless transparently.
        if local.version == 6:
            wire.setsockopt(socket.IPPROTO_IPV6, _IPV6_TRANSPARENT, 1)
        else:
            wire.setsockopt(socket.IPPROTO_IP, socket.IP_TRANSPARENT, 1)
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, _NUMBER.pack(mark))
        wire.bind(sockaddr(block.remote.address))
        wire.sendto(checksummed(seg).pack(), sockaddr(local))


def _tell_windows(sock: socket.socket, block: ControlBlock) -> None:
    """Tell the kernel both windows: neither may shrink."""
    wnd = block.snd.wnd or 0
    numbers = (
        int(_known(block.snd.wl1)),
        wnd,
        wnd,
        block.rcv.wnd or 0,
        # Where our window was counted from when we last named it.
        int(_known(block.last_ack_sent)),
    )
    sock.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR_WINDOW, _WINDOW.pack(*numbers))


def _hear(sock: socket.socket, *, missed: bool) -> None:
    """Let the socket hear and speak. If anything was missed, it speaks at once."""
    sock.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)
    octets = sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
    if not missed and not _MEMINFO.unpack(octets)[-1]:
        # Kernels before 4.19 cannot, and ask the peer in any case.
        with suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, _OFF_IN_SILENCE)
            return
    sock.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, _OFF)
