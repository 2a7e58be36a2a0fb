"""`handshake watch` over real links: what tcpdump sees, and what `list` says of it."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

import handshake
from tests.cli.terminal import Terminal
from tests.live.lab.delayed_link import TUN, tun
from tests.live.lab.firewall import drop
from tests.live.lab.namespaces import TIMEOUT, Host, eventually, pair
from tests.live.lab.tcpdump import WHOLE, capture
from tests.live.lab.traffic import frames, inject
from tests.live.lab.watch_rate import WATCH, run, watched
from tests.live.test_cli import NO_RIGHT

PORT = 8080
ETHERNET = 14
RUN = "import sys; sys.path.insert(0, {!r}); from handshake.__main__ import main; main()"
"""A program from a copy of the package."""

V4, V6 = "10.77.0.2", "fd77::2"

pytestmark = pytest.mark.live


def ended(watch: subprocess.Popen[str]) -> tuple[str, str]:
    """End it by Ctrl-C; return what it printed."""
    watch.send_signal(signal.SIGINT)
    found = watch.communicate(timeout=4 * TIMEOUT)
    assert watch.returncode == 130, (watch.returncode, found)
    return found


def talk(client: Host, server: Host, address: str, count: int) -> None:
    """Open and close connections, one after another."""
    with server.listen(PORT) as listener:
        for _ in range(count):
            with client.connect(address, PORT) as sock:
                accepted, _ = listener.accept()
                accepted.close()
                sock.recv(1)


def listed(path: Path) -> list[dict[str, object]]:
    argv = [sys.executable, "-m", "handshake", "list", str(path), "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return [json.loads(each) | {"capture": None} for each in done.stdout.splitlines()]


def test_it_sees_what_tcpdump_sees(tmp_path: Path) -> None:
    path = tmp_path / "wire.pcap"
    with pair() as (client, server):
        watch = watched(server, "-i", "eth0", "--json")
        with capture(server, "eth0", path, nano=True, snap=WHOLE):
            talk(client, server, V4, 30)
            talk(client, server, V6, 30)
        out, err = ended(watch)
    found = [json.loads(each) for each in out.splitlines()]
    assert len(found) == 60
    # One may have captured a packet before the other: the numbers of frames may differ.
    keys = ("client", "server", "outcome", "closed", "history", "completeness")
    assert [{key: each[key] for key in keys} for each in found] == [
        {key: each[key] for key in keys} for each in listed(path)
    ]
    assert err.splitlines()[-1].endswith(" 0 lost")


def test_it_sees_what_tcpdump_sees_of_ten_thousand_handshakes(tmp_path: Path) -> None:
    path, out = tmp_path / "wire.pcap", tmp_path / "records.json"
    net, count = "net 198.18.0.0/15", 10_000
    with pair() as (client, server), out.open("w") as file:
        watch = watched(server, "-i", "eth0", "--json", net, out=file)
        # What waits for both has room: none of it may be lost, however busy the machine is.
        with capture(server, "eth0", path, only=net, nano=True, snap=128, room=1 << 16):
            sent = inject(client, "eth0", server.interfaces[0].mac, 5000, count)
        _, err = ended(watch)
    assert err.splitlines()[-1] == f"{sent} packets seen, 0 lost"
    found = {each["stream"]: each for each in map(json.loads, out.read_text().splitlines())}
    assert len(found) == count
    differing = ("capture", "start", "time", "duration", "handshake")  # by the clock
    for each in listed(path):
        theirs = found[each["stream"]]
        assert {key: theirs[key] for key in each if key not in differing} == {
            key: each[key] for key in each if key not in differing
        }
    assert {each["outcome"] for each in found.values()} == {"established"}


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("words", [(), ("-i", "lo")])
def test_over_loopback_each_packet_is_seen_once(words: tuple[str, ...], address: str) -> None:
    with Host("alone") as host:
        watch = watched(host, *words, "--json", "-c", "1", f"port {PORT}")
        talk(host, host, address, 1)
        out, _ = watch.communicate(timeout=TIMEOUT)
    (found,) = map(json.loads, out.splitlines())
    assert (found["outcome"], found["closed"]) == ("established", "fin")
    assert found["client"]["copies"] == found["server"]["copies"] == 0


def test_a_pipe_gets_a_line_a_handshake() -> None:
    with pair() as (client, server):
        watch = watched(client)
        talk(client, server, V4, 1)
        with pytest.raises(ConnectionRefusedError):
            client.connect(V4, 81)
        assert watch.stdout is not None
        shown = [watch.stdout.readline().split() for _ in range(3)]
        assert ended(watch)[0] == ""
        assert watch.returncode == 130
    names, *rows = shown
    found = [dict(zip(names, row, strict=False)) for row in rows]
    assert [each["outcome"] for each in found] == ["established", "refused"]
    assert [each["server"] for each in found] == [f"{V4}:{PORT}", f"{V4}:81"]


def test_problems_and_filters_select() -> None:
    with pair() as (client, server):
        words = ("--problems", "--filter", f"server == {V4}:81", "-c", "1")
        watch = watched(client, *words)
        talk(client, server, V4, 2)
        for port in (82, 81):
            with pytest.raises(ConnectionRefusedError):
                client.connect(V4, port)
        out, _ = watch.communicate(timeout=TIMEOUT)
    assert watch.returncode == 0
    (row,) = out.splitlines()[1:]
    assert f"{V4}:81" in row


@pytest.mark.parametrize(
    ("words", "seen"),
    [
        ("port 8080", {V4, V6}),
        ("host 10.77.0.2 and port 8080", {V4}),
        ("net fd77::/64", {V6}),
        ("host 10.77.0.9", set()),
        ("port 8081", set()),
        ("tcp src port 8080 or dst port 8080", {V4, V6}),
        ("ip6 and tcp", {V6}),
    ],
)
@pytest.mark.parametrize("interface", [("-i", "eth0"), ()])
def test_filters_are_the_kernels(words: str, seen: set[str], interface: tuple[str, ...]) -> None:
    with pair() as (client, server):
        watch = watched(server, *interface, "--json", words)
        for address in (V4, V6):
            talk(client, server, address, 1)
        out, err = ended(watch)
    assert {json.loads(each)["server"]["address"] for each in out.splitlines()} == seen
    if not seen:
        assert err.splitlines()[-1] == "0 packets seen, 0 lost"


@pytest.mark.parametrize(
    ("words", "count"),
    [
        ("port 443", 7),
        ("tcp src port 443 or dst port 443", 7),
        ("tcp[tcpflags] & tcp-syn != 0 and host 198.19.0.2 and not port 80", 2),
        ("ip6 and tcp", 0),
        ("udp or tcp[tcpflags] & tcp-fin != 0", 2),
        ("ether src host 02:00:00:00:00:01", 0),
    ],
)
@pytest.mark.parametrize("interface", [("-i", TUN), ()])
def test_filters_fit_an_interface_without_ethernet(
    words: str, count: int, interface: tuple[str, ...]
) -> None:
    with Host("alone") as host, tun(host) as device:
        watch = watched(host, *interface, words)
        for each in frames(0, "02:00:00:00:00:02"):
            os.write(device, each[ETHERNET:])
        _, err = ended(watch)
    assert err.splitlines()[-1] == f"{count} packets seen, 0 lost"


def test_a_capture_that_arrives_by_a_pipe() -> None:
    with pair() as (client, server):
        tcpdump = ["tcpdump", "-Z", "root", "-n", "-U", "--immediate-mode", "-i", "eth0", "-w", "-"]
        source = server.popen(
            [*tcpdump, f"tcp port {PORT}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert source.stderr is not None
        assert any("listening" in line for line in source.stderr)
        watch = server.popen(
            [*NO_RIGHT, *WATCH, "-r", "-", "-c", "2"],
            stdin=source.stdout,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        talk(client, server, V4, 2)
        out, _ = watch.communicate(timeout=TIMEOUT)
        source.kill()
        source.communicate()
    assert [row.split()[3] for row in out.splitlines()[1:]] == ["established"] * 2


def test_what_the_kernel_has_no_room_for_is_counted() -> None:
    with pair() as (client, server):
        mac = server.interfaces[0].mac
        watch = watched(server, "-i", "eth0", "--json", "--buffer", "2M", "net 198.18.0.0/15")
        watch.send_signal(signal.SIGSTOP)
        sent = inject(client, "eth0", mac, 50_000, 5000)
        watch.send_signal(signal.SIGCONT)
        _, err = ended(watch)
    found = re.search(r"([\d,]+) packets seen, ([\d,]+) lost", err)
    assert found is not None
    seen, lost = (int(each.replace(",", "")) for each in found.groups())
    assert lost > 0
    assert seen + lost == sent


def test_the_records_are_those_of_list_over_the_written_file() -> None:
    found = run(300, 600)
    assert (found.sent, found.lost) == (found.packets, 0)
    assert len(found.records) == 600
    assert found.records == found.listed


def test_the_table_follows_a_connection_segment_by_segment(tmp_path: Path) -> None:
    # Other users cannot read the program: it has read all that it needs of itself before.
    tmp_path.chmod(0o700)
    assert handshake.__file__ is not None
    shutil.copytree(Path(handshake.__file__).parent, tmp_path / "handshake")
    words = ["-i", "eth0", "--lang", "en", f"port {PORT} or port 81 or port 9"]
    with pair() as (client, server), drop(server, "input", "tcp dport 9"), ExitStack() as stack:
        with server.entered():
            args = ["-P", "-c", RUN.format(str(tmp_path)), "watch", *words]
            terminal = stack.enter_context(Terminal(args))
        terminal.see("watch  eth0")
        listener = stack.enter_context(server.listen(PORT))
        sock = stack.enter_context(client.connect(V4, PORT))
        accepted = stack.enter_context(listener.accept()[0])
        terminal.see(f":{PORT}")
        terminal.see("ESTABLISHED")
        terminal.press("\r")
        terminal.see("step 3/3  ACK")
        sock.sendall(b"hello")
        terminal.see("step 5/5")
        accepted.sendall(b"hello")
        terminal.see("step 7/7")
        terminal.press("k")
        terminal.see("step 6/7")
        assert accepted.recv(5) == sock.recv(5) == b"hello"
        accepted.close()
        sock.close()
        terminal.press("G")
        terminal.see("TIME-WAIT")
        terminal.press("q")
        terminal.see("closed: fin")
        with pytest.raises(ConnectionRefusedError):
            client.connect(V4, 81)
        terminal.see("refused ")
        with client.entered(), socket.socket() as silent:
            silent.setblocking(False)
            silent.connect_ex((V4, 9))
            terminal.see("SYN-SENT/—")
            terminal.see("S1")  # sent again after a second
        status = {
            name: value
            for task in Path(f"/proc/{terminal.process.pid}/task").iterdir()
            for name, _, value in (
                line.partition(":\t") for line in (task / "status").read_text().splitlines()
            )
            if name in ("CapPrm", "CapEff", "Uid") and int(value.split()[0], 16)
        }
        assert status == {"Uid": "\t".join(["65534"] * 4)}
        terminal.press("q")
        assert terminal.end() == 0
        assert " packets seen, 0 lost" in terminal.output
        assert terminal.mode == terminal.before


def test_no_promiscuous_mode_unless_asked() -> None:
    with pair() as (_, server):

        def flags() -> int:
            shown = server.run(["ip", "-d", "link", "show", "dev", "eth0"]).stdout
            found = re.search(r"promiscuity (\d+)", shown)
            assert found is not None
            return int(found[1])

        before = flags()
        watch = watched(server, "-i", "eth0")
        assert flags() == before
        ended(watch)
        watch = watched(server, "-i", "eth0", "--promiscuous")
        assert flags() == before + 1
        watch.kill()
        watch.communicate()
        eventually(lambda: flags() == before, "the end of promiscuous mode")


def test_the_process_keeps_no_privilege() -> None:
    with Host("alone") as host:
        watch = watched(host)
        status = Path(f"/proc/{watch.pid}/status").read_text()
        ended(watch)
    found = dict(each.split(":\t", 1) for each in status.splitlines())
    assert found["Uid"].split() == ["65534"] * 4
    assert int(found["CapEff"], 16) == int(found["CapPrm"], 16) == 0


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (("-i", "eth7"), 2, "error: no interface eth7: there are lo\n"),
        (("-i", "lo", "-r", "-"), 2, "error: -i and -r are mutually exclusive\n"),
        (("--promiscuous",), 2, "error: --promiscuous needs the interface: -i NAME\n"),
        (("what is this",), 2, "error: 'what is this' is no filter: "),
        (("--filter", "outcome = ="), 2, "error: "),
        (("--buffer", "lots"), 2, "error: --buffer lots: "),
        (("-r", "/dev/null"), 2, "error: /dev/null: "),
    ],
)
def test_what_cannot_be_watched_is_an_error(words: tuple[str, ...], code: int, line: str) -> None:
    with Host("alone") as host:
        done = host.run([*WATCH, *words], check=False)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(line)
    assert done.stderr.count("\n") == 1


def test_without_the_privilege_it_says_what_to_do() -> None:
    with Host("alone") as host:
        done = host.run([*NO_RIGHT, *WATCH], check=False)
    assert done.returncode == 3
    assert done.stderr.startswith("error: capturing packets needs CAP_NET_RAW: run sudo ")
    assert done.stderr.count("\n") == 1


def test_what_is_killed_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "all.pcapng"
    with pair() as (client, server):
        watch = watched(server, "-i", "eth0", "-w", str(path))
        talk(client, server, V4, 3)
        eventually(lambda: path.stat().st_size > 3 * 7 * 60, "the packets in the file")
        watch.kill()
        watch.communicate()
    # The file is whole.
    assert [each["outcome"] for each in listed(path)] == ["established"] * 3
