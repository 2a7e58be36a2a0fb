"""What became of a SYN that the kernel sent, by the state of its socket."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.endpoint.outcome import Negotiated, Verdict
from handshake.linux.route import send_error
from handshake.prober.explanation import host_unreachable, verdict_message
from handshake.tcp import State

if TYPE_CHECKING:
    from handshake.linux.tcp_info import TcpInfo
    from handshake.messages import Message
    from handshake.tcp import Endpoint
    from handshake.tcp.icmp import IcmpError

RESETS: Final = (errno.ECONNRESET, errno.EPIPE)
"""What a RST means to the kernel once the connection is open; EPIPE after the peer's FIN."""

_OPENING: Final = (State.SYN_SENT, State.SYN_RECEIVED)

_FIRST_RTO: Final = 1.0
"""Seconds between the first SYN and the second."""

_MICROSECONDS: Final = 1_000_000
_TIMESTAMPS: Final = 12
"""Octets that the timestamps option takes from each segment, padding included."""

_DEFAULT_MSS: Final = 536
"""A window that is no larger may be filled by one segment."""


class SynOutcome(NamedTuple):
    """What became of our SYN."""

    verdict: Verdict
    syn_sent: int
    failure: Message | None = None
    error: IcmpError | None = None
    crossed: bool = False
    """Whether the peer sent a SYN that is no answer to ours."""


def syn_outcome(
    info: TcpInfo,
    number: int,
    error: IcmpError | None,
    ends: tuple[Endpoint, Endpoint],
    *,
    given_up: bool,
) -> SynOutcome | None:
    """Return what became of it; None while that is not known.

    `number` is SO_ERROR, `error` the queued ICMP error, `ends` our endpoint and the peer's.
    """
    syns = info.total_retrans + 1
    if number in RESETS or info.state not in (*_OPENING, State.CLOSED):
        # To have been reset it must have been open.
        return SynOutcome(Verdict.OPEN, syns)
    if error is not None:
        return _unreachable(info, error, ends)
    if number == errno.ECONNREFUSED:
        return SynOutcome(Verdict.CLOSED, syns)
    if number and number != errno.ETIMEDOUT and info.state is State.CLOSED:
        why = send_error(OSError(number, os.strerror(number))).message
        return SynOutcome(Verdict.LOCAL_ERROR, 0, why)
    if number == errno.ETIMEDOUT or given_up:
        return _unanswered(info)
    # The kernel does not report that its firewall dropped a SYN. But a retransmission that got past
    # it counts as `retrans`. A full queue may lose one: only two are believed.
    if info.state is State.SYN_SENT and info.total_retrans > 1 and not info.retrans:
        return SynOutcome(Verdict.LOCAL_ERROR, 0, verdict_message("unsent.dropped"))
    return None


def negotiated(info: TcpInfo) -> Negotiated:
    """Return what both SYNs negotiated."""
    return Negotiated(
        mss=_mss(info),
        rcv_mss=info.advmss + (_TIMESTAMPS if info.timestamps else 0),
        snd_shift=info.snd_shift if info.window_scale else 0,
        rcv_shift=info.rcv_shift if info.window_scale else 0,
        sack=info.sack,
        timestamps=info.timestamps,
        ecn=info.ecn,
    )


def _mss(info: TcpInfo) -> int | None:
    """Return the peer's MSS, or what the path leaves of it; None if that does not show."""
    # Linux sends no more at a time than half of the peer's largest window, so that of a small one
    # it is the window that shows. Over loopback half of any window is less than the MSS.
    window = info.snd_wnd
    if window is not None and info.snd_mss >= (window // 2 if window > _DEFAULT_MSS else window):
        return None
    return info.snd_mss + (_TIMESTAMPS if info.timestamps else 0)


def round_trip(info: TcpInfo) -> tuple[float | None, bool]:
    """Return the round trip of the handshake in seconds, and whether that is ambiguous.

    The kernel measures from the SYN whose timestamp is echoed, in milliseconds if there were
    several, and not at all without timestamps. A server that retransmits its SYN-ACK echoes the
    first timestamp, and then the wait for the second SYN is included.
    """
    found = info.rtt / _MICROSECONDS if info.rtt else None
    if not info.total_retrans:
        return found, False
    return found, not info.timestamps or found is None or found >= _FIRST_RTO


def _unreachable(info: TcpInfo, error: IcmpError, ends: tuple[Endpoint, Endpoint]) -> SynOutcome:
    local, remote = (end.address.packed for end in ends)
    if error.sender.packed != local or local == remote:
        return SynOutcome(Verdict.UNREACHABLE, info.total_retrans + 1, error=error)
    # A firewall rule of our own rejects the SYN while connect() runs, and so does not end it.
    if not host_unreachable(error) or info.state is State.SYN_SENT:
        why = verdict_message("unsent.rejected", error=error)
        return SynOutcome(Verdict.LOCAL_ERROR, 0, why, error)
    # A SYN whose neighbour does not answer never left.
    return SynOutcome(Verdict.UNREACHABLE, info.total_retrans, error=error)


def _unanswered(info: TcpInfo) -> SynOutcome:
    syns = info.total_retrans + 1
    if info.state is State.SYN_RECEIVED:
        # Only a SYN without an ACK leads there.
        return SynOutcome(Verdict.HALF_OPEN, syns, crossed=True)
    if info.segs_in:
        # The kernel answers a wrong ACK number by a RST, and goes on waiting.
        return SynOutcome(Verdict.BAD_PEER, syns)
    if info.retransmits and not info.total_retrans:
        # What is in a queue of this machine is not retransmitted.
        return SynOutcome(Verdict.LOCAL_ERROR, 0, verdict_message("unsent.queued"))
    if info.total_retrans and not info.retrans:
        return SynOutcome(Verdict.LOCAL_ERROR, 0, verdict_message("unsent.dropped"))
    return SynOutcome(Verdict.FILTERED, syns)
