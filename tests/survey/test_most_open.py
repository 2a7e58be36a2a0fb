"""No more connections than asked for are followed at a time; the others are counted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from handshake.survey import records
from tests.cli.test_help import run
from tests.errors import coded
from tests.survey.made import Packet, packets, save
from tests.survey.test_step_log import engine

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


__all__ = ["engine"]


def ported(frames: Sequence[Packet], port: int) -> list[Packet]:
    """Return the frames of a connection from another port of the client."""
    own, new = frames[0][0][34:36], port.to_bytes(2, "big")
    # The checksum stays right, as the other half of its change (RFC 1624).
    change = int.from_bytes(own, "big") - port
    found = []
    for data, at in frames:
        octets, where = bytearray(data), 34 if data[34:36] == own else 36
        octets[where : where + 2] = new
        checksum = int.from_bytes(octets[50:52], "big") + change
        octets[50:52] = (checksum % 0xFFFF).to_bytes(2, "big")
        found.append((bytes(octets), at))
    return found


def flood(count: int, *, since: int) -> list[Packet]:
    """Return SYNs from so many ports, each of them twice, in one second."""
    syn = packets("no-answer", since=since)[:1]
    once = [each for at in range(count) for each in ported(syn, 20000 + at)]
    again = [(data[:18] + b"\x12\x34" + data[20:], at) for data, at in once]
    return [(data, at + 10**6 * place) for place, (data, at) in enumerate(once + again)]


@pytest.mark.usefixtures("engine")
def test_connections_beyond_it_are_counted_once(tmp_path: Path) -> None:
    path = save(tmp_path / "flood.pcap", flood(50, since=0))
    found = records(path, max_connections=20)
    whole = list(records(path))
    listed = list(found)
    assert [each.frames for each in listed] == [each.frames for each in whole[:20]]
    assert {each.client.segments for each in listed} == {2}
    assert found.left_out == 30
    assert ("list.left-out", {"count": 30, "most": 20, "one": False}) in coded(found.warnings)
    assert len(list(records(path, max_connections=50))) == 50
    assert records(path, max_connections=50).warnings == []


@pytest.mark.usefixtures("engine")
def test_what_has_ended_makes_place(tmp_path: Path) -> None:
    """200 connections one after another need few places."""
    one = packets("open-close-v4", since=0)
    frames = [
        (data, when + at * 2 * 10**9) for at in range(200) for data, when in ported(one, 20000 + at)
    ]
    path = save(tmp_path / "many.pcap", frames)
    found = records(path, max_connections=40)
    assert len(list(found)) == 200
    assert (found.left_out, found.warnings) == (0, [])


@pytest.mark.usefixtures("engine")
def test_what_comes_after_a_flood_is_listed(tmp_path: Path) -> None:
    before = packets("open-close-v4", since=0)
    later = flood(1, since=390)  # two frames, so that the time is believed
    after = packets("open-close-v6", since=400)
    path = save(tmp_path / "some.pcap", [*before, *flood(100, since=10), *later, *after])
    found = records(path, max_connections=30)
    listed = list(found)
    assert [each.frames[0] for each in listed if each.outcome == "established"] == [1, 213]
    # The first connection had ended, and made place.
    assert len(listed) == 1 + 30 + 1
    assert found.left_out == 70


def test_they_are_said_once_and_in_the_totals(tmp_path: Path) -> None:
    path = str(save(tmp_path / "flood.pcap", flood(50, since=0)))
    done = run("list", path, "--max-connections", "20", "--summary")
    said = "30 connections are left out: 20 other connections were open at the time"
    assert done.stderr == f"warning: {path}: {said} (--max-connections)\n"
    assert "left out              30\n" in done.stdout
    found = json.loads(run("list", path, "--max-connections", "20", "--summary", "--json").stdout)
    assert (found["connections"], found["left_out"]) == (20, 30)
    assert json.loads(run("list", path, "--summary", "--json").stdout)["left_out"] == 0


@pytest.mark.parametrize("number", ["0", "-1"])
def test_at_least_one_connection_is_followed(number: str) -> None:
    done = run("list", "captures/refused.pcap", "--max-connections", number)
    assert done.returncode == 2
    assert "--max-connections" in done.stderr
