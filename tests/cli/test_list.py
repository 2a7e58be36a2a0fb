"""`handshake list`: as lines, as JSON, CSV and conn.log, in totals, and on a terminal."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from handshake.query.keys import KEYS, SHORT
from handshake.query.problems import is_problem
from handshake.survey import records
from tests.cli import preloaded
from tests.cli.terminal import Terminal
from tests.cli.test_help import ROOT, run
from tests.survey.made import packets, save, written

if TYPE_CHECKING:
    from pathlib import Path

CAPTURES = ROOT / "captures"
ALL = sorted(str(each.relative_to(ROOT)) for each in CAPTURES.glob("*.pcap"))
MIXED = "captures/mixed.pcap"
REFUSED = "captures/refused.pcap"

PROBLEMS = [each.stream for each in records(ROOT / MIXED) if is_problem(each)]

UP, DOWN, END = "\x1b[A", "\x1b[B", "\x1b[F"


def test_a_pipe_gets_an_aligned_line_each() -> None:
    done = run("list", MIXED, "--filter", "stream in {2, 8, 23}")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        (
            "start                          # ok outcome     client                server  "
            "                   rtt retry  resent packets   octets closed        "
            "diagnosis            findings"
        ),
        (
            "2026-11-22T11:58:28.399240Z    3 ✗  no-answer   10.77.0.1:41009       10.77.0.2:9 "
            "                 - S1          -       2        0 -             "
            "silent-filter        no-answer"
        ),
        (
            "2026-11-22T11:58:28.442909Z    9 !  established 10.77.0.1:41001       10.77.0.2:80"
            "            10.7ms S1          -      11       76 fin           "
            "syn-lost             syn-lost"
        ),
        (
            "2026-11-22T11:58:28.475820Z   24 ·  mid-stream  10.77.0.1:41000       10.77.0.2:80"
            "                 - -           -       4       76 -             "
            "-                    mid-stream"
        ),
    ]


def test_lines_of_several_captures_name_them_and_can_be_counted() -> None:
    done = run("list", *ALL, "--ascii")
    assert done.stdout.isascii()
    lines = done.stdout.splitlines()
    assert len(lines) == 1 + 47
    assert {len(line.split()) for line in lines} == {15}
    assert [line.split()[1] for line in lines[1:4]] == [ALL[0], ALL[1], ALL[1]]
    assert run("list", *ALL, PYTHONIOENCODING="ascii").stdout == done.stdout
    assert run("list", *ALL, FORCE_COLOR="1").stdout == run("list", *ALL).stdout


@pytest.mark.parametrize("path", ALL)
def test_every_form_of_every_capture_has_the_same_rows(path: str) -> None:
    whole = list(records(ROOT / path))
    as_json = [json.loads(line) for line in run("list", path, "--json").stdout.splitlines()]
    assert [each["stream"] for each in as_json] == [each.stream for each in whole]
    assert {each["capture"] for each in as_json} == {path}
    assert all({"client", "server", "handshake", "findings"} <= set(each) for each in as_json)
    names, *rows = csv.reader(run("list", path, "--csv").stdout.splitlines())
    assert names == list(KEYS)
    assert [row[names.index("stream")] for row in rows] == [str(each.stream) for each in whole]
    log = run("list", path, "--zeek").stdout.splitlines()
    assert log[0] == r"#separator \x09"
    assert log[-1].startswith("#close\t")
    assert len([line for line in log if not line.startswith("#")]) >= len(whole)
    assert len(run("list", path).stdout.splitlines()) == 1 + len(whole)
    totals = json.loads(run("list", path, "--summary", "--json").stdout)
    assert totals["connections"] == len(whole)


def test_totals_of_the_parts_of_one_capture() -> None:
    parts = [str(CAPTURES / each) for each in ("refused.pcap", "mixed.pcap")]
    out = run("list", *parts, "--merge", "--summary").stdout
    assert out.startswith("26 connections in one capture of 2 files, 178 segments, ")


def test_totals_of_all_captures() -> None:
    out = run("list", *ALL, "--summary", COLUMNS="80").stdout
    assert out.startswith("47 connections in 19 captures, 351 segments, ")
    assert "\nestablished           35   74.5%\nrefused                3    6.4%\n" in out
    assert re.search(r"\nhandshake rtt  min 0.060  median 10\.\d  p95 \d+\.\d  max 60.7 ms\n", out)
    assert "\nretransmitted  SYN 7, SYN-ACK " in out
    assert "\nrefusing       10.77.0.2:81 (2), [fd77::2]:81 (1)\n" in out
    assert all(len(line) <= 80 for line in out.splitlines())


def test_a_scan_is_one_line_of_the_totals(tmp_path: Path) -> None:
    # The same SYN, to two thousand ports.
    syn, _ = packets("refused")[0]
    scan = [
        (syn[:36] + port.to_bytes(2, "big") + syn[38:], port * 10**6) for port in range(1, 2001)
    ]
    out = run("list", str(save(tmp_path / "scan.pcap", scan)), "--summary").stdout
    assert len(re.findall(r"^ ! ", out, re.MULTILINE)) == 1
    assert " ! Port scan: 2000 connections from 10.77.0.1 to 10.77.0.2" in out


def test_filter_sort_and_problems() -> None:
    def streams(*args: str) -> list[int]:
        out = run("list", MIXED, "--json", *args).stdout
        return [json.loads(line)["stream"] for line in out.splitlines()]

    assert streams("--filter", "outcome == refused") == [3, 6]
    assert streams("--filter", "outcome == refused", "--sort", "-stream") == [6, 3]
    assert streams("--problems") == PROBLEMS
    slowest = streams("--filter", "handshake.rtt", "--sort", "-handshake.rtt,stream")
    assert slowest[0] == 8
    assert run("list", MIXED, "--zeek", "--filter", "stream < 0").stdout.count("\n") == 9
    assert run("list", MIXED, "--filter", "stream < 0").stdout == ""


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ([], "error: Missing argument 'CAPTURE...'"),
        ([MIXED, "--json", "--csv"], "error: --json and --csv are mutually exclusive"),
        (["-", "-"], "error: standard input can be read only once: - was given 2 times"),
        ([MIXED, "--summary", "--zeek"], "error: --summary and --zeek are mutually exclusive"),
        (
            [MIXED, "--filter", "rt > 2"],
            "error: filter, column 1, 'rt': no such key: did you mean rtt?",
        ),
        ([MIXED, "--sort", "rt"], "error: --sort 'rt': no such key: did you mean rtt?"),
        (
            [MIXED, "--sort", "zzz"],
            "error: --sort 'zzz': no such key: the most used are #, outcome, client, server, rtt,",
        ),
        (
            [MIXED, "--filter", "outcome == open"],
            "error: filter, column 12, 'open': outcome is established, refused, no-answer, ",
        ),
        (
            [MIXED, "--filter", "start > 30"],
            "error: filter, column 9, '30': start is a time, such as 2026-11-22 or ",
        ),
        (["no-such-file"], "error: no-such-file: no such file"),
        (["docs"], "error: docs: no captures in this directory"),
        (["docs/*.txt"], "error: docs/*.txt: no such file, and no file matches it"),
        (["README.md", "--csv"], "error: README.md: a text file, not a capture"),
        (["no\x1b[2Jfile"], "error: 'no\\x1b[2Jfile': no such file"),
    ],
)
def test_wrong_usage_is_one_line(args: list[str], error: str) -> None:
    done = run("list", *args)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(error)
    assert done.stderr.count("\n") == 1


def test_readable_files_are_listed_and_the_others_reported(tmp_path: Path) -> None:
    cut = tmp_path / "cut.pcap"
    cut.write_bytes((ROOT / REFUSED).read_bytes()[:-1])
    done = run("list", "README.md", REFUSED, str(cut), "--json")
    assert done.returncode == 2
    assert done.stdout.count("\n") == 2
    assert done.stderr.splitlines() == [
        f"warning: {cut}: truncated at offset 114: packet 2 is incomplete",
        "error: README.md: a text file, not a capture: save a capture with tcpdump -w FILE",
    ]
    none = run("list", "README.md", "docs")
    assert (none.returncode, none.stdout, none.stderr.count("\n")) == (2, "", 2)


def test_parts_of_one_capture_are_merged(tmp_path: Path) -> None:
    frames = packets("mixed")
    parts = [str(save(tmp_path / "b", frames[:90])), str(save(tmp_path / "a", frames[90:]))]
    apart = run("list", *parts, "--json").stdout.splitlines()
    merged = [
        json.loads(line)
        for line in run("list", *parts[::-1], "--merge", "--json").stdout.splitlines()
    ]
    assert len(apart) > 25
    assert len(merged) == 25
    assert [each["capture"] for each in merged] == [
        parts[0] if each["frames"][0] <= 90 else parts[1] for each in merged
    ]


def test_the_first_line_does_not_wait_for_the_last_packet() -> None:
    first, later = packets("open-close-v4", since=0), packets("refused", since=200)
    later += packets("no-answer", since=200)[:1]  # another, so that the time is believed
    with subprocess.Popen(
        [sys.executable, "-m", "handshake", "list", "-", "--json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(written([*first, *later]))
        process.stdin.flush()
        line = json.loads(process.stdout.readline())
        assert (line["capture"], line["frames"]) == ("standard input", [1, 10])
        process.stdin.close()
        assert [json.loads(line)["outcome"] for line in process.stdout] == ["refused", "no-answer"]


def test_a_reader_who_has_enough_ends_it_quietly() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as nobody:
        for form in ("--json", "--csv", "--zeek", "--plain", "--summary"):
            ended = preloaded.run(("list", MIXED, form), dict(os.environ), out=nobody)
            assert (ended.returncode, ended.stderr) == (1, "")


def opened(*args: str, columns: int = 80, lines: int = 24) -> Terminal:
    return Terminal(["-m", "handshake", "list", *args], columns, lines)


def test_keys_lead_through_a_list() -> None:
    with opened(MIXED) as terminal:
        terminal.see("filter none   sort #   shown 25")
        terminal.see(
            "Enter open  / find  :N go  s sort  n problem  b servers  D diff  ? keys  q quit"
        )
        terminal.see("── #1  10.77.0.1:41002 → 10.77.0.2:80  packets 1-10 · tcp.stream == 0 ──")
        terminal.see("ESTABLISHED  ◀───────── SYN-ACK seq=0 ack=1 win=65160 ── SYN-RECEIVED")
        for key, expected in (
            (DOWN, "── #2  10.77.0.1:41002"),
            (UP, "── #1  10.77.0.1:41002"),
            (END, "── #25  10.77.0.1:41030"),
            ("s", "sort outcome   shown 25"),
            ("o", f"filter not ok   sort outcome   shown {len(PROBLEMS)} of 25"),
            ("o", "filter none   sort outcome   shown 25"),
            ("?", "The list of connections"),
            ("x", "sort outcome   shown 25"),
            ("\x1b[<0;30;5M", "── #2"),
            ("\x1b[<65;1;1M", "── #11"),
        ):
            terminal.press(key)
            terminal.see(expected)
        terminal.press("q")
        assert terminal.end() == 0
        assert terminal.mode == terminal.before


def test_a_filter_is_typed_mended_and_left() -> None:
    with opened(MIXED) as terminal:
        terminal.see("q quit")
        for keys, expected in (
            ("/", "filter:  "),
            ("outcom == refused", "filter: outcom == refused "),
            ("\r", "filter, column 1, 'outcom': no such key: did you mean outcome?"),
            ("\x1b[H" + "\x1b[C" * 6 + "e\r", "shown 2 of 25"),
            ("/", "filter: outcome == refused "),
            (" and stream < 0\r", "shown 0 of 25"),
            (DOWN + "\ro", "not ok   sort #   shown 0 of 25"),
            ("/\x15\r", f"filter not ok   sort #   shown {len(PROBLEMS)} of 25"),
            ("/x\x1b", "q quit"),
            ("/finding\t in {syn-l\t}", "filter: findings in {syn-lost } "),
        ):
            terminal.press(keys)
            terminal.see(expected)
        terminal.press("\x1bq")
        assert terminal.end() == 0


def test_a_connection_opens_and_closes_again() -> None:
    with opened(MIXED, "--sort=-stream") as terminal:
        terminal.see("sort -stream   shown 25")
        terminal.see("── #25")
        terminal.press("\r")
        terminal.see("step 1/10  SYN")
        terminal.see("q back")
        terminal.press("\x1b[C")
        terminal.see("step 2/10")
        terminal.press("q")
        terminal.see("sort -stream   shown 25")
        terminal.press("q")
        assert terminal.end() == 0


def test_a_file_that_vanished_meanwhile_is_reported(tmp_path: Path) -> None:
    path = save(tmp_path / "some.pcap", packets("refused"))
    with opened(str(path), columns=200) as terminal:
        terminal.see("── #1")
        path.unlink()
        terminal.press("\r")
        terminal.see("no such file")
        terminal.press("q")
        assert terminal.end() == 0


def test_interrupting_gives_the_terminal_back() -> None:
    with opened(MIXED) as terminal:
        terminal.see("q quit")
        terminal.press("\x03")
        assert terminal.end() == 130
        assert terminal.mode == terminal.before


@pytest.mark.parametrize(("columns", "lines"), [(20, 5), (40, 10), (80, 18), (200, 60), (1, 1)])
def test_any_size_will_do(columns: int, lines: int) -> None:
    with opened(MIXED, columns=columns, lines=lines) as terminal:
        terminal.press(DOWN + "s" + "q")
        assert terminal.end() == 0


def test_a_capture_without_a_connection_opens_no_screen(tmp_path: Path) -> None:
    path = save(tmp_path / "empty.pcap", [])
    with opened(str(path)) as terminal:
        terminal.see("no TCP segments")
        assert terminal.end() == 0
        assert "\x1b[?1049h" not in terminal.output


def test_a_terminal_whose_keys_are_elsewhere_gets_a_table() -> None:
    code = (
        "import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-m', 'handshake', "
        f"'list', '-'], stdin=open({str(ROOT / MIXED)!r})).returncode)"
    )
    with Terminal(["-c", code]) as terminal:
        terminal.see("   #   outcome     client          server             rtt  why")
        terminal.see("  25 ✓ established 10.77.0.1:41030 10.77.0.2:41030 10.4ms 2 resent")
        terminal.see(" established 18  refused 2  no-answer 2  unreachable 2  mid-stream 1")
        assert terminal.end() == 0
        assert "\x1b[?1049h" not in terminal.output


def test_the_help_on_filters_names_every_key_and_value() -> None:
    out = run("list", "--help-filter", COLUMNS="80").stdout
    assert all(len(line) <= 80 for line in out.splitlines())
    words = set(re.findall(r"[\w.#-]+", out))
    ends = {name for name in KEYS if name.startswith("server.")}
    assert ({*KEYS, *SHORT} - ends - {"icmp"}) <= words
    assert {each for name in {*KEYS} - ends for each in KEYS[name].words} <= words
    for line in out.splitlines():
        if line.startswith("  ") and re.search(" (and|or|in) ", line) and "  " not in line[2:]:
            assert run("list", MIXED, "--filter", line.strip()).returncode == 0
