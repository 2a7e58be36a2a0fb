"""Servers that accept all connections."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

from tests.live.lab.namespaces import TIMEOUT, Host
from tests.live.test_probe import PORT, hang_up


@contextmanager
def accepting_all(
    host: Host, treat: Callable[[socket.socket], None], port: int = PORT, address: str = "::"
) -> Iterator[None]:
    """Accept connections one after another, and treat each so."""

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            client.settimeout(TIMEOUT)
            with client, suppress(OSError):
                treat(client)

    with host.listen(port, address) as listener:
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
