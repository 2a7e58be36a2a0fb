"""The pages of `--export`: stepped through by keyboard alone, by mouse, on a phone, by a reader."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pytest

from handshake.export.formats import FORMATS
from handshake.export.svg import ladder_picture
from tests.cli.test_help import run
from tests.export.test_hostile import hostile_documents

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.browser.conftest import Visit

    Open = Callable[..., Visit]

SIZES: Final = ((1280, 900, "light"), (400, 800, "dark"))


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One page of each kind."""
    folder = tmp_path_factory.mktemp("pages")
    made = {
        "one": ("replay", "captures/lost-syn-ack.pcap"),
        "list": ("list", "captures/mixed.pcap"),
        "report": ("replay", "captures/unreachable.pcap", "--connection", "1"),
        "reports": ("list", "captures/mixed.pcap", "--problems"),
        "lesson": ("demo", "connect"),
        "korean": ("list", "captures/mixed.pcap", "--lang", "ko"),
    }
    found = {}
    for name, args in made.items():
        ending = "report.html" if name.startswith("report") else "html"
        found[name] = folder / f"{name}.{ending}"
        done = run(*args, "--export", str(found[name]))
        assert done.returncode == 0, done.stderr
    return found


def test_a_connection_by_keyboard_alone(pages: dict[str, Path], visit: Open) -> None:
    seen = visit(pages["one"])
    count = seen.value("document.querySelectorAll('#ladder li').length")
    assert count == 11
    assert seen.text("#position") == "segment 1 of 11"
    states = []
    for number in range(1, count + 1):
        assert seen.text("#position") == f"segment {number} of {count}"
        chosen = "document.querySelector('#ladder [aria-selected=true]')"
        active = "document.getElementById('ladder').getAttribute('aria-activedescendant')"
        assert seen.value(f"{chosen}.id") == seen.value(active)
        # All parts show the same segment.
        assert seen.text("#place").startswith(f"segment {number}, packet {number}")
        assert seen.value("document.getElementById('live').textContent").startswith(f"{number} of")
        assert (
            seen.value(f"{chosen}.getAttribute('aria-label')").split(": ")[0].endswith(str(number))
        )
        states.append(seen.text("#sockets tbody tr:first-child td:nth-child(2)"))
        seen.press("j")
    assert states[:4] == ["? → SYN-SENT", "SYN-SENT", "SYN-SENT", "SYN-SENT → ESTABLISHED"]
    assert states[-1] == "FIN-WAIT-1 → TIME-WAIT"
    for key, number in (("Home", 1), ("ArrowDown", 2), ("ArrowUp", 1), ("G", 11), ("k", 10)):
        seen.press(key)
        assert seen.text("#position") == f"segment {number} of 11"
    seen.press("g", "n")
    assert seen.text("#position") == "segment 2 of 11"
    assert "lost" in seen.text("#place")
    relative = seen.text("#step1 .arrow")
    assert "seq=0 ack=1 " in relative
    seen.press("r")
    assert seen.text("#seq") == "seq absolute"
    assert "seq=1521512576 ack=2503719564 " in seen.text("#step1 .arrow")
    assert "1521512576" in seen.text("#sockets")
    assert seen.text("#position") == "segment 2 of 11"
    seen.page.click("#numbers")
    assert seen.text("#step1 .arrow") == relative


def test_in_korean_by_keyboard_alone(pages: dict[str, Path], visit: Open) -> None:
    seen = visit(pages["korean"])
    assert seen.value("document.documentElement.lang") == "ko"
    assert seen.text("#count") == "25 / 25"
    seen.press("j", "j", "j", "Enter", "j")
    assert seen.text("#name").startswith("#4 10.77.0.1:41081")
    assert seen.text("#position") == "세그먼트 2 / 2"
    assert seen.text("#step-title") == "서버의 RST-ACK"
    assert seen.text("#why").startswith("연결이 거부되었다: ")
    seen.press("f", "f", "r")
    assert seen.text("#seq") == "seq 절대 번호"
    assert seen.text("#field").startswith("수신처 포트 번호 (Destination Port): ")
    seen.press("Escape", "]", "?")
    assert seen.text("#name").startswith("#5 ")
    assert seen.text("#keys-title") == "키"
    seen.accessible()
    # What is left in English are names, codes, values and commands.
    english = re.findall(r"[a-z]{3,} [a-z]{3,} [a-z]{3,}", seen.text("body"))
    assert set(english) == {"communication administratively prohibited", "nft list ruleset"}


def test_the_octets_of_each_field(pages: dict[str, Path], visit: Open) -> None:
    seen = visit(pages["one"])
    lit = "[...document.querySelectorAll('#octets mark')].map((each) => each.textContent).join('')"
    names, octets = [], []
    for _ in range(11):
        seen.press("f")
        names.append(seen.text("#field").split(":")[0])
        octets.append(seen.value(lit))
        assert "RFC" in seen.text("#field")
    assert names[:4] == [
        "Source Port",
        "Destination Port",
        "Sequence Number",
        "Acknowledgment Number",
    ]
    assert octets[:4] == ["9c41", "0050", "953bba8b", "00000000"]
    assert names[-1] == "Options"
    assert octets[-1].startswith("020405b4")
    seen.press("Escape")
    assert seen.text("#field") == ""
    assert seen.value(lit) == ""
    seen.press("F")
    assert seen.text("#field").startswith("Options:")


def test_a_list_by_keyboard_alone(pages: dict[str, Path], visit: Open) -> None:
    seen = visit(pages["list"])
    assert seen.text("#count") == "25 of 25"
    seen.press("j", "j", "j", "Enter")
    assert seen.text("#name").startswith("#4 10.77.0.1:41081")
    assert "refused" in seen.text("#summary")
    seen.press("j")
    assert seen.text("#position") == "segment 2 of 2"
    seen.press("]")
    assert seen.text("#name").startswith("#5 ")
    seen.press("[", "[")
    assert seen.text("#name").startswith("#3 ")
    # Escape goes back to the list, and the keys are the list's again.
    seen.press("Escape", "k", "Enter")
    assert seen.text("#name").startswith("#2 ")
    seen.press("/")
    seen.page.keyboard.type("fd77::1")
    assert seen.text("#count") != "25 of 25"
    seen.press("Tab", "Enter")
    assert "[fd77::1]" in seen.text("#name")
    seen.press("?")
    assert seen.page.is_visible("#keys")
    seen.press("j", "Escape")
    assert not seen.page.is_visible("#keys")
    assert seen.text("#position").startswith("segment 1 of")


def test_by_mouse(pages: dict[str, Path], visit: Open) -> None:
    seen = visit(pages["list"])
    seen.page.click("#row8 td:nth-child(3)")
    assert seen.text("#name").startswith("#9 ")
    seen.page.click("#step2")
    assert seen.text("#position").startswith("segment 3 of")
    seen.page.click("#on")
    assert seen.text("#position").startswith("segment 4 of")
    seen.page.click("#header button:has-text('Window')")
    assert seen.text("#field").startswith("Window:")
    seen.page.click("#help")
    assert seen.page.is_visible("#keys")
    seen.page.click("#keys button")
    assert not seen.page.is_visible("#keys")


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_they_are_accessible_and_fit(
    pages: dict[str, Path], visit: Open, size: tuple[int, int, str]
) -> None:
    width, height, scheme = size
    for name, path in pages.items():
        seen = visit(path, width=width, height=height, scheme=scheme)
        seen.accessible()
        seen.fits()
        if name in ("one", "list"):
            seen.press("Enter", "j", "j", "f")
            seen.accessible()
            seen.fits()
            seen.press("?")
            seen.accessible()


def test_a_lesson_by_keyboard(pages: dict[str, Path], visit: Open) -> None:
    seen = visit(pages["lesson"])
    first = seen.text("section.here h2")
    seen.press("ArrowRight")
    assert seen.text("section.here h2") != first
    seen.press("ArrowLeft")
    assert seen.text("section.here h2") == first
    seen.press("End", "Home")
    assert seen.text("section.here h2") == first


def test_hostile_text_is_text(visit: Open, tmp_path: Path) -> None:
    for number, document in enumerate(hostile_documents(tmp_path)):
        for form in FORMATS[:2]:
            path = tmp_path / f"{number}.{form.ending}"
            with path.open("wb") as out:
                form.write(document, out)
            seen = visit(path, width=400, height=800)
            assert "<script>alert(1)</script>" in seen.text("body")
            assert seen.value("document.querySelectorAll('img, body *[onerror], a').length") == 0
            seen.fits()


def test_the_focus_is_seen(pages: dict[str, Path], visit: Open) -> None:
    seen = visit(pages["list"])
    for _ in range(8):
        seen.press("Tab")
        width = seen.value("getComputedStyle(document.activeElement).outlineWidth")
        assert width == "3px"


@pytest.mark.parametrize("kind", ["one", "report"])
def test_a_picture_keeps_its_text_inside(kind: str, visit: Open, tmp_path: Path) -> None:
    path = tmp_path / "it.svg"
    args: dict[str, Any] = {
        "one": ("replay", "captures/lost-syn-ack.pcap"),
        "report": ("list", "captures/mixed.pcap"),
    }
    run(*args[kind], "--export", str(path))
    seen = visit(path)
    boxes = seen.value(
        "[...document.querySelectorAll('text')].map((each) => each.getBBox())"
        ".map((box) => [box.x, box.x + box.width])"
    )
    assert len(boxes) > 20
    assert all(begin >= 0 and end <= 960 for begin, end in boxes)


def test_wide_characters_stand_in_their_columns(visit: Open, tmp_path: Path) -> None:
    path, title = tmp_path / "it.svg", "가나다 abc 漢字 def"
    path.write_text(ladder_picture([], title), encoding="utf-8")
    seen = visit(path)
    places = seen.value(
        "[...document.querySelectorAll('tspan')].map((each) => "
        "[each.textContent, each.getBBox().x, each.getBBox().width])"
    )
    cells = 0
    for text, x, width in places:
        wide = text.strip() and ord(text[0]) > 0x1100
        taken = 2 if wide else len(text)
        assert 20 + cells * 8.4 - 0.5 <= x + (0.001 if wide else 0)
        assert x + width <= 20 + (cells + taken) * 8.4 + 1
        cells += taken
    assert "".join(text for text, *_ in places) == title
