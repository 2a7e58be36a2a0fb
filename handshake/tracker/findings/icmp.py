"""Findings in the ICMP errors that quote a connection's segments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.record import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.tcp.icmp import IcmpError


class IcmpFindings:
    """Keeps the first ICMP error that answers the SYN, and the first of each type and code."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: dict[tuple[int, int] | None, Finding] = {}

    def feed(self, error: IcmpError, *, of_syn: bool) -> None:
        """Take one ICMP error into account; `of_syn`: it quotes the unanswered SYN."""
        values = {"sender": error.sender, "destination": error.destination, "error": str(error)}
        if of_syn and error.unreachable:
            self._kept.setdefault(None, Finding("unreachable", error.frame, values))
            return
        # The quoted numbers prove that its sender saw the segment; what TCP makes of the error
        # is section 3.9.2.2.
        self._kept.setdefault((error.type, error.code), Finding("icmp-error", error.frame, values))

    def found(self) -> Iterator[Finding]:
        """Yield what was found so far."""
        yield from self._kept.values()
