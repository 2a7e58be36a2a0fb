"""Servers that accept all connections."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

from tests.live.lab.namespaces import TIMEOUT, Host
from tests.live.test_probe import PORT, hang_up


@contextmanager
def accepting_all(
    host: Host,
    treat: Callable[[socket.socket], None],
    port: int = PORT,
    address: str = "::",
) -> Iterator[None]:
    """Accept connections and treat each so, in a thread of its own: none waits for another."""

    def handle(client: socket.socket) -> None:
        client.settimeout(TIMEOUT)
        with client, suppress(OSError):
            treat(client)

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=handle, args=(client,), daemon=True).start()

    with host.listen(port, address) as listener:
        listener.settimeout(None)
        listener.listen(1024)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(TIMEOUT)


def answering(host: Host, port: int = PORT) -> AbstractContextManager[None]:
    """Accept all connections, and close each when its client does."""
    return accepting_all(host, hang_up, port)
