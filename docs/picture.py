"""Draws the README's picture: `python docs/picture.py` writes docs/replay.svg."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import SVG_EXPORT_THEME

import handshake
from handshake.view.notation import Numbers
from handshake.view.replay import Screen
from handshake.view.theme import THEME

HERE = Path(__file__).resolve().parent
CAPTURE = HERE.parent / "captures" / "lost-syn-ack.pcap"
WIDTH, HEIGHT, STEP = 120, 34, 3

# Rich's own template links a font on the web; a picture in a README must not need it.
TEMPLATE = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: DejaVu Sans Mono, Menlo, Consolas, monospace;
  font-size: {char_height}px; line-height: {line_height}px; }}
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


def picture() -> str:
    """Return the picture: one step of a replay, as the terminal shows it."""
    replay = handshake.replay(CAPTURE)
    steps = list(replay)
    screen = Screen(
        record=handshake.summarize(replay.tracker.connections[0]),
        steps=steps,
        at=STEP,
        numbers=Numbers.of(steps),
        name=CAPTURE.name,
        keys=["←/→ step", "d compare", "f field", "x hex", "n next problem", "? keys", "q quit"],
    )
    console = Console(
        record=True,
        width=WIDTH,
        height=HEIGHT,
        theme=THEME,
        file=StringIO(),
        force_terminal=True,
        color_system="truecolor",
        legacy_windows=False,
        _environ={},
    )
    console.print(screen.draw(WIDTH, HEIGHT))
    return console.export_svg(
        title=f"handshake replay {CAPTURE.name}",
        theme=SVG_EXPORT_THEME,
        code_format=TEMPLATE,
        unique_id="handshake",
    )


if __name__ == "__main__":
    (HERE / "replay.svg").write_text(picture(), encoding="utf-8")
