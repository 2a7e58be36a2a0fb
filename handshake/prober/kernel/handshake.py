"""What became of a SYN that the kernel sent, by what its socket shows."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.endpoint.verdict import Verdict
from handshake.linux.route import explain
from handshake.prober.result import Negotiated
from handshake.tcp import State

if TYPE_CHECKING:
    from handshake.linux.tcp_info import TcpInfo
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

_DROPPED: Final = "a firewall on this machine drops it, or the link takes nothing"
_QUEUED: Final = "it still waits to leave; is the link up?"


class SynOutcome(NamedTuple):
    """What became of our SYN."""

    verdict: Verdict
    syn_sent: int
    failure: str = ""
    error: IcmpError | None = None


def syn_outcome(
    info: TcpInfo,
    number: int,
    error: IcmpError | None,
    ends: tuple[Endpoint, Endpoint],
    *,
    given_up: bool,
) -> SynOutcome | None:
    """Return what became of it; None while that is open.

    `number` is SO_ERROR, `error` the ICMP error that was queued, `ends` our own and the peer's.
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
        return SynOutcome(Verdict.LOCAL_ERROR, 0, explain(OSError(number, os.strerror(number))))
    if number == errno.ETIMEDOUT or given_up:
        return _unanswered(info)
    # The kernel tells nobody that its firewall dropped a SYN. But a segment sent again that got
    # past it counts as `retrans`. A full queue may lose one: only two are believed.
    if info.state is State.SYN_SENT and info.total_retrans > 1 and not info.retrans:
        return SynOutcome(Verdict.LOCAL_ERROR, 0, _DROPPED)
    return None


def negotiated(info: TcpInfo) -> Negotiated:
    """Return what both SYNs brought into force."""
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
    """Return the peer's MSS, or what the path leaves of it; None where that does not show."""
    # Linux sends no more at a time than half of the peer's largest window, so that of a small one
    # it is the window that shows. Over loopback half of any window is less than the MSS.
    window = info.snd_wnd
    if window is not None and info.snd_mss >= (window // 2 if window > _DEFAULT_MSS else window):
        return None
    return info.snd_mss + (_TIMESTAMPS if info.timestamps else 0)


def round_trip(info: TcpInfo) -> tuple[float | None, bool]:
    """Return the seconds that the opening took, and whether that is a guess.

    The kernel measures from the SYN whose clock is echoed, in milliseconds if there were several,
    and not at all without clocks. A server that repeats its answer echoes the first clock, and
    then the wait for the second SYN is in it too.
    """
    found = info.rtt / _MICROSECONDS if info.rtt else None
    if not info.total_retrans:
        return found, False
    return found, not info.timestamps or found is None or found >= _FIRST_RTO


def _unreachable(info: TcpInfo, error: IcmpError, ends: tuple[Endpoint, Endpoint]) -> SynOutcome:
    local, remote = (end.address.packed for end in ends)
    if error.sender.packed != local or local == remote:
        return SynOutcome(Verdict.UNREACHABLE, info.total_retrans + 1, error=error)
    host_unreachable = (1, 3) if error.version == 6 else (3, 1)
    # A rule of our own rejects it while connect() runs, and so does not end that.
    if (error.type, error.code) != host_unreachable or info.state is State.SYN_SENT:
        return SynOutcome(
            Verdict.LOCAL_ERROR, 0, f"a firewall on this machine rejects it: {error}", error
        )
    # The SYN that nobody on the link could be found for never left.
    return SynOutcome(Verdict.UNREACHABLE, info.total_retrans, error=error)


def _unanswered(info: TcpInfo) -> SynOutcome:
    syns = info.total_retrans + 1
    if info.state is State.SYN_RECEIVED:
        return SynOutcome(Verdict.HALF_OPEN, syns)
    if info.segs_in:
        # The kernel answers what acknowledges another number by RST, and goes on waiting.
        return SynOutcome(Verdict.BAD_PEER, syns)
    if info.retransmits and not info.total_retrans:
        # What lies in a queue of this machine is not sent again.
        return SynOutcome(Verdict.LOCAL_ERROR, 0, _QUEUED)
    if info.total_retrans and not info.retrans:
        return SynOutcome(Verdict.LOCAL_ERROR, 0, _DROPPED)
    return SynOutcome(Verdict.FILTERED, syns)
