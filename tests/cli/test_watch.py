"""`handshake watch` on a terminal; live traffic is in tests/live/test_watch.py."""

from __future__ import annotations

import re

import pytest

from tests.cli.terminal import Terminal

MIXED = "captures/mixed.pcap"


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_rows_fit_the_terminal_below_their_headings(columns: int) -> None:
    args = ["-m", "handshake", "watch", "-r", MIXED, "--lang", "en"]
    with Terminal(args, columns) as terminal:
        assert terminal.end() == 0
        shown = re.sub(r"\x1b\[[0-9;]*m", "", terminal.output)
    lines = [each.rstrip() for each in shown.splitlines() if each.strip()]
    assert lines[-1] == "178 packets seen, 0 lost"
    assert max(map(len, lines)) <= columns
    heading = next(each for each in lines if "outcome" in each)
    row = next(each for each in lines if each.startswith("   9 "))
    for title, cell in (("outcome", "established"), ("client", "10.77.0.1:"), ("rtt", "10.7ms")):
        at = heading.index(title)
        assert cell in row[at - 3 : at + 12], title
