"""Draws the README's pictures: `python docs/pictures.py [NAME...]` writes docs/NAME.svg.

The pictures of `probe` and `serve` are those of real connections on loopback, which needs root;
without it, those pictures are left as they are.
"""

from __future__ import annotations

import fcntl
import os
import re
import shlex
import socket
import struct
import subprocess
import sys
import termios
from codecs import getincrementaldecoder
from contextlib import suppress
from functools import partial
from html import escape, unescape
from io import StringIO
from pathlib import Path
from threading import Thread
from time import sleep
from typing import TYPE_CHECKING, Final, Self

from rich.console import Console, Group, RenderableType
from rich.terminal_theme import TerminalTheme
from rich.text import Text

import handshake
from handshake.capture.open import read as read_capture
from handshake.cli.browse import ListBrowser
from handshake.cli.listing import Listing, LiveListing, title
from handshake.cli.live_list import LiveList
from handshake.cli.player import Player
from handshake.cli.step_reader import StepReader
from handshake.errors import LocalError
from handshake.prober.run import Probe, probes
from handshake.prober.target import targets
from handshake.view.glyphs import UNICODE
from handshake.view.probe import ProbeView
from handshake.view.theme import THEME
from handshake.watcher import LiveWatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from handshake.packet.frame import Frame

HERE: Final = Path(__file__).resolve().parent
CAPTURES: Final = HERE.parent / "captures"
STEP, CHOSEN = 3, 8
PORT: Final = 8080
PACKETS, SECONDS = 150, 8
"""Packets of the capture after which some connections are open, and how long that is watched."""

# Rich's own template links a font on the web; a picture in a README must not need it. A character
# of the first two fonts is 0.602 of their size wide: 12.2, also in a program without textLength.
TEMPLATE: Final = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: DejaVu Sans Mono, Menlo, Consolas, monospace;
  font-size: 20.265px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""

COLOURS: Final = TerminalTheme(
    (41, 41, 41),
    (222, 225, 223),
    [
        (75, 78, 85),
        (240, 113, 120),
        (160, 180, 80),
        (215, 185, 75),
        (122, 166, 218),
        (195, 151, 216),
        (112, 186, 205),
        (222, 225, 223),
    ],
    [
        (154, 155, 153),
        (255, 120, 120),
        (80, 200, 120),
        (225, 150, 80),
        (100, 170, 255),
        (255, 120, 165),
        (90, 205, 190),
        (253, 253, 197),
    ],
)
"""The sixteen colours of a terminal: each has a contrast over 4.5, which not all of rich's have."""

TEXT: Final = re.compile(
    r'<text class="(\S+)" x="([\d.]+)" (y="[\d.]+" )textLength="[^"]*" ([^>]*)>([^<]*)</text>'
)
CONTROL: Final = re.compile(r"(\n|\r|\x1b\[1A|\x1b\[2K|\x1b\[\?25[lh])")
"""What moves the cursor of a live screen."""

STYLE: Final = re.compile(r"\x1b\[[0-9;]*m")

DOWN: Final = "│├┤┬┼╭╮"
"""The signs whose line goes down to the next row."""

BELOW: Final = 5.2
"""From the baseline to where a line of DejaVu Sans Mono ends and that of the next row begins."""

STROKE: Final = 1.7
"""How wide that line is."""

CELL: Final = 12.2
"""The width of a character in rich's pictures."""


def drawn(name: str, shown: RenderableType, width: int, height: int | None = None) -> str:
    """Return what a terminal of this size shows as a picture."""
    console = Console(
        record=True,
        width=width,
        height=height,
        theme=THEME,
        file=StringIO(),
        force_terminal=True,
        color_system="truecolor",
        legacy_windows=False,
        _environ={},
    )
    console.print(shown)
    picture = console.export_svg(
        title=name, theme=COLOURS, code_format=TEMPLATE, unique_id="handshake"
    )
    return TEXT.sub(_each_word, picture)


def _each_word(found: re.Match[str]) -> str:
    """Place each word by itself: not every program keeps the spaces of a text.

    A line that goes down is drawn to the next row: fonts are less high than rows.
    """
    style, x, y, more, text = found.groups()
    baseline = float(y.split('"')[1])
    bridges = "".join(
        f'<rect class="{style}" x="{float(x) + (at + 0.5) * CELL - STROKE / 2:.2f}" '
        f'y="{baseline + BELOW - 1.5:.1f}" width="{STROKE}" height="3" />'
        for at, sign in enumerate(unescape(text))
        if sign in DOWN
    )
    return bridges + "".join(
        f'<text class="{style}" x="{float(x) + word.start() * CELL:.1f}" '
        f'textLength="{len(word[0]) * CELL:.1f}" {y}{more}>{escape(word[0])}</text>'
        for word in re.finditer(r"\S+", unescape(text))
    )


def replay() -> str:
    """Return one step of a replay."""
    path = CAPTURES / "lost-syn-ack.pcap"
    source = handshake.records(path)
    (record,) = source
    reader = StepReader(source, UNICODE.language)
    log = reader.open(record)
    while not log.ended:
        reader.wait()
    player = Player(str(path.name), [], None, UNICODE, growing=log)
    player.advance()
    for _ in range(STEP):
        player.press("right")
    return drawn(f"handshake replay {path.name}", player.draw(120, 34), 120, 34)


def connections() -> str:
    """Return the list of connections, one of them chosen."""
    path = CAPTURES / "mixed.pcap"
    source = handshake.records(path)
    found = list(source)
    heading = title(found, [path.name], UNICODE)
    browser = ListBrowser(source, Listing(found), heading, UNICODE)
    browser.draw(120, 36)
    for _ in range(CHOSEN):
        browser.press("down")
    browser.draw(120, 36)
    while browser.pause is not None:
        browser.advance()
        browser.draw(120, 36)
    return drawn(f"handshake list {path.name}", browser.draw(120, 36), 120, 36)


def probe() -> str:
    """Return what a probe of a listener on loopback shows."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        Thread(target=lambda: server.accept()[0].recv(1), daemon=True).start()
        port = server.getsockname()[1]
        (target,) = targets([f"127.0.0.1:{port}"])
        (each,) = probes(target)
        assert isinstance(each, Probe)
        steps = list(each)
        lines = ProbeView(each.result, steps).lines(100)
    return drawn(f"sudo handshake probe 127.0.0.1:{port}", Group(*lines), 100)


def watched(width: int, height: int) -> str:
    """Return the table of a watch, at a moment when some connections are open."""
    path = CAPTURES / "mixed.pcap"
    watcher = LiveWatch(_Begun(list(read_capture(path))[:PACKETS]))
    with LiveList(watcher, "eth0  port 80 or port 81") as live:
        browser = ListBrowser(live, LiveListing([]), live.title([], UNICODE), UNICODE, growing=live)
        browser.draw(width, height)
        while browser.pause is not None:
            browser.advance()
            browser.draw(width, height)
            sleep(browser.pause or 0)
    command = "sudo handshake watch -i eth0 'port 80 or port 81'"
    return drawn(command, browser.draw(width, height), width, height)


class _Begun:
    """A source that has given its frames, and gives no more."""

    lost, ended, warnings = 0, False, ()

    def __init__(self, frames: list[Frame]) -> None:
        self._frames = [each._replace(data=bytes(each.data)) for each in frames]
        self._now = frames[0].time + SECONDS * 10**9

    def read(self, seconds: float) -> list[Frame]:  # noqa: ARG002
        found, self._frames = self._frames, []
        self.ended = not found
        return found

    def now(self) -> int:
        return self._now

    def interfaces(self) -> list[tuple[str, int]]:
        return [("eth0", 1)]


def printed(width: int, height: int, *words: str) -> str:
    """Return what a command prints on a terminal of this size."""
    with _Terminal(width, height, *words) as terminal:
        terminal.wait()
    shown = Text.from_ansi(terminal.text.replace("\r\n", "\n").rstrip())
    return drawn(shlex.join(["handshake", *words]), shown, width)


def served(width: int, height: int) -> str:
    """Return what `serve` shows when one client has sent data, and another one just connects."""
    host = "127.0.0.1"
    with _Terminal(width, height, "serve", str(PORT), "--address", host) as terminal:
        terminal.see(" 0 open")
        with socket.create_connection((host, PORT)) as first:
            first.sendall(b"hello")
            first.recv(5, socket.MSG_WAITALL)
            terminal.see(" 1 open")
            with socket.create_connection((host, PORT)):
                terminal.see(" 2 open")
                shown = _screen(terminal.text)[-height:]
    command = f"sudo handshake serve {PORT} --address {host}"
    return drawn(command, Text.from_ansi("\n".join(shown)), width, height)


def _screen(written: str) -> list[str]:
    """Return the lines that are left of what a live screen has written again and again."""
    lines, at = [""], 0
    for each in CONTROL.split(written):
        if each == "\n":
            at += 1
            lines += [""] * (at == len(lines))
        elif each == "\x1b[1A":
            at -= 1
        elif each == "\x1b[2K":
            lines[at] = ""
        elif each not in ("\r", "\x1b[?25l", "\x1b[?25h"):
            lines[at] += each
    return lines


class _Terminal:
    """This program on a terminal of a certain size."""

    def __init__(self, width: int, height: int, *words: str) -> None:
        self._ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        env = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", "PYTHONUTF8": "1"}
        argv = [sys.executable, "-m", "handshake", *words]
        # What is run is this program, with words of this file.
        self._process = subprocess.Popen(  # noqa: S603
            argv, stdin=theirs, stdout=theirs, stderr=theirs, env=env, cwd=HERE.parent
        )
        os.close(theirs)
        self.text = ""
        # It must never wait for us to read, as its clients do for it.
        self._reader = Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self.wait()
        os.close(self._ours)

    def wait(self) -> None:
        """Wait until it has ended."""
        self._reader.join()
        self._process.wait()

    def _read(self) -> None:
        decoder = getincrementaldecoder("utf-8")()  # a piece may end within a sign
        with suppress(OSError):  # the terminal is closed
            while piece := os.read(self._ours, 65536):
                self.text += decoder.decode(piece)

    def see(self, words: str) -> None:
        """Wait until it has written these words anew. Raises LocalError if it ends before."""
        begin = len(STYLE.sub("", self.text))
        while words not in STYLE.sub("", self.text)[begin:]:
            sleep(0.02)
            if not self._reader.is_alive():
                raise LocalError("no-cap-net-raw", command="sudo make pictures")


WRONG: Final = ("--seq", "1000", "--checksum", "wrong", "--reserved", "5", "--offset", "12")

PICTURES: Final[dict[str, Callable[[], str]]] = {
    "replay": replay,
    "list": connections,
    "probe": probe,
    **{
        f"{name}-{width}x{height}": partial(draw, width, height, *words)
        for width, height in ((80, 24), (120, 40))
        for name, draw, *words in (
            ("watch", watched),
            ("craft", printed, "craft", *WRONG),
            ("decode", printed, "decode", "captures/mixed.pcap", "--frame", "3"),
            ("serve", served),
        )
    },
}


def main(names: list[str]) -> None:
    """Write the pictures of these names; without names, all."""
    for name in names or PICTURES:
        try:
            picture = PICTURES[name]()
        except LocalError as error:
            sys.stderr.write(f"docs/{name}.svg stays as it is: {error}\n")
            continue
        (HERE / f"{name}.svg").write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
