"""The manner of a call: what its headers say, which way it takes, and what follows the opening."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from handshake.errors import UsageError
from handshake.tcp import Flags

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

LINUX_SHIFT: Final = 7
"""The window shift that Linux offers where nobody has asked for another buffer."""

MOST_DATA: Final = 0xFFFF
"""Octets that a call may send: enough for a request, and no file."""

LONGEST_KEY: Final = 80
"""Octets that Linux takes for an MD5 key."""

ECN: Final = Flags.ECE | Flags.CWR
"""What a SYN asks for ECN by (RFC 3168 section 6.1.1)."""

_OPENING: Final = Flags.SYN | Flags.PSH | Flags.URG | Flags.ECE | Flags.CWR | Flags.AE
"""What a segment may carry that still asks for a connection and nothing else."""


class CloseMode(Enum):
    """How we end a connection that has opened."""

    FIN = "fin"
    """As a program does that closes its socket: both ends say that they have no more data."""

    RST = "rst"
    """As a program does that breaks off (section 3.10.5)."""

    NONE = "none"
    """Not at all: the peer keeps what it has."""

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """How a call is made. By default it looks like one of Linux's, says nothing, and ends by FIN.

    Raises UsageError for a value that no header has room for.
    """

    mss: int | None = None
    """What the SYN names, in octets; None for what the path carries, 0 for no such option."""

    window: int | None = None
    """The room that we advertise, in octets; None for as much as Linux does."""

    window_scale: int | None = LINUX_SHIFT
    """The shift that the SYN offers; None where it offers none."""

    sack: bool = True
    timestamps: bool = True
    ecn: bool = False
    """Whether the SYN asks for ECN (RFC 3168 section 6.1.1)."""

    fast_open: bytes | None = None
    """The Fast Open cookie; empty to ask for one; None for no such option (RFC 7413)."""

    md5: bytes = b""
    """The key that signs every segment; empty for no signature (RFC 2385)."""

    extra_options: tuple[tuple[int, bytes], ...] = ()
    """What else the SYN carries: kind and data of each."""

    flags: Flags = Flags.SYN
    """The control bits of the first segment."""

    iss: int | None = None
    """The number of our SYN; None for one that nobody can guess (section 3.4.1)."""

    ttl: int = 64
    """Time to live, or hop limit, of what we send."""

    tos: int = 0
    """The octet that IPv4 calls type of service, and IPv6 traffic class."""

    source: IPv4Address | IPv6Address | None = None
    """The address to call from: one of ours; None for the one that the kernel would choose."""

    source_port: int = 0
    """The port to call from; 0 for any."""

    interface: str | None = None
    """What to leave by; None for the kernel's choice."""

    data: bytes = b""
    """What to say once the connection is open; with a Fast Open cookie, in the SYN."""

    expect: bytes = b""
    """What the peer must say before we close; empty where nothing is awaited."""

    answer: bool = True
    """Whether the peer's SYN,ACK is answered: without, it stays half-open."""

    closing: CloseMode = CloseMode.FIN

    def __post_init__(self) -> None:
        for name, value, least, most in (
            ("an MSS", self.mss, 0, 0xFFFF),
            ("a window", self.window, 0, 0xFFFF << 14),
            ("a window shift", self.window_scale, 0, 255),
            ("a sequence number", self.iss, 0, 0xFFFFFFFF),
            ("a time to live", self.ttl, 1, 255),
            ("a type of service", self.tos, 0, 255),
            ("a source port", self.source_port, 0, 0xFFFF),
        ):
            if value is not None and not least <= value <= most:
                raise UsageError(f"{name} is a number from {least} to {most}, not {value}")
        if len(self.data) > MOST_DATA:
            raise UsageError(f"{len(self.data)} octets of data: a probe sends {MOST_DATA} at most")
        if len(self.md5) > LONGEST_KEY:
            raise UsageError(f"an MD5 key has {LONGEST_KEY} octets at most, not {len(self.md5)}")
        for kind, data in self.extra_options:
            if not 0 <= kind <= 255:
                raise UsageError(f"the kind of an option is a number from 0 to 255, not {kind}")
            if kind < 2 and data:
                raise UsageError(f"option {kind} is one octet, and has no data")
        if Flags.RST in self.flags:
            raise UsageError("a RST is never answered: it cannot be what a probe begins with")
        if self.expect and not self.answer:
            raise UsageError("without our ACK the peer says nothing that could be expected")
        # With a cookie it goes out in the SYN, and needs no ACK.
        if self.data and not self.answer and not self.fast_open:
            raise UsageError("without our ACK nothing can be said: leave out the one or the data")
        if (self.data or self.expect) and not self.opens:
            begins = self.flags or "no flag"
            raise UsageError(
                f"a call that begins with {begins} opens no connection to talk on: leave out "
                "these flags, or what is to be said and expected"
            )

    @property
    def asked(self) -> Flags:
        """The control bits of the first segment, with those that ask for ECN."""
        return self.flags | ECN if self.ecn else self.flags

    @property
    def opens(self) -> bool:
        """Whether the first segment asks for a connection, and for nothing else."""
        return Flags.SYN in self.flags and not self.flags & ~_OPENING

    @property
    def ordinary(self) -> bool:
        """Whether what is sent depends on nothing but what is heard, and never on data."""
        return self.opens and self.answer and not (self.data or self.expect or self.md5)
