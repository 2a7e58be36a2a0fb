"""A session of Scapy's `sniff` that hands on each packet as it is sniffed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from scapy.sessions import DefaultSession

if TYPE_CHECKING:
    from collections.abc import Callable


class PacketSession(DefaultSession):  # type: ignore[misc]
    """Calls `take` for each packet, and lets `sniff` go on with it as without a session."""

    def __init__(self, take: Callable[[Any], None]) -> None:
        super().__init__()
        self._take = take

    def process(self, pkt: Any) -> Any:
        """Take a packet; return it to Scapy."""
        found = super().process(pkt)
        if found is not None:
            try:
                self._take(found)
            except Exception:
                # Scapy would drop the error: what a callback raises must be seen.
                sys.excepthook(*sys.exc_info())
        return found
