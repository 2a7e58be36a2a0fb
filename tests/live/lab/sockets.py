"""What two real sockets exchange in tests and recordings."""

import socket
import struct

REQUEST = b"GET /hello HTTP/1.0\r\n\r\n"
RESPONSE = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nHello.\r\n"

Ends = tuple[socket.socket, socket.socket]
"""The two sockets of a connection: the client's and the accepted one."""


def dial(client: socket.socket, source_port: int, there: tuple[str, int]) -> socket.socket:
    """Begin to connect."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    client.bind(("", source_port))
    client.setblocking(False)
    client.connect_ex(there)
    return client


def ask(ends: Ends) -> Ends:
    """Pass a request and its response."""
    client, accepted = ends
    send(REQUEST, client, accepted)
    send(RESPONSE, accepted, client)
    return ends


def send(data: bytes, sender: socket.socket, receiver: socket.socket) -> None:
    """Pass data and wait until it is there."""
    sender.sendall(data)
    see(data, receiver)


def see(data: bytes, receiver: socket.socket) -> None:
    """Wait until data is there."""
    while data:
        part = receiver.recv(len(data))
        assert part, "a FIN where data was to come"
        assert data.startswith(part)
        data = data[len(part) :]


def close(first: socket.socket, second: socket.socket) -> None:
    """Close in order: the second end when it has seen the FIN of the first."""
    first.close()
    see_fin(second)
    second.close()


def see_fin(end: socket.socket) -> None:
    """Wait for the other end's FIN."""
    data = end.recv(1)
    assert not data, f"{data!r} where a FIN was to come"


def reset(end: socket.socket) -> None:
    """Close with RST instead of FIN."""
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()
