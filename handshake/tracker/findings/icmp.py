"""What an expert would point at in ICMP errors that quote a connection's segments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.record import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.tcp.icmp import IcmpError


class IcmpFindings:
    """Follows the ICMP errors of a connection: the first that answers its SYN, and of each kind."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: dict[tuple[int, int] | None, Finding] = {}

    def feed(self, error: IcmpError, *, of_syn: bool) -> None:
        """Take one ICMP error into account; `of_syn`: it quotes the SYN, and nothing opened."""
        if of_syn and error.unreachable:
            text = f"An ICMP error of {error.sender} answers the SYN: {error}."
            self._kept.setdefault(None, Finding("unreachable", error.frame, text))
            return
        # The numbers prove who saw the segment; what TCP makes of it is section 3.9.2.2.
        text = f"{error.sender} says of a segment to {error.destination}: {error}."
        self._kept.setdefault((error.type, error.code), Finding("icmp-error", error.frame, text))

    def found(self) -> Iterator[Finding]:
        """Yield what there is to say so far."""
        yield from self._kept.values()
