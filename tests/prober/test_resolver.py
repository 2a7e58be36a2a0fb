"""Whom to call next, of many: names are looked up in threads, and nobody waits for one."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from handshake.prober import Probe, Result, Target, Verdict, probes
from handshake.prober.resolver import Addresses
from handshake.tcp import Endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator


async def collect(targets: Iterator[Target] | list[Target]) -> list[str]:
    """Return all entries in the order in which they come."""
    arrived = asyncio.Event()
    addresses = Addresses(targets, asyncio.get_running_loop())
    addresses.arrived = arrived.set
    found = []
    while not addresses.over:
        arrived.clear()
        while (entry := addresses.next()) is not None:
            found.append(str(entry.verdict) if isinstance(entry, Result) else str(entry[1]))
        if not addresses.over:
            await asyncio.wait_for(arrived.wait(), 10)
    return found


def test_names_are_looked_up_at_once_and_addresses_do_not_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    both = threading.Barrier(2)

    def endpoints(target: Target) -> tuple[Endpoint, ...]:
        if target.is_address:
            return (Endpoint.of(target.host, target.port),)
        both.wait(10)  # neither gets on without the other
        if target.host == "none.example":
            raise LookupError("none.example: name or service not known")
        return (Endpoint.of("2001:db8::1", target.port), Endpoint.of("192.0.2.1", target.port))

    monkeypatch.setattr(Target, "endpoints", endpoints)
    calls = [Target.parse(each) for each in ("a.example:1", "none.example:2", "192.0.2.9:3")]
    found = asyncio.run(collect(calls))
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

    loop = asyncio.new_event_loop()
    addresses = Addresses(targets(), loop)
    for _ in range(3):
        addresses.next()
    loop.close()
    assert taken == [1, 2, 3]


def test_what_goes_wrong_in_a_thread_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def endpoints(_: Target) -> tuple[Endpoint, ...]:
        raise ZeroDivisionError

    monkeypatch.setattr(Target, "endpoints", endpoints)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(collect([Target.parse("a.example:1")]))


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
    assert refused.reason.startswith(f"a.example: {address} ")
    assert says in refused.reason
    # The others are called all the same.
    assert isinstance(other, Probe)
    assert other.remote == good
    assert asyncio.run(collect([target])) == [str(Verdict.NAME_ERROR), "192.0.2.1:80"]
