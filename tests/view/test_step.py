"""One step explained, in few lines and as a picture."""

from __future__ import annotations

from dataclasses import replace

from handshake.tcp import Observed, Options
from handshake.tracker import Tracker
from handshake.view.glyphs import ASCII
from handshake.view.hexdump import HexDump
from handshake.view.notation import Numbers
from handshake.view.step import Explanation
from tests.segments import segment
from tests.view.test_ladder import HANDSHAKE, steps


def plain(explanation: Explanation, width: int = 80) -> list[str]:
    return [line.plain.rstrip() for line in explanation.lines(width)]


def test_a_syn_ack_and_what_both_sockets_write_down() -> None:
    seen = steps(*HANDSHAKE)
    assert plain(Explanation(seen[1], Numbers.of(seen), seen[0])) == [
        "── SYN-ACK from the server, segment 2, +30.000 ms ──────────────────────────────",
        " ports    80 → 49152      seq    0 (7000)             ack    1 (4001)",
        " flags    SYN-ACK         window 65535                urgent 0",
        " checksum 0x0000 ?        offset 10 = 40 octets       length 0 octets",
        " options  MSS 1460 · SACK ok · TS 1000/0 · WScale 7",
        " client SYN-SENT → ESTABLISHED  SND.UNA 0 → 1  SND.NXT 1  SND.WND *65535",
        "        IRS *0 (7000)  RCV.NXT *1  MSS *1460  shift *7/7  SACK *on",
        "        TS.Recent *1000",
        " server ? → SYN-RECEIVED  peer *192.0.2.10:49152  ISS *0 (7000)  SND.UNA *0",
        "        SND.NXT *1  SND.WND *65535  IRS *0 (4000)  RCV.NXT *1  RCV.WND *65535",
        "        MSS *1460  shift *7/7  SACK *on  TS.Recent *1000",
        "   SYN-ACK: the server answers as a listening socket does, with two messages in",
        '   one segment, ACK ("4001 is the next sequence number that I expect") and SYN',
        '   ("my own start at 7000"). The connection is half-open. In force from now on:',
        "   MSS 1460, window shift 7/7, SACK, timestamps. (RFC 9293 3.5)",
    ]


def test_trouble_is_marked_without_colour() -> None:
    seen = steps(*HANDSHAKE)
    lines = plain(Explanation(seen[2], Numbers.of(seen), seen[1], glyphs=ASCII))
    assert lines[0].startswith(
        "-- SYN-ACK retransmitted from the server, segment 3, +1020.000 ms --"
    )
    assert lines[-5:] == [
        " server SYN-RECEIVED  SND.NXT 1  RCV.NXT 1",
        " ! The server retransmits its SYN-ACK (retransmission 1, after 1.02 s): it is",
        "   half-open and has not accepted a final ACK, while the client may be",
        "   ESTABLISHED. Likely causes: the SYN-ACK or the ACK was lost, the accept queue",
        "   is full, or the server waits for data (TCP_DEFER_ACCEPT). (RFC 9293 3.8.1)",
    ]


def test_a_picture_marks_how_two_segments_differ() -> None:
    seen = steps(*HANDSHAKE)
    picture = plain(Explanation(seen[2], Numbers.of(seen), seen[1], seen[1], pictured=True), 120)
    assert "Compared with segment 2" in picture[1]
    assert "= all TCP fields are the same" in picture[2]
    assert all(len(line) <= 120 for line in picture)
    other = plain(Explanation(seen[3], Numbers.of(seen), seen[2], seen[0], pictured=True), 120)
    assert "* marks fields that differ" in other[2]
    assert any("*4001" in line for line in other)


def test_odd_headers_are_shown_whole() -> None:
    seg = segment("<SEQ=1><CTL=SYN,FIN,RST,PSH,URG,ECE,CWR>")
    odd = replace(seg, options=Options(b"\xfd\x00"), reserved=5, ack_field=77, urgent=65535)
    (step,) = [Tracker().feed(Observed(odd, 0))]
    lines = plain(Explanation(step, Numbers()))
    assert " flags    SYN-FIN-RST-PSH-URG-ECE-CWR window 65535    urgent 65535" in lines
    assert any("77, unused" in line for line in lines)
    assert " options  experiment-253 malformed" in lines
    assert " reserved 5, must be 0" in lines


def test_octets_that_would_move_a_cursor_are_dots() -> None:
    seg = replace(segment("<SEQ=1><CTL=ACK>"), payload=b"\x1b[2Jhi\x07", payload_length=7)
    packet = b"\x45" * 20 + seg.pack() + seg.payload
    lines = [line.plain for line in HexDump(Observed(seg, 0, packet=packet)).lines()]
    assert (
        lines[-1] == "   0020   50 10 ff ff 00 00 00 00  1b 5b 32 4a 68 69 07     P........[2Jhi."
    )
    assert HexDump(Observed(seg, 0)).lines()[0].plain.strip().startswith("the octets")
    short = [line.plain for line in HexDump(Observed(seg, 0, packet=packet), height=2).lines()]
    assert short[1] == "   31 more octets"
