"""The first three lines of each verdict: what happened, how that is known, what to do next."""

import re
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from tests.live.lab.firewall import drop, firewall
from tests.live.lab.namespaces import TIMEOUT, Host, pair, routed
from tests.live.lab.servers import accepting_all, answering
from tests.live.lab.serving import served
from tests.live.test_probe import PORT

PROGRAM = re.compile(r"\S*(?:handshake|\S* -m handshake) probe ")

Scene = Callable[[], AbstractContextManager[tuple[Host, list[str]]]]
"""Yields the host to probe from, and the target with its options."""


@contextmanager
def open_port() -> Iterator[tuple[Host, list[str]]]:
    with pair() as (client, server), answering(server):
        yield client, [f"10.77.0.2:{PORT}"]


@contextmanager
def closed() -> Iterator[tuple[Host, list[str]]]:
    with pair() as (client, _):
        yield client, ["10.77.0.2:81"]


@contextmanager
def filtered() -> Iterator[tuple[Host, list[str]]]:
    with pair() as (client, server), drop(server, "input", "tcp dport 9"):
        yield client, ["10.77.0.2:9", "--timeout", "1.5", "--rto", "0.3"]


@contextmanager
def unreachable() -> Iterator[tuple[Host, list[str]]]:
    rule = "reject with icmp type admin-prohibited"
    with routed() as (client, router, _), firewall(router, "forward", "tcp dport 13", rule):
        yield client, ["10.77.1.2:13"]


@contextmanager
def half_open() -> Iterator[tuple[Host, list[str]]]:
    # What follows the SYN is lost before the server.
    lost = f"tcp dport {PORT} tcp flags & syn == 0"
    with pair() as (client, server), answering(server), drop(server, "input", lost):
        yield client, [f"10.77.0.2:{PORT}"]


@contextmanager
def reset() -> Iterator[tuple[Host, list[str]]]:
    def abort(client: socket.socket) -> None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with pair() as (client, server), accepting_all(server, abort):
        yield client, [f"10.77.0.2:{PORT}"]


@contextmanager
def bad_peer() -> Iterator[tuple[Host, list[str]]]:
    with pair() as (client, server), served(server, "--misbehave", "wrong-ack"):
        yield client, ["10.77.0.2:8080", "--timeout", "3"]


@contextmanager
def local_error() -> Iterator[tuple[Host, list[str]]]:
    with pair() as (client, _):
        yield client, ["192.0.2.7:80"]


@contextmanager
def name_error() -> Iterator[tuple[Host, list[str]]]:
    with pair() as (client, _):
        yield client, ["no-such-host.invalid:80"]


@pytest.mark.live
@pytest.mark.parametrize(
    ("scene", "what", "how", "then"),
    [
        (open_port, f"OPEN  10.77.0.2:{PORT}  SYN-ACK after ", "a program listens on port", ""),
        (
            closed,
            "CLOSED  10.77.0.2:81  RST after ",
            "evidence: RST with TTL 64: it passed no router",
            "next: ss -ltn 'sport = :81' (on 10.77.0.2: ",
        ),
        (
            filtered,
            "NO ANSWER (filtered)  10.77.0.2:9",
            "evidence: 3 SYNs sent",
            "next: probe 10.77.0.2:9 --trace (where on the path",
        ),
        (
            unreachable,
            "UNREACHABLE  10.77.1.2:13  admin-prohibited by 10.77.0.2",
            "evidence: ICMP 3/13 from 10.77.0.2 quotes our SYN",
            "next: nft list ruleset (on 10.77.0.2: which rule",
        ),
        (
            half_open,
            f"HALF OPEN  10.77.0.2:{PORT}  SYN-ACK after ",
            "evidence: SYN-ACK again after 1.",
            f"next: ss -ltn 'sport = :{PORT}' (on 10.77.0.2: ",
        ),
        (
            reset,
            f"RESET  10.77.0.2:{PORT}  SYN-ACK after ",
            "evidence: RST ",
            f"next: ss -ltnp 'sport = :{PORT}' (on 10.77.0.2: ",
        ),
        (
            bad_peer,
            "BAD PEER  10.77.0.2:8080",
            "evidence: ",
            "next: ss -tan 'sport = :8080' (on 10.77.0.2: ",
        ),
        (local_error, "LOCAL ERROR  192.0.2.7:80", "", "next: ip route get 192.0.2.7 ("),
        (
            name_error,
            "NAME ERROR  no-such-host.invalid:80",
            "",
            "next: cat /etc/resolv.conf ( or next: getent ahosts no-such-host.invalid (",
        ),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_the_first_three_lines_answer(scene: Scene, what: str, how: str, then: str) -> None:
    with scene() as (client, words):
        command = [sys.executable, "-m", "handshake", "probe", *words, "--lang", "en"]
        process = client.popen(command, stdout=subprocess.PIPE)
        out, _ = process.communicate(timeout=TIMEOUT)
    first = [PROGRAM.sub("probe ", each) for each in out.splitlines()[:3]]
    assert first[0].startswith(what)
    assert first[1].startswith(f"  {how}")
    assert first[2].startswith(tuple(f"  {each}" for each in then.split(" or ")))
