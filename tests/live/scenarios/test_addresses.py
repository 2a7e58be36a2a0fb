"""Scenarios 14, 15 and 24: link-local addresses, this very host, and names."""

import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from handshake.errors import UsageError
from handshake.prober import Close, Target, Verdict
from tests.live.lab.exchanges import CLEAN, of_a_kernel
from tests.live.lab.figures import draw, segments
from tests.live.lab.namespaces import Host, join, pair
from tests.live.lab.probing import PORT, call, target
from tests.live.lab.servers import answering
from tests.live.lab.tcpdump import capture
from tests.live.test_probe import serving
from tests.schema import valid

PROBE = [sys.executable, "-m", "handshake", "probe"]
LINK_LOCAL = "fe80::ff:fe00:2"
"""The server's, made from its MAC."""

both_engines = pytest.mark.parametrize("many", [False, True], ids=["alone", "many"])


@pytest.mark.live
@both_engines
def test_14_link_local(many: bool, tmp_path: Path) -> None:
    path = tmp_path / "wire.pcap"
    with pair() as (client, server), serving(server), capture(server, "eth0", path):
        result = call(client, f"[{LINK_LOCAL}%eth0]:{PORT}", many=many)
    assert (result.verdict, result.close) == (Verdict.OPEN, Close.CLEAN)
    assert result.address == f"{LINK_LOCAL}%eth0"
    assert of_a_kernel(draw(path, "fe80::ff:fe00:1")) == CLEAN
    assert result.negotiated is not None
    assert result.negotiated.mss == 1440


@pytest.mark.live
@pytest.mark.parametrize(
    ("scope", "output"),
    [
        ("", f"{LINK_LOCAL} is link-local: name the interface, as in {LINK_LOCAL}%eth0"),
        ("%eth7", f"{LINK_LOCAL}%eth7: no such interface: eth7"),
    ],
)
def test_14_link_local_without_a_link(scope: str, output: str, tmp_path: Path) -> None:
    path = tmp_path / "wire.pcap"
    asked = f"[{LINK_LOCAL}{scope}]:{PORT}"
    with pair() as (client, server), answering(server), capture(server, "eth0", path):
        with client.entered(), pytest.raises(UsageError) as raised:
            Target.parse(asked)
        run = client.run([*PROBE, asked, "--json"], check=False)
    assert str(raised.value) == output
    assert (run.returncode, run.stdout) == (2, "")
    assert output in run.stderr
    assert len(run.stderr.splitlines()) == 1
    assert segments(path) == []


@pytest.mark.live
@both_engines
@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "::1", "10.77.0.1", "fd77::1", "::ffff:127.0.0.1", "::ffff:10.77.0.1"],
)
def test_15_the_same_host(address: str, many: bool, tmp_path: Path) -> None:
    path = tmp_path / "wire.pcap"
    with pair() as (client, _), serving(client), capture(client, "lo", path):
        result = call(client, target(address), many=many)
    assert (result.verdict, result.close, result.syn_sent) == (Verdict.OPEN, Close.CLEAN, 1)
    assert result.findings == ()
    assert result.rtt is not None
    assert result.rtt < 0.5
    # A mapped address is an IPv4 address, and is shown as one.
    assert result.address == address.removeprefix("::ffff:")
    flags = [str(each.segment.flags) for each in segments(path) if PORT in ports(each.segment)]
    assert flags[:3] == ["SYN", "SYN-ACK", "ACK"]
    assert flags.count("FIN-ACK") == 2
    assert "RST" not in "".join(flags)
    if not many:
        # Each packet of loopback passes twice, and counts once.
        assert len([each for each in result.segments if each.segment.syn]) == 2
        assert len(result.segments) == len(flags)


def ports(segment: Any) -> set[int]:
    return {segment.source.port, segment.destination.port}


def resolving(folder: Path, hosts: str) -> list[str]:
    """Return a command under which names are looked up in this list, and nowhere else."""
    (folder / "hosts").write_text(hosts)
    (folder / "nsswitch.conf").write_text("hosts: files\n")
    mounts = " && ".join(
        f"mount --bind {shlex.quote(str(folder / name))} /etc/{name}"
        for name in ("hosts", "nsswitch.conf")
    )
    return ["unshare", "--mount", "sh", "-c", f'{mounts} && exec "$@"', "sh"]


def ask(client: Host, folder: Path, hosts: str, *words: str) -> tuple[int, list[dict[str, Any]]]:
    """Return exit code and results of the command, which looks names up in this list."""
    run = client.run([*resolving(folder, hosts), *PROBE, *words, "--json"], check=False)
    found = [json.loads(line) for line in run.stdout.splitlines()]
    for each in found:
        valid(each, "probe")
    return run.returncode, found


@pytest.mark.live
def test_24_a_name_with_both_families(tmp_path: Path) -> None:
    path = tmp_path / "wire.pcap"
    # The list has IPv4 first, but the order of addresses is not the order of the list.
    hosts = "10.77.0.2 both.test\nfd77::2 both.test\n"
    with pair() as (client, server), answering(server), capture(server, "eth0", path):
        code, found = ask(client, tmp_path, hosts, f"both.test:{PORT}")
    assert [(each["address"], each["verdict"], each["close"]) for each in found] == [
        ("fd77::2", "open", "clean"),
        ("10.77.0.2", "open", "clean"),
    ]
    assert {each["target"] for each in found} == {f"both.test:{PORT}"}
    assert code == 0
    called = [each.segment for each in segments(path) if str(each.segment.flags) == "SYN"]
    assert [str(each.destination.address) for each in called] == ["fd77::2", "10.77.0.2"]


@pytest.mark.live
def test_24_one_family_is_open_and_one_is_not(tmp_path: Path) -> None:
    hosts = "10.77.0.2 half.test\nfd77::2 half.test\n"
    with pair() as (client, server), server.listen(9443, "10.77.0.2"):
        code, found = ask(client, tmp_path, hosts, "half.test:9443")
    assert [(each["address"], each["verdict"]) for each in found] == [
        ("fd77::2", "closed"),
        ("10.77.0.2", "open"),
    ]
    # The name can be reached.
    assert code == 0


@pytest.mark.live
def test_24_one_family_has_no_route(tmp_path: Path) -> None:
    hosts = "10.77.0.2 old.test\n2001:db8::2 old.test\n"
    with pair() as (client, server), answering(server):
        code, found = ask(client, tmp_path, hosts, f"old.test:{PORT}")
    assert [(each["address"], each["verdict"]) for each in found] == [
        ("2001:db8::2", "local-error"),
        ("10.77.0.2", "open"),
    ]
    assert "no route" in found[0]["reason"]
    assert code == 0


@pytest.mark.live
def test_24_several_addresses_and_a_name_without_one(tmp_path: Path) -> None:
    hosts = "10.77.0.2 many.test\n10.77.0.3 many.test\nfd77::2 many.test\nfd77::3 many.test\n"
    with pair() as (client, server), answering(server):
        server.ip("addr add 10.77.0.3/24 dev eth0", "addr add fd77::3/64 dev eth0 nodad")
        code, found = ask(client, tmp_path, hosts, f"many.test:{PORT}", f"none.test:{PORT}")
    assert {(each["target"], each["address"], each["verdict"]) for each in found} == {
        (f"many.test:{PORT}", "fd77::2", "open"),
        (f"many.test:{PORT}", "fd77::3", "open"),
        (f"many.test:{PORT}", "10.77.0.2", "open"),
        (f"many.test:{PORT}", "10.77.0.3", "open"),
        (f"none.test:{PORT}", None, "name-error"),
    }
    assert len(found) == 5
    assert code == 3


@pytest.mark.live
@pytest.mark.parametrize("words", [[], ["none.test:1"], ["--connect"]], ids=" ".join)
@pytest.mark.parametrize(
    "address",
    ["0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255", "fe80::9", "::ffff:0.0.0.0"],
)
def test_24_a_name_of_the_unspecified_address(
    address: str, words: list[str], tmp_path: Path
) -> None:
    hosts = f"{address} nobody.test\n"
    # Linux takes the unspecified address for its own: a server here must not be connected to.
    with pair() as (client, _), answering(client), capture(client, "any", tmp_path / "a.pcap"):
        code, found = ask(client, tmp_path, hosts, f"nobody.test:{PORT}", *words)
    result = next(each for each in found if each["target"] == f"nobody.test:{PORT}")
    plain = address.removeprefix("::ffff:")
    assert (result["verdict"], result["address"]) == ("name-error", plain)
    assert result["reason"].startswith(f"nobody.test: {plain} is ")
    assert code == 3
    assert segments(tmp_path / "a.pcap") == []


@pytest.mark.live
def test_24_a_name_of_the_unspecified_address_and_of_a_host(tmp_path: Path) -> None:
    hosts = ":: some.test\n10.77.0.2 some.test\n"
    with pair() as (client, server), answering(server):
        code, found = ask(client, tmp_path, hosts, f"some.test:{PORT}")
    assert [(each["address"], each["verdict"]) for each in found] == [
        ("::", "name-error"),
        ("10.77.0.2", "open"),
    ]
    assert code == 0


@pytest.mark.live
def test_24_no_dry_run_to_the_unspecified_address(tmp_path: Path) -> None:
    with pair() as (client, _):
        argv = [*resolving(tmp_path, "0.0.0.0 no.test\n"), *PROBE, "no.test:1", "--dry-run"]
        run = client.run(argv, check=False)
    assert (run.returncode, run.stdout) == (3, "")
    assert "0.0.0.0 is not a unicast address" in run.stderr


BARRED = """
import errno, os, sys
from handshake.linux import rst_guard
def only_of_root(make):
    def attempt(sock, address):
        if os.geteuid():
            raise OSError(errno.EPERM, "barred")
        return make(sock, address)
    return attempt
rst_guard.METHODS.update({name: only_of_root(make) for name, make in rst_guard.METHODS.items()})
from handshake.cli import main
raise SystemExit(main(["probe", *sys.argv[1:]]))
"""
"""A probe on a kernel where only root may attach the filter."""


@pytest.mark.live
@pytest.mark.parametrize("port", [PORT, 9])
def test_24_every_address_of_ours_is_guarded_while_there_is_a_right_to(
    port: int, tmp_path: Path
) -> None:
    hosts = "".join(f"{each} both.test\n" for each in ("fd77::2", "10.77.0.2", "10.77.1.2"))
    with pair() as (client, server), answering(server), capture(client, "any", tmp_path / "a.pcap"):
        join(client, server, 1)
        argv = [sys.executable, "-c", BARRED, f"both.test:{port}", "--json"]
        env = os.environ | {"SUDO_UID": "65534", "SUDO_GID": "65534"}
        run = client.run([*resolving(tmp_path, hosts), *argv], check=False, env=env)
    found = [json.loads(line) for line in run.stdout.splitlines()]
    assert run.stderr == ""
    verdict = "open" if port == PORT else "closed"
    assert [(each["address"], each["verdict"]) for each in found] == [
        ("fd77::2", verdict),
        ("10.77.0.2", verdict),
        ("10.77.1.2", verdict),
    ]
    # The best of all guards, and each was tried.
    assert {each["guard"] for each in found} == {"filter"}
    assert {note["code"] for each in found for note in each["findings"]} == set()
    clients = {str(each.segment.source.address) for each in segments(tmp_path / "a.pcap")}
    assert {"fd77::1", "10.77.0.1", "10.77.1.1"} <= clients
