"""`handshake probe` with many targets, as it is run."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live.lab.firewall import drop
from tests.live.lab.namespaces import TIMEOUT, pair
from tests.live.lab.servers import answering
from tests.live.test_probe import PORT
from tests.schema import valid

PROBE = [sys.executable, "-m", "handshake", "probe"]


def parts(output: str) -> list[list[str]]:
    """Return the lines between empty ones: results, the reason of each kind, statistics."""
    return [part.splitlines() for part in output.strip().split("\n\n")]


@pytest.mark.live
def test_each_has_a_line_and_a_summary_follows() -> None:
    with pair() as (client, server), answering(server):
        run = client.run([*PROBE, f"10.77.0.2:{PORT},1-3", f"[fd77::2]:{PORT}"], check=False)
    lines, reasons, (summary, rtt) = parts(run.stdout)
    assert len(reasons) == 1
    assert reasons[0].startswith("CLOSED       10.77.0.2:")
    assert " and 2 more: the SYN was answered by a RST: port " in reasons[0]
    assert {tuple(line.split()[:2]) for line in lines} == {
        ("OPEN", f"10.77.0.2:{PORT}"),
        ("OPEN", f"[fd77::2]:{PORT}"),
        ("CLOSED", "10.77.0.2:1"),
        ("CLOSED", "10.77.0.2:2"),
        ("CLOSED", "10.77.0.2:3"),
    }
    assert summary.startswith("5 probes in ")
    assert summary.endswith(": 3 closed, 2 open")
    assert rtt.startswith("rtt min/median/p95/max/stddev = ")
    # No progress bar without a terminal.
    assert (run.returncode, run.stderr) == (1, "")


@pytest.mark.live
@pytest.mark.parametrize("source", ["-", "list"])
def test_a_list_of_targets_as_json(source: str, tmp_path: Path) -> None:
    text = f"# ours\n10.77.0.2:{PORT}\n10.77.0.2 1 # closed\nno-such-host.invalid:80\n"
    name = "-"
    if source != "-":
        name = str(tmp_path / "targets")
        Path(name).write_text(text)
    with pair() as (client, server), answering(server):
        argv = [*PROBE, "--file", name, "--json"]
        run = client.run(argv, stdin=text if source == "-" else "", check=False)
    found = [json.loads(line) for line in run.stdout.splitlines()]
    assert {each["target"]: each["verdict"] for each in found} == {
        f"10.77.0.2:{PORT}": "open",
        "10.77.0.2 1": "closed",
        "no-such-host.invalid:80": "name-error",
    }
    for each in found:
        valid(each, "probe")
        # Where it is asked for, every segment is kept and explained.
        assert (each["client"] is None) == (not each["segments"])
    opened = next(each for each in found if each["verdict"] == "open")
    assert opened["client"]["state"] == "TIME-WAIT"
    assert len(opened["segments"]) >= 6
    assert run.returncode == 3
    assert run.stderr.startswith("3 probes in ")


@pytest.mark.live
def test_repeated_probes_as_ping_does() -> None:
    # Every other SYN is dropped, and none is sent again.
    lost = "tcp flags syn / syn,ack numgen inc mod 2 == 0"
    with pair() as (client, server), answering(server), drop(server, "input", lost):
        options = ["--count", "6", "--interval", "0.1", "--timeout", "0.5", "--retries", "0"]
        run = client.run([*PROBE, f"10.77.0.2:{PORT}", *options], check=False)
    rows, reasons, lines = parts(run.stdout)
    assert sorted(line.split()[0] for line in rows) == ["FILTERED"] * 3 + ["OPEN"] * 3
    assert [line.split()[0] for line in reasons] == ["FILTERED"]
    assert lines[:2] == [f"--- 10.77.0.2:{PORT} ---", "6 probes, 3 answered, 50% loss"]
    assert lines[2].startswith("rtt min/median/p95/max/stddev = ")
    assert run.returncode == 0


@pytest.mark.live
def test_a_bar_on_a_terminal_alone() -> None:
    with pair() as (client, _):
        master, terminal = pty.openpty()
        argv = [*PROBE, "10.77.0.2:1-20", "--rate", "40"]
        env = os.environ | {"TERM": "xterm", "COLUMNS": "80"}
        running = client.popen(argv, stdout=subprocess.PIPE, stderr=terminal, env=env)
        out, _ = running.communicate(timeout=TIMEOUT)
        os.close(terminal)
        shown = os.read(master, 0xFFFF).decode()
        os.close(master)
    assert [len(part) for part in parts(out)] == [20, 1, 2]
    assert "\x1b" not in out
    assert "/20" in shown


@pytest.mark.live
def test_interrupted_it_ends_at_once_with_its_statistics() -> None:
    with pair() as (client, server), drop(server, "input", "tcp dport 9"):
        # A test run in the background is started with SIGINT ignored.
        heeding = ["env", "--default-signal=INT,HUP,TERM"]
        argv = [*heeding, *PROBE, "10.77.0.2:1,9", "--timeout", "30"]
        pipe = subprocess.PIPE
        running = client.popen(argv, stdout=pipe, stderr=pipe)
        assert running.stdout is not None
        first = running.stdout.readline()
        running.send_signal(2)
        out, err = running.communicate(timeout=TIMEOUT)
    assert first.startswith("CLOSED ")
    reasons, statistics = parts(out)
    assert [line.split()[0] for line in reasons] == ["CLOSED"]
    assert statistics[0].startswith("1 probe in ")
    assert (running.returncode, err) == (130, "")


@pytest.mark.live
def test_it_may_go_on_for_years() -> None:
    with pair() as (client, _):
        argv = [
            "env",
            "--default-signal=INT,HUP,TERM",
            *PROBE,
            "10.77.0.2:1",
            "--count",
            str(10**12),
        ]
        pipe = subprocess.PIPE
        running = client.popen(argv, stdout=pipe, stderr=pipe)
        assert running.stdout is not None
        first = running.stdout.readline()
        running.send_signal(2)
        _, err = running.communicate(timeout=TIMEOUT)
    assert first.startswith("CLOSED ")
    assert (running.returncode, err) == (130, "")


@pytest.mark.live
def test_in_the_order_of_the_arguments_or_by_round_trip() -> None:
    with pair() as (client, server), answering(server), drop(server, "input", "tcp dport 9"):
        words = [f"10.77.0.2:9,{PORT},1", "--timeout", "0.3", "--retries", "0"]
        given = client.run([*PROBE, *words, "--sort", "arguments"], check=False).stdout
        fastest = client.run([*PROBE, *words, "--sort", "rtt", "--json"], check=False).stdout
        brief = client.run([*PROBE, *words, "--sort", "verdict", "--brief"], check=False).stdout
    assert [line.split()[0] for line in parts(given)[0]] == ["FILTERED", "OPEN", "CLOSED"]
    rtts = [json.loads(line)["rtt"] for line in fastest.splitlines()]
    assert rtts[:2] == sorted(rtts[:2])
    assert rtts[2] is None
    # Brief: no reasons, and still a cause in each row.
    rows = brief.splitlines()
    assert [line.split()[0] for line in rows[:3]] == ["OPEN", "CLOSED", "FILTERED"]
    assert rows[1].endswith("  RST")
    assert rows[2].endswith("  no answer to 1 SYN")
    assert rows[3].startswith("3 probes in ")
