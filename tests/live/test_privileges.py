"""What a probe may do: CAP_NET_RAW is enough, and of that nothing is left once it has sockets."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import handshake
from tests.live.lab.firewall import drop
from tests.live.lab.namespaces import TIMEOUT, eventually, pair
from tests.live.lab.servers import answering
from tests.live.test_probe import PORT

PROBE = [sys.executable, "-m", "handshake", "probe"]
# Root without the rest, since another user could not read this Python everywhere.
NET_RAW_ALONE = ["setpriv", "--bounding-set", "-all,+net_raw", "--inh-caps", "-all"]
GUARD = """
import sys
from ipaddress import ip_address
from handshake.linux.rst_guard import guard
for address in ("10.77.0.1", "fd77::1"):
    print(guard(ip_address(address), names=[sys.argv[1]]).name)
"""


@pytest.mark.live
def test_cap_net_raw_is_enough() -> None:
    with pair() as (client, server), answering(server):
        argv = [*NET_RAW_ALONE, *PROBE, "--json", f"10.77.0.2:{PORT}", f"[fd77::2]:{PORT}"]
        found = [json.loads(line) for line in client.run(argv).stdout.splitlines()]
    assert {(each["verdict"], each["close"]) for each in found} == {("open", "clean")}
    assert len(found) == 2
    assert {each["guard"] for each in found} <= {"filter", "md5", "minttl"}


@pytest.mark.live
@pytest.mark.parametrize("name", ["md5", "minttl"])
def test_these_guards_hold_with_cap_net_raw_alone(name: str) -> None:
    with pair() as (client, _):
        argv = [*NET_RAW_ALONE, sys.executable, "-c", GUARD, name]
        assert client.run(argv).stdout.split() == [name, name]


@pytest.mark.live
def test_a_table_of_the_firewall_needs_more() -> None:
    with pair() as (client, _):
        argv = [*NET_RAW_ALONE, sys.executable, "-c", GUARD, "owner"]
        run = client.run(argv, check=False)
    assert "owner: operation not permitted (EPERM)" in run.stderr


@pytest.mark.live
@pytest.mark.parametrize("ports", ["9", "9,9"])
@pytest.mark.parametrize(("sudo", "user"), [({}, 65534), ({"SUDO_UID": "7", "SUDO_GID": "8"}, 7)])
def test_once_the_sockets_are_open_it_has_no_right_left(
    ports: str, sudo: dict[str, str], user: int, tmp_path: Path
) -> None:
    # Other users cannot read the program: it has read all that it needs of itself before.
    tmp_path.chmod(0o700)
    assert handshake.__file__ is not None
    shutil.copytree(Path(handshake.__file__).parent, tmp_path / "handshake")
    with pair() as (client, server), drop(server, "input", "tcp dport 9") as rule:
        argv = [*PROBE, f"10.77.0.2:{ports}", "--timeout", "2"]
        running = client.popen(
            argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, env=sudo
        )
        eventually(lambda: rule.packets > 0, "the SYN")
        status = dict(
            line.split(":\t", 1)
            for line in Path(f"/proc/{running.pid}/status").read_text().splitlines()
        )
        out, err = running.communicate(timeout=TIMEOUT)
    assert status["Uid"].split() == [str(user)] * 4
    assert status["Gid"].split() == [sudo.get("SUDO_GID", "65534")] * 4
    assert status["Groups"].split() == []
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(status[name], 16) == 0
    assert status["NoNewPrivs"] == "1"
    assert (running.returncode, err) == (1, "")
    assert "FILTERED" in out.upper()
    # The output is complete.
    assert "or the host is down or overloaded" in " ".join(out.split())


@pytest.mark.live
@pytest.mark.parametrize(
    "sudo",
    [
        {"SUDO_UID": "99999999999", "SUDO_GID": "99999999999"},
        {"SUDO_UID": "4294967295", "SUDO_GID": "4294967295"},  # to the kernel: change nothing
        {"SUDO_UID": "4294967296", "SUDO_GID": "0"},
        {"SUDO_UID": "-1", "SUDO_GID": "x"},
        {"SUDO_UID": "9" * 5000, "SUDO_GID": "\u0669"},
    ],
    ids=lambda sudo: sudo["SUDO_UID"][:12],
)
def test_an_impossible_sudo_user_is_replaced_by_nobody(sudo: dict[str, str]) -> None:
    code = "from handshake.linux.privileges import drop; import os; drop(); "
    code += "print(*os.getresuid(), *os.getresgid(), *os.getgroups())"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | sudo, capture_output=True, text=True
    )
    assert (done.stdout.split(), done.stderr) == (["65534"] * 6, "")
