"""`handshake probe` of one target on a terminal: what is seen while it runs, and at its end."""

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cli.terminal import Terminal
from tests.live.lab.firewall import drop, firewall
from tests.live.lab.namespaces import Host, pair, routed
from tests.live.lab.servers import answering
from tests.live.test_probe import PORT

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@contextmanager
def screen(host: Host, *words: str, columns: int = 80, lines: int = 24) -> Iterator[Terminal]:
    """Run a probe on a terminal of its own in the namespace of a host."""
    with host.entered():
        terminal = Terminal(["-m", "handshake", "probe", *words], columns, lines)
    with terminal:
        yield terminal


def remains(terminal: Terminal) -> list[str]:
    """Return the lines that stay on the screen: what is drawn after the last erasure."""
    assert terminal.output.count("\x1b[?25l") == terminal.output.count("\x1b[?25h")
    last = terminal.output.rpartition("\x1b[2K")[2]
    return ESCAPES.sub("", last).splitlines()


@pytest.mark.live
def test_the_ladder_grows_and_the_answer_remains() -> None:
    with pair() as (client, server), answering(server), screen(client, f"10.77.0.2:{PORT}") as seen:
        seen.see("open: watching whether the SYN-ACK comes again")
        assert seen.end() == 0
        lines = remains(seen)
    assert lines[0].startswith(f"OPEN  10.77.0.2:{PORT}  SYN-ACK after ")
    assert len(lines) <= 30
    assert not [each for each in lines if "watching" in each]
    assert [each.split()[0] for each in lines if each.startswith("  ")][-1] == "close"


@pytest.mark.live
def test_icmp_errors_are_seen_while_it_waits_and_an_interrupt_says_what_is_known() -> None:
    # A soft error: the SYN is sent again.
    rule = "reject with icmp type net-unreachable"
    with (
        routed() as (client, router, _),
        firewall(router, "forward", "tcp dport 9", rule),
        screen(client, "10.77.1.2:9", "--timeout", "20") as seen,
    ):
        seen.see("waiting for an answer, 2 of 3 SYNs, ")
        shown = ESCAPES.sub("", seen.output)
        assert "ICMP 3/0 ──" in shown
        assert "from 10.77.0.2: network unreachable" in shown
        before = seen.before
        seen.process.send_signal(signal.SIGINT)
        seen.see("INTERRUPTED  10.77.1.2:9")
        seen.see("2 SYNs sent, so far reported as net-unreachable by 10.77.0.2 (exit 130)")
        assert seen.end() == 130
        assert seen.mode == before


@pytest.mark.live
def test_a_small_terminal_shows_the_latest_segments() -> None:
    with (
        pair() as (client, server),
        drop(server, "input", "tcp dport 9"),
        screen(client, "10.77.0.2:9", "--timeout", "2", columns=40, lines=6) as seen,
    ):
        seen.see("waiting for an answer, 2 of 3 SYNs")
        assert seen.end() == 1
        lines = remains(seen)
    assert lines[0] == "NO ANSWER (filtered)  10.77.0.2:9"
    assert all(len(each) <= 40 for each in lines)


@pytest.mark.live
def test_the_kernel_connects_and_an_interrupt_says_for_how_long() -> None:
    with (
        pair() as (client, server),
        drop(server, "input", "tcp dport 9"),
        screen(client, "10.77.0.2:9", "--connect", "--timeout", "20") as seen,
    ):
        seen.see("connect(): waiting, ")
        seen.process.send_signal(signal.SIGINT)
        seen.see("INTERRUPTED  10.77.0.2:9")
        seen.see("connect() has not ended after ")
        assert seen.end() == 130
