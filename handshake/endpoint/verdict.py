"""The verdict of a probe, and how its connection was closed."""

from __future__ import annotations

from enum import Enum


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
