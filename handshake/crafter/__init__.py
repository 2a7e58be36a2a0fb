"""Crafts packets field by field, right or wrong, and takes packets apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from handshake.tcp import Endpoint, Segment


def craft(
    destination: str | Endpoint | None = None,
    source: str | Endpoint | None = None,
    *,
    flags: str | int = "SYN",
    seq: int = 0,
    ack: int = 0,
    window: int = 64240,
    mss: int | None = None,
    window_scale: int | Literal[False] | None = None,
    sack: bool | None = None,
    timestamps: tuple[int, int] | bool | None = None,
    fast_open: bytes | None = None,
    md5: bytes = b"",
    options: Iterable[tuple[int, bytes]] = (),
    raw_options: bytes | None = None,
    payload: bytes = b"",
    urgent: int = 0,
    reserved: int = 0,
    data_offset: int | None = None,
    checksum: int | Literal["right", "wrong", "partial"] = "right",
) -> Segment:
    """Return a segment, right or deliberately wrong, as `handshake craft` builds it.

    Ends are text such as `192.0.2.2:80`, and by default addresses for documentation; `flags` are
    `FIN,ACK`, `SA` or `none`. Options that are None are as in a SYN of Linux, and in no other
    segment; False, or an MSS of 0, is no such option. `timestamps` are TSval and TSecr, `options`
    further ones: kind and data; `raw_options` are all of them as octets. Raises UsageError for
    what no packet can hold.

    `segment.to_scapy()` is Scapy's packet of it.
    """
    from handshake.crafter.endpoints import ends
    from handshake.crafter.fields import PacketFields, checksummed_segment
    from handshake.crafter.tcp_options import TcpOptions
    from handshake.tcp import Flags
    from handshake.tcp.checksum import Checksum
    from handshake.tcp.flag_text import flags_of
    from handshake.tcp.options import Timestamps

    bits = flags_of(flags) if isinstance(flags, str) else Flags(flags)
    local, remote = ends(_text(source), None, _text(destination))
    named = TcpOptions(
        mss=mss,
        window_scale=window_scale,
        sack=sack,
        timestamps=Timestamps(*timestamps) if isinstance(timestamps, tuple) else timestamps,
        fast_open=fast_open,
        md5=bool(md5),
        more=tuple(_option(kind, data) for kind, data in options),
        raw=raw_options,
    )
    fields = PacketFields(
        local,
        remote,
        flags=bits,
        seq=seq,
        ack=ack,
        window=window,
        urgent=urgent,
        reserved=reserved,
        offset=data_offset,
        options=named.octets(bits, local.version),
        payload=payload,
        checksum=Checksum(checksum) if isinstance(checksum, str) else checksum,
        key=md5,
        bare=True,
    )
    return checksummed_segment(fields)


def _text(end: str | Endpoint | None) -> str | None:
    return None if end is None else str(end)


def _option(kind: int, data: bytes) -> bytes:
    from handshake.errors import UsageError
    from handshake.tcp.options import MAX_OCTETS, option

    if not 0 <= kind <= 0xFF:
        raise UsageError("options.kind", kind=kind)
    if len(data) > MAX_OCTETS:
        raise UsageError("craft.options-length", length=len(data), most=MAX_OCTETS)
    return option(kind, data)
