"""A listener of our own on loopback, for those who have nobody to call."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Final

from handshake.prober.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

_PATIENCE: Final = 10.0
"""Seconds after which the listener hangs up on a caller who says nothing and stays."""

_PARTING: Final = 1.0
"""Seconds for the listener to end; its thread does not keep the program from ending."""


@contextlib.contextmanager
def loopback_listener() -> Iterator[Target]:
    """Yield a target on 127.0.0.1 that accepts each caller, and closes when he does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=_serve, args=(listener,), daemon=True)
        server.start()
        try:
            yield Target.of("127.0.0.1", listener.getsockname()[1])
        finally:
            # It wakes the thread, which close() alone would not.
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            server.join(_PARTING)


def _serve(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            caller, _ = listener.accept()
            with caller, contextlib.suppress(OSError):
                caller.settimeout(_PATIENCE)
                while caller.recv(0xFFFF):
                    pass
