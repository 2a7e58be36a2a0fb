from __future__ import annotations

import json
import subprocess
import sys
from ipaddress import ip_address

import pytest

from handshake.errors import ResolveError
from handshake.packet.icmp import IcmpError
from handshake.prober import Attempt, Result, Target, Timeouts, Verdict, exit_code, probe, probes
from handshake.prober.result import round_trip
from handshake.tcp import Observed, Options, Seq
from handshake.tcp import options as opt
from tests.reasons import because, explained
from tests.schema import valid
from tests.segments import A, B, segment


def test_importing_it_loads_neither_scapy_nor_sockets_of_ours() -> None:
    code = "import sys, handshake.prober.run; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = run.stdout.split()
    assert "handshake.prober.run" in loaded
    assert not {
        "scapy",
        "numpy",
        "handshake.linux.packet_socket",
        "handshake.linux.rst_guard",
    } & set(loaded)


def syn(at: int, clock: int | None = None) -> Observed:
    options = None if clock is None else Options.of(opt.timestamps(clock))
    return Observed(segment("<SEQ=1><CTL=SYN>", options=options), at, outgoing=True)


def answer(at: int, echo: int | None = None) -> Observed:
    options = None if echo is None else Options.of(opt.timestamps(7, echo))
    seg = segment("<SEQ=9><ACK=2><CTL=SYN,ACK>", by=B, options=options)
    return Observed(seg, at, outgoing=False)


@pytest.mark.parametrize(
    ("segments", "heard", "expected"),
    [
        ([syn(0)], None, (None, False)),
        ([syn(0)], answer(2_000_000), (0.002, False)),
        # Without clocks nobody can tell which SYN was answered (Karn).
        ([syn(0), syn(10**9)], answer(10**9 + 5000), (5e-06, True)),
        ([syn(0, 1), syn(10**9, 2)], answer(10**9 + 5000, 2), (5e-06, False)),
        ([syn(0, 1), syn(10**9, 2)], answer(10**9 + 5000, 1), (5e-06, True)),
        # The second SYN left after the answer had come.
        ([syn(0), syn(10**9)], answer(10**9 - 1000), (0.999999, False)),
    ],
)
def test_round_trip(
    segments: list[Observed], heard: Observed | None, expected: tuple[float | None, bool]
) -> None:
    assert round_trip(segments, heard) == expected


def outcome(target: str, verdict: Verdict) -> Result:
    return Result(target=target, address="192.0.2.1", port=80, verdict=verdict, reason=because(""))


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([], 0),
        ([("a", Verdict.OPEN)], 0),
        ([("a", Verdict.CLOSED)], 1),
        ([("a", Verdict.NAME_ERROR)], 3),
        # One address of a name is enough.
        ([("a", Verdict.LOCAL_ERROR), ("a", Verdict.OPEN)], 0),
        ([("a", Verdict.LOCAL_ERROR), ("a", Verdict.FILTERED)], 1),
        ([("a", Verdict.OPEN), ("b", Verdict.FILTERED)], 1),
        ([("a", Verdict.NAME_ERROR), ("b", Verdict.FILTERED)], 3),
    ],
)
def test_exit_code(verdicts: list[tuple[str, Verdict]], code: int) -> None:
    assert exit_code(outcome(*each) for each in verdicts) == code


@pytest.mark.parametrize(
    ("sender", "code"),
    [
        ("203.0.113.1", "unreachable.router"),
        (str(B.address), "unreachable.host"),
        (str(A.address), "unreachable.no-reply"),
    ],
)
def test_which_host_reports_unreachable(sender: str, code: str) -> None:
    attempt = Attempt(A, B, Seq(1), timeouts=Timeouts.of(retries=0))
    attempt.start(0)
    attempt.icmp(IcmpError(4, 3, 1, ip_address(sender), A, B, Seq(1)))
    assert explained(attempt).code == code


def test_a_result_is_json() -> None:
    result = Result(
        target="a.example:80",
        address=str(B.address),
        port=80,
        verdict=Verdict.UNREACHABLE,
        reason=because(""),
        icmp=IcmpError(4, 3, 1, ip_address("203.0.113.1"), A, B, Seq(1)),
        segments=(syn(0),),
        errors=(IcmpError(4, 11, 0, ip_address("203.0.113.2"), A, B, Seq(7), at=10**18),),
    )
    found = json.loads(json.dumps(result.as_json()))
    valid(found, "probe")
    assert list(found) == [
        *("target", "address", "port", "verdict", "reason", "evidence", "next", "icmp"),
        *("rtt", "rtt_ambiguous"),
        *(
            "waited",
            "syn_sent",
            "ttl",
            "hops",
            "duration",
            "syn_ack_again",
            "said",
            "negotiated",
            "client",
            "server",
            "close",
            "guard",
        ),
        *("findings", "diagnosis", "errors", "segments"),
    ]
    assert found["verdict"] == "unreachable"
    assert found["icmp"] == {"type": 3, "code": 1, "from": "203.0.113.1"}
    assert found["errors"] == [
        {
            "time": "2001-09-09T01:46:40.000000000Z",
            "type": 11,
            "code": 0,
            "from": "203.0.113.2",
            "seq": 7,
        }
    ]
    assert found["segments"][0]["flags"] == ["SYN"]


def test_a_name_without_an_address_is_a_result(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Target) -> None:
        raise ResolveError("target.unresolved", host="a.example", why="name or service not known")

    monkeypatch.setattr(Target, "endpoints", fail)
    (found,) = probes(Target.parse("a.example:80"))
    assert isinstance(found, Result)
    assert found == probe("a.example", 80)
    assert (found.verdict, found.address) == (Verdict.NAME_ERROR, None)
    assert str(found.reason) == "a.example: name or service not known"
