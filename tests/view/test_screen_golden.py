"""Each screen of list, replay and probe as it was read, in both languages and both sizes."""

from __future__ import annotations

import pytest

from tests.view.screen_goldens import FORMS, NAMES, NARROW, place, screen, screens


@pytest.mark.parametrize("name", NAMES)
def test_the_screens_are_as_they_were_read(name: str) -> None:
    assert screens(name) == place(name).read_text("utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_ascii_is_ascii_but_for_hangul(name: str) -> None:
    for form in FORMS:
        if form.signs.check == "+" or form.signs.dot == ".":
            text = "".join(each.plain for each in screen(name, form))
            assert all(each.isascii() or "가" <= each <= "힣" for each in text)


@pytest.mark.parametrize("name", ["list", "connection"])
def test_a_narrow_screen_is_full(name: str) -> None:
    lines = screen(name, NARROW)
    assert len(lines) == NARROW.height
    assert max(each.cell_len for each in lines) <= NARROW.width
