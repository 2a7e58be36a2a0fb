from __future__ import annotations

import errno
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from handshake.endpoint.buffers import KEPT
from handshake.endpoint.options import ClientOptions
from handshake.prober.kernel.stream import KernelStream

if TYPE_CHECKING:
    from collections.abc import Iterator

Ends = tuple[socket.socket, socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    """Two sockets that are connected: ours, which waits for nothing, and the peer's."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.settimeout(5)
    with ours, theirs:
        yield ours, theirs


def test_data_is_sent_as_the_peer_takes_it(ends: Ends) -> None:
    ours, theirs = ends
    data = bytes(range(256)) * 255
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    exchange = KernelStream(ClientOptions(data=data))
    got = b""
    while len(got) < len(data):
        assert exchange.transfer(ours) == 0
        got += theirs.recv(1 << 20)
    assert got == data
    assert exchange.sent == len(data)


def test_after_our_fin_nothing_is_sent(ends: Ends) -> None:
    ours, theirs = ends
    data = bytes(65_000)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    exchange = KernelStream(ClientOptions(data=data))
    assert exchange.transfer(ours) == 0
    sent = exchange.sent
    exchange.stop()
    ours.shutdown(socket.SHUT_WR)
    assert exchange.transfer(ours) == 0
    got = 0
    while piece := theirs.recv(1 << 20):
        got += len(piece)
    assert got == exchange.sent == sent < len(data)


@pytest.mark.parametrize(
    ("pieces", "found"),
    [
        ([b"220 hello\r\n"], True),
        ([b"220 he", b"llo\r\n"], True),
        ([b"220 h", b"e", b"l", b"l", b"o\r\n"], True),
        ([b"220 helo\r\n", b"hell"], False),
    ],
)
def test_what_is_expected_may_come_in_pieces(pieces: list[bytes], found: bool, ends: Ends) -> None:
    ours, theirs = ends
    exchange = KernelStream(ClientOptions(expect=b"hello"))
    for piece in pieces:
        theirs.sendall(piece)
        assert exchange.transfer(ours) == 0
    assert (exchange.found_expected, exchange.octets) == (found, b"".join(pieces))


def test_where_nothing_is_expected_nothing_is_missed(ends: Ends) -> None:
    exchange = KernelStream(ClientOptions())
    ends[1].sendall(b"hello")
    assert exchange.transfer(ends[0]) == 0
    assert (exchange.found_expected, exchange.octets) == (None, b"hello")


def test_of_a_peer_that_talks_without_end_no_more_is_kept(ends: Ends) -> None:
    ours, theirs = ends
    exchange = KernelStream(ClientOptions())
    theirs.setblocking(False)
    for _ in range(20):
        with suppress(BlockingIOError):
            theirs.sendall(bytes(1 << 16))
        assert exchange.transfer(ours) == 0
    assert len(exchange.octets) == KEPT


def test_the_end_of_what_the_peer_sends(ends: Ends) -> None:
    ours, theirs = ends
    exchange = KernelStream(ClientOptions())
    theirs.sendall(b"bye")
    theirs.shutdown(socket.SHUT_WR)
    for _ in range(2):
        assert exchange.transfer(ours) == 0
        assert (exchange.finished, exchange.octets, exchange.more) == (True, b"bye", False)


def test_what_the_kernel_refuses_is_its_errno(ends: Ends) -> None:
    ours, theirs = ends
    theirs.close()
    assert KernelStream(ClientOptions(data=b"hello")).transfer(ours) == errno.EPIPE
