"""`handshake demo`, as a person and as a pipe meets it."""

from __future__ import annotations

import json
import os
import re
import signal
from typing import TYPE_CHECKING

import pytest
from rich.cells import cell_len

from handshake.lessons import (
    LANGUAGES,
    LESSONS,
    WHAT_IF,
    find_lesson,
    lesson_text,
    option,
    screen_text,
)
from tests.cli import preloaded
from tests.cli.terminal import Terminal

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

DEMO = ["-m", "handshake", "demo"]
NAMES = [each.name for each in LESSONS]
KINDS, DROPS = "syn, syn-ack, ack, data, fin and rst", "syn, syn:1,2, ack:all"
RIGHT, LEFT, HOME, END = "\x1b[C", "\x1b[D", "\x1b[H", "\x1b[F"


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what is done in a folder of the test's."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def demo(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    return preloaded.run(("demo", *args), {**os.environ, "PYTHONIOENCODING": "utf-8", **env})


def test_a_pipe_gets_the_whole_lesson_as_text() -> None:
    found = demo(FORCE_COLOR="1")
    assert found.returncode == 0
    assert found.stderr == ""
    assert "\x1b" not in found.stdout
    assert max(map(len, found.stdout.splitlines())) <= 80
    titles = re.findall(r" step (\S+ · .+)", found.stdout)
    assert titles == [
        "1/9 · socket() makes an empty socket",
        "2/9 · listen() makes the socket ready for any client",
        "3/9 · connect() writes down the peer",
        "4/9 · SYN leaves the client",
        "5/9 · SYN arrives at the server",
        "6/9 · SYN-ACK leaves the server",
        "7/9 · SYN-ACK arrives at the client",
        "8/9 · ACK leaves the client",
        "9/9 · both ends are ESTABLISHED",
    ]


def test_one_step_as_text_in_ascii() -> None:
    assert demo("connect", "--step", "9", "--ascii").stdout.splitlines() == [
        " 1/10  Connecting to a server               step 9/9 . both ends are ESTABLISHED",
        "+- CLIENT socket fd 3 ---------+                +- SERVER socket fd 5 ---------+",
        "| state ESTABLISHED            |                | SYN-RECEIVED -> ESTABLISHED  |",
        "| local 192.0.2.10:49152       |      ACK       | local 198.51.100.7:80        |",
        "| peer  198.51.100.7:80        |    seq=1001    | peer  192.0.2.10:49152       |",
        "| SND   ISS 1000   NXT 1001    |    ack=5001    | SND   ISS 5000   NXT 5001    |",
        "| RCV   IRS 5000   NXT 5001    | ------------>  | RCV   IRS 1000   NXT 1001    |",
        "| program may send data now    |   at 42.6 ms   | program: accept() returned 5 |",
        "+------------------------------+                +------------------------------+",
        "+-------------------------------+-------------------------------+",
        "| Source Port      *49152       | Destination Port *80          | finds entry",
        "| Sequence Number  *1001                                        | as expected",
        "| Acknowledgment   *5001                                        | answers 5000",
        "| off *8| rsv   |c e u A p r s f| Window           *502 =64256  | A: it is there",
        "| Checksum         *0x7223      | Urgent Pointer   0            | right: go on",
        "| Options  *TS 7028/9000                                        | TS: 9000 back",
        "+---------------------------------------------------------------+",
        "-- ss -tan ---------------------------------------------------------------------",
        " CLIENT     ESTAB         0     0  192.0.2.10:49152    198.51.100.7:80",
        " SERVER     LISTEN        0   128  0.0.0.0:80          0.0.0.0:*",
        "            ESTAB         0     0  198.51.100.7:80     192.0.2.10:49152",
        " Why Both kernels have completed the handshake without their programs. The",
        " entry becomes a full socket, and accept() returns it: fd 5. No wire was",
        " joined: each kernel wrote down the same few numbers. The server's program has",
        " control again, too, and both may send.",
        " Each side learned the other's number, window and options from the headers that",
        " it received; the client knew the server's address and port from its program.",
        " (Recv-Q of LISTEN stays 0: the program, waiting in accept(), takes the",
        " connection at once.) How buffers, timers and state are kept is each host's own",
        " affair: of its buffers a header tells only the window. That is all of",
        ' connecting; the next lesson, "control", lays the two kinds of control',
        " information side by side.",
    ]


def test_both_languages_as_text() -> None:
    text = demo("--step", "1", "--lang", "both").stdout
    assert " Why socket() makes an empty socket" in text
    assert " 설명 socket()을 호출하면 커널 안에 빈 소켓이 생긴다." in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_chapter_begins_with_its_title_and_ends_with_the_fields(language: str) -> None:
    text, words = " ".join(demo("--lang", language).stdout.split()), screen_text(language)
    assert text.startswith(f"1/10 {lesson_text('connect', language).title} ")
    _, _, explained = text.partition(f" {words['all_fields']} ")
    assert explained == " ".join(f"{each.name}: {each.text}" for each in words.fields.values())


def test_json_is_one_object_a_step() -> None:
    found = [json.loads(line) for line in demo("--json", "--lang", "ko").stdout.splitlines()]
    assert [each["name"] for each in found] == [
        scene.name for scene in find_lesson("connect").scenes
    ]
    assert found[5]["server"]["after"]["state"] == "SYN-RECEIVED"
    assert found[5]["segment"]["flags"] == ["SYN", "ACK"]
    assert found[0]["segment"] is None
    assert found[0]["title"] == {"ko": "빈 소켓을 만든다"}


@pytest.mark.parametrize(
    ("args", "printed"),
    [
        (
            ["tls"],
            f"error: unknown lesson 'tls'; available: {', '.join(NAMES[:-1])} and {NAMES[-1]}\n",
        ),
        (
            ["--drop", "sin"],
            f"error: --drop 'sin': must be one of {KINDS}, alone or with numbers: {DROPS}\n",
        ),
        (
            ["loss", "--closed"],
            "error: --closed: no what-if of the lesson loss, which has --drop and --rtt\n",
        ),
        (["--lang", "fr"], "error: --lang fr: must be en, ko or both\n"),
        (["--step", "10"], "error: --step 10: lesson connect has 9 steps\n"),
    ],
)
def test_a_wrong_request_is_answered_in_one_line(args: list[str], printed: str) -> None:
    found = demo(*args)
    assert (found.returncode, found.stdout, found.stderr) == (2, "", printed)


def test_keys_lead_through_the_lesson() -> None:
    with Terminal(DEMO) as terminal:
        terminal.see("step 1/9 · socket() makes an empty socket")
        for press, see in (
            (LEFT, "step 1/9"),
            (RIGHT, "step 2/9"),
            (RIGHT, "step 3/9"),
            (LEFT, "step 2/9"),
            (END, "step 9/9 · both ends are ESTABLISHED"),
            (RIGHT, "This lesson is done."),
            ("\x1b", "step 9/9"),
            ("f", "Source Port: Which socket at the sender"),
            ("f", "Destination Port: Which socket"),
            ("\x1b", " Why Both kernels have completed the handshake"),
            ("?", "one step on, one step back"),
            ("?", "step 9/9"),
            (":3\r", "step 3/9"),
            (END, "step 9/9"),
            ("c", "All lessons"),
            ("4", "step 1/11"),
            ("c", "All lessons"),
            ("\r", "step 1/11"),
            ("c", "All lessons"),
            ("1", "step 1/9"),
            (END, "step 9/9"),
            ("L", "단계 9/9 · 양쪽 모두 ESTABLISHED"),
            ("L", "step 9/9"),
            (HOME, "step 1/9"),
            (" ", "playing · step 1/9"),
            (" ", "space play"),
        ):
            terminal.press(press)
            terminal.see(see)
        terminal.press("q")
        assert terminal.end() == 0
        assert terminal.mode == terminal.before


def test_a_lesson_from_answer_to_score() -> None:
    with Terminal([*DEMO, "connect", "--step", "3"]) as terminal:
        terminal.see("What does the server know of it at this moment?")
        for press, see in (
            ("1", "Not so. It is recorded in the client's socket only"),
            (RIGHT, "the server's program"),  # what the question hid
            (RIGHT, "step 4/9"),
            (RIGHT, "Which ACK number"),
            ("1002", "1002_"),
            ("\x7f1", "1001_"),
            ("\r", "Right. A SYN takes one number"),
            (LEFT, "step 4/9"),
            ("L", "단계 4/9"),
            (RIGHT, "단계 5/9"),
            ("w", "누가 무엇을 아는가"),
            (RIGHT, "6. SYN-ACK가 나간다"),
            ("\x1b", "단계 6/9"),
            (RIGHT, "지금 상태가 바뀌는 쪽은 어디인가?"),
            (END, "단계 9/9"),
            (RIGHT, "3문제 중 1문제 정답"),
            ("c", "모든 레슨"),
            ("\x1b", "단계 9/9"),
            ("r", "단계 1/9"),
        ):
            terminal.press(press)
            terminal.see(see)
        terminal.press("q")
        assert terminal.end() == 0


def test_without_a_name_it_goes_on_where_the_reader_left() -> None:
    with Terminal([*DEMO, "control"]) as terminal:
        terminal.see("step 1/8")
        terminal.press(RIGHT)
        terminal.press("2")
        terminal.see("Right.")
        terminal.press(RIGHT)
        terminal.see("step 3/8")
        terminal.press("q")
        assert terminal.end() == 0
    with Terminal(DEMO) as terminal:
        terminal.see("step 3/8")
        terminal.press(LEFT)
        terminal.see("Right.")
        terminal.press("q")
        assert terminal.end() == 0


def test_the_keys_that_do_nothing_are_not_offered() -> None:
    with Terminal(DEMO) as terminal:
        terminal.see("q quit")
        assert "fields" not in terminal.output
        terminal.press(END)
        terminal.see("f fields")
        terminal.press("q")
        assert terminal.end() == 0


def test_a_wide_terminal_shows_both_languages() -> None:
    with Terminal([*DEMO, "--lang", "both", "--step", "6"], 120, 40) as terminal:
        terminal.see("Connecting to a server · 서버에 접속하기")
        terminal.see("Segment 2: SYN → SYN-ACK, the server answers")
        terminal.resize(80, 24)
        terminal.see("L 한국어")
        terminal.resize(60, 20)
        terminal.see("60x20 characters")
        terminal.press("q")
        assert terminal.end() == 0


@pytest.mark.parametrize(("how", "code"), [(signal.SIGTERM, 143), ("\x03", 130)])
def test_it_leaves_the_terminal_as_it_was(how: signal.Signals | str, code: int) -> None:
    with Terminal(DEMO) as terminal:
        terminal.see("q quit")
        if isinstance(how, str):
            terminal.press(how)
        else:
            terminal.process.send_signal(how)
        assert terminal.end() == code
        assert terminal.mode == terminal.before
        assert "\x1b[?1049l" in terminal.output
        assert "\x1b[?25h" in terminal.output
        assert "Traceback" not in terminal.output


def test_what_if_two_syns_were_lost_as_text() -> None:
    found = demo("connect", "--drop", "syn:1,2", "--lang", "ko")
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.startswith("?  만약에: 서버에 접속하기\n")
    assert found.stdout.count("╳") == 2
    assert max(map(cell_len, found.stdout.splitlines())) <= 80


def test_the_help_names_the_what_ifs_of_each_lesson() -> None:
    _, _, table = demo("loss", "--help").stdout.partition("What if")
    rows = [line.split() for line in table.splitlines()[1:] if line]
    assert {name: options for name, *options in rows} == {
        name: [option(each) for each in known.changes] for name, known in WHAT_IF.items()
    }
    every = demo("--help-all").stdout
    assert all(f"  {each} " in every for _, *options in rows for each in options)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["loss", "--drop", "ack"], "the client's ACK is lost"),
        (["refused", "--icmp", "host-unreachable"], "EHOSTUNREACH"),
        (["half-open", "--syns", "3"], "Dropped without an answer: 1"),
        (["options", "--mss", "server:536"], "3 segments: 524 + 524 + 152"),
        (["numbers", "--forge", "1"], "seq=1 arrives"),
        (["simultaneous", "--drop", "syn"], "the server's program calls connect(), too"),
        (["fast-open", "--no-cookie"], "asks for a cookie"),
    ],
)
def test_what_if_in_every_lesson(args: list[str], says: str) -> None:
    found = demo(*args)
    assert (found.returncode, found.stderr) == (0, "")
    assert says in " ".join(found.stdout.split())


def test_what_if_with_keys() -> None:
    with Terminal([*DEMO, "half-open", "--syns", "8", "--backlog", "9"]) as terminal:
        terminal.see("... and 4 more")
        for press, see in (
            (RIGHT, "step 2/"),
            ("?", "demo half-open with --syns --backlog --cookies"),
            ("?", "step 2/"),
            ("L", "만약에"),
            (END, "accept()"),
        ):
            terminal.press(press)
            terminal.see(see)
        terminal.press("q")
        assert terminal.end() == 0


def test_the_lessons_as_json() -> None:
    rows = [json.loads(line) for line in demo("--list", "--json").stdout.splitlines()]
    assert [each["lesson"] for each in rows] == [*NAMES, "--your-turn"]
    assert rows[0].items() >= {"steps": 9, "asked": 3}.items()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--your-turn", "--live"), "--your-turn cannot be combined with --live"),
        (("--live", "--export", "it.md"), "--export cannot be combined with --live"),
    ],
    ids=["shell", "file"],
)
def test_options_that_exclude_others(args: tuple[str, ...], said: str) -> None:
    found = demo(*args)
    assert found.returncode == 2
    assert said in found.stderr


def test_the_lessons_are_listed_with_what_is_done() -> None:
    listed = demo("--list").stdout.splitlines()
    assert [line.split()[0] for line in listed] == [*NAMES, "--your-turn"]
    with Terminal([*DEMO, "loss"]) as terminal:
        terminal.see("step 1/12")
        terminal.press(RIGHT)
        terminal.see("Question")
        terminal.press("1001\r")
        terminal.see("Not so. 1000:")
        terminal.press("L")
        terminal.see("아닙니다. 1000:")
        terminal.press("q")
        assert terminal.end() == 0
    line = demo("--list").stdout.splitlines()[NAMES.index("loss")]
    assert line == "loss         When a segment is lost  (step 2/12, 0 of 3 right)"


def test_e_writes_the_lesson(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Terminal([*DEMO, "refused", "--lang", "en"]) as terminal:
        terminal.see("q quit")
        terminal.press("e")
        terminal.see("export to: lesson-refused.html")
        terminal.press("\x15a.pdf\r")
        terminal.see("the name must end in .md, .html, .svg")
        terminal.press("\x15it.worksheet.md\r")
        terminal.see("wrote it.worksheet.md")
        terminal.press("q")
        assert terminal.end() == 0
    assert (tmp_path / "it.worksheet.md").read_text("utf-8").startswith("#")
