"""A trace, drawn."""

from __future__ import annotations

import pytest

from handshake.prober.trace import Difference, TracedHop
from handshake.view.glyphs import ASCII
from handshake.view.trace import TraceView
from tests.prober.test_trace import TRACES, answered, passed, silent, trace

MSS = Difference("mss", "MSS 1460", "MSS 1400")
REMOVED = Difference("sack-permitted", "SACK ok", "")
DROPPED = trace(
    passed(1),
    passed(2, MSS, REMOVED),
    TracedHop(3, 1, passed(3).error, rtt=0.0201, differences=(MSS,), cut=False),
    *map(silent, (4, 5), (3, 3)),
    *map(silent, (6, 7), (1, 1)),
    final=silent(64),
)


def drawn(view: TraceView, width: int = 80) -> list[str]:
    return [each.plain.rstrip() for each in view.lines(width)]


def test_the_verdict_stands_first_and_each_hop_in_a_row() -> None:
    assert drawn(TraceView(DROPPED)) == [
        "DROPPED  a.example:80 (198.51.100.7)  after hop 3, 203.0.113.3 (or by a silent",
        "  router behind it)",
        "  evidence 3 routers passed a SYN on; of 11 SYNs beyond, nothing came back",
        "  next     sudo tcpdump -ni any 'tcp port 80 or icmp'  there, and behind it",
        "",
        "   hop  from           rtt ms  came back          changed on the way",
        "     1  203.0.113.1      1.00  ttl-exceeded",
        "     2  203.0.113.2      2.00  ttl-exceeded       MSS 1460 → 1400, removed: SACK",
        "        ok",
        "     3  203.0.113.3      20.1  ttl-exceeded",
        "     4  *                      nothing (3 SYNs)",
        "     5  *                      nothing (3 SYNs)",
        "     6  *                      nothing (1 SYN)",
        "     7  *                      nothing (1 SYN)",
        "TTL 64  *                      nothing (3 SYNs)",
    ]


def test_in_a_pipe_each_hop_is_a_sentence() -> None:
    found = trace(passed(1), passed(2, MSS), answered(3))
    assert [each.plain for each in TraceView(found).sentences()] == [
        "ANSWERED  a.example:80 (198.51.100.7)  SYN-ACK from hop 3",
        "  evidence: 3 SYNs sent; 2 routers passed one on",
        "  hop 1: ttl-exceeded from 203.0.113.1 after 1 ms",
        "  hop 2: ttl-exceeded from 203.0.113.2 after 2 ms; MSS 1460 → 1400",
        "  hop 3: SYN-ACK from 198.51.100.7 after 20 ms",
    ]


@pytest.mark.parametrize("code", TRACES)
@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_line_is_wider_than_the_terminal(code: str, width: int) -> None:
    view = TraceView(TRACES[code][0], ASCII)
    lines = view.lines(width)
    assert all(each.cell_len <= width for each in lines)
    assert all(each.plain.isascii() for each in lines)
    text = " ".join(" ".join(each.plain for each in lines).split())
    assert str(view.trace.verdict) in text


def test_while_it_runs_it_tells_which_hop_it_waits_for() -> None:
    view = TraceView(trace(passed(1)))
    assert view.waiting() == "waiting for hop 2"
    assert len(view.table(80)) == 2
