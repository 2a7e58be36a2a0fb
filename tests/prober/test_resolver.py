"""Whom to call next, of many: names are looked up in threads, and nobody waits for one."""

from __future__ import annotations

import select
import threading
from typing import TYPE_CHECKING

import pytest

from handshake.errors import ResolveError
from handshake.prober import Probe, Result, Target, Verdict, probes
from handshake.prober.resolver import Resolver
from handshake.tcp import Endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator


def collect(targets: Iterator[Target] | list[Target]) -> list[str]:
    """Return all entries in the order in which they come."""
    found = []
    with Resolver(targets) as resolver:
        while not resolver.exhausted:
            while (entry := resolver.next()) is not None:
                found.append(str(entry.verdict) if isinstance(entry, Result) else str(entry[1]))
            if not resolver.exhausted:
                readable, _, _ = select.select([resolver], [], [], 10)
                assert readable
    return found


def test_names_are_looked_up_at_once_and_addresses_do_not_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    both = threading.Barrier(2)

    def endpoints(target: Target) -> tuple[Endpoint, ...]:
        if target.endpoint is not None:
            return (Endpoint.of(target.host, target.port),)
        both.wait(10)  # neither gets on without the other
        if target.host == "none.example":
            raise ResolveError("target.not-a-name", host="none.example")
        return (Endpoint.of("2001:db8::1", target.port), Endpoint.of("192.0.2.1", target.port))

    monkeypatch.setattr(Target, "endpoints", endpoints)
    calls = [Target.parse(each) for each in ("a.example:1", "none.example:2", "192.0.2.9:3")]
    found = collect(calls)
    assert found[0] == "192.0.2.9:3"
    assert sorted(found[1:]) == ["192.0.2.1:1", "[2001:db8::1]:1", str(Verdict.NAME_ERROR)]
    # IPv6 is called first.
    assert found.index("[2001:db8::1]:1") < found.index("192.0.2.1:1")


def test_no_more_targets_are_taken_than_are_called() -> None:
    taken = []

    def targets() -> Iterator[Target]:
        for port in range(1, 100):
            taken.append(port)
            yield Target.of("192.0.2.1", port)

    with Resolver(targets()) as resolver:
        for _ in range(3):
            resolver.next()
    assert taken == [1, 2, 3]


def test_what_goes_wrong_in_a_thread_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def endpoints(_: Target) -> tuple[Endpoint, ...]:
        raise ZeroDivisionError

    monkeypatch.setattr(Target, "endpoints", endpoints)
    with pytest.raises(ZeroDivisionError):
        collect([Target.parse("a.example:1")])


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("0.0.0.0", "not a unicast address (DNS filters answer so for blocked names)"),
        ("::", "not a unicast address (DNS filters answer so for blocked names)"),
        ("224.0.0.1", "not a unicast address"),
        ("ff02::1", "not a unicast address"),
        ("255.255.255.255", "not a unicast address"),
        ("fe80::1", "is link-local: name the interface, as in fe80::1%eth0"),
    ],
)
def test_what_a_name_stands_for_is_looked_at_as_well(
    address: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = Endpoint.of("192.0.2.1", 80)
    monkeypatch.setattr(Target, "endpoints", lambda _: (Endpoint.of(address, 80), good))
    target = Target.parse("a.example:80")
    refused, other = probes(target)
    assert isinstance(refused, Result)
    assert (refused.verdict, refused.address) == (Verdict.NAME_ERROR, address)
    assert str(refused.reason).startswith(f"a.example: {address} ")
    assert says in str(refused.reason)
    # The others are called all the same.
    assert isinstance(other, Probe)
    assert other.remote == good
    assert collect([target]) == [str(Verdict.NAME_ERROR), "192.0.2.1:80"]
