"""What it means to take a broken capture calmly."""

from __future__ import annotations

import json
import resource
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import handshake
from handshake.step_record import step_record

if TYPE_CHECKING:
    from types import FrameType

CAPTURES = Path(__file__).resolve().parents[2] / "captures"
SECONDS = 2.0
ROOM = 512 * 2**20
"""Octets of address space that reading may take beyond what the process had."""


class Nervous(Exception):  # noqa: N818 - it says how the file was taken
    """A broken file was not taken calmly."""


def seeds() -> list[bytes]:
    """Return the captures of the project: what is broken to make new ones."""
    return [path.read_bytes() for path in sorted(CAPTURES.glob("*.pcap"))]


def limit_memory() -> None:
    """Let this process take no more than `ROOM` beyond what it has."""
    has = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (has + ROOM, has + ROOM))


def check(path: Path) -> bool:
    """Read a broken capture in every way there is; return whether it held a connection."""

    def too_long(_signal: int, _frame: FrameType | None) -> None:
        raise Nervous(f"took more than {SECONDS} s of CPU time")

    # CPU time: on a busy machine a file is not read more slowly than it should be.
    signal.signal(signal.SIGPROF, too_long)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        return _read(path)
    except handshake.CaptureError as error:
        if "\n" in str(error):
            raise Nervous(f"an error of more than a line: {error}") from None
        return False
    except Nervous:
        raise
    except Exception as error:
        raise Nervous(f"{type(error).__name__}: {error}") from error
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _read(path: Path) -> bool:
    replay = handshake.replay(path)
    steps = 0
    for step in replay:
        json.dumps(step_record(step), allow_nan=False)
        steps += 1
    for warning in replay.warnings:
        if "\n" in str(warning):
            raise Nervous(f"a warning of more than a line: {warning}")
    records = [handshake.summarize(each) for each in replay.tracker.connections]
    if sum(record.client.segments + record.server.segments for record in records) != steps:
        raise Nervous("a segment belongs to no connection, or to two")
    found = handshake.records(path)
    listed = list(found) if replay.readable else []
    counted = sum(record.client.segments + record.server.segments for record in listed)
    # Segments after a record was given are left out, and a warning counts them.
    unlisted = steps - counted
    said = [each.values["count"] for each in found.warnings if each.code == "list.late"]
    if said != ([unlisted] if unlisted else []):
        raise Nervous("list counts other segments than replay")
    for record in (*records, *listed):
        json.dumps(record.as_json(), allow_nan=False)
    return bool(records)
