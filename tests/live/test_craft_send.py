"""`handshake craft --send` and the scripts for Scapy's users, against real kernels."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from handshake.capture.open import read
from tests.crafter.making import crafted
from tests.live.lab.namespaces import TIMEOUT, Host, eventually, pair
from tests.live.lab.servers import answering
from tests.live.lab.tcpdump import capture
from tests.schema import valid

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.live

ROOT = Path(__file__).parents[2]
PORT = 9000
TARGETS = {4: f"10.77.0.2:{PORT}", 6: f"[fd77::2]:{PORT}"}


@pytest.fixture(scope="module")
def hosts() -> Iterator[tuple[Host, Host]]:
    """Yield a client, and a server that accepts on the port."""
    with pair() as (client, server), answering(server, PORT):
        yield client, server


def craft(host: Host, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `handshake craft --send` on a host."""
    argv = [sys.executable, "-m", "handshake", "craft", *words, "--send"]
    return host.run(argv, check=False, timeout=3 * TIMEOUT)


@pytest.mark.parametrize(
    ("version", "words", "ending", "code"),
    [
        (4, (), "A SYN-ACK came back after .*: port 9000 is open.", 0),
        (6, ("--reserved", "5"), "A SYN-ACK came back after .*", 0),
        (4, ("--flags", "ACK"), "A RST came back after .*", 0),
        (6, ("--checksum", "wrong", "--timeout", "0.3"), "Nothing came back within 300 ms.", 1),
        (4, ("--offset", "3", "--timeout", "0.3"), "Nothing came back within 300 ms.", 1),
        (4, ("--flags", "RST", "--timeout", "0.3"), "Nothing came back within 300 ms.", 1),
    ],
)
def test_what_linux_does(
    hosts: tuple[Host, Host], version: int, words: tuple[str, ...], ending: str, code: int
) -> None:
    done = craft(hosts[0], TARGETS[version], *words)
    assert done.stderr == ""
    assert re.match(ending, done.stdout.splitlines()[-1]), done.stdout
    assert done.returncode == code


@pytest.mark.parametrize(
    ("version", "words"),
    [
        (4, ("--checksum", "0x1234")),
        (6, ("--offset", "4", "--reserved", "2")),
        (4, ("--option", "2/9:05b4", "--payload", "hello")),
        (6, ("--flags", "none", "--urgent", "7", "--ttl", "5", "--tos", "0xb8")),
    ],
)
def test_what_leaves_is_what_was_crafted(
    hosts: tuple[Host, Host], version: int, words: tuple[str, ...], tmp_path: Path
) -> None:
    client, _ = hosts
    source = client.v4 if version == 4 else f"[{client.v6}]"
    given = [TARGETS[version], "--source", source, "--seq", "77", *words]
    path = tmp_path / "sent.pcapng"
    craft(client, *given, "--source-port", "45678", "--timeout", "0.1", "-w", str(path))
    first = bytes(next(iter(read(path))).data)
    assert first.hex() == crafted([*given, "--source-port", "45678"]).hex()


@pytest.mark.parametrize(
    "words",
    [
        ("--ip-checksum", "0x1234"),
        ("--length", "200"),
        ("--length", "44"),
        ("--ihl", "7"),
        ("--ihl", "2"),
        ("--id", "0"),
    ],
    ids=" ".join,
)
def test_a_header_that_lies_passes_the_link_as_it_is(
    hosts: tuple[Host, Host], words: tuple[str, ...], tmp_path: Path
) -> None:
    client, server = hosts
    given = [TARGETS[4], "--source", client.v4, "--source-port", "45678", "--seq", "77", *words]
    path = tmp_path / "arrived.pcap"
    with capture(server, "eth0", path, only=f"ip proto 6 and src {client.v4}"):
        done = craft(client, *given, "--timeout", "0.2")
    answered = words == ("--id", "0")  # the others are no packet to Linux
    assert (done.returncode, done.stderr) == (int(not answered), "")
    last = done.stdout.splitlines()[-1]
    assert last.startswith("A SYN-ACK came" if answered else "Nothing came back")
    first = bytes(next(iter(read(path))).data)[14:]
    assert first.hex() == crafted(given).hex()


def test_json_is_a_step_a_line(hosts: tuple[Host, Host]) -> None:
    done = craft(hosts[0], TARGETS[4], "--json")
    steps = [json.loads(line) for line in done.stdout.splitlines()]
    for each in steps:
        valid(each, "step")
    assert [each["segment"]["flags"] for each in steps] == [["SYN"], ["SYN", "ACK"], ["RST"]]


def test_without_the_privilege_a_line_says_what_to_do(hosts: tuple[Host, Host]) -> None:
    argv = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"]
    argv += [sys.executable, "-m", "handshake", "craft", TARGETS[4], "--send"]
    done = hosts[0].run(argv, check=False)
    assert done.returncode == 3
    assert done.stdout == ""
    assert re.match("error: sending raw packets needs CAP_NET_RAW: run .*sudo", done.stderr)


def script(host: Host, name: str, *words: str) -> list[str]:
    """Run an example on a host; return the lines that it prints."""
    argv = [sys.executable, str(ROOT / "examples" / name), *words]
    return host.run(argv, timeout=3 * TIMEOUT).stdout.splitlines()


def test_the_script_that_opens_by_hand(hosts: tuple[Host, Host]) -> None:
    (line,) = script(hosts[0], "by_hand.py", "10.77.0.2", str(PORT))
    assert re.fullmatch(r"<SEQ=1000><CTL=SYN> <SEQ=\d+><ACK=1001><CTL=SYN,ACK> 1460", line)


def test_the_script_that_sends_wrong_headers(hosts: tuple[Host, Host]) -> None:
    assert script(hosts[0], "wrong_header.py", "10.77.0.2", str(PORT)) == [
        "right SYN-ACK",
        "checksum no answer",
        "offset no answer",
        "reserved SYN-ACK",
        "flags no answer",
        "none no answer",
    ]


def test_the_script_that_explains_a_capture_and_a_live_wire(hosts: tuple[Host, Host]) -> None:
    path = str(ROOT / "captures" / "refused.pcap")
    lines = script(hosts[0], "explain.py", path)
    assert lines[-1] == "1 connections"
    assert lines[1].startswith("    The client sends a SYN to open a connection")
    client, _ = hosts
    argv = [sys.executable, str(ROOT / "examples" / "explain.py"), client.interfaces[0].name, "3"]
    with client.popen(argv, stdout=subprocess.PIPE) as sniffing:

        def has_seen_enough() -> bool:
            client.connect("10.77.0.2", PORT).close()
            return sniffing.poll() is not None

        try:
            eventually(has_seen_enough, "the script to see three segments")
        finally:
            sniffing.kill()
        assert sniffing.stdout is not None
        assert "connections" in sniffing.stdout.read()


def test_scripts_are_short() -> None:
    for path in (ROOT / "examples").glob("*.py"):
        code = path.read_text("utf-8").split('"""', 2)[2]
        assert len([line for line in code.splitlines() if line.strip()]) <= 15
