"""The addresses of one target, looked up so that nobody has to wait for them to the end."""

from __future__ import annotations

import threading
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from handshake.endpoint.timeouts import MAX_WAIT
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from handshake.prober.target import Target
    from handshake.tcp import Endpoint


def endpoints(target: Target) -> tuple[Endpoint, ...]:
    """Return what `Target.endpoints` does, or raise likewise; a signal is heeded meanwhile.

    The system asks name servers for many seconds, and no handler of a signal runs in the thread
    that waits for it: so another one does.
    """
    if target.is_address:
        return target.endpoints()
    answers: SimpleQueue[tuple[Endpoint, ...] | Exception] = SimpleQueue()

    def look_up() -> None:
        try:
            answers.put(target.endpoints())
        except Exception as error:  # a thread has nobody to raise to
            answers.put(error)

    threading.Thread(target=look_up, daemon=True).start()
    found = None
    while found is None:
        with suppress(Empty):
            found = answers.get(timeout=MAX_WAIT / NS_PER_SECOND)
    if isinstance(found, Exception):
        raise found
    return found
