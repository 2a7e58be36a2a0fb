"""The screens of a lesson, as a person sees them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len

from handshake.lessons import (
    LANGUAGES,
    LESSONS,
    Lesson,
    find_lesson,
    lesson_text,
    screen_text,
    text_of,
)
from handshake.view.glyphs import ASCII, UNICODE, Glyphs
from handshake.view.lesson import LessonScreen, Place
from handshake.view.lesson_knows import KnowsScreen
from handshake.view.lesson_pages import PageScreen
from handshake.view.lesson_small import SmallLessonScreen
from handshake.view.lesson_wide import WideLessonScreen

KEYS = (("←/→", "step"), ("q", "quit"))

EVERY_SCENE = [
    pytest.param(lesson, index, id=f"{lesson.name}-{scene.name}")
    for lesson in LESSONS
    if not lesson.played
    for index, scene in enumerate(lesson.scenes)
]


def screen(
    language: str, step: int, *, glyphs: Glyphs = UNICODE, chosen: str | None = None
) -> LessonScreen:
    place = Place(find_lesson("connect"), step - 1, "1/6", chosen=chosen, keys=KEYS)
    return LessonScreen(
        place, lesson_text("connect", language), screen_text(language), glyphs=glyphs
    )


def wide(languages: tuple[str, ...], step: int, chosen: str | None = None) -> WideLessonScreen:
    place = Place(find_lesson("connect"), step - 1, "1/6", chosen=chosen, keys=KEYS)
    texts = tuple((lesson_text("connect", each), screen_text(each)) for each in languages)
    return WideLessonScreen(place, texts)


def drawn(view: LessonScreen | WideLessonScreen, width: int) -> list[str]:
    return [line.plain.rstrip() for line in view.lines(width)]


def test_a_syn_leaves_the_client() -> None:
    assert drawn(screen("en", 4), 80) == [
        " 1/6  Connecting to a server                    step 4/9 · SYN leaves the client",
        "╭─ CLIENT socket fd 3 ─────────╮                ╭─ SERVER socket fd 4 ─────────╮",
        "│ state CLOSED → SYN-SENT      │                │ state LISTEN                 │",
        "│ local 192.0.2.10:49152       │      SYN       │ local 0.0.0.0:80             │",
        "│ peer  198.51.100.7:80        │    seq=1000    │ peer  — none yet             │",
        "│ SND   ISS *1000  NXT *1001   │ ────────────▶  │ SND   ISS —      NXT —       │",
        "│ RCV   IRS —      NXT —       │  on the wire   │ RCV   IRS —      NXT —       │",
        "│ program blocked in connect() │                │ program blocked in accept()  │",
        "╰──────────────────────────────╯                ╰──────────────────────────────╯",
        "╭───────────────────────────────┬───────────────────────────────╮",
        "│ Source Port      49152        │ Destination Port 80           │ find a socket",
        "│ Sequence Number  1000                                         │ its own start",
        "│ Acknowledgment   0                                            │ unused: A is 0",
        "│ off 10│ rsv   │c e u a p r S f│ Window           64240        │ S: synchronize",
        "│ Checksum         0x8139       │ Urgent Pointer   0            │ by kernel/card",
        "│ Options  MSS 1460 · SACK ok · TS 7000/0 · WScale 7            │ what I offer",
        "╰───────────────────────────────────────────────────────────────╯",
        "────────────────────────────────────────────────────────────────────────────────",
        " Why The client's kernel picked an initial sequence number (ISN), 1000, and",
        " wrote it into its socket and into a header with SYN=1. A socket holds control",
        " information that stays on this host; a header carries control information to",
        " the other. The server does not know the client yet.",
        " ● socket ● listen ● connect ◉ SYN ○ arrives ○ SYN-ACK ○ arrives ○ ACK ○ done",
        " ←/→ step  q quit",
    ]


def test_an_answer_in_korean() -> None:
    assert drawn(screen("ko", 6), 80) == [
        " 1/6  서버에 접속하기                                단계 6/9 · SYN-ACK가 나간다",
        "╭─ 클라이언트 소켓 fd 3 ───────╮                ╭─ 서버 half-open 항목 ────────╮",
        "│ 상태  SYN-SENT               │                │ 상태  SYN-RECEIVED           │",
        "│ 로컬  192.0.2.10:49152       │    SYN-ACK     │ 로컬  *198.51.100.7:80       │",
        "│ 원격  198.51.100.7:80        │    seq=5000    │ 원격  *192.0.2.10:49152      │",
        "│ SND   ISS 1000   NXT 1001    │    ack=1001    │ SND   ISS *5000  NXT *5001   │",
        "│ RCV   IRS —      NXT —       │ ◀────────────  │ RCV   IRS *1000  NXT *1001   │",
        "│ 프로그램: connect()에서 대기 │    전송 중     │ 프로그램: accept()에서 대기  │",
        "╰──────────────────────────────╯                ╰──────────────────────────────╯",
        "╭───────────────────────────────┬───────────────────────────────╮",
        "│ 송신처 포트 번호 *80          │ 수신처 포트 번호 *49152       │ 앞과 반대",
        "│ 시퀀스 번호      *5000    서버가 고른 시작 번호               │",
        "│ ACK 번호         *1001    1000번을 받았다, 다음은 1001번      │",
        "│ off 10│ rsv   │c e u A p r S f│ 윈도우           *65160 여유  │ A=1: ACK 유효",
        "│ 체크섬           *0x46e0      │ 긴급 포인터      0            │ 새로 계산했다",
        "│ 옵션     *MSS 1460 · SACK ok · TS 9000/7000 · WScale 7        │ 서버의 제안",
        "╰───────────────────────────────────────────────────────────────╯",
        "────────────────────────────────────────────────────────────────────────────────",
        " 설명 서버의 커널은 half-open(반개방) 항목을 만들어 접속 동작 중임을 기록하고,",
        " 상대의 주소와 ISN 1000을 넣는다. LISTEN 소켓은 그대로 남아 다음 접속을",
        ' 기다린다. 이 응답 하나가 두 가지를 알린다. ACK는 "SYN을 받았다, 다음은',
        ' 1001번", SYN은 "내 번호는 5000부터"라는 뜻이다.',
        " ● socket ● listen ● connect ● SYN ● 도착 ◉ SYN-ACK ○ 도착 ○ ACK ○ 완료",
        " ←/→ step  q quit",
    ]


def test_before_anything_is_sent_the_programs_stand_where_the_header_will() -> None:
    assert drawn(screen("en", 3, glyphs=ASCII), 80)[1:17] == [
        "+- CLIENT socket fd 3 ---------+                +- SERVER socket fd 4 ---------+",
        "| state CLOSED                 |                | state LISTEN                 |",
        "| local *192.0.2.10:49152      |                | local 0.0.0.0:80             |",
        "| peer  *198.51.100.7:80       |                | peer  - none yet             |",
        "| SND   ISS -      NXT -       |                | SND   ISS -      NXT -       |",
        "| RCV   IRS -      NXT -       |                | RCV   IRS -      NXT -       |",
        "| program blocked in connect() |                | program blocked in accept()  |",
        "+------------------------------+                +------------------------------+",
        "   the client's program                    the server's program",
        "   s = socket(AF_INET, SOCK_STREAM, 0)     s = socket(AF_INET, SOCK_STREAM, 0)",
        " > connect(s, 198.51.100.7 port 80)        bind(s, 0.0.0.0 port 80)",
        "   send(s, ...)                            listen(s, 128)",
        "                                         > c = accept(s)",
        "                                           recv(c, ...)",
        "",
        "   On the wire: nothing. All of this stays on each host.",
    ]


def test_both_languages_at_120_columns() -> None:
    golden = Path(__file__).parent / "golden" / "connect-7-both-120x40.txt"
    assert drawn(wide(("en", "ko"), 7), 120) == golden.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("lesson", "index"), EVERY_SCENE)
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_every_scene_and_every_field_fits_the_screen(
    lesson: Lesson, index: int, language: str, glyphs: Glyphs
) -> None:
    text, labels = lesson_text(lesson.name, language), screen_text(language)
    others = [each for each in LANGUAGES if each != language]
    both = (
        (text, labels),
        *((lesson_text(lesson.name, each), screen_text(each)) for each in others),
    )
    fields = [None, *labels.fields] if lesson.scenes[index].segment else [None]
    for chosen in fields:
        place = Place(lesson, index, "1/6", chosen=chosen, keys=KEYS)
        views = (
            (LessonScreen(place, text, labels, 24, glyphs), 80, 24),
            (LessonScreen(place, text, labels, 30, glyphs), 99, 30),
            (WideLessonScreen(place, ((text, labels),), 40, glyphs), 120, 40),
            (WideLessonScreen(place, both, 40, glyphs), 120, 40),
        )
        for view, width, height in views:
            lines = [line.plain for line in view.lines(width)]
            assert len(lines) == height
            assert max(cell_len(line) for line in lines) <= width
            assert not [line for line in lines if glyphs.ellipsis in line and "..." not in line]


def test_ascii_screens_have_no_other_sign() -> None:
    for index in range(len(find_lesson("connect").scenes)):
        place = Place(find_lesson("connect"), index, "1/6", keys=KEYS)
        texts = ((lesson_text("connect", "en"), screen_text("en")),)
        for lines in (
            LessonScreen(place, *texts[0], glyphs=ASCII).lines(80),
            WideLessonScreen(place, texts, glyphs=ASCII).lines(120),
        ):
            assert all(line.plain.isascii() for line in lines)


def test_a_field_is_explained_and_marked() -> None:
    lines = screen("en", 4, chosen="window").lines(80)
    assert lines[18].plain.startswith(" Window: How many octets the sender of this segment")
    marked = [
        lines[13].plain[span.start : span.end]
        for span in lines[13].spans
        if span.style == "field.chosen"
    ]
    assert "".join(marked).split() == ["Window", "64240"]


def test_a_small_screen_has_a_remark_and_text() -> None:
    place = Place(find_lesson("connect"), 3, "1/6", keys=KEYS)
    view = SmallLessonScreen(place, lesson_text("connect", "en"), screen_text("en"), 12)
    assert [line.plain.rstrip() for line in view.lines(60)] == [
        "60x12 characters: the pictures need 80x24.",
        "step 4/9: SYN leaves the client",
        "The client's kernel picked an initial sequence number (ISN),",
        "1000, and wrote it into its socket and into a header with",
        "SYN=1. A socket holds control information that stays on this",
        "host; a header carries control information to the other. The",
        "server does not know the client yet.",
        "CLIENT: CLOSED → SYN-SENT",
        "SERVER: LISTEN",
        "<SEQ=1000><CTL=SYN>",
        " ←/→ step  q quit",
    ]


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 30), (79, 2), (20, 5), (300, 1)])
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_screen_is_too_small(width: int, height: int, language: str) -> None:
    place = Place(find_lesson("connect"), 5, "1/6", keys=KEYS)
    view = SmallLessonScreen(place, lesson_text("connect", language), screen_text(language), height)
    lines = view.lines(width)
    assert len(lines) <= max(height, 2)
    if width > 1:
        assert max(line.cell_len for line in lines) <= width


@pytest.mark.parametrize("width", [40, 60, 79])
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("lesson", LESSONS, ids=lambda each: each.name)
def test_who_knows_what_is_cut_off_on_no_screen(lesson: Lesson, language: str, width: int) -> None:
    text, words = text_of(lesson, language), screen_text(language)
    for index, scene in enumerate(lesson.scenes):
        view = KnowsScreen(Place(lesson, index, "1/6"), text.steps[scene.name], words, 99)
        rows = [row.plain for row in view.lines(width)][1:]
        assert not [row for row in rows if "…" in row or cell_len(row) > width]
        for each in (row for rows in scene.sockets for row in rows):
            shown = each.peer.replace(".", r"\.").replace("*", r"\*")
            assert re.search(shown, " ".join(" ".join(rows).split()))


def test_a_small_screen_says_why_an_answer_is_wrong_and_what_a_field_is_for() -> None:
    lesson = find_lesson("loss")
    text, words = text_of(lesson, "en"), screen_text("en")
    place = Place(lesson, 1, "3/10", keys=KEYS)
    view = SmallLessonScreen(place, text, words, 24, answer="9")
    told = " ".join(row.plain for row in view.lines(60))
    assert "Not so. 1000: A sequence number counts an octet, a SYN" in told
    assert "(RFC 9293 3.4)" in told
    chosen = SmallLessonScreen(replace(place, chosen="window"), text, words, 24, answer="9")
    assert any(row.plain.startswith("Window: How many") for row in chosen.lines(60))


def test_the_keys() -> None:
    keys, back = (("←/→", "one step on, one step back"),), (("?", "back"),)
    view = PageScreen(keys, "Connecting", back, 5)
    assert [line.plain.rstrip() for line in view.lines(40)] == [
        " Connecting",
        "",
        "  ←/→        one step on, one step back",
        "",
        " ? back",
    ]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("lesson", "index"), EVERY_SCENE)
def test_every_changed_value_is_explained(lesson: Lesson, index: int, language: str) -> None:
    scene = lesson.scenes[index]
    step = lesson_text(lesson.name, language).steps[scene.name]
    # Both ports have one note; how long the header is now, only the text to read says.
    told = {*step.notes, *step.inside, "destination"} | ({"data_offset"} if step.more else set())
    assert scene.changed - told == set()
    beside = {"flags", "window"} & scene.changed & set(step.notes)
    assert len(beside) < 2 or "window" in step.inside, "the row has room for one note"


@pytest.mark.parametrize("glyphs", [ASCII, UNICODE], ids=["ascii", "unicode"])
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("lesson", "index"), EVERY_SCENE)
def test_a_state_that_changes_is_shown_with_the_one_before(
    lesson: Lesson, index: int, language: str, glyphs: Glyphs
) -> None:
    scene = lesson.scenes[index]
    text = drawn(screen(language, index + 1, glyphs=glyphs), 80)
    for each in (scene.client, scene.server):
        if each.before and each.after and each.before.state is not each.after.state:
            states = f"{each.before.state} {glyphs.becomes} {each.after.state}"
            assert any(states in line for line in text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_number_is_mentioned_that_is_not_on_the_screen(language: str) -> None:
    lesson, output = find_lesson("connect"), lesson_text("connect", language)
    seen = {"24", "80", "128", "28", "64256"}
    for scene in lesson.scenes:
        if scene.segment is not None:
            seen.update(re.findall(r"\d{2,}", str(scene.segment)))
            seen.update(
                str(number)
                for number in (
                    scene.segment.source.port,
                    scene.segment.destination.port,
                    scene.segment.window,
                    scene.segment.options.mss,
                    *(scene.segment.options.timestamps or ()),
                )
            )
    for name, step in output.steps.items():
        parts = [step.why, *step.notes.values(), *step.inside.values()]
        for number in re.findall(r"\d{2,}", " ".join(parts)):
            assert number in seen, (name, number)
    for pane in output.panes:
        for number in re.findall(
            r"\d{2,}", " ".join(f"{left} {right}" for left, right in pane.rows)
        ):
            assert number in seen, (pane.title, number)
