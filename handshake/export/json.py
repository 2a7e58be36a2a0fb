"""Connections as one JSON object: the record or the result of each, and its steps."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from handshake.step_record import step_record
from handshake.version import __version__

if TYPE_CHECKING:
    from typing import BinaryIO

    from handshake.export.document import Document


def write_json(document: Document, out: BinaryIO) -> None:
    """Write a document as JSON, a connection after the other."""
    head = {"handshake": __version__, "title": document.title}
    out.write(f"{json.dumps(head)[:-1]}, ".encode() + b'"connections": [')
    for number, each in enumerate(document.connections):
        found = {**each.json, "steps": [step_record(step) for step in each.steps]}
        out.write(b",\n" if number else b"\n")
        out.write(json.dumps(found).encode())
    out.write(b"\n]}\n")
