"""Probes as `handshake probe` runs them: one, with every segment kept, or one among many."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from handshake.prober import Attempt, ClientOptions, Probe, Result, Target, Timeouts, probes
from handshake.prober.run import probe_all
from tests.live.lab import agreement
from tests.live.lab.figures import draw
from tests.live.lab.namespaces import Host
from tests.live.lab.scripted_peer import Script, peer
from tests.live.lab.tcpdump import capture
from tests.schema import valid

PORT = 8080


class Way(NamedTuple):
    """The version of IP, and whether it is one probe or one among many."""

    version: int
    many: bool = False
    """Whether it is made as one among many: then no segment is kept."""

    def __str__(self) -> str:
        return f"v{self.version}-many" if self.many else f"v{self.version}"

    def address(self, host: Host) -> str:
        """Return the address of the host's first interface."""
        return host.v4 if self.version == 4 else host.v6

    def call(
        self,
        client: Host,
        server: Host | str,
        timeouts: Timeouts | None = None,
        *,
        port: int = PORT,
        **options: Any,
    ) -> Result:
        """Probe a host or an address; `options` are those of `call`.

        In a scenario, a capture at the host must tell the same by `list`.
        """
        address = server if isinstance(server, str) else self.address(server)
        text = target(address, port)
        if isinstance(server, str) or "/scenarios/" not in os.environ["PYTEST_CURRENT_TEST"]:
            return call(client, text, timeouts, many=self.many, **options)
        itself = server is client
        with (
            agreement.witnessed(server, loopback=itself) as at_server,
            agreement.witnessed(client, loopback=itself) as at_client,
        ):
            result = call(client, text, timeouts, many=self.many, **options)
        agreement.check(result, at_server, at_client)
        return result


_LITTLE = {"options-refused", "options-stripped", "no-mss"}

every_way = pytest.mark.parametrize(
    "way", [Way(version, many) for many in (False, True) for version in (4, 6)], ids=str
)
"""Over IPv4 and IPv6, by both engines."""

alone = pytest.mark.parametrize("way", [Way(4), Way(6)], ids=str)
"""Over IPv4 and IPv6, each segment kept."""

two_ways = pytest.mark.parametrize("way", [Way(4), Way(6, many=True)], ids=str)
"""Each version and each engine once: for what takes its time."""


def target(address: str, port: int = PORT) -> str:
    """Return address and port in the words of the command line."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def call(
    client: Host,
    text: str,
    timeouts: Timeouts | None = None,
    *,
    options: ClientOptions | None = None,
    many: bool = False,
    resets: bool = False,
    may_differ: bool = False,
) -> Result:
    """Probe one address to the end; no RST leaves unless the probe may send `resets`.

    What the attempt knows of the connection, and what the tracker concludes, must agree unless
    they `may_differ`; and the JSON must match the schema.
    """
    with client.entered():
        if many:
            (result,) = probe_all([Target.parse(text)], timeouts=timeouts, options=options)
        else:
            result = _alone(text, timeouts, options, may_differ=may_differ)
    valid(result.as_json(), "probe")
    assert "kernel-reset" not in codes(result)
    if not resets:
        assert not [each for each in result.segments if each.outgoing and each.segment.rst]
    return result


def codes(result: Result) -> set[str]:
    """Return what stood out, by its codes; but not that a scripted peer offers little."""
    return {note.code for note in result.findings} - _LITTLE


def _alone(
    text: str, timeouts: Timeouts | None, options: ClientOptions | None, *, may_differ: bool
) -> Result:
    (probe,) = probes(Target.parse(text), timeouts, options)
    assert isinstance(probe, Probe)
    result = probe.finish()
    if isinstance(probe.endpoint, Attempt) and not may_differ:
        assert agree(probe)
    return result


def agree(probe: Probe) -> bool:
    """Whether the tracker, which saw the wire alone, knows what our own end knows."""
    assert probe.endpoint is not None
    if not probe.tracker.connections:
        return True
    ours, tracked = probe.endpoint.block, probe.tracker.connections[-1].client.block
    assert tracked is not None
    if ours.ts_recent != tracked.ts_recent:
        # Of segments that came one right after the other, the wire does not show that the first
        # was acknowledged before the second was looked at (RFC 7323 section 4.3).
        clocks = [each.segment.options.timestamps for each in probe.result.segments]
        assert tracked.ts_recent in [each.value for each in clocks if each]
        ours = replace(ours, ts_recent=tracked.ts_recent)
    return ours == tracked


class Played(NamedTuple):
    """The result of a probe of a scripted peer."""

    result: Result
    wire: list[str]
    """The packets as they passed the peer's interface."""

    path: Path
    """The capture that they are drawn from."""


def play(
    way: Way, folder: Path, script: Script, timeouts: Timeouts | None = None, **options: Any
) -> Played:
    """Probe a peer that follows a script."""
    path = folder / "wire.pcap"
    # No filter: tcpdump's would miss what has extension headers, or is a fragment.
    with peer(script) as (client, server), capture(server, "eth0", path, only=""):
        result = way.call(client, server, timeouts, **options)
    return Played(result, draw(path, way.address(client)), path)
