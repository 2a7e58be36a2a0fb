"""A guarded port for segments that other programs send, such as Scapy."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from handshake.linux.rst_guard import guard
from handshake.tcp.address import ip_address

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def guarded_port(address: str, port: int = 0) -> Iterator[int]:
    """Yield a local port on which the kernel resets nothing until the `with` block ends.

    Without it the kernel answers a SYN-ACK to a hand-made SYN with a RST: it knows no socket for
    it. `address` is one of this machine; 0 stands for any free port. Raises ConnectError if it
    cannot be bound, and LocalError if the kernel does not allow it.
    """
    with guard(ip_address(address), port) as held:
        yield held.port
