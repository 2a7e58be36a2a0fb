from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

import pytest

from handshake.probe.errand import Errand, Talk

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
    data = bytes(range(256)) * 20_000
    talk = Talk(Errand(data))
    got = b""
    while len(got) < len(data):
        assert talk.go_on(ours) == 0
        got += theirs.recv(1 << 20)
    assert got == data
    assert talk.sent == len(data)


def test_after_our_fin_nothing_is_sent(ends: Ends) -> None:
    ours, theirs = ends
    talk = Talk(Errand(bytes(10_000_000)))
    assert talk.go_on(ours) == 0
    sent = talk.sent
    talk.stop()
    ours.shutdown(socket.SHUT_WR)
    assert talk.go_on(ours) == 0
    got = 0
    while piece := theirs.recv(1 << 20):
        got += len(piece)
    assert got == talk.sent == sent < 10_000_000


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
    talk = Talk(Errand(expect=b"hello"))
    for piece in pieces:
        theirs.sendall(piece)
        assert talk.go_on(ours) == 0
    assert (talk.found, talk.received) == (found, sum(map(len, pieces)))


def test_nothing_expected_is_found_at_once_or_never(ends: Ends) -> None:
    assert Talk(Errand(expect=b"")).found
    talk = Talk(Errand())
    ends[1].sendall(b"hello")
    assert talk.go_on(ends[0]) == 0
    assert talk.found is None


def test_the_end_of_what_the_peer_sends(ends: Ends) -> None:
    ours, theirs = ends
    talk = Talk(Errand())
    theirs.sendall(b"bye")
    theirs.shutdown(socket.SHUT_WR)
    for _ in range(2):
        assert talk.go_on(ours) == 0
        assert (talk.finished, talk.received, talk.more) == (True, 3, False)


def test_what_the_kernel_refuses_is_its_errno(ends: Ends) -> None:
    ours, theirs = ends
    theirs.close()
    assert Talk(Errand(b"hello")).go_on(ours) == errno.EPIPE
