"""`--export`: every form of every connection, and what is wrong with a name."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Final

import pytest
from rich.cells import cell_len

from handshake.capture.output import kept_open, replaced
from handshake.errors import LocalError, UsageError
from handshake.export.formats import FORMATS, format_of
from tests.cli.test_help import run
from tests.oracle import tshark
from tests.schema import valid

ROOT: Final = Path(__file__).parents[2]
ENDINGS: Final = tuple(each.ending for each in FORMATS)


def export(command: str, capture: str, path: Path, *args: str) -> str:
    """Export, and return what the file has; `run` would take --json for that of the output."""
    done = run(command, capture, "--export", str(path), *args)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "wrote " in done.stderr
    return path.read_bytes().decode("utf-8", "replace")


def test_every_form_of_every_capture(tmp_path: Path) -> None:
    records = [json.loads(each) for each in run("list", "captures", "--json").stdout.splitlines()]
    places = {(each["capture"], each["stream"]) for each in records}
    assert len(places) > 40
    for ending in ENDINGS:
        written = export("list", "captures", tmp_path / f"it.{ending}")
        match ending:
            case "json":
                found = json.loads(written)
                told = [each["record"] for each in found["connections"]]
                assert {(each["capture"], each["stream"]) for each in told} == places
                assert all(each["steps"] for each in found["connections"])
                for each in found["connections"][::10]:
                    valid({**found, "connections": [each]}, "export")
            case "txt":
                assert max(map(cell_len, written.splitlines())) <= 100
                assert len(re.findall(r"^ +m?s CLIENT", written, re.MULTILINE)) == len(places)
            case "md":
                assert written.count("sequenceDiagram") == min(50, len(places))
            case "svg":
                assert ET.fromstring(written).tag == "{http://www.w3.org/2000/svg}svg"
                assert "more connections are left out" in written


def test_one_connection_of_several(tmp_path: Path) -> None:
    found = json.loads(
        export("replay", "captures/mixed.pcap", tmp_path / "it.json", "--connection", "3")
    )
    assert [each["record"]["stream"] for each in found["connections"]] == [2]
    assert found["title"].startswith("#3 ")
    done = run("replay", "captures/mixed.pcap", "--connection", "99", "--export", "-.md")
    assert (done.returncode, done.stdout) == (2, "")


def test_filter_and_order_are_kept(tmp_path: Path) -> None:
    args = ("--filter", "outcome == refused", "--sort", "-#")
    found = json.loads(export("list", "captures/mixed.pcap", tmp_path / "it.json", *args))
    numbers = [each["record"]["stream"] for each in found["connections"]]
    assert len(numbers) == 2
    assert numbers == sorted(numbers, reverse=True)
    assert "outcome == refused" in found["title"]


@tshark.needed
def test_wireshark_reads_the_packets_and_their_comments(tmp_path: Path) -> None:
    path = tmp_path / "it.pcapng"
    export("list", "captures/mixed.pcap", path, "--filter", "outcome in {refused, unreachable}")
    fields = ["frame.number", "frame.comment", "tcp.stream", "icmp.type", "icmpv6.type"]
    program = [str(tshark.PROGRAM), "-n", "-r", str(path), "-T", "fields"]
    program += [word for name in fields for word in ("-e", name)]
    rows = subprocess.run(program, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(rows) == 8
    assert all("from the" in each or "reports" in each for each in rows)
    assert sum("a RST came back" in each for each in rows) == 2
    original = tshark.rows(ROOT / "captures" / "mixed.pcap", ["seq_raw", "flags"])
    exported = tshark.rows(path, ["seq_raw", "flags"])
    assert all(each in original.values() for each in exported.values())
    assert len(exported) == 6


def test_standard_input_and_output() -> None:
    octets = (ROOT / "captures" / "refused.pcap").read_bytes()
    for args in (["replay"], ["list"]):
        program = [sys.executable, "-m", "handshake", *args, "-", "--export", "-.json"]
        done = subprocess.run(program, input=octets, capture_output=True, check=True)
        (found,) = json.loads(done.stdout)["connections"]
        assert found["record"]["capture"] == "standard input"
        assert len(found["steps"]) == 2
        assert done.stderr == b""


@pytest.mark.parametrize("command", ["list", "replay", "probe"])
def test_another_ending_is_an_error_that_lists_them(command: str) -> None:
    target = "127.0.0.1:9" if command == "probe" else "captures/refused.pcap"
    done = run(command, target, "--export", "it.pdf")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: --export 'it.pdf': the name must end in ")
    assert all(f".{each}" in done.stderr for each in ENDINGS)
    assert not Path("it.pdf").exists()


@pytest.mark.parametrize(
    "args",
    [
        ("list", "captures/refused.pcap", "--json"),
        ("list", "captures/refused.pcap", "--summary"),
        ("replay", "captures/refused.pcap", "--json"),
        ("replay", "captures/refused.pcap", "--speed", "2"),
        ("probe", "127.0.0.1:9", "--trace"),
        ("probe", "127.0.0.1:9", "--dry-run"),
        ("probe", "127.0.0.1:9", "--adopt"),
    ],
)
def test_what_it_excludes(args: tuple[str, ...], tmp_path: Path) -> None:
    done = run(*args, "--export", str(tmp_path / "it.txt"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "--export" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_replaced_only_by_a_whole_one(tmp_path: Path) -> None:
    path = tmp_path / "it.txt"
    path.write_text("before", encoding="utf-8")

    def interrupted() -> None:
        with replaced(str(path)) as out:
            out.write(b"half of it")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [each.name for each in tmp_path.iterdir()] == ["it.txt"]
    assert path.read_text("utf-8") == "before"
    link = tmp_path / "link.txt"
    link.symlink_to(path)
    with replaced(str(link)) as out:
        out.write(b"after")
    assert link.is_symlink()
    assert path.read_text("utf-8") == "after"
    with kept_open(str(path)) as write:
        assert path.read_text("utf-8") == "after"
        write(b"new")
    assert path.read_text("utf-8") == "new"


def test_what_cannot_be_written(tmp_path: Path) -> None:
    def write(name: str, octets: bytes = b"x" * 100_000) -> None:
        with replaced(name) as out:
            out.write(octets)

    with pytest.raises(UsageError):
        write(str(tmp_path / "no" / "it.txt"))
    with pytest.raises(UsageError):
        write(str(tmp_path))
    with pytest.raises(LocalError):
        write("/dev/full")
    write("/dev/null")


def test_the_form_of_a_name() -> None:
    known = {"-": "txt", "-.md": "md", "A/B.PcapNG": "pcapng", "a.json": "json"}
    assert {name: format_of(name).ending for name in known} == known
    for name in ("", ".", "json.d/x", "a.md.gz", "notes"):
        with pytest.raises(UsageError):
            format_of(name)


def test_a_probe_writes_what_it_saw(tmp_path: Path) -> None:
    path = tmp_path / "it.json"
    done = run("probe", "127.0.0.1:9", "--connect", "-q", "--export", str(path))
    assert done.returncode == 1
    found = json.loads(path.read_text("utf-8"))
    valid(found, "export")
    assert found["connections"][0]["probe"]["verdict"] == "closed"
