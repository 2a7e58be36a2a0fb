from __future__ import annotations

import errno
import os
import secrets
import socket
from ipaddress import IPv6Address, ip_address

import pytest

from handshake.errors import ConnectError, LocalError
from handshake.linux import rst_guard as module
from handshake.linux.rst_guard import METHODS, guard
from handshake.linux.rst_guard_pool import RstGuardPool
from handshake.linux.sockaddr import sockaddr

LOOPBACK = ip_address("127.0.0.1")


def test_a_guard_holds_a_port_that_accepts_no_connection() -> None:
    with guard(LOOPBACK) as held, socket.socket() as client:
        assert held.name in METHODS
        client.settimeout(0.05)
        with pytest.raises(TimeoutError):
            client.connect(("127.0.0.1", held.port))
    with socket.socket() as client, pytest.raises(ConnectionRefusedError):
        client.connect(("127.0.0.1", held.port))


@pytest.mark.parametrize("name", ["filter", "md5", "minttl", "owner"])
def test_it_counts_what_it_keeps_from_the_kernel(name: str) -> None:
    try:
        held = guard(LOOPBACK, names=[name], check=False)
    except LocalError:
        pytest.skip(f"this kernel does not let us have the guard {name}")
    with held, socket.socket() as client:
        before = held.dropped
        client.settimeout(0.05)
        with pytest.raises(TimeoutError):
            client.connect(("127.0.0.1", held.port))
        assert (before, held.dropped) == ((None, None) if name == "owner" else (0, 1))
    assert held.dropped is None


def test_a_port_of_our_choice() -> None:
    with guard(LOOPBACK) as held:
        port = held.port
    with guard(LOOPBACK, port) as held:
        assert held.port == port
        with pytest.raises(ConnectError) as error:
            guard(LOOPBACK, port)
    assert (error.value.code, error.value.values["port"]) == ("bind.in-use", port)


def test_an_address_that_is_not_ours() -> None:
    with pytest.raises(ConnectError) as error:
        guard(ip_address("192.0.2.77"))
    assert (error.value.code, error.value.values["source"]) == ("bind.not-local", "192.0.2.77")


def test_where_one_way_is_barred_the_next_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(module.METHODS, "filter", barred)
    with guard(LOOPBACK) as held:
        assert held.name == "md5"
    monkeypatch.setitem(module.METHODS, "md5", barred)
    monkeypatch.setitem(module.METHODS, "minttl", barred)
    monkeypatch.setitem(module.METHODS, "owner", barred)
    with pytest.raises(
        LocalError, match=r"filter: operation not permitted \(EPERM\); md5"
    ) as error:
        guard(LOOPBACK)
    assert error.value.code == "no-rst-guard"


def test_a_scope_becomes_an_index() -> None:
    index = socket.if_nametoindex("lo")
    assert sockaddr(IPv6Address("fe80::1%lo"), 7) == ("fe80::1", 7, 0, index)
    assert sockaddr(IPv6Address("fe80::1%3")) == ("fe80::1", 0, 0, 3)
    with pytest.raises(OSError, match=r"No such device|no interface"):
        sockaddr(IPv6Address("fe80::1%nosuch0"))


def test_one_port_serves_all_connections_to_different_peers() -> None:
    busy: set[int] = set()
    with RstGuardPool() as guards:
        first = guards.take(LOOPBACK, busy.__contains__)
        assert guards.take(LOOPBACK, busy.__contains__) is first
        busy.add(first.port)
        second = guards.take(LOOPBACK, busy.__contains__)
        assert second is not first
        assert second.name == first.name
        assert guards.ports == {first.port, second.port}
        busy.clear()
        taken = [guards.take(LOOPBACK, busy.__contains__) for _ in range(4)]
        assert {each.port for each in taken} == guards.ports
    with guard(LOOPBACK, first.port):
        pass


def test_a_port_that_rests_serves_where_there_is_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resting: set[int] = set()
    with RstGuardPool() as guards:
        first = guards.take(LOOPBACK, lambda _: False)
        resting.add(first.port)
        second = guards.take(LOOPBACK, lambda _: False, recently_used=resting.__contains__)
        assert second is not first
        # Asked for by its number, it may be needed just for the ends to be the same.
        asked = guards.take(
            LOOPBACK, lambda _: False, first.port, recently_used=resting.__contains__
        )
        assert asked is first
        resting.add(second.port)
        for name in METHODS:
            monkeypatch.setitem(module.METHODS, name, barred)
        held = guards.take(LOOPBACK, {first.port}.__contains__, recently_used=resting.__contains__)
        assert held is second
        with pytest.raises(LocalError, match="filter: operation not permitted"):
            guards.take(LOOPBACK, lambda _: True, recently_used=resting.__contains__)


def barred(*_: object) -> None:
    raise OSError(errno.EPERM, os.strerror(errno.EPERM))


def test_a_chosen_port_that_was_used_before() -> None:
    with RstGuardPool() as guards:
        port = guards.take(LOOPBACK, lambda _: False).port
        with pytest.raises(ConnectError) as error:
            guards.take(LOOPBACK, lambda _: True, port)
    assert (error.value.code, error.value.values["port"]) == ("bind.recently-used", port)


def test_a_port_that_is_in_use_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "choice", lambda ports: ports[0])
    with socket.socket() as other, RstGuardPool() as guards:
        other.bind(("127.0.0.1", 61000))
        guards.take(LOOPBACK, lambda _: False)
        assert guards.take(LOOPBACK, lambda _: True).port == 61001
        with pytest.raises(ConnectError) as error:
            guards.take(LOOPBACK, lambda _: False, port=61000)
    assert (error.value.code, error.value.values["port"]) == ("bind.in-use", 61000)
