"""TCP options as the header had them, in order, malformed or not; and what they mean."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.tcp.copy import value
from handshake.tcp.option_kinds import (
    EXIDS_16,
    EXIDS_32,
    FAST_OPEN_EXID,
    MPTCP_SUBTYPES,
    NAMES,
    Kind,
    problem,
)
from handshake.tcp.seq import Seq

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_OCTETS: Final = 40
"""Options fill what a data offset of 15 words leaves after the 20 fixed octets."""

_END: Final = int(Kind.END)
_NOP: Final = int(Kind.NOP)
_TIMESTAMPS: Final = int(Kind.TIMESTAMPS)
_MPTCP: Final = int(Kind.MPTCP)
_ALIGNED: Final = bytes((Kind.NOP, Kind.NOP, Kind.TIMESTAMPS, 10))
_ALIGNED_OCTETS: Final = 12
"""The options of nearly every segment, as RFC 7323 appendix A advises: worth a fast path."""

_CLOCKS: Final = struct.Struct("!II").unpack_from

MD5_OCTETS: Final = 16
"""The length of a signature."""

_MINUTES: Final = 0x8000
"""The bit by which a user timeout counts minutes, not seconds (RFC 5482 section 3)."""


class Timestamps(NamedTuple):
    """A timestamps option (RFC 7323 section 3.2)."""

    value: int
    """TSval: the sender's clock, in ticks of its own choice."""

    echo: int
    """TSecr: the peer's clock, echoed; valid only where ACK is set."""


_UNREAD: Final = Timestamps(-1, -1)


class KeyIds(NamedTuple):
    """The keys that a TCP-AO option names (RFC 5925 section 2.2)."""

    key: int
    """KeyID: the key that its code was made with."""

    next: int
    """RNextKeyID: the key that the peer should use from now on."""


@value(frozen=True, slots=True)
class Option:
    """One option, exactly as found."""

    raw: bytes
    """Kind, length and data. An END holds everything after it."""

    problem: str | None = None
    """What is wrong with it, in words; None where it is well-formed."""

    @property
    def kind(self) -> int:
        """The option's kind octet."""
        return self.raw[0]

    @property
    def data(self) -> bytes:
        """The octets after kind and length."""
        return self.raw[1:] if self.kind in (Kind.END, Kind.NOP) else self.raw[2:]

    @property
    def name(self) -> str:
        """The kind in a word, or its number where it has none."""
        return NAMES.get(self.kind, f"kind-{self.kind}")

    @property
    def exid(self) -> int | None:
        """Which experiment shares kind 253 or 254 here, in 16 or 32 bits (RFC 6994)."""
        if self.kind not in (Kind.EXPERIMENT_1, Kind.EXPERIMENT_2) or len(self.data) < 2:
            return None
        wide = int.from_bytes(self.data[:4], "big")
        return wide if wide in EXIDS_32 else int.from_bytes(self.data[:2], "big")

    @property
    def experiment(self) -> str | None:
        """The experiment's name, or its number in hexadecimal; None where it is no experiment."""
        exid = self.exid
        if exid is None:
            return None
        return EXIDS_16.get(exid) or EXIDS_32.get(exid) or f"0x{exid:04X}"

    @property
    def subtype(self) -> str | None:
        """The subtype of a Multipath TCP option, by name; None for others, or where it is cut."""
        if self.kind != Kind.MPTCP or not self.data:
            return None
        return MPTCP_SUBTYPES.get(self.data[0] >> 4, f"subtype {self.data[0] >> 4}")


def _parts(raw: bytes) -> Iterator[tuple[bytes, str | None]]:
    """Yield the octets of each option, and what is wrong with it."""
    at, end = 0, len(raw)
    while at < end:
        kind = raw[at]
        if kind == _NOP:
            yield raw[at : at + 1], None
            at += 1
            continue
        if kind == _END:
            rest = raw[at:]
            yield rest, "octets after END are not zero" if any(rest) else None
            return
        if at + 1 == end:
            yield raw[at:], "the length octet is missing"
            return
        length = raw[at + 1]
        if length < 2:
            # No way to tell where the next one begins: the rest belongs to this one.
            yield raw[at:], f"length {length} is below 2"
            return
        if at + length > end:
            yield raw[at:], f"length {length}, but only {end - at} octets are left"
            return
        yield raw[at : at + length], problem(kind, length)
        at += length


_DSS: Final = 2
"""The subtype of the data sequence signal (RFC 8684 section 3.3)."""


class Options:
    """All options of one header. Iterating gives each `Option` in the order found."""

    __slots__ = ("_clocks", "_data", "_found", "_well_formed", "raw")

    raw: bytes
    """The octets between the fixed header and the payload, as far as they were captured."""

    def __init__(self, raw: bytes = b"") -> None:
        self.raw = raw
        self._found: tuple[Option, ...] | None = None
        self._data: dict[int, bytes] | None = None
        self._well_formed: bool | None = None
        self._clocks: Timestamps | None = _UNREAD

    @classmethod
    def of(cls, *options: bytes) -> Options:
        """Return options joined in the order given, filled up to a whole word with END.

        Raises ValueError where they take more than 40 octets: no header could hold them.
        """
        raw = b"".join(options)
        raw += bytes(-len(raw) % 4)
        if len(raw) > MAX_OCTETS:
            raise ValueError(f"TCP options take {len(raw)} octets, but a header has room for 40")
        return cls(raw)

    def __iter__(self) -> Iterator[Option]:
        if self._found is None:
            self._found = tuple(Option(*each) for each in _parts(self.raw))
        return iter(self._found)

    def __bool__(self) -> bool:
        return bool(self.raw)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Options) and self.raw == other.raw

    def __hash__(self) -> int:
        return hash(self.raw)

    def __repr__(self) -> str:
        return f"Options({self.raw.hex(' ')!r})"

    def data(self, kind: int) -> bytes | None:
        """Return the data of the last well-formed option of this kind, as Linux takes it."""
        return (self._read() if self._data is None else self._data).get(kind)

    def _read(self) -> dict[int, bytes]:
        """Return the data of the well-formed options by their kinds; note if all are."""
        if self._is_aligned:
            self._data, self._well_formed = {_NOP: b"", _TIMESTAMPS: self.raw[4:]}, True
            return self._data
        found, well_formed = {}, True
        for octets, wrong in _parts(self.raw):
            if wrong is None:
                kind = octets[0]
                found[kind] = octets[2:] if kind > _NOP else octets[1:]
            else:
                well_formed = False
        self._data, self._well_formed = found, well_formed
        return found

    @property
    def malformed(self) -> tuple[Option, ...]:
        """Those that could not be read, each with its `problem`."""
        if self._well_formed is None:
            self._read()
        if self._well_formed:
            return ()
        return tuple(option for option in self if option.problem is not None)

    @property
    def mss(self) -> int | None:
        """The largest payload the sender takes in one segment (section 3.7.1), in octets."""
        data = self.data(Kind.MSS)
        return None if data is None else int.from_bytes(data, "big")

    @property
    def window_scale(self) -> int | None:
        """The shift as the header had it, even above 14 (RFC 7323 section 2.2)."""
        data = self.data(Kind.WINDOW_SCALE)
        return None if data is None else data[0]

    @property
    def sack_permitted(self) -> bool:
        """Whether the sender of this SYN takes selective acknowledgments (RFC 2018)."""
        return self.data(Kind.SACK_PERMITTED) is not None

    @property
    def timestamps(self) -> Timestamps | None:
        """The two clocks, or None (RFC 7323 section 3.2)."""
        if self._clocks is _UNREAD:
            self._clocks = self._timestamps() if self.raw else None
        return self._clocks

    @property
    def _is_aligned(self) -> bool:
        """Whether they are timestamps alone, as nearly all senders pad them."""
        return len(self.raw) == _ALIGNED_OCTETS and self.raw[:4] == _ALIGNED

    def _timestamps(self) -> Timestamps | None:
        if self._is_aligned:
            return Timestamps(*_CLOCKS(self.raw, len(_ALIGNED)))
        data = self.data(Kind.TIMESTAMPS)
        if data is None:
            return None
        return Timestamps(int.from_bytes(data[:4], "big"), int.from_bytes(data[4:], "big"))

    @property
    def sack(self) -> tuple[tuple[Seq, Seq], ...]:
        """The blocks that arrived out of order: first octet, and the one after the last."""
        data = self.data(Kind.SACK) or b""
        edges = [Seq(int.from_bytes(data[at : at + 4], "big")) for at in range(0, len(data), 4)]
        return tuple(zip(edges[::2], edges[1::2], strict=True))

    @property
    def fast_open(self) -> bytes | None:
        """The Fast Open cookie; empty where one is requested; None where there is none."""
        data = self.data(Kind.FAST_OPEN)
        if data is not None:
            return data
        data = self.data(Kind.EXPERIMENT_2)
        if data is not None and data[:2] == FAST_OPEN_EXID.to_bytes(2, "big"):
            return data[2:]
        return None

    @property
    def mptcp(self) -> str | None:
        """The subtype of the first Multipath TCP option, by name; None where there is none."""
        return next((each.subtype for each in self if each.subtype and not each.problem), None)

    @property
    def mptcp_signals(self) -> int:
        """The Multipath TCP operations in it, but for the DSS of data and ACKs: a bit for each."""
        if _MPTCP not in self.raw:
            return 0
        found = 0
        for each in self:
            if each.kind == Kind.MPTCP and each.data and each.data[0] >> 4 != _DSS:
                found |= 1 << (each.data[0] >> 4)
        return found

    @property
    def ao(self) -> KeyIds | None:
        """The key ids of TCP-AO, or None."""
        data = self.data(Kind.AO)
        return None if data is None else KeyIds(data[0], data[1])

    @property
    def user_timeout(self) -> int | None:
        """How long the sender lets data go unacknowledged, in seconds (RFC 5482), or None."""
        data = self.data(Kind.USER_TIMEOUT)
        if data is None:
            return None
        value = int.from_bytes(data, "big")
        return (value & ~_MINUTES) * 60 if value & _MINUTES else value


def mss(octets: int) -> bytes:
    """Return an MSS option."""
    return bytes((Kind.MSS, 4)) + octets.to_bytes(2, "big")


def window_scale(shift: int) -> bytes:
    """Return a window scale option."""
    return bytes((Kind.WINDOW_SCALE, 3, shift))


def sack_permitted() -> bytes:
    """Return a SACK-permitted option."""
    return bytes((Kind.SACK_PERMITTED, 2))


def timestamps(value: int, echo: int = 0) -> bytes:
    """Return a timestamps option."""
    return bytes((Kind.TIMESTAMPS, 10)) + value.to_bytes(4, "big") + echo.to_bytes(4, "big")


def sack(blocks: Iterable[tuple[Seq, Seq]]) -> bytes:
    """Return a SACK option."""
    data = b"".join(int(edge).to_bytes(4, "big") for block in blocks for edge in block)
    return bytes((Kind.SACK, 2 + len(data))) + data


def nop() -> bytes:
    """Return a NOP: one octet of padding between options."""
    return bytes((Kind.NOP,))


def fast_open(cookie: bytes = b"") -> bytes:
    """Return a Fast Open option: without a cookie it requests one (RFC 7413 section 4.1.1)."""
    return option(Kind.FAST_OPEN, cookie)


def md5(digest: bytes) -> bytes:
    """Return an MD5 signature option (RFC 2385 section 3.0)."""
    return option(Kind.MD5, digest)


def option(kind: int, data: bytes) -> bytes:
    """Return an option of any kind; END and NOP are one octet, and have no data."""
    if kind in (Kind.END, Kind.NOP):
        return bytes((kind,))
    return bytes((kind, 2 + len(data))) + data


def in_order(
    *,
    signature: bytes = b"",
    segment_size: int | None = None,
    sack: bool = False,
    clocks: Timestamps | None = None,
    shift: int | None = None,
    cookie: bytes | None = None,
) -> bytes:
    """Return these options in the order of Linux, which middleboxes know.

    Padding precedes the option that it aligns; None is no such option. `signature` is all of the
    MD5 option, which stands first.
    """
    parts = [signature and nop() * 2 + signature]
    if segment_size is not None:
        parts.append(mss(segment_size))
    if sack:
        parts += [sack_permitted()] if clocks else [nop(), nop(), sack_permitted()]
    elif clocks:
        parts += [nop(), nop()]
    if clocks:
        parts.append(timestamps(*clocks))
    if shift is not None:
        parts += [nop(), window_scale(shift)]
    if cookie is not None:
        parts.append(fast_open(cookie))
        parts.append(nop() * (-sum(map(len, parts)) % 4))
    return b"".join(parts)
