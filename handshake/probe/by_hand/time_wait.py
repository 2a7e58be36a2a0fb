"""Connections that are over for us, and that a peer may not have forgotten (section 3.6.1)."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from handshake.probe.patience import SECOND
from handshake.probe.verdict import Close, Verdict

if TYPE_CHECKING:
    from handshake.probe.by_hand.call import Call

LINGER: Final = 3 * SECOND // 10
"""How long a peer is given to send its FIN again, whose ACK was lost: Linux does after 0.2 s.

TIME-WAIT is longer, 2 MSL. But whoever waits for a prompt waits for this.
"""

_MOST: Final = 4096
"""Connections remembered."""

_ANSWERS: Final = 8
"""How often a FIN is answered: a peer that sends it on and on does not listen."""

_FORGOTTEN: Final = (Close.CLEAN, Close.RESET)


class TimeWait:
    """Remembers each connection, by the peer's end and ours as they stand in a packet."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, None] = OrderedDict()
        self._answers: OrderedDict[bytes, list[bytes]] = OrderedDict()
        self.until = 0
        """Until when a peer may send a FIN again that was answered."""

    def __contains__(self, incoming: bytes) -> bool:
        """Whether the peer may hold on to it, and would take another SYN for a stray one."""
        return incoming in self._kept

    def begin(self, incoming: bytes) -> None:
        """Forget what was before: another connection begins between these ends."""
        self._answers.pop(incoming, None)

    def end(self, call: Call, now: int) -> None:
        """Take in a call that has ended."""
        assert call.conclusion is not None
        verdict, close = call.conclusion.verdict, call.conclusion.close
        if close is Close.CLEAN:
            self.until = now + LINGER
            self._answers[call.incoming] = [call.last] * _ANSWERS
            if len(self._answers) > _MOST:
                self._answers.popitem(last=False)
        if verdict is not Verdict.CLOSED and close not in _FORGOTTEN:
            self._kept[call.incoming] = None
            if len(self._kept) > _MOST:
                self._kept.popitem(last=False)

    def answer(self, incoming: bytes) -> bytes | None:
        """Return the packet that answers a FIN that comes again; None for one of nobody."""
        left = self._answers.get(incoming)
        return left.pop() if left else None
