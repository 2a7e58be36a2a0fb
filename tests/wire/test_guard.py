from __future__ import annotations

import errno
import os
import socket
from ipaddress import IPv6Address, ip_address

import pytest

from handshake.errors import CannotRun
from handshake.wire import guard as module
from handshake.wire.guard import LADDER, guard, sockaddr

LOOPBACK = ip_address("127.0.0.1")


def test_a_guard_holds_a_port_that_nobody_can_call() -> None:
    with guard(LOOPBACK) as held, socket.socket() as caller:
        assert held.name in LADDER
        caller.settimeout(0.05)
        with pytest.raises(TimeoutError):
            caller.connect(("127.0.0.1", held.port))
    with socket.socket() as caller, pytest.raises(ConnectionRefusedError):
        caller.connect(("127.0.0.1", held.port))


def test_a_port_of_our_choice() -> None:
    with guard(LOOPBACK) as held:
        port = held.port
    with guard(LOOPBACK, port) as held:
        assert held.port == port
        with pytest.raises(CannotRun, match=f"port {port} of 127.0.0.1: it is in use"):
            guard(LOOPBACK, port)


def test_an_address_that_is_not_ours() -> None:
    with pytest.raises(CannotRun, match="the address is not ours"):
        guard(ip_address("192.0.2.77"))


def test_where_one_way_is_barred_the_next_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def barred(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setitem(module.LADDER, "filter", barred)
    with guard(LOOPBACK) as held:
        assert held.name == "md5"
    monkeypatch.setitem(module.LADDER, "md5", barred)
    monkeypatch.setitem(module.LADDER, "minttl", barred)
    with pytest.raises(CannotRun, match="filter: Operation not permitted; md5"):
        guard(LOOPBACK)


def test_a_scope_becomes_an_index() -> None:
    index = socket.if_nametoindex("lo")
    assert sockaddr(IPv6Address("fe80::1%lo"), 7) == ("fe80::1", 7, 0, index)
    assert sockaddr(IPv6Address("fe80::1%3")) == ("fe80::1", 0, 0, 3)
    with pytest.raises(OSError, match=r"No such device|no interface"):
        sockaddr(IPv6Address("fe80::1%nosuch0"))
