"""A row of Zeek's conn.log."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from handshake.tracker.zeek.endpoint import (
    CLOSED,
    ESTABLISHED,
    INACTIVE,
    PARTIAL,
    RESET,
    SYN_ACK_SENT,
    SYN_SENT,
)

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

    from handshake.tcp import Endpoint
    from handshake.tracker.zeek.conn import Conn

_ABORTED: Final = re.compile(r"\^?S[^HAFGIQ]*R")


@dataclass(frozen=True, slots=True)
class ZeekRecord:
    """What Zeek writes of a connection, by the names of conn.log's fields."""

    ts: int
    """When its first segment was seen, in nanoseconds since 1970."""

    orig_h: IPv4Address | IPv6Address
    orig_p: int
    resp_h: IPv4Address | IPv6Address
    resp_p: int
    duration: int | None
    """Nanoseconds until its last segment before both sides had closed."""

    orig_bytes: int | None
    """Octets of payload by sequence numbers, seen or not; None where it had no duration."""

    resp_bytes: int | None
    conn_state: str
    missed_bytes: int
    history: str
    orig_pkts: int
    orig_ip_bytes: int
    resp_pkts: int
    resp_ip_bytes: int


def record(conn: Conn, first: Endpoint, second: Endpoint) -> ZeekRecord:
    """Return the row of a connection between these two endpoints."""
    orig_end, resp_end = (second, first) if conn.originator else (first, second)
    orig, resp = conn.orig, conn.resp
    duration = conn.last - conn.start
    lasted = duration > 0
    return ZeekRecord(
        ts=conn.start,
        orig_h=orig_end.address,
        orig_p=orig_end.port,
        resp_h=resp_end.address,
        resp_p=resp_end.port,
        duration=duration if lasted else None,
        orig_bytes=orig.size_beside(resp) if lasted else None,
        resp_bytes=resp.size_beside(orig) if lasted else None,
        conn_state=conn_state(conn),
        missed_bytes=conn.missed,
        history=conn.history.text,
        orig_pkts=orig.packets,
        orig_ip_bytes=orig.octets,
        resp_pkts=resp.packets,
        resp_ip_bytes=resp.octets,
    )


def conn_state(conn: Conn) -> str:
    """Return Zeek's `conn_state`: how a connection opened and ended."""
    orig, resp = conn.orig.state, conn.resp.state
    if resp is RESET:
        nothing = not conn.orig.size_beside(conn.resp) and not conn.resp.size_beside(conn.orig)
        if orig in (SYN_SENT, SYN_ACK_SENT) or (orig is RESET and nothing):
            return "REJ"
        return "RSTRH" if orig in (INACTIVE, PARTIAL) else "RSTR"
    if orig is RESET:
        if resp not in (INACTIVE, PARTIAL):
            return "RSTO"
        return "RSTOS0" if _ABORTED.match(conn.history.text) else "OTH"
    if orig is CLOSED:
        if resp is CLOSED:
            return "SF"
        return "SH" if resp in (INACTIVE, PARTIAL) else "S2"
    if resp is CLOSED:
        return "SHR" if orig in (INACTIVE, PARTIAL) else "S3"
    if orig is SYN_SENT and resp is INACTIVE:
        return "S0"
    return "S1" if orig is ESTABLISHED and resp is ESTABLISHED else "OTH"
