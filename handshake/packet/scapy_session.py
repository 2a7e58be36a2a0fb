"""A session of Scapy's `sniff` that hands on each packet as it is sniffed."""

from __future__ import annotations

import sys
from typing import Any

from scapy.sessions import DefaultSession


class PacketSession(DefaultSession):  # type: ignore[misc]
    """Calls `take` for each packet, and lets `sniff` go on with it as without a session."""

    def take(self, packet: Any) -> None:
        """Take a packet."""
        raise NotImplementedError

    def process(self, pkt: Any) -> Any:
        """Take a packet; return it to Scapy."""
        found = super().process(pkt)
        if found is not None:
            try:
                self.take(found)
            except Exception:
                # Scapy would drop the error: what a callback raises must be seen.
                sys.excepthook(*sys.exc_info())
        return found
