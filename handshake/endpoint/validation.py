"""Checks before a segment or an ICMP error is believed (RFC 2385, RFC 5927)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.tcp.option_kinds import Kind
from handshake.tcp.signature import verified

if TYPE_CHECKING:
    from handshake.endpoint.outcome import Notes
    from handshake.tcp import Observed
    from handshake.tcp.icmp import IcmpError


def dropped(observed: Observed, key: bytes, notes: Notes) -> bool:
    """Whether to drop a damaged or unsigned segment; `key` is the MD5 key, empty for none."""
    seg = observed.segment
    if observed.checksum_ok is False:
        notes.add("bad-checksum", segment=seg)
    elif seg.unreadable:
        notes.add("unreadable", segment=seg)
    elif key and not verified(seg, key):
        notes.add("bad-signature", segment=seg)
    elif not key and seg.options.data(Kind.MD5) is not None:
        notes.add("uninvited-signature", segment=seg)
    else:
        return False
    return True


class IcmpErrors:
    """The ICMP errors received for our segments, and the one that counts."""

    def __init__(self, notes: Notes) -> None:
        self.error: IcmpError | None = None
        """The error that reports our first segment as undeliverable."""

        self._notes = notes

    def receive(self, error: IcmpError, *, ours: bool, waiting: bool, last: bool) -> bool:
        """Return whether an error ends the connection attempt.

        It must quote a sequence number of `ours`, which an off-path attacker does not know (RFC
        5927 section 4.1). Unless we are `waiting` for the first answer it is only noted. A soft
        error ends nothing before the `last` retransmission of the SYN (section 3.9.2.2).
        """
        if not ours:
            self._notes.add("foreign-icmp", sender=error.sender, error=error)
            return False
        if not waiting or not error.unreachable:
            self._notes.add("icmp", sender=error.sender, error=error, answered=False)
            return False
        self.error = error
        return last or not error.soft

    def answered(self) -> None:
        """Record that an answer arrived after all."""
        if self.error is not None:
            sender, error = self.error.sender, self.error
            self._notes.add("icmp", sender=sender, error=error, answered=True)
            self.error = None
