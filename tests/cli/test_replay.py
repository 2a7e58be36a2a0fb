"""`handshake replay`: as text, as JSON, and step by step on a terminal."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from handshake.capture.open import Capture
from handshake.cli import main
from handshake.cli.player import Player
from handshake.replayer import replay
from handshake.survey.follow.step_log import StepLog
from handshake.tracker import summarize
from handshake.view.glyphs import UNICODE
from tests.cli.terminal import Terminal
from tests.cli.test_help import ROOT, run
from tests.survey.made import packets, save

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from handshake.capture.open import Watch

CAPTURES = ROOT / "captures"
ALL = sorted(str(each) for each in CAPTURES.glob("*.pcap"))
OPEN = str(CAPTURES / "open-close-v4.pcap")
MIXED = str(CAPTURES / "mixed.pcap")

LEFT, RIGHT, END = "\x1b[D", "\x1b[C", "\x1b[F"


def test_a_pipe_gets_the_ladder_and_each_segment_explained() -> None:
    done = run("replay", str(CAPTURES / "refused.pcap"))
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[:2] == [
        "#1 10.77.0.1:40001 → 10.77.0.2:81",
        "    tcp.stream == 0, refused, 2 segments, 0.010 s",
    ]
    assert [re.sub(r"\d+\.\d{3}", "T", line) for line in lines[2:5]] == [
        "       ms CLIENT       seq relative                                SERVER",
        "    T SYN-SENT     ── SYN seq=0 win=64240 mss=1460 ws=10 ────▶ ?",
        "   T!CLOSED       ◀───────────── RST-ACK seq=0 ack=1 win=0 ── CLOSED?",
    ]
    assert [line.split(",")[0].rstrip(" ─") for line in lines if line.startswith("── ")] == [
        "── SYN from the client",
        "── RST-ACK from the server",
        "── diagnosis",
    ]
    assert any(line.startswith(" ! Connection refused: a RST came back") for line in lines)


@pytest.mark.parametrize("path", sorted(CAPTURES.glob("*.pcap")), ids=lambda path: path.stem)
def test_every_capture_fits_eighty_columns_and_moves_no_cursor(path: Path) -> None:
    done = run("replay", str(path), FORCE_COLOR="1")
    assert done.returncode == 0
    assert all(len(line) <= 80 for line in done.stdout.splitlines())
    assert not re.search(r"[^\x20-\x7e\n─▶◀╳→·…—µ]", done.stdout)


def test_ascii_is_ascii_and_so_is_a_stream_that_takes_no_other() -> None:
    asked = run("replay", OPEN, "--ascii")
    assert asked.stdout.isascii()
    forced = run("replay", OPEN, PYTHONIOENCODING="ascii")
    assert forced.stdout == asked.stdout


def test_json_is_one_object_a_step() -> None:
    done = run("replay", MIXED, "--json")
    steps = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(steps) == 176
    assert [step["frame"] for step in steps] == sorted(step["frame"] for step in steps)
    assert {"stream", "segment", "sender", "receiver", "events", "why", "section"} <= set(steps[0])


def test_one_connection_is_chosen_by_the_number_on_the_screen() -> None:
    chosen = run("replay", MIXED, "--connection", "3", "--json").stdout.splitlines()
    assert {json.loads(line)["stream"] for line in chosen} == {2}
    assert run("replay", MIXED, "--connection", "3").stdout.startswith("#3 ")
    wrong = run("replay", MIXED, "--connection", "26")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr == f"error: --connection 26: {MIXED} has 25 connections\n"


@pytest.mark.parametrize("path", ["no-such-file.pcap", "captures", "README.md", "no\x1b[2Jfile"])
def test_what_is_no_capture_is_one_line(path: str) -> None:
    done = run("replay", path)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"error: [\x20-\x7e]+: [\x20-\x7e]+\n", done.stderr)


def test_a_capture_that_breaks_off_is_shown_as_far_as_it_goes(tmp_path: Path) -> None:
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(Path(OPEN).read_bytes()[:300])
    done = run("replay", str(cut))
    assert done.returncode == 0
    assert done.stdout.startswith("#1 ")
    assert done.stderr.startswith("warning: ")


def test_a_reader_who_has_enough_ends_it_quietly() -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f'"{sys.executable}" -m handshake replay "{MIXED}" --json | head -n 1'],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as nobody:
        ended = subprocess.run(
            [sys.executable, "-m", "handshake", "replay", MIXED],
            stdout=nobody,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            check=False,
        )
    assert (ended.returncode, ended.stderr) == (1, b"")


def test_a_capture_may_come_from_a_pipe() -> None:
    piped = subprocess.run(
        [sys.executable, "-m", "handshake", "replay", "-"],
        input=Path(OPEN).read_bytes(),
        capture_output=True,
        cwd=ROOT,
        check=True,
    )
    assert piped.stdout.decode() == run("replay", OPEN).stdout


def opened(*args: str, columns: int = 80, lines: int = 24) -> Terminal:
    return Terminal(["-m", "handshake", "replay", *args], columns, lines)


def test_keys_lead_through_a_connection() -> None:
    with opened(OPEN) as terminal:
        terminal.see("step 1/10  SYN")
        terminal.see(
            "←/→ step  d compare  f field  x hex  n next problem  r absolute  ? keys  q quit"
        )
        for key, expected in (
            (RIGHT, "step 2/10  SYN-ACK"),
            (END, "step 10/10  ACK"),
            (LEFT, "step 9/10"),
            (":7\r", "step 7/10"),
            ("gj", "step 2/10"),
            ("r", "seq absolute"),
            ("x", "0010   "),
            ("x", "what each socket knows"),
            ("/fin\r", "step 8/10  FIN-ACK"),
            ("/zzz\r", "zzz: not found after this one"),
            ("f", "1/11 Source Port: 40001 = 0x9c41"),
            ("F", "11/11 Options: TS"),
            ("\x1b", "what each socket knows"),
            ("d" + LEFT, " differ     segment 8 (d)"),
            ("\x1b", "what each socket knows"),
            ("?", "A connection, segment by segment"),
            ("x", "step 7/10"),
            ("\x1b", "nothing to undo: q quits"),
        ):
            terminal.press(key)
            terminal.see(expected)
        terminal.press("q")
        assert terminal.end() == 0
        assert terminal.mode == terminal.before


def test_several_connections_are_listed() -> None:
    with opened(MIXED) as terminal:
        terminal.see("shown 25")
        terminal.press("\r")
        terminal.see("step 1/10  SYN")
        terminal.press("]")
        terminal.see(" #2 ")
        terminal.press("q")
        terminal.see("shown 25")
        terminal.press("q")
        assert terminal.end() == 0
        assert terminal.mode == terminal.before


def test_a_wide_terminal_shows_the_header_as_a_grid_and_a_small_one_does_without() -> None:
    with opened(OPEN, columns=120, lines=40) as terminal:
        terminal.see("│ Source Port       40001       │")
        terminal.see("What each socket knows")
        terminal.resize(80, 24)
        terminal.see("── what each socket knows ──")
        terminal.press("q")
        assert terminal.end() == 0


def test_speed_plays_to_the_end_and_stays() -> None:
    with opened(OPEN, "--speed", "1000", columns=120, lines=40) as terminal:
        terminal.see("step 10/10")
        terminal.press("q")
        assert terminal.end() == 0


def test_interrupting_gives_the_terminal_back() -> None:
    with opened(OPEN) as terminal:
        terminal.see("q quit")
        terminal.press("\x03")
        assert terminal.end() == 130
        assert terminal.mode == terminal.before


def test_a_plain_terminal_gets_the_text() -> None:
    with opened(str(CAPTURES / "refused.pcap"), "--plain") as terminal:
        terminal.see("(RFC 9293 3.5.2)")
        assert terminal.end() == 0
        assert "\x1b" not in terminal.output


def test_playing_keeps_the_rhythm_and_cuts_long_pauses_short() -> None:
    source = replay(CAPTURES / "lost-syn-ack.pcap")
    steps = list(source)
    connections = [(summarize(source.tracker.connections[0]), steps)]
    player = Player(source.name, connections, 0.1, UNICODE)
    pauses = []
    while player.pause is not None:
        pauses.append(round(player.pause, 3))
        player.advance()
    assert len(pauses) == len(steps) - 1
    assert max(pauses) == 2.0  # a second of waiting for a timer, ten times slower
    assert min(pauses) >= 0
    still = Player(source.name, connections, 0.1, UNICODE)
    assert still.press("right")
    assert still.pause is None


@pytest.mark.parametrize("path", ALL)
def test_one_connection_is_shown_as_among_the_others(path: str) -> None:
    whole = run("replay", path).stdout
    parts = re.split(r"\n\n(?=#[0-9]+ )", whole.rstrip("\n"))
    steps = [json.loads(line) for line in run("replay", path, "--json").stdout.splitlines()]
    assert len(parts) == len({each["stream"] for each in steps}) > 0
    for at, part in enumerate(parts):
        number = str(at + 1)
        assert run("replay", path, "--connection", number).stdout == f"{part}\n"
        lines = run("replay", path, "--connection", number, "--json").stdout.splitlines()
        own = [each for each in steps if each["stream"] == at]
        assert [json.loads(line) for line in lines] == own


def test_one_connection_may_come_from_a_pipe() -> None:
    for path, number in ((MIXED, "3"), (OPEN, "1")):
        args = ("--connection", number, "--json")
        piped = subprocess.run(
            [sys.executable, "-m", "handshake", "replay", "-", *args],
            input=Path(path).read_bytes(),
            capture_output=True,
            cwd=ROOT,
            check=True,
        )
        assert piped.stdout.decode() == run("replay", path, *args).stdout


def test_a_connection_is_shown_before_the_capture_is_read(tmp_path: Path) -> None:
    """What follows is added, without a key being pressed."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    capture = Path(OPEN).read_bytes()
    with opened(str(fifo), "--connection", "1") as terminal, fifo.open("wb", buffering=0) as out:
        out.write(capture[:204])
        terminal.see("step 1/2  SYN")
        terminal.see("reading…")
        terminal.press(END)
        terminal.see("step 2/2  SYN-ACK")
        terminal.output = ""
        out.write(capture[204:])
        terminal.see("step 2/10  SYN-ACK")
        terminal.see("reading…")
        terminal.output = ""
        out.close()
        terminal.see("x hex")  # which has the room of reading again
        terminal.press("q")
        assert terminal.end() == 0
        assert terminal.mode == terminal.before


def test_a_capture_that_is_still_read_can_be_left(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for key, code in (("q", 0), ("\x03", 130)):
        with opened(str(fifo), "--connection", "1") as terminal, fifo.open("wb", 0) as out:
            out.write(Path(OPEN).read_bytes()[:204])
            terminal.see("step 1/2  SYN")
            terminal.press(key)
            assert terminal.end() == code
            assert terminal.mode == terminal.before


def test_a_connection_that_is_played_goes_on_as_it_is_read() -> None:
    log = StepLog(0)
    steps = list(replay(OPEN))
    for step in steps[:2]:
        log.take(step, None, None)
    player = Player("some", [], 0.1, UNICODE, growing=log)
    assert player.pause is not None
    player.advance()
    assert player.pause == 0.1  # no more is known
    for step in steps[2:]:
        log.take(step, None, None)
    log.end(None)
    player.advance()
    pauses = 0
    while player.pause is not None:
        player.advance()
        pauses += 1
    assert pauses == len(steps) - 2


def test_no_more_is_read_than_one_connection_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    later = [each for at in range(200, 700) for each in packets("refused", since=at)]
    later[2:2] = packets("no-answer", since=200)[:1]  # another, so that the time is believed
    path = save(tmp_path / "long", [*packets("open-close-v4", since=0), *later])
    octets = 0
    pieces = Capture._pieces

    def counted(
        self: Capture, read: Callable[[int], bytes], watch: Watch | None
    ) -> Iterator[bytes]:
        def reading(most: int) -> bytes:
            nonlocal octets
            piece = read(most)
            octets += len(piece)
            return piece

        return pieces(self, reading, watch)

    monkeypatch.setattr(Capture, "_pieces", counted)
    monkeypatch.setattr("handshake.capture.open.PIECE", 4096)
    monkeypatch.setattr("handshake.capture.open.LARGE_PIECE", 4096)
    monkeypatch.setattr("handshake.capture.open.LARGEST_PIECE", 4096)
    assert main(["replay", str(path), "--connection", "1", "--plain"]) == 0
    assert capsys.readouterr().out.startswith("#1 10.77.0.1")
    assert octets <= 2 * 4096 < path.stat().st_size
