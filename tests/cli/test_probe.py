"""`handshake probe`: how a call is shown. What is on the wire, `tests/live` tests."""

from __future__ import annotations

import importlib
import json
from typing import TYPE_CHECKING

import pytest

from handshake.cli import main
from handshake.errors import CannotRun
from handshake.probe import Patience, Result, Target, Verdict
from handshake.tcp import Endpoint
from tests.cli.test_help import run
from tests.schema import valid
from tests.view.test_probe import OPEN, STEPS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from handshake.events import Step

PROBE = importlib.import_module("handshake.probe")
"""The module: `handshake.probe` is the function that the package exports."""


class Call:
    """A call whose steps and result are known beforehand."""

    def __init__(self, result: Result, steps: list[Step], error: Exception | None = None) -> None:
        self.target = Target.parse(result.target)
        self.remote = Endpoint.of(result.address or "", result.port)
        self.result = result
        self.steps = steps
        self.error = error
        self.closed = False

    def __iter__(self) -> Iterator[Step]:
        if self.error is not None:
            raise self.error
        yield from self.steps

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Patience]]:
    """Let every target be answered by these calls; return how patient the prober was."""

    def install(*calls: Call | Result) -> list[Patience]:
        asked: list[Patience] = []

        def probes(_: Target, patience: Patience) -> Iterator[Call | Result]:
            asked.append(patience)
            yield from calls

        monkeypatch.setattr(PROBE, "probes", probes)
        return asked

    return install


CLOSED = Result(
    "example.org:81", "198.51.100.7", 81, Verdict.CLOSED, "nothing listens on port 81", rtt=0.028
)


def test_a_call_is_shown_segment_by_segment_and_then_summed_up(
    answer: Callable[..., list[Patience]], capsys: pytest.CaptureFixture[str]
) -> None:
    call = Call(OPEN, STEPS)
    asked = answer(call)
    assert main(["probe", "example.org:80", "--timeout", "2.5", "--retries", "1"]) == 0
    assert asked == [Patience.of(timeout=2.5, retries=1)]
    assert call.closed
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "PROBE  example.org:80 (198.51.100.7)"
    assert [line.split(",")[0] for line in lines if line.startswith("── ")] == [
        "── SYN from the client",
        "── SYN+ACK from the server",
        "── ACK from the client",
        "── FIN+ACK from the client",
        "── FIN+ACK from the server",
        "── ACK from the client",
    ]
    verdict = lines.index("OPEN  example.org:80 (198.51.100.7)  SYN+ACK after 28.4 ms")
    assert lines[verdict - 1] == ""
    assert all(len(line) <= 80 for line in lines)


def test_a_port_that_is_not_open_exits_with_one(
    answer: Callable[..., list[Patience]], capsys: pytest.CaptureFixture[str]
) -> None:
    answer(Call(CLOSED, []))
    assert main(["probe", "example.org", "81"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "CLOSED  example.org:81 (198.51.100.7)  RST after 28 ms",
        "  nothing listens on port 81 (exit 1)",
    ]


def test_every_address_is_reported_and_one_that_opens_is_enough(
    answer: Callable[..., list[Patience]], capsys: pytest.CaptureFixture[str]
) -> None:
    refused = Result("example.org:80", "2001:db8::7", 80, Verdict.CLOSED, "nothing listens")
    answer(Call(refused, []), Call(OPEN, STEPS))
    assert main(["probe", "example.org:80", "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for each in found:
        valid(each, "probe")
    assert [each["verdict"] for each in found] == ["closed", "open"]
    assert [each["address"] for each in found] == ["2001:db8::7", "198.51.100.7"]


def test_without_the_right_to_send_it_says_what_to_do_and_nothing_else(
    answer: Callable[..., list[Patience]], capsys: pytest.CaptureFixture[str]
) -> None:
    call = Call(OPEN, STEPS, CannotRun("hand-built segments need CAP_NET_RAW: run sudo x"))
    answer(call)
    assert main(["probe", "example.org:80"]) == 3
    said = capsys.readouterr()
    assert (said.out, said.err) == (
        "",
        "error: hand-built segments need CAP_NET_RAW: run sudo x\n",
    )
    assert call.closed


def test_all_targets_are_understood_before_the_first_is_called(
    answer: Callable[..., list[Patience]], capsys: pytest.CaptureFixture[str]
) -> None:
    asked = answer(Call(OPEN, STEPS))
    assert main(["probe", "example.org:80", "example.org:none"]) == 2
    assert asked == []
    assert capsys.readouterr().out == ""


def test_a_name_that_does_not_exist_could_not_be_tried() -> None:
    done = run("probe", "no-such-host.invalid:80", "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["verdict"] == "name-error"
    assert done.stderr == ""
