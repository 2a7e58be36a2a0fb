"""The verdict of a probe, how its connection was closed, and notes on what was received."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


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


class Note(NamedTuple):
    """A remark on what was received."""

    code: str
    """A stable name for programs."""

    text: str


_IGNORED: Final = frozenset(
    {
        "bad-checksum",
        "bad-signature",
        "bare-ack",
        "foreign-icmp",
        "icmp",
        "rst-ignored",
        "stray",
        "unreadable",
        "wrong-ack",
    }
)


class Notes:
    """The first note of each code: a peer must not be able to fill our memory."""

    def __init__(self) -> None:
        self._by_code: dict[str, Note] = {}

    def add(self, code: str, text: str) -> None:
        """Add a note, unless there is one with this code."""
        self._by_code.setdefault(code, Note(code, text))

    @property
    def of_strays(self) -> bool:
        """Whether a note is about something that was ignored because it is no answer."""
        return not _IGNORED.isdisjoint(self._by_code)

    def __contains__(self, code: str) -> bool:
        return code in self._by_code

    def __iter__(self) -> Iterator[Note]:
        return iter(self._by_code.values())

    def __len__(self) -> int:
        return len(self._by_code)
