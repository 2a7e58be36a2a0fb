"""A TCP server on 127.0.0.1, used when no target is given."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, Final

from handshake.linux.signals import start_thread
from handshake.prober.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

_IDLE_TIMEOUT: Final = 10.0
"""Seconds after which the server closes an idle connection."""

_SHUTDOWN_TIMEOUT: Final = 1.0
"""Seconds to wait for the server to end; its thread does not keep the program from ending."""


@contextlib.contextmanager
def loopback_listener() -> Iterator[Target]:
    """Yield a target on 127.0.0.1 that accepts each connection, and closes when the client does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = start_thread(_serve, listener)
        try:
            yield Target.of("127.0.0.1", listener.getsockname()[1])
        finally:
            # This wakes the thread; close() alone would not.
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            server.join(_SHUTDOWN_TIMEOUT)


def _serve(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            client, _ = listener.accept()
            with client, contextlib.suppress(OSError):
                client.settimeout(_IDLE_TIMEOUT)
                while client.recv(0xFFFF):
                    pass
