"""A record as a line of JSON: each octet is as the json module writes it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from handshake import records
from handshake.export import json_line as module
from handshake.export.json_line import json_line
from handshake.record import Diagnosis, Finding, RuledOut
from tests.query.made import CLIENT, SERVER, record

CAPTURES = sorted(Path(__file__).parents[2].glob("captures/*.pcap*"))

MADE = [
    record(),
    record(capture='100 % "öder", %s\n.pcap', frames=(None, None), time=None, start="%s"),
    record(client=replace(CLIENT, address="%d", ttl=None), server=replace(SERVER, iss=0)),
    record(duration=0.0, time=1e-07),
    record(duration=1e22, time=12345678.000000001),
    record(findings=(Finding("port-reuse", 7, {"before": 1}), Finding("abandoned", None))),
    record(findings=(Finding("port-reuse", 7, {"before": True}),)),
    record(findings=(Finding("port-reuse", 7, {"before": 1.0}),)),
    record(findings=(Finding("port-reuse", 8, {"before": "%s %d % \x1b[0m ü"}),)),
    record(findings=(Finding("port-reuse", 9, {"before": ["a", "list"]}),)),
]


def dumped(each: object) -> str:
    return json.dumps(each.as_json())  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.name)
def test_every_capture(path: Path) -> None:
    found = list(records(path))
    assert found
    # Twice: what is kept of the first time is used the second time.
    assert [json_line(each) for each in 2 * found] == [dumped(each) for each in 2 * found]


@pytest.mark.parametrize("order", [MADE, MADE[::-1]], ids=["forward", "backward"])
def test_values_that_look_alike(order: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SENTENCES", {})
    assert [json_line(each) for each in order] == [dumped(each) for each in order]  # type: ignore[arg-type]


def test_a_diagnosis_with_what_it_rules_out() -> None:
    known = record()
    values = {"port": 80, "server": "10.0.0.1", "again": False}
    found = Diagnosis("refused", "possible", (1, 2), (), values)
    proof = replace(found, ruled_out=(RuledOut("syn-ack-lost", 5),))
    for each in (found, replace(found, evidence=()), replace(found, evidence=(3,)), proof):
        assert json_line(replace(known, diagnosis=each)) == dumped(replace(known, diagnosis=each))


def test_few_texts_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[tuple[object, ...], str] = {}
    monkeypatch.setattr(module, "_SENTENCES", kept)
    monkeypatch.setattr(module, "_MOST", 3)
    for number in range(10):
        each = record(
            outcome=f"no-{number}", findings=(Finding("port-reuse", 1, {"before": number}),)
        )
        assert json_line(each) == dumped(each)
        assert 1 <= len(kept) <= 3
