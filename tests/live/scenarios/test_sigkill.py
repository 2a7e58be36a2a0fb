"""Scenario 25: SIGKILL in mid-probe leaves no firewall rule, no listening port, nothing."""

import subprocess
import sys

import pytest

from handshake.linux.rst_guard import METHODS
from tests.live.lab.firewall import drop
from tests.live.lab.namespaces import TIMEOUT, Host, eventually, pair
from tests.live.lab.probing import PORT, Way, alone, target

VICTIM = """
import sys
from handshake.prober import Probe, Target
from handshake.linux.rst_guard import METHODS
def barred(*_):
    raise PermissionError(1, "barred")
for name in set(METHODS) - {sys.argv[2]}:
    METHODS[name] = barred
target = Target.parse(sys.argv[1])
for step in Probe(target, target.endpoints()[0]):
    print(step.observed.segment.flags, flush=True)
"""

LISTEN = "0A"
"""The state of a listener in the tables of the kernel."""

_TABLES = ("tcp", "tcp6", "raw", "raw6", "packet")

STAGES = {
    # In wait for an answer to its SYN, and for the peer's FIN.
    "called": ("tcp flags syn / syn,ack", ["SYN"]),
    "open": ("udp dport 9", ["SYN", "SYN-ACK", "ACK", "FIN-ACK"]),
}


def sockets(host: Host) -> list[list[str]]:
    """Return every socket of a namespace, as the kernel lists them."""
    shown = host.run(["cat", *(f"/proc/self/net/{table}" for table in _TABLES)]).stdout
    rows = [line.split() for line in shown.splitlines()]
    return [row for row in rows if row[0] != "sl" and row[0] != "sk"]


@pytest.mark.live
@alone
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("rung", METHODS)
def test_25_killed(way: Way, stage: str, rung: str) -> None:
    lost, shown = STAGES[stage]
    with pair() as (client, server), server.listen(PORT), drop(server, "input", lost):
        assert sockets(client) == []
        argv = [sys.executable, "-c", VICTIM, target(way.address(server)), rung]
        victim = client.popen(argv, stdout=subprocess.PIPE)
        assert victim.stdout is not None
        assert [victim.stdout.readline().strip() for _ in shown] == shown
        listening = [row[3] for row in sockets(client)].count(LISTEN)
        ruled = client.run(["nft", "list", "ruleset"]).stdout != ""
        victim.kill()
        victim.wait(TIMEOUT)
        # Until then one port was guarded: by a deaf listener, or by a table of the firewall.
        assert (listening, ruled) == (1, rung == "owner")
        # The kernel closes what was open a moment after the process is gone.
        eventually(lambda: sockets(client) == [], "the sockets of the killed probe to go")
        assert client.run(["nft", "list", "ruleset"]).stdout == ""
