"""The options of a probe: header fields, source, data, how it closes; its timeouts and retries."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from handshake.errors import UsageError
from handshake.tcp import Flags
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

    from handshake.tcp import Segment


LINUX_SHIFT: Final = 7
"""The window shift that Linux offers with its default receive buffer."""

MOST_DATA: Final = 0xFFFF
"""Octets of data that a probe may send: enough for a request, not for a file."""

LONGEST_KEY: Final = 80
"""The longest MD5 key that Linux accepts, in octets."""

ECN: Final = Flags.ECE | Flags.CWR
"""The flags by which a SYN asks for ECN (RFC 3168 section 6.1.1)."""

_OPENING: Final = Flags.SYN | Flags.PSH | Flags.URG | Flags.ECE | Flags.CWR | Flags.AE
"""The flags that a segment may have and still be a connection request."""


class CloseMode(Enum):
    """How to close a connection that has opened."""

    FIN = "fin"
    """As close() does: both ends announce that they have no more data."""

    RST = "rst"
    """Abort the connection (section 3.10.5)."""

    NONE = "none"
    """Do not close it: the peer keeps its connection."""

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """What to send and how to close. By default as Linux does, without data, closed by FIN.

    Raises UsageError for a value that does not fit its header field.
    """

    mss: int | None = None
    """The MSS option in octets; None for the largest that the path carries, 0 for no MSS option."""

    window: int | None = None
    """The receive window that we advertise, in octets; None for as much as Linux does."""

    window_scale: int | None = LINUX_SHIFT
    """The window scale option; None for no such option."""

    sack: bool = True
    timestamps: bool = True
    ecn: bool = False
    """Whether the SYN asks for ECN (RFC 3168 section 6.1.1)."""

    fast_open: bytes | None = None
    """The Fast Open cookie; empty to request one; None for no such option (RFC 7413)."""

    md5: bytes = b""
    """The key of the MD5 signatures; empty for none (RFC 2385)."""

    extra_options: tuple[tuple[int, bytes], ...] = ()
    """Further options of the SYN: kind and data of each."""

    flags: Flags = Flags.SYN
    """The control bits of the first segment."""

    first: Segment | None = None
    """A first segment to send exactly so, and alone; None for the one that these options make."""

    packet: bytes = b""
    """The octets of its packet."""

    exact: bool = False
    """Whether it goes to the interface past the kernel, which would change its IP header."""

    iss: int | None = None
    """The initial sequence number; None for an unpredictable one (section 3.4.1)."""

    ttl: int = 64
    """Time to live, or hop limit, of what we send."""

    tos: int = 0
    """The type of service octet of IPv4, or the traffic class of IPv6."""

    source: IPv4Address | IPv6Address | None = None
    """The source address, one of ours; None for the kernel's choice."""

    source_port: int = 0
    """The source port; 0 for any."""

    interface: str | None = None
    """The outgoing interface; None for the kernel's choice."""

    data: bytes = b""
    """Data to send once the connection is open; with a Fast Open cookie, in the SYN."""

    expect: bytes = b""
    """Octets that the peer must send before we close; empty for none."""

    answer: bool = True
    """Whether to acknowledge the SYN-ACK: otherwise the connection stays half-open."""

    closing: CloseMode = CloseMode.FIN

    def __post_init__(self) -> None:
        for name, value, least, most in (
            ("MSS", self.mss, 0, 0xFFFF),
            ("window", self.window, 0, 0xFFFF << 14),
            ("window shift", self.window_scale, 0, 255),
            ("sequence number", self.iss, 0, 0xFFFFFFFF),
            ("TTL", self.ttl, 1, 255),
            ("type of service", self.tos, 0, 255),
            ("source port", self.source_port, 0, 0xFFFF),
        ):
            if value is not None and not least <= value <= most:
                limits = {"least": least, "most": most}
                raise UsageError("options.range", field=name, value=value, **limits)
        if len(self.data) > MOST_DATA:
            raise UsageError("options.data-length", length=len(self.data), most=MOST_DATA)
        if len(self.md5) > LONGEST_KEY:
            raise UsageError("options.md5-length", length=len(self.md5), most=LONGEST_KEY)
        for kind, data in self.extra_options:
            if not 0 <= kind <= 255:
                raise UsageError("options.kind", kind=kind)
            if kind < 2 and data:
                raise UsageError("options.kind-data", kind=kind)
        if Flags.RST in self.flags:
            raise UsageError("options.rst")
        if self.expect and not self.answer:
            raise UsageError("options.no-ack-expect")
        # With a Fast Open cookie the data is in the SYN, and needs no ACK.
        if self.data and not self.answer and not self.fast_open:
            raise UsageError("options.no-ack-data")
        if (self.data or self.expect) and not self.opens:
            raise UsageError("options.flags-data", flags=self.flags or "no flags")

    @property
    def asked(self) -> Flags:
        """The control bits of the first segment, including those that ask for ECN."""
        if self.first is not None:
            return self.first.flags
        return self.flags | ECN if self.ecn else self.flags

    @property
    def opens(self) -> bool:
        """Whether the first segment is a connection request, to be followed by others."""
        return self.first is None and Flags.SYN in self.flags and not self.flags & ~_OPENING

    @property
    def ordinary(self) -> bool:
        """Whether what is sent depends only on what is received, and there is no data."""
        return self.opens and self.answer and not (self.data or self.expect or self.md5)


ACK_OBSERVATION: Final = 1.25
"""Seconds within which an unacknowledged SYN-ACK is retransmitted (RFC 6298 section 2)."""

MAX_WAIT: Final = NS_PER_SECOND // 5
"""The longest single blocking wait. Python runs signal handlers only between bytecodes: a signal
that arrives just before a wait begins is handled when the wait ends."""

_LONGEST: Final = 86_400
"""Seconds: a longer time is a typing error."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Times to wait, in nanoseconds; `Timeouts.of` takes seconds."""

    rto: int = NS_PER_SECOND
    """Until the first retransmission; each one after it waits twice as long (RFC 6298)."""

    retries: int = 2
    """SYNs after the first, so that they leave at 0, 1 and 3 s; and FINs after the first."""

    data_retries: int | None = None
    """Retransmissions of data, where it is not `retries` (tcp_retries2: 15)."""

    orphan_retries: int | None = None
    """Of a FIN or data whose program has closed; None for as many as otherwise (Linux: 8)."""

    linear: int = 0
    """Retransmissions of the SYN after which the wait is not doubled (tcp_syn_linear_timeouts)."""

    handshake: int = 5 * NS_PER_SECOND
    """For the handshake, all retransmissions included."""

    observe: int = 0
    """Watch for a retransmitted SYN-ACK before we close; 0 to rely on the answer to our FIN. Linux
    retransmits it after a second: `ACK_OBSERVATION` is long enough to see that."""

    hold: int = 0
    """Between the handshake and our FIN; the peer's FIN ends it."""

    close: int = 2 * NS_PER_SECOND
    """From our FIN until both FINs are acknowledged."""

    @classmethod
    def of(
        cls,
        *,
        timeout: float = 5.0,
        retries: int = 2,
        rto: float = 1.0,
        observe: float = 0.0,
        hold: float = 0.0,
        close_timeout: float = 2.0,
    ) -> Timeouts:
        """Return it from times in seconds; `timeout` is for the handshake.

        Raises UsageError for a time that is negative, longer than a day, or not a number.
        """
        times = (timeout, rto, observe, hold, close_timeout)
        if not all(0 <= seconds <= _LONGEST for seconds in times):
            raise UsageError("time-range", most=_LONGEST)
        handshake_ns, rto_ns, observe_ns, hold_ns, close_ns = (
            round(seconds * NS_PER_SECOND) for seconds in times
        )
        return cls(
            rto=rto_ns,
            retries=retries,
            handshake=handshake_ns,
            observe=observe_ns,
            hold=hold_ns,
            close=close_ns,
        )
