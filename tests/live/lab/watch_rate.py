"""How many handshakes a second `handshake watch` follows, and whether it counts what it loses.

`python -m tests.live.lab.watch_rate 1000 10`: so many a second, so many seconds.
"""

import json
import re
import resource
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.live.lab.namespaces import TIMEOUT, Host, pair
from tests.live.lab.traffic import inject

WATCH = [sys.executable, "-m", "handshake", "watch"]
_SETTLED = 2.0
"""Seconds until the last connection is over."""


@dataclass(frozen=True)
class Outcome:
    """What was sent, and what was seen of it."""

    sent: int
    packets: int
    lost: int
    records: list[dict[str, Any]]
    listed: list[dict[str, Any]]
    """The records of `list` over the capture that was written."""

    processor: float
    """Seconds of processor time that it took."""


def watched(server: Host, *words: str, out: Any = subprocess.PIPE) -> subprocess.Popen[str]:
    """Start `watch`; return it once it watches."""
    watch = server.popen([*WATCH, *words], stdout=out, stderr=subprocess.PIPE)
    assert watch.stderr is not None
    for line in watch.stderr:
        if "Ctrl-C" in line:
            return watch
    raise AssertionError("watch ended")


def run(rate: float, connections: int, *words: str) -> Outcome:
    """Let handshakes pass at a rate; return what `watch` saw of them."""
    with TemporaryDirectory() as folder, pair() as (client, server):
        path, found = Path(folder, "all.pcapng"), Path(folder, "records.json")
        mac = server.interfaces[0].mac
        with found.open("w") as out:
            words = ("-i", "eth0", "--json", "-w", str(path), "net 198.18.0.0/15", *words)
            watch = watched(server, *words, out=out)
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            sent = inject(client, "eth0", mac, rate, connections)
            time.sleep(_SETTLED)
            watch.send_signal(signal.SIGINT)
            err = watch.communicate(timeout=4 * TIMEOUT)[1]
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
        summary = re.search(r"([\d,]+) packets? seen, ([\d,]+) lost", err)
        assert summary is not None, err
        packets, lost = (int(each.replace(",", "")) for each in summary.groups())
        argv = [sys.executable, "-m", "handshake", "list", str(path), "--json"]
        listed = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        return Outcome(
            sent,
            packets,
            lost,
            _sorted(found.read_text()),
            _sorted(listed),
            after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        )


def _sorted(lines: str) -> list[dict[str, Any]]:
    found = [json.loads(each) | {"capture": None} for each in lines.splitlines()]
    return sorted(found, key=lambda each: each["stream"])


def main() -> None:
    """Print what was seen at the rate that is asked for."""
    rate, seconds = (float(each) for each in sys.argv[1:3])
    found = run(rate, round(rate * seconds), *sys.argv[3:])
    print(  # noqa: T201
        f"{rate:.0f}/s for {seconds:g} s: {found.sent} packets sent, {found.packets} seen,"
        f" {found.lost} lost; {len(found.records)} records,"
        f" {'equal' if found.records == found.listed else 'NOT EQUAL'} to those of list;"
        f" {found.processor:.1f} s of processor time"
    )


if __name__ == "__main__":
    main()
