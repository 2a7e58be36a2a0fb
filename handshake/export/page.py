"""A page for a browser in one file: its style, its script and its data, and nothing else."""

from __future__ import annotations

import base64
import json
import re
from functools import cache
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from handshake.escape import printable
from handshake.messages import ENGLISH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handshake.view.glyphs import Glyphs


_WORDS: Final = re.compile(r'((?:^|>|aria-label=")\s*)([^\s<>"{}][^<>"{}]*?)(\s*(?:"|<|$))')
"""What stands between two tags, or in a label; nothing with a value in it."""


def page(
    title: str,
    body: str,
    *,
    styles: Sequence[str],
    scripts: Sequence[str] = (),
    data: Any = None,
    language: str = ENGLISH,
) -> str:
    """Return a page: `body` is its markup, and the styles and scripts are names of assets.

    The browser is told to load nothing and to run no other script. The script finds `data` as JSON
    in the element `data`.
    """
    script = "".join(f"{asset(each)}\n" for each in scripts)
    allowed = f"'sha256-{_digest(script)}'" if script else "'none'"
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; "
        f"script-src {allowed}; base-uri 'none'; form-action 'none'"
    )
    found = [
        "<!doctype html>",
        f'<html lang="{language}">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(printable(title))}</title>",
        *(f"<style>\n{asset(each)}</style>" for each in styles),
        "</head>",
        f"<body>\n{body}",
    ]
    if data is not None:
        found.append(f'<script type="application/json" id="data">{in_script(data)}</script>')
    if script:
        found.append(f"<script>{script}</script>")
    return "\n".join([*found, "</body>", "</html>", ""])


def localized(markup: str, glyphs: Glyphs) -> str:
    """Return markup of ours with its words in a language: texts, and the labels of elements."""

    def said(found: re.Match[str]) -> str:
        return f"{found[1]}{glyphs.translated(found[2])}{found[3]}"

    return _WORDS.sub(said, markup)


def in_script(data: Any) -> str:
    """Return JSON that can stand in a script element: nothing in it ends that."""
    text = json.dumps(_cleaned(data), separators=(",", ":"))
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


def _cleaned(data: Any) -> Any:
    """Return data in whose texts nothing can hide what they say."""
    if isinstance(data, str):
        return printable(data)
    if isinstance(data, dict):
        return {name: _cleaned(each) for name, each in data.items()}
    if isinstance(data, list | tuple):
        return [_cleaned(each) for each in data]
    return data


@cache
def asset(name: str) -> str:
    """Return the text of a style or a script."""
    return (files("handshake.export") / "assets" / name).read_text("utf-8")


def _digest(text: str) -> str:
    return base64.b64encode(sha256(text.encode()).digest()).decode()
