"""Connections as one page for a browser: list, ladder, header, octets and sockets move together."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any, Final

from handshake.escape import printable
from handshake.events import Role
from handshake.export.page import asset, localized, page
from handshake.export.step_document import MARKS
from handshake.version import __version__
from handshake.view.header_octets import FIELDS
from handshake.view.ladder import Gap

if TYPE_CHECKING:
    from typing import BinaryIO

    from handshake.export.document import ConnectionDocument, Document
    from handshake.export.step_document import StepDocument

_OCTETS: Final = 192
"""Octets of a packet that are shown at most: all headers, and the beginning of the data."""

_KEYS: Final = (
    ("j k, arrows", "next and previous segment, or connection in the list"),
    ("Home End, g G", "first and last"),
    ("n N", "next and previous segment with a problem"),
    ("f F", "explain the fields of the header one by one, with their octets"),
    ("r", "sequence numbers relative or absolute"),
    ("[ ]", "the previous and the next connection"),
    ("Enter", "open the connection that is chosen in the list"),
    ("/", "search the list"),
    ("Esc", "close the explanation of a field; then back to the list"),
    ("?", "this help"),
)


def write_html(document: Document, out: BinaryIO) -> None:
    """Write a document as a page that is stepped through."""
    data = page_data(document)
    alone = len(data["connections"]) == 1 and document.alone
    text = page(
        document.title,
        _body(document, alone=alone),
        styles=("page.css", "connections.css"),
        scripts=("stepping.js", "connections.js"),
        data=data,
        language=document.glyphs.language,
    )
    out.write(text.encode())


def page_data(document: Document) -> dict[str, Any]:
    """Return what the script shows; its notes are complete then."""
    glyphs = document.glyphs
    words = re.findall(r'\bsay\("([^"]+)"', asset("connections.js")) + list(MARKS)
    return {
        "words": {each: glyphs.translated(each) for each in words},
        "headings": document.headings,
        "fields": [[each.title(glyphs), each.section, each.meaning(glyphs)] for each in FIELDS],
        "connections": [_connection(each) for each in document.connections],
    }


def _connection(found: ConnectionDocument) -> dict[str, Any]:
    steps: list[dict[str, Any]] = []
    before: list[str] = []
    for row in found.rows if found.steps else ():
        if isinstance(row, int):
            steps.append({**_step(found.told(row)), "before": before})
            before = []
        elif isinstance(row, Gap):
            before.append(f"· · · {found.between(row)} · · ·")
        else:
            before.append(found.between(row))
    diagnosis = found.diagnosis
    return {
        "name": found.name,
        "verdict": found.verdict,
        "mark": found.mark,
        "style": found.style,
        "summary": found.summary,
        "answer": found.answer,
        "diagnosis": None
        if diagnosis is None
        else {
            "code": f"{diagnosis.code} ({diagnosis.certainty})",
            "ruledOut": [each.said(found.glyphs.language) for each in diagnosis.ruled_out],
            "evidence": diagnosis.evidence[:20],
        },
        "checks": found.checks,
        "facts": found.facts,
        "findings": found.findings,
        "cells": found.cells,
        "unit": found.clock.unit,
        "steps": steps,
        "after": before,
    }


def _step(told: StepDocument) -> dict[str, Any]:
    packet, at = told.octets
    header = list(told.header)
    return {
        "time": told.time,
        "by": str(told.step.by),
        "kind": told.kind,
        "label": told.label,
        "headline": told.headline,
        "marks": told.marks,
        "states": [told.state(role) for role in Role],
        "changed": ["state" in told.change(role).changed for role in Role],
        "place": told.place,
        "why": told.why,
        "said": told.sentence,
        "header": [each.value for each in header],
        "spans": [[at + each.octets.start, at + each.octets.stop] for each in header],
        "octets": packet[:_OCTETS].hex(),
        "more": max(0, len(packet) - _OCTETS),
        "variables": _variables(told),
        "absolute": _absolute(replace(told, numbers=told.numbers.absolute())),
    }


def _absolute(told: StepDocument) -> dict[str, Any]:
    """Return what sequence numbers are in, as they are in the header."""
    return {"label": told.label, "said": told.sentence, "variables": _variables(told)}


def _variables(told: StepDocument) -> list[list[list[str]]]:
    return [[list(each) for each in told.variables(role)] for role in Role]


def _body(document: Document, *, alone: bool) -> str:
    local = partial(localized, glyphs=document.glyphs)
    said = "".join(f"<p>{escape(printable(each))}</p>" for each in document.notes)
    rows = "".join(f"<dt><kbd>{key}</kbd></dt><dd>{what}</dd>" for key, what in _KEYS)
    return local(_BODY).format(
        title=escape(printable(document.title)),
        version=escape(__version__),
        notes=f"{local(_NOTES)}{said}</aside>" if said else "",
        list="" if alone else local(_LIST),
        keys=local(rows),
    )


_NOTES: Final = '<aside aria-label="Left out">'

_LIST: Final = """\
<section id="list" aria-labelledby="list-title">
<h2 id="list-title">Connections</h2>
<p><label>Search <input type="search" id="find"></label> <span id="count" role="status"></span></p>
<div class="scroll rows"><table id="rows" aria-labelledby="list-title"></table></div>
</section>
"""

_BODY: Final = """\
<header>
<h1>{title}</h1>
<p class="dim">handshake {version} · <button type="button" id="help">Keys: ?</button>
<button type="button" id="numbers" aria-pressed="false">Absolute numbers: r</button></p>
{notes}</header>
<main>
{list}<div id="connection">
<section aria-labelledby="name" class="about">
<h2 id="name" tabindex="-1"></h2>
<p id="summary"></p>
<div id="answer"></div>
<details><summary>Facts and findings</summary><div id="facts"></div></details>
</section>
<section aria-labelledby="ladder-title" class="segments">
<h3 id="ladder-title">Segments</h3>
<div class="ends mono" aria-hidden="true"><span id="unit"></span><span class="client">client</span>
<span id="seq"></span><span class="server">server</span></div>
<ol id="ladder" class="mono" role="listbox" tabindex="0" aria-labelledby="ladder-title"></ol>
<p class="dim" id="after"></p>
</section>
<section aria-labelledby="step-title" class="step">
<h3 id="step-title"></h3>
<p class="dim" id="place"></p>
<p id="why"></p>
<div class="scroll"><table id="sockets"></table></div>
<div class="scroll"><table id="header"></table></div>
<p id="field" role="status"></p>
<h3 id="octets-title">Octets</h3>
<pre id="octets" tabindex="0" role="group" aria-labelledby="octets-title"></pre>
</section>
</div>
</main>
<nav aria-label="Steps">
<button type="button" id="back">← back</button>
<span id="position"></span>
<button type="button" id="on">step →</button>
</nav>
<p id="live" class="hidden" role="status"></p>
<noscript><p>This page needs its script. Without: --export FILE.md, FILE.txt or report.html.</p>
</noscript>
<dialog id="keys" aria-labelledby="keys-title">
<h2 id="keys-title">Keys</h2>
<dl>{keys}</dl>
<p><b>!</b> <span>a problem</span>, <b>?</b> <span>inferred and not seen</span>,
<b>✕</b> <span>lost behind the point of capture</span>,
<b>→</b> <span>changed by this segment</span></p>
<form method="dialog"><button>Close</button></form>
</dialog>
"""
