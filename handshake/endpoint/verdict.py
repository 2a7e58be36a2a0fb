"""What a probe concludes: the verdict, how the connection was closed, and what stood out."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class Verdict(Enum):
    """What became of a call."""

    OPEN = "open"
    """The handshake completed."""

    CLOSED = "closed"
    """Our SYN was answered by RST."""

    FILTERED = "filtered"
    """Nothing answered any of our SYNs."""

    UNREACHABLE = "unreachable"
    """An ICMP error says that our SYN did not arrive, or nobody on our link took it."""

    HALF_OPEN = "half-open"
    """The peer answered our SYN, and nothing shows that it took our answer."""

    RESET = "reset"
    """The peer answered our SYN, and reset the connection before a word was said on it."""

    BAD_PEER = "bad-peer"
    """All that answered acknowledged what we had not sent."""

    LOCAL_ERROR = "local-error"
    """This machine refused to send: no route, a firewall of its own."""

    NAME_ERROR = "name-error"
    """The name has no address, or one to which no connection can lead."""

    @property
    def exit_code(self) -> int:
        """0: open; 1: not; 3: it could not be tried."""
        if self is Verdict.OPEN:
            return 0
        return 3 if self in (Verdict.LOCAL_ERROR, Verdict.NAME_ERROR) else 1

    def __str__(self) -> str:
        return self.value


class Close(Enum):
    """How a connection that was open was closed after our FIN."""

    CLEAN = "clean"
    """Both ends sent FIN, and both were acknowledged."""

    PEER_KEPT_OPEN = "peer-kept-open"
    """The peer acknowledged our FIN and sent none in the time given."""

    RESET = "reset"
    """The peer sent RST."""

    def __str__(self) -> str:
        return self.value


class Note(NamedTuple):
    """Something that an expert would point at."""

    code: str
    """A name that programs may rely on."""

    text: str


_STRAYS: Final = frozenset(
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
    """What stood out, the first of each kind: a peer must not be able to fill our memory."""

    def __init__(self) -> None:
        self._by_code: dict[str, Note] = {}

    def add(self, code: str, text: str) -> None:
        """Take note of something, unless one of its kind is noted."""
        self._by_code.setdefault(code, Note(code, text))

    @property
    def of_strays(self) -> bool:
        """Whether something came that answered nothing, and was ignored."""
        return not _STRAYS.isdisjoint(self._by_code)

    def __contains__(self, code: str) -> bool:
        return code in self._by_code

    def __iter__(self) -> Iterator[Note]:
        return iter(self._by_code.values())

    def __len__(self) -> int:
        return len(self._by_code)
