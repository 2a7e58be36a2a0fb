"""What a notebook shows of a replay, a record, a connection and a result."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import handshake
from tests.export.test_hostile import HOSTILE
from tests.export.test_lesson import Page
from tests.test_text_from_outside import harmless
from tests.view.test_probe import OPEN, STEPS

if TYPE_CHECKING:
    import pytest

CAPTURES: Final = Path(__file__).parents[2] / "captures"


def shown(found: object) -> Page:
    """Return what a notebook asks for; it is whole, and has no script."""
    html = found._repr_html_()  # type: ignore[attr-defined]
    page = Page(html)
    assert page.open == []
    assert "script" not in page.seen
    assert page.outside == []
    harmless(page.data)
    return page


def test_a_replay_draws_its_connections_and_stays_unread() -> None:
    replay = handshake.replay(CAPTURES / "lost-syn-ack.pcap")
    page = shown(replay)
    assert page.seen.count("svg") == 1
    assert "SYN-ACK lost seq=0" in page.data
    assert len(list(replay)) == 11
    many = shown(handshake.replay(CAPTURES / "mixed.pcap"))
    assert "22 connections are left out" in many.data


def test_a_record_and_a_connection() -> None:
    (record,) = handshake.records(CAPTURES / "refused.pcap")
    assert "refused" in shown(record).data
    assert "shows whether a program listens" in shown(record).data
    replay = handshake.replay(CAPTURES / "refused.pcap")
    assert list(replay)
    assert "refused" in shown(replay.tracker.connections[0]).data


def test_a_result() -> None:
    result = replace(OPEN, segments=tuple(each.observed for each in STEPS))
    page = shown(result)
    assert page.seen.count("svg") == 1
    assert "<script>alert(1)</script>" in shown(replace(OPEN, target=HOSTILE)).data


def test_it_speaks_the_language_of_the_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "ko_KR.UTF-8")
    page = shown(handshake.replay(CAPTURES / "lost-syn-ack.pcap"))
    assert "SYN-ACK 유실 seq=0" in page.data
    (record,) = handshake.records(CAPTURES / "refused.pcap")
    assert "다음: 서버에서" in shown(record).data


def test_what_is_read_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    octets = (CAPTURES / "refused.pcap").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(octets)))
    replay = handshake.replay("-")
    assert "read only once" in shown(replay).data
    assert len(list(replay)) == 2


def test_no_notebook_is_imported() -> None:
    code = (
        "import handshake, sys; handshake.replay('captures/refused.pcap')._repr_html_();"
        "print([name for name in sys.modules if name.split('.')[0] in ('IPython', 'ipykernel')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=CAPTURES.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
