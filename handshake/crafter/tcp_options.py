"""The TCP options of a crafted segment: by name, or as octets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from handshake.errors import UsageError
from handshake.tcp import Flags, Kind, Options
from handshake.tcp import options as opt
from handshake.tcp.options import MD5_OCTETS, Timestamps

_MSS: Final = {4: 1460, 6: 1440}
"""What Ethernet carries, in octets, by the version of IP."""

_SHIFT: Final = 7
_BY_NAME: Final = (
    Kind.MSS,
    Kind.WINDOW_SCALE,
    Kind.SACK_PERMITTED,
    Kind.TIMESTAMPS,
    Kind.FAST_OPEN,
)


@dataclass(frozen=True, slots=True)
class TcpOptions:
    """Which options a segment has: what is None is as in a SYN of Linux, and in no other segment.

    False, or an MSS of 0, is no such option.
    """

    mss: int | None = None
    window_scale: int | bool | None = None
    sack: bool | None = None
    timestamps: Timestamps | bool | None = None
    fast_open: bytes | None = None
    """The cookie; empty to request one; None for no such option."""

    md5: bool = False
    """Whether there is room for a signature."""

    more: tuple[bytes, ...] = ()
    """Further options as octets, which may be malformed."""

    raw: bytes | None = None
    """All options as octets, instead of the others, not padded."""

    def __post_init__(self) -> None:
        clocks = self.timestamps if isinstance(self.timestamps, Timestamps) else (None, None)
        for name, value, most in (
            ("MSS", self.mss, 0xFFFF),
            ("window shift", self.window_scale, 0xFF),
            ("TSval", clocks[0], 0xFFFFFFFF),
            ("TSecr", clocks[1], 0xFFFFFFFF),
        ):
            if value is not None and not 0 <= value <= most:
                raise UsageError("options.range", field=name, value=value, least=0, most=most)

    def octets(self, flags: Flags, version: int) -> bytes:
        """Return the options of a segment with these control bits, padded to whole words."""
        if self.raw is not None:
            return self.raw
        syn = Flags.SYN in flags
        size = (_MSS[version] if syn else 0) if self.mss is None else self.mss
        shift = (_SHIFT if syn else False) if self.window_scale is None else self.window_scale
        # As Linux: with an MD5 signature there is no room for timestamps.
        clocks = (syn and not self.md5) if self.timestamps is None else self.timestamps
        if clocks is True:
            clocks = Timestamps(0, 0)
        found = opt.in_order(
            signature=opt.md5(bytes(MD5_OCTETS)) if self.md5 else b"",
            segment_size=size or None,
            sack=syn if self.sack is None else self.sack,
            clocks=clocks or None,
            shift=None if shift is False else int(shift),
            cookie=self.fast_open,
        )
        found += b"".join(self.more)
        return found + bytes(-len(found) % 4)

    @classmethod
    def of(cls, raw: bytes, flags: Flags, version: int) -> TcpOptions:
        """Return the options that make these octets: by name if that is possible."""
        if not raw:
            return cls() if not cls().octets(flags, version) else cls(raw=b"")
        options = Options(raw)
        found: dict[int, bytes] = {}
        more: list[bytes] = []
        for each in options:
            named = each.kind in _BY_NAME and each.problem is None and each.kind not in found
            if named and not more:
                found[each.kind] = each.data
            elif each.kind not in (Kind.NOP, Kind.END):
                more.append(each.raw)
        if options.malformed:
            return cls(raw=raw)
        clocks = options.timestamps if Kind.TIMESTAMPS in found else None
        shift = found.get(Kind.WINDOW_SCALE)
        by_name = cls(
            mss=int.from_bytes(found.get(Kind.MSS, b""), "big"),
            window_scale=False if shift is None else shift[0],
            sack=Kind.SACK_PERMITTED in found,
            timestamps=clocks or False,
            fast_open=found.get(Kind.FAST_OPEN),
            more=tuple(more),
        )
        if by_name.octets(flags, version) != raw:
            return cls(raw=raw)
        return by_name._without_defaults(raw, flags, version)

    def _without_defaults(self, raw: bytes, flags: Flags, version: int) -> TcpOptions:
        """Return the same without what need not be said."""
        found = self
        for left_out in ("mss", "window_scale", "sack", "timestamps"):
            values: dict[str, Any] = {left_out: None}
            simpler = replace(found, **values)
            if simpler.octets(flags, version) == raw:
                found = simpler
        return found
