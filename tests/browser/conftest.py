"""A browser without network; without Chromium its tests are skipped with a reason."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAMS: Final = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Return a browser; where there is none, skip, or fail under HANDSHAKE_LIVE=required."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        if os.environ.get("HANDSHAKE_LIVE") == "required":
            pytest.fail("HANDSHAKE_LIVE=required, but the pages need chromium", pytrace=False)
        pytest.skip("the pages need chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        # Root has no sandbox, and a container a small /dev/shm.
        options = ["--no-sandbox", "--disable-dev-shm-usage"]
        browser = driver.chromium.launch(executable_path=program, args=options)
        yield browser
        browser.close()


class Visit:
    """A page that is open, and what it did: nothing on the console, and no request."""

    def __init__(self, browser: Any, path: Path, width: int, height: int, scheme: str) -> None:
        self.page = browser.new_page(
            viewport={"width": width, "height": height}, color_scheme=scheme
        )
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: self.said.append(dialog.message))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for each in keys:
            self.page.keyboard.press(each)

    def text(self, selector: str) -> str:
        """Return the text of an element, as it is shown."""
        return str(self.page.inner_text(selector))

    def value(self, script: str) -> Any:
        """Return what a script finds."""
        return self.page.evaluate(script)

    def accessible(self) -> None:
        """Fail for each rule of axe that the page breaks."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page)
        assert found.violations_count == 0, found.generate_report()

    def fits(self) -> None:
        """Fail if the page is wider than the window."""
        wide, window = self.value("[document.documentElement.scrollWidth, innerWidth]")
        assert wide <= window

    def close(self) -> None:
        """Close it, and fail if it said or asked anything."""
        self.page.close()
        assert self.said == []
        assert len(self.asked) == 1


@pytest.fixture
def visit(chromium: Any) -> Iterator[Any]:
    """Return what opens a page; it is held to its promises when the test is over."""
    opened: list[Visit] = []

    def open_page(
        path: Path, *, width: int = 1280, height: int = 900, scheme: str = "light"
    ) -> Visit:
        opened.append(Visit(chromium, path, width, height, scheme))
        return opened[-1]

    yield open_page
    for each in opened:
        each.close()
