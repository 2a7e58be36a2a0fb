"""How soon one connection of a large capture is on the screen.

    python benchmarks/opening.py [--gigabytes 1] [--directory /tmp] [--runs 3]

Makes a capture, deleted afterwards, and drives the program on a terminal of its own. `replay
--connection N` shows its first screen some time after the first packets of that connection were
read: how far the program has read, the kernel tells (`/proc/PID/fdinfo`). In the open list, `:N`
and Enter show a connection, and then another one. Linux only.
"""

from __future__ import annotations

import argparse
import re
import struct
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from kinds import write

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.cli.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PACKETS: Final = 100_000
"""Of the part of which the capture consists."""

FILE_HEADER, RECORD_HEADER = 24, 16
SYN_AT, SYN = 47, 0x02
PLACES: Final = (0.1, 0.5, 0.9)
"""Where in the capture the connections begin."""

ESCAPES: Final = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|[()][AB0]|[=>])")
LONGEST: Final = 300.0
OFTEN: Final = 0.001


class Begin(NamedTuple):
    """The first packet of a connection."""

    number: int
    """The connection's number, from 1."""

    frame: int
    octet: int
    """Where its record ends in the file."""


def make(path: Path, octets: int) -> list[Begin]:
    """Write a capture of so many octets; return where its connections begin."""
    write(path, "clean", PACKETS)
    head, part = (whole := path.read_bytes())[:FILE_HEADER], bytearray(whole[FILE_HEADER:])
    path.with_suffix(path.suffix + ".truth.jsonl").unlink()
    places, opens, at = [], [], 0
    while at < len(part):
        size, frame = struct.unpack_from("<I", part, at + 8)[0], at + RECORD_HEADER
        places.append(at)
        if part[frame + SYN_AT] == SYN:
            opens.append((len(places), frame + size))
        at = frame + size
    records = np.array(places)
    seconds = struct.unpack_from("<I", part, places[-1])[0] - struct.unpack_from("<I", part)[0] + 1
    # Another connection has other addresses with the same sum, so that the checksums stay right.
    view = np.frombuffer(part, np.uint8)
    found: list[Begin] = []
    copies = 0
    with path.open("wb") as out:
        out.write(head)
        while out.tell() < octets:
            before, frames, count = out.tell(), copies * len(places), len(found)
            for nth, (frame, end) in enumerate(opens, 1):
                found.append(Begin(count + nth, frames + frame, before + end))
            out.write(part)
            copies += 1
            later(view, records, seconds)
    return found


def later(view: np.ndarray, records: np.ndarray, seconds: int) -> None:
    """Change the records in place into those of other connections, so many seconds later."""
    times = view[records[:, None] + np.arange(4)].copy().view("<u4") + np.uint32(seconds)
    view[records[:, None] + np.arange(4)] = times.view(np.uint8).reshape(-1, 4)
    for place in (27, 31):
        # The clients are in 10.0.0.0/16 and following, the servers in 10.128.0.0/16 and before.
        column = records + RECORD_HEADER + place
        view[column] += np.where(view[column] < 64, 1, 255).astype(np.uint8)


def position(process: int, path: Path) -> int:
    """Return how far a process has read a file; 0 if it has not opened it."""
    for each in Path(f"/proc/{process}/fd").iterdir():
        try:
            if str(each.readlink()) == str(path):
                text = Path(f"/proc/{process}/fdinfo/{each.name}").read_text()
                return int(text.split()[1])
        except OSError:
            continue
    return 0


class Screen(Terminal):
    """The program on a terminal."""

    def until(self, text: str, watch: Callable[[], None] = lambda: None) -> float:
        """Return when a text is on the screen; call `watch` all the while."""
        deadline = time.monotonic() + LONGEST
        while text not in ESCAPES.sub("", self.output):
            watch()
            self._read(OFTEN)
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise SystemExit(f"{text!r} did not come: {self.output[-500:]!r}")
        return time.monotonic()

    def connection(self, begin: Begin) -> str:
        """Return what only the first screen of a connection has."""
        return f"segment 1, packet {begin.frame},"


def first_screen(path: Path, begin: Begin) -> float:
    """Return the seconds from when the first packet of a connection was read to its screen."""
    read: list[float] = []

    def watch() -> None:
        if not read and position(screen.process.pid, path) >= begin.octet:
            read.append(time.monotonic())

    options = ["replay", str(path), "--connection", str(begin.number)]
    with Screen(["-m", "handshake", *options]) as screen:
        shown = screen.until(screen.connection(begin), watch)
        screen.press("q")
        screen.end()
    return shown - read[0] if read else 0.0


def in_the_list(path: Path, begins: Sequence[Begin]) -> list[float]:
    """Return the seconds that each connection takes in an open list."""
    found = []
    with Screen(["-m", "handshake", "list", str(path)]) as screen:
        screen.until("Enter open")
        for each in begins:
            screen.press(f":{each.number}\r")
            screen.until(f"{each.number} ")
            screen.press("\r")
            asked = time.monotonic()
            found.append(screen.until(screen.connection(each)) - asked)
            screen.press("q")
            screen.until("Enter open")
        screen.press("q")
        screen.end()
    return found


def main() -> None:
    """Parse the arguments, make the capture, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--directory", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.directory) as directory:
        path = Path(directory) / "large.pcap"
        begins = make(path, int(asked.gigabytes * 1e9))
        chosen = [begins[int(len(begins) * part)] for part in PLACES]
        print(f"{path.stat().st_size / 1e9:.2f} GB, {len(begins)} connections")
        print("seconds                          " + "".join(f"{part:>8.0%}" for part in PLACES))
        runs = [[first_screen(path, each) for each in chosen] for _ in range(asked.runs)]
        print(row("replay --connection, after read", runs))
        print(row("Enter in the list", [in_the_list(path, chosen) for _ in range(asked.runs)]))


def row(name: str, runs: Sequence[Sequence[float]]) -> str:
    """Return the best of some runs, place by place."""
    best = [min(each) for each in zip(*runs, strict=True)]
    return f"{name:33}" + "".join(f"{each:8.3f}" for each in best)


if __name__ == "__main__":
    main()
