"""A connection of a capture as a text, and one step of it as a screen."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

import pytest
from rich.console import Console

from handshake import replay
from handshake.tracker import Tracker, summarize
from handshake.view.fields import Fields
from handshake.view.glyphs import ASCII, UNICODE, Glyphs
from handshake.view.hexdump import HexDump
from handshake.view.notation import Numbers, is_trouble
from handshake.view.replay import Screen, Transcript
from tests.view.test_ladder import HANDSHAKE, steps

if TYPE_CHECKING:
    from rich.text import Text

    from handshake.events import Step
    from handshake.record import Record


def lost_syn_ack() -> tuple[Record, list[Step]]:
    tracker = Tracker()
    seen = steps(*HANDSHAKE, tracker=tracker)
    return summarize(tracker.connections[0]), seen


def screen(at: int, *, octets: bool = False, glyphs: Glyphs = UNICODE) -> Screen:
    record, seen = lost_syn_ack()
    return Screen(
        record,
        seen,
        at,
        Numbers.of(seen),
        name="some/where/sample.pcap",
        keys=["? keys", "q quit"],
        octets=octets,
        glyphs=glyphs,
    )


def drawn(shown: Screen, width: int, height: int) -> list[str]:
    return [cast("Text", each).plain.rstrip() for each in shown.draw(width, height).renderables]


def test_a_step_on_a_terminal_of_eighty_columns() -> None:
    assert drawn(screen(2), 80, 24) == [
        " #1  192.0.2.10:49152 → 198.51.100.7:80       step 3/4  ! SYN-ACK retransmitted",
        "       ms CLIENT       seq relative                                SERVER",
        "    0.000 SYN-SENT     ── SYN seq=0 win=65535 mss=1460 ws=7 ─────▶ ?",
        "   30.000 ESTABLISHED  ◀───────── SYN-ACK seq=0 ack=1 win=65535 ── SYN-RECEIVED",
        "                                   · · ·  1.02 s  · · ·",
        " 1050.000>ESTABLISHED  ◀─── SYN-ACK again seq=0 ack=1 win=65535 ── SYN-RECEIVED",
        " 1051.000 ESTABLISHED  ── ACK seq=1 ack=1 win=65535 ─────────────▶ ESTABLISHED",
        "── segment 3, +1020.000 ms ─────────────────────────────────────────────────────",
        " ports    80 → 49152      seq    0 (7000)             ack    1 (4001)",
        " flags    SYN-ACK         window 65535                urgent 0",
        " checksum 0x0000 ?        offset 10 = 40 octets       length 0 octets",
        " options  MSS 1460 · SACK ok · TS 1000/0 · WScale 7",
        "── what this means ─────────────────────────────────────────────────────────────",
        " ! The server retransmits its SYN-ACK (retransmission 1, after 1.02 s): it is",
        "   half-open and has not accepted a final ACK, while the client may be",
        "   ESTABLISHED. Likely causes: the SYN-ACK or the ACK was lost, the accept queue",
        "   is full, or the server waits for data (TCP_DEFER_ACCEPT). (RFC 9293 3.8.1)",
        "── what each socket knows ──────────────────────────────────────────────────────",
        " client ESTABLISHED  SND.NXT 1  RCV.NXT 1",
        " server SYN-RECEIVED  SND.NXT 1  RCV.NXT 1",
        "",
        "",
        "",
        " ? keys  q quit",
    ]


def test_a_wide_screen_has_the_header_s_grid_and_names_the_file() -> None:
    lines = drawn(screen(2), 120, 40)
    assert lines[0].startswith(" #1  192.0.2.10:49152 → 198.51.100.7:80  sample.pcap packets ")
    assert "│ Sequence Number         7000                    0x00001b58    │" in lines[14]
    assert any(line.endswith("= all TCP fields are the same") for line in lines)
    assert lines[-2] == "─" * 120


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (110, 30), (200, 60), (40, 10), (9, 3)])
@pytest.mark.parametrize("octets", [False, True])
def test_a_screen_fills_the_terminal_and_no_more(size: tuple[int, int], octets: bool) -> None:
    width, height = size
    for at in range(len(HANDSHAKE)):
        for glyphs in (UNICODE, ASCII):
            lines = drawn(screen(at, octets=octets, glyphs=glyphs), width, height)
            assert len(lines) == height
            assert max(map(len, lines)) <= width


def test_a_transcript_names_its_connection_and_wraps_long_names(
    capsys: pytest.CaptureFixture[str],
) -> None:
    record, seen = lost_syn_ack()
    Console(width=80).print(Transcript(record, seen, Numbers.of(seen)))
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        "#1 192.0.2.10:49152 → 198.51.100.7:80",
        "    tcp.stream == 0, established, 4 segments, 1.051 s",
    ]
    Console(width=40).print(Transcript(record, seen, Numbers.of(seen)))
    assert capsys.readouterr().out.splitlines()[:2] == [
        "#1 192.0.2.10:49152 →",
        "    198.51.100.7:80",
    ]


def test_what_a_host_leaves_to_its_network_card_is_no_trouble() -> None:
    """A capture on the sending host has a partial checksum in every segment."""
    seen = list(replay("captures/checksum-offload.pcap"))
    assert [each.code for each in seen[0].events][-1] == "bad-checksum"
    assert not [each for each in seen if is_trouble(each)]


@pytest.mark.parametrize("width", range(40, 121, 8))
def test_no_field_and_no_octet_is_cut_on_a_narrow_screen(width: int) -> None:
    _, seen = lost_syn_ack()
    for step in seen:
        fields = Fields(step, Numbers.of(seen)).lines(width)
        dump = HexDump(step.observed, width=width, header_only=True).lines()
        assert max(each.cell_len for each in (*fields, *dump)) <= width
        header = step.segment.pack().hex()
        end = 8 + (50 if width >= 77 else 25)
        octets = re.findall(r"\b[0-9a-f]{2}\b", " ".join(each.plain[8:end] for each in dump))
        assert "".join(octets) == header
