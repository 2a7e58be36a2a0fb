"""Text from outside in every export: file names, targets, host and interface names, long ones."""

from __future__ import annotations

import io
import json
import re
import struct
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest
from rich.cells import cell_len

from handshake.cli.exporting import export_records
from handshake.export.document import (
    RECORD_HEADINGS,
    RESULT_HEADINGS,
    Document,
    of_record,
    of_result,
)
from handshake.export.excerpt import steps_from
from handshake.export.formats import FORMATS, Format
from handshake.export.page import in_script
from handshake.linux.privileges import Shell
from handshake.survey import records
from handshake.tcp.copy import changed
from tests.capture.blocks import packets as pcapng_packets
from tests.capture.files import block, interface, option, section
from tests.export.test_lesson import Page
from tests.survey.made import packets, save
from tests.test_text_from_outside import ERROR, EVIL, ODD, SHOWN, harmless
from tests.view.test_probe import OPEN, STEPS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MARKUP: Final = (
    "</script><script>alert(1)</script><img src=x onerror=alert(2)> ]]> --> <!-- "
    "`code` | **bold** [a](https://evil.example) http://evil.example ``` end; %% #quot; $x$ [/red]"
)
LONG: Final = "가" * 5_000 + "x" * 5_000
HOSTILE: Final = f"{EVIL} {MARKUP} {LONG}"


SEGMENTS: Final = tuple(each.observed for each in STEPS)


@pytest.fixture
def documents(tmp_path: Path) -> list[Document]:
    return hostile_documents(tmp_path)


def hostile_documents(tmp_path: Path) -> list[Document]:
    """Return a probe of a hostile target, and a connection of a capture with a hostile name."""
    save(tmp_path / "it.pcap", packets("refused"))
    source = records(tmp_path / "it.pcap")
    (record,) = list(source)
    steps = source.steps(record)
    hostile = changed(record, capture=HOSTILE)
    results = (
        replace(ODD, target=HOSTILE),
        replace(OPEN, target=HOSTILE, errors=(ERROR,), segments=SEGMENTS),
    )
    told = [of_result(each, Shell(), at) for at, each in enumerate(results, 1)]
    return [
        Document(HOSTILE, RECORD_HEADINGS, [of_record(hostile, steps)], True, [HOSTILE]),
        Document(HOSTILE, RESULT_HEADINGS, told, False, [HOSTILE]),
    ]


def written(form: Format, document: Document) -> bytes:
    out = io.BytesIO()
    form.write(document, out)
    return out.getvalue()


def texts(form: Format, octets: bytes) -> Iterator[str]:
    """Yield the texts that a reader sees."""
    if form.ending == "pcapng":
        for each in pcapng_packets(octets):
            yield from each.comments
    else:
        yield octets.decode("utf-8")


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.ending)
def test_nothing_in_it_is_taken_for_more_than_text(form: Format, documents: list[Document]) -> None:
    for document in documents:
        octets = written(form, document)
        for text in texts(form, octets):
            harmless(text)
        whole = octets.decode("utf-8", "replace")
        assert len(octets) < 3_000_000
        match form.ending:
            case "json":
                found = json.loads(octets)
                assert found["title"] == HOSTILE
            case "txt":
                assert max(map(cell_len, whole.splitlines())) <= 100
                assert SHOWN in whole.replace("\n", "")
            case "svg":
                tree = ET.fromstring(whole)
                kinds = {each.tag.partition("}")[2] for each in tree.iter()}
                assert kinds == {"svg", "title", "style", "rect", "text", "tspan", "line"}, document
            case "md":
                prose = re.sub(r"(?s)```mermaid.*?```", "", whole)
                assert "<" not in prose.replace("&lt;", "")
                assert not re.search(r"(?<!\\)\[a(?<!\\)\]\(", prose)
                assert not re.search(r"https?://evil", prose)
                assert max(row.count("|") - row.count(r"\|") for row in prose.splitlines()) <= 10
            case "html" | "report.html":
                page = Page(whole)
                assert page.open == []
                assert page.outside == []
                assert "img" not in page.seen
                assert page.seen.count("script") == (2 if form.ending == "html" else 0)


@pytest.mark.parametrize("text", ["</script>", "<!--<script>", "\u2028\u2029", "]]>", "&lt;", EVIL])
def test_data_stays_in_its_script(text: str) -> None:
    found = in_script({"a": [text]})
    assert not set(found) & set("<>&\u2028\u2029")
    assert found.isascii()
    json.loads(found)


def test_a_page_lets_nothing_else_run_or_load(documents: list[Document]) -> None:
    for form in FORMATS[:2]:
        whole = written(form, documents[0]).decode()
        assert "default-src 'none'" in whole
        assert "script-src 'sha256-" in whole or "script-src 'none'" in whole
        assert "url(" not in whole
        assert "@import" not in whole


def test_comments_and_names_inside_a_capture_stay_there(tmp_path: Path) -> None:
    # if_name, if_description; opt_comment of a packet, twice.
    text = HOSTILE.encode("utf-8", "surrogateescape")[:60_000]
    names = option(2, text) + option(3, text) + option(9, b"\x09") + option(0, b"")
    path = tmp_path / "it.pcapng"
    octets = section() + interface(options=names)
    for data, at in packets("refused"):
        fixed = struct.pack("<IIIII", 0, at >> 32, at & 0xFFFFFFFF, len(data), len(data))
        padded = data + bytes(-len(data) % 4)
        octets += block(6, fixed + padded + option(1, text) + option(1, text) + option(0, b""))
    path.write_bytes(octets)
    source = records(path)
    found = list(source)
    assert [each.outcome for each in found] == ["refused"]
    for form in FORMATS:
        out = tmp_path / f"out.{form.ending}"
        export_records(found, steps_from(source), str(out), title="it")
        written = out.read_bytes()
        for each in texts(form, written):
            harmless(each)
        assert b"alert(1)" not in written
        assert b"x" * 5000 not in written
