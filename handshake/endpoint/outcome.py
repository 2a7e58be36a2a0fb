"""What became of a connection, as the client knows it: one type for every kind of client."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from handshake.endpoint.ack_monitor import UNKNOWN, AckStatus
from handshake.record import Finding, Json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.messages import Message
    from handshake.tcp import ControlBlock
    from handshake.tcp.icmp import IcmpError

_SHOWN: Final = 1024
"""Octets of received data in the JSON form."""

_IGNORED: Final = frozenset(
    {
        "bad-checksum",
        "bad-signature",
        "bare-ack",
        "foreign-icmp",
        "icmp",
        "rst-ignored",
        "stray",
        "uninvited-signature",
        "unreadable",
        "wrong-ack",
    }
)
"""Codes of notes about what was ignored, because it is no valid answer."""

_TWO_SYNS: Final = ("simultaneous-open", "split-handshake")
"""Codes of notes about a SYN of the peer without an ACK."""


class Verdict(Enum):
    """The result of a connection attempt."""

    OPEN = "open"
    """The handshake completed."""

    CLOSED = "closed"
    """Our SYN was answered by a RST."""

    FILTERED = "filtered"
    """Nothing answered any of our SYNs."""

    UNREACHABLE = "unreachable"
    """An ICMP error reports our SYN as undeliverable, or ARP or neighbor discovery failed."""

    HALF_OPEN = "half-open"
    """The peer answered our SYN, but nothing shows that it accepted our ACK."""

    RESET = "reset"
    """The peer answered our SYN, but reset the connection before any data."""

    BAD_PEER = "bad-peer"
    """All answers acknowledged something that we had not sent."""

    LOCAL_ERROR = "local-error"
    """This machine did not send the SYN: no route, or a local firewall."""

    NAME_ERROR = "name-error"
    """The name has no address, or only one that cannot be connected to."""

    @property
    def exit_code(self) -> int:
        """0: open; 1: not open; 3: not tried."""
        if self is Verdict.OPEN:
            return 0
        return 3 if self in (Verdict.LOCAL_ERROR, Verdict.NAME_ERROR) else 1

    def __str__(self) -> str:
        return self.value


class Close(Enum):
    """How a connection that was open was closed after our FIN."""

    CLEAN = "clean"
    """Both ends sent a FIN, and both were acknowledged."""

    PEER_KEPT_OPEN = "peer-kept-open"
    """The peer acknowledged our FIN but sent none before the timeout."""

    RESET = "reset"
    """The peer sent a RST."""

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What both SYNs negotiated. A field is None if it is not known."""

    mss: int | None
    """The largest payload we may send, in octets."""

    rcv_mss: int | None
    """The largest payload that the peer may send us, by our SYN."""

    snd_shift: int | None
    """The shift of the peer's windows."""

    rcv_shift: int | None
    """The shift of our windows."""

    sack: bool | None
    timestamps: bool | None
    ecn: bool | None
    fast_open: str | None = None
    """The Fast Open cookie that the peer gave us, in hexadecimal digits."""

    mptcp: bool = False
    """Whether both SYNs carried the same Multipath TCP option."""

    md5: bool = False
    """Whether every segment is signed (RFC 2385)."""

    @classmethod
    def of(cls, block: ControlBlock) -> Negotiated | None:
        """Return what was negotiated; None before both SYNs are known."""
        ours, theirs = block.offered, block.peer_offered
        if ours is None or theirs is None:
            return None
        return cls(
            block.mss,
            ours.mss,
            block.snd_shift,
            block.rcv_shift,
            block.sack,
            block.timestamps,
            block.ecn,
            None if not theirs.fast_open else theirs.fast_open.hex(),
            ours.mptcp is not None and ours.mptcp == theirs.mptcp,
            ours.md5 and theirs.md5,
        )


@dataclass(frozen=True, slots=True)
class DataExchange:
    """The data sent and received while the connection was open."""

    sent: int
    """Octets that we were to send."""

    acknowledged: int
    """How many of them the peer acknowledged."""

    received: bytes
    """The first octets that the peer sent."""

    expected: bool | None
    """Whether the expected data is among them; None if none was expected."""

    def as_json(self) -> Json:
        """Return it as a JSON object; received octets that are not text are escaped."""
        return {
            "sent": self.sent,
            "acknowledged": self.acknowledged,
            "received": len(self.received),
            "text": self.received[:_SHOWN].decode("utf-8", "backslashreplace"),
            "expected": self.expected,
        }


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one connection: what its client concluded, in user space or in the kernel."""

    verdict: Verdict
    close: Close | None = None
    icmp: IcmpError | None = None
    """The ICMP error that decided the verdict."""

    failure: Message | None = None
    """Why this machine did not send our first segment."""

    syn_sent: int = 0
    """How many times our first segment was sent."""

    negotiated: Negotiated | None = None
    ack_status: AckStatus = UNKNOWN
    data: DataExchange | None = None
    """The data exchanged, if any."""

    findings: tuple[Finding, ...] = ()
    """Remarks on what was received."""

    @property
    def ignored(self) -> bool:
        """Whether something was received that is no valid answer."""
        return any(each.code in _IGNORED for each in self.findings)

    @property
    def crossed(self) -> bool:
        """Whether the peer sent a SYN that is no answer to ours."""
        return any(each.code in _TWO_SYNS for each in self.findings)


class Notes:
    """The first note of each code: a peer must not be able to fill our memory."""

    def __init__(self) -> None:
        self._by_code: dict[str, Finding] = {}

    def add(self, code: str, variant: str = "", /, **values: object) -> None:
        """Add a note, unless there is one with this code."""
        if code not in self._by_code:
            self._by_code[code] = note(code, variant, **values)

    def __contains__(self, code: str) -> bool:
        return code in self._by_code

    def __iter__(self) -> Iterator[Finding]:
        return iter(self._by_code.values())

    def __len__(self) -> int:
        return len(self._by_code)


def note(code: str, variant: str = "", /, **values: object) -> Finding:
    """Return a remark of a client; its sentence stands in `messages/en/notes.toml`."""
    return Finding(code, None, values, variant, family="notes")


def verdict_of_reset(*, used: bool) -> Verdict:
    """Return the verdict when the peer resets the open connection.

    It was `used` if an application had sent or received data: an ACK of our FIN is its TCP's doing.
    """
    return Verdict.OPEN if used else Verdict.RESET


def verdict_of_silence(*, fin_acknowledged: bool, confirmed: bool) -> tuple[Verdict, Close | None]:
    """Return the verdict when the peer sends no FIN in time after ours.

    It may stay in CLOSE-WAIT as long as its application likes (section 3.6, case 1).
    """
    if fin_acknowledged:
        return Verdict.OPEN, Close.PEER_KEPT_OPEN
    return Verdict.OPEN if confirmed else Verdict.HALF_OPEN, None
