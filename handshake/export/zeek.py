"""Zeek's conn.log in the format of Zeek's own tools: a header, then a row per connection.

The format is Zeek's ASCII writer's: https://docs.zeek.org/en/master/log-formats.html
"""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import blake2b
from ipaddress import IPv4Network, IPv6Address
from typing import TYPE_CHECKING, Final

from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from ipaddress import IPv4Address

    from handshake.tracker.zeek import ZeekRecord

UNSET: Final = "-"
EMPTY: Final = "(empty)"

FIELDS: Final = {
    "ts": "time",
    "uid": "string",
    "id.orig_h": "addr",
    "id.orig_p": "port",
    "id.resp_h": "addr",
    "id.resp_p": "port",
    "proto": "enum",
    "service": "string",
    "duration": "interval",
    "orig_bytes": "count",
    "resp_bytes": "count",
    "conn_state": "string",
    "local_orig": "bool",
    "local_resp": "bool",
    "missed_bytes": "count",
    "history": "string",
    "orig_pkts": "count",
    "orig_ip_bytes": "count",
    "resp_pkts": "count",
    "resp_ip_bytes": "count",
    "tunnel_parents": "set[string]",
}
"""The columns of conn.log in order, with their types."""

_SHARED: Final = IPv4Network("100.64.0.0/10")
_BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def conn_log(records: Iterable[ZeekRecord]) -> Iterator[str]:
    """Yield the lines of a conn.log, without line ends.

    The times of opening and closing the log are those of the capture, so that the same capture
    gives the same file.
    """
    opened = closed = None
    for record in records:
        if opened is None:
            opened = record.ts
            yield from _header(opened)
        closed = max(closed or 0, record.ts + (record.duration or 0))
        yield row(record)
    if opened is None:
        yield from _header(0)
    yield f"#close\t{_stamp(closed or 0)}"


def row(record: ZeekRecord) -> str:
    """Return a line; unknown values are `-`.

    No column contains text from the wire, so nothing needs Zeek's escapes.
    """
    values = (
        _seconds(record.ts),
        uid(record),
        _address(record.orig_h),
        record.orig_p,
        _address(record.resp_h),
        record.resp_p,
        "tcp",
        None,
        None if record.duration is None else _seconds(record.duration),
        record.orig_bytes,
        record.resp_bytes,
        record.conn_state,
        _flag(is_local(record.orig_h)),
        _flag(is_local(record.resp_h)),
        record.missed_bytes,
        record.history or None,
        record.orig_pkts,
        record.orig_ip_bytes,
        record.resp_pkts,
        record.resp_ip_bytes,
        None,
    )
    return "\t".join(UNSET if value is None else str(value) for value in values)


def uid(record: ZeekRecord) -> str:
    """Return a connection id that looks like Zeek's and is the same in every run."""
    ends = f"{record.orig_h} {record.orig_p} {record.resp_h} {record.resp_p}"
    number = int.from_bytes(blake2b(f"{record.ts} {ends}".encode(), digest_size=12).digest(), "big")
    digits = ""
    while number:
        number, digit = divmod(number, 62)
        digits += _BASE62[digit]
    return f"C{digits}"


def is_local(address: IPv4Address | IPv6Address) -> bool:
    """Whether Zeek considers an address local by default."""
    # Shared address space (RFC 6598) is private to Zeek, but not to Python.
    return address.is_private or address in _SHARED


def _header(opened: int) -> Iterator[str]:
    yield r"#separator \x09"
    yield "#set_separator\t,"
    yield f"#empty_field\t{EMPTY}"
    yield f"#unset_field\t{UNSET}"
    yield "#path\tconn"
    yield f"#open\t{_stamp(opened)}"
    yield "\t".join(("#fields", *FIELDS))
    yield "\t".join(("#types", *FIELDS.values()))


def _stamp(at: int) -> str:
    return f"{datetime.fromtimestamp(at // NS_PER_SECOND, UTC):%Y-%m-%d-%H-%M-%S}"


def _seconds(nanoseconds: int) -> str:
    """Return a time as Zeek prints it, with six decimals."""
    whole, micro = divmod(round(nanoseconds, -3) // 1000, 1_000_000)
    return f"{whole}.{micro:06d}"


def _address(address: IPv4Address | IPv6Address) -> str:
    # The scope is not on the wire; Zeek shows IPv4-mapped addresses as IPv4.
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or address).partition("%")[0]
    return str(address)


def _flag(value: bool) -> str:
    return "T" if value else "F"
