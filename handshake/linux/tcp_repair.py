"""TCP_REPAIR: hands a connection that was opened in user space over to the kernel.

TCP_REPAIR, made for migrating containers, sets on a socket the state that otherwise only a
handshake creates. It cannot set TS.Recent: a segment to the socket does.
"""

from __future__ import annotations

import errno
import secrets
import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from handshake.errors import LocalError, system_error
from handshake.linux import bpf
from handshake.linux.sockaddr import family, sockaddr
from handshake.packet.checksum import checksummed, words_sum
from handshake.packet.quick_parse import ends
from handshake.packet.template import flow_label
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

_ON, _OFF, _OFF_WITHOUT_PROBE = 1, 0, -1
_RECEIVE_QUEUE, _SEND_QUEUE = 1, 2

_NUMBER: Final = struct.Struct("=I")
_OPTION: Final = struct.Struct("=II")
_WINDOW: Final = struct.Struct("=5I")  # snd_wl1, snd_wnd, max_window, rcv_wnd, rcv_wup

_SO_DETACH_FILTER: Final = 27
_SO_MEMINFO: Final = 55
_MEMINFO: Final = struct.Struct("=9I")  # the last one counts dropped packets
_IPV6_TRANSPARENT: Final = 75
_IPV6_AUTOFLOWLABEL: Final = 70
_IPV6_FLOWLABEL_MGR: Final = 32
_IPV6_FLOWINFO_SEND: Final = 33
_LEASE: Final = struct.Struct("=16s4sBBHHHI")
"""struct in6_flowlabel_req: destination, label, action, share, flags, expires, linger."""

_GET, _SHARED_BY_ALL, _CREATE = 0, 255, 1

_INSTRUCTION: Final = struct.Struct("=HBBI")
_LOAD_WORD, _IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_MARK: Final = 0xFFFFF014  # SKF_AD_OFF + SKF_AD_MARK

_SMALLEST_MSS: Final = 88
_LARGEST_MSS: Final = 0x7FFF
"""The range of TCP_MAXSEG."""


def adopt(
    block: ControlBlock,
    *,
    clock: int | None,
    release: Callable[[], bool],
    received: bytes = b"",
) -> socket.socket:
    """Return an ordinary socket, connected and blocking, that continues the connection from here.

    `clock` is the current value of our timestamp clock; None if timestamps are not in use.
    `received` are the octets acknowledged but not yet read: they end at RCV.NXT, and the socket
    returns them first. The peer retransmits what was not acknowledged.

    `release` is called once the kernel knows the connection, so that it no longer resets it, but
    before the socket receives anything. It closes the RST guard of the port, must be quick, and
    returns whether a segment of the peer arrived that is not in this block. If so, or if anything
    else arrived before the socket could receive, the kernel sends a window probe: the peer then
    retransmits data and FIN, and never gets a RST.

    Raises LocalError if the kernel refuses. Then nothing was sent, and the connection can continue
    in user space if `release` was not called yet.
    """
    if (obstacle := _obstacle(block)) is not None:
        raise obstacle
    assert clock is not None or not block.timestamps, "no value of the timestamp clock"
    stamped = clock if block.timestamps else None
    sock = _repairing(family(block.local.address))
    # A socket closed in repair mode sends neither FIN nor RST.
    try:
        mark = secrets.randbits(32) | 1  # never 0, the mark of all other packets
        bpf.attach(sock, _only_marked(mark))
        _connect(sock, block, len(received))
        _set_options(sock, block)
        if stamped is not None:
            _set_clock(sock, stamped)
        _queue(sock, received)
        _set_windows(sock, block)
        missed = release()
        if stamped is not None:
            _deliver_again(block, stamped, mark)
            # The window of a SYN-ACK is not scaled: scaled, it may be a little smaller.
            _set_windows(sock, block)
        _leave_repair(sock, missed=missed)
    except OSError as error:
        sock.close()
        raise _refused(error) from error
    except BaseException:
        sock.close()
        raise
    return sock


def check_permitted() -> None:
    """Raise LocalError if this process may not use TCP_REPAIR, before any connection is opened."""
    with _repairing(socket.AF_INET):
        pass


def acknowledged(block: ControlBlock, seen: Iterable[Observed]) -> bytes:
    """Return the octets received up to this block, from all segments of its connection."""
    irs = _known(block.rcv.irs)
    octets = bytearray(_known(block.rcv.nxt) - irs - 1)
    ours = ControlBlock(local=block.local, remote=block.remote)
    for each in seen:
        seg = each.segment
        if seg.source == block.local:
            ours = ours.sent(seg)
        # A segment that was rejected at the time must not be accepted now.
        elif each.checksum_ok is not False and ours.acceptable(seg):
            ours = ours.received(seg)
            if not seg.syn:
                first = seg.seq - irs - 1
                part = seg.payload[max(0, -first) : max(0, len(octets) - first)]
                octets[max(0, first) : max(0, first) + len(part)] = part
    return bytes(octets)


def _obstacle(block: ControlBlock) -> LocalError | None:
    """Return why the kernel could not continue this connection; None if it can."""
    if block.state is State.CLOSE_WAIT:
        return LocalError("adopt.closed")
    if block.state is not State.ESTABLISHED:
        return LocalError("adopt.state", state=block.state.value)
    if block.snd.una != block.snd.nxt:
        return LocalError("adopt.unacknowledged")
    return LocalError("adopt.ecn") if block.ecn else None


def _refused(error: OSError) -> LocalError:
    return LocalError("adopt.refused", why=system_error(error))


def _repairing(version: socket.AddressFamily) -> socket.socket:
    """Return a socket in repair mode."""
    sock = socket.socket(version, socket.SOCK_STREAM)
    try:
        sock.setblocking(True)  # whatever the default timeout of this program is
        sock.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, _ON)
    except OSError as error:
        sock.close()
        if error.errno != errno.EPERM:
            raise _refused(error) from error
        raise LocalError("adopt.no-cap-net-admin") from error
    return sock


def _only_marked(mark: int) -> bytes:
    """Return a filter that passes only our own packets with this mark."""
    program = (
        (_LOAD_WORD, 0, 0, _MARK),
        (_IF_EQUAL, 0, 1, mark),
        (_RETURN, 0, 0, 0xFFFF),
        (_RETURN, 0, 0, 0),
    )
    return b"".join(_INSTRUCTION.pack(*each) for each in program)


def _connect(sock: socket.socket, block: ControlBlock, received: int) -> None:
    """Create the connection in the kernel with these ends and numbers, without a segment."""
    assert block.remote is not None
    assert block.mss is not None
    # In repair mode a port can be bound while its guard holds it.
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
    # The segment size is computed in connect(), before the MSS among the options is set: without
    # this, the kernel would send segments of 536 octets until it computes the size again.
    size = min(max(block.mss, _SMALLEST_MSS), _LARGEST_MSS)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, size)
    if not _scaled(block):
        # connect() chooses the shift it would offer and keeps it, although window scaling was not
        # negotiated: for a window that needs no scaling it is 0.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_WINDOW_CLAMP, 0xFFFF)
    sock.connect(to)


def _labelled(sock: socket.socket, block: ControlBlock, to: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the address to connect to, with the flow label of our packets so far.

    Routers may choose the path by it (RFC 6437). If the kernel refuses, it is 0.
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
    """Whether both ends offered window scaling, if only by 0."""
    offers = (block.offered, block.peer_offered)
    return all(each is not None and each.window_scale is not None for each in offers)


def _set_options(sock: socket.socket, block: ControlBlock) -> None:
    """Set the negotiated options."""
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


def _set_clock(sock: socket.socket, clock: int) -> None:
    """Continue our timestamp clock from here: it must not run backwards (RFC 7323)."""
    # An odd number would select a clock in microseconds (Linux 6.7).
    even = (clock + 1) % MODULUS & ~1
    sock.setsockopt(socket.IPPROTO_TCP, _TCP_TIMESTAMP, _NUMBER.pack(even))


def _known(number: Seq | None) -> Seq:
    assert number is not None
    return number


def _queue(sock: socket.socket, received: bytes) -> None:
    """Put octets into the receive queue for the application; RCV.NXT moves past them."""
    while received:
        received = received[sock.send(received) :]


def _deliver_again(block: ControlBlock, clock: int, mark: int) -> None:
    """Deliver the peer's last timestamp to the socket again, so that it learns TS.Recent.

    Otherwise our segments would echo 0 until the peer sends. The segment goes from this kernel to
    itself; if that is filtered, the socket does without.
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
        # Sending from the peer's address needs a transparent socket.
        if local.version == 6:
            wire.setsockopt(socket.IPPROTO_IPV6, _IPV6_TRANSPARENT, 1)
        else:
            wire.setsockopt(socket.IPPROTO_IP, socket.IP_TRANSPARENT, 1)
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, _NUMBER.pack(mark))
        wire.bind(sockaddr(block.remote.address))
        wire.sendto(checksummed(seg).pack(), sockaddr(local))


def _set_windows(sock: socket.socket, block: ControlBlock) -> None:
    """Set both windows: neither may shrink."""
    wnd = block.snd.wnd or 0
    numbers = (
        int(_known(block.snd.wl1)),
        wnd,
        wnd,
        block.rcv.wnd or 0,
        # The acknowledgment number with which we last advertised our window.
        int(_known(block.last_ack_sent)),
    )
    sock.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR_WINDOW, _WINDOW.pack(*numbers))


def _leave_repair(sock: socket.socket, *, missed: bool) -> None:
    """Let the socket receive and send; if a segment was missed, with a window probe."""
    sock.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)
    octets = sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
    if not missed and not _MEMINFO.unpack(octets)[-1]:
        # Kernels before 4.19 cannot, and send a window probe in any case.
        with suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, _OFF_WITHOUT_PROBE)
            return
    sock.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, _OFF)
