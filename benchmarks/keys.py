"""Time until the list has answered a key: wall and CPU time, on a real pseudo-terminal.

    python benchmarks/keys.py [--connections 20000] [--rounds 3] [--capture FILE]

Each key is pressed when the program waits for one; its answer is over when the program has drawn
its screen and sleeps again. The clock is the CPU time of the program's threads from one to the
other, and beside it the wall time until the last octet of the screen came, which other load on the
machine makes longer. `opens` is counted from the last octet that was read of the capture.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.cli.busy_capture import busy
from tests.cli.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

QUIET: Final = 0.15
"""Seconds without output after which a screen is whole, and the background has nothing to do."""

GOAL: Final = 0.05
"""Seconds in which a key should be answered."""

TICK: Final = os.sysconf("SC_CLK_TCK")

KEYS: Final[tuple[tuple[str, str], ...]] = (
    ("S: first order backwards", "S"),
    ("S: back", "S"),
    *((f"s: order {number}", "s") for number in range(2, 8)),
    ("s: order 1 again", "s"),
    ("S: backwards once more", "S"),
    ("Esc: undo", "\x1b"),
    ("j", "j"),
    ("G: last", "G"),
    ("g: first", "g"),
    ("n: next problem", "n"),
    ("N: previous problem", "N"),
    ("PgDn", "\x1b[6~"),
    ("/: find", "/"),
    ("a letter", "s"),
    ("Tab", "\t"),
    ("Ctrl-U", "\x15"),
    ("paste a filter", "outcome == refused"),
    ("Enter: filter", "\r"),
    ("Esc: no filter", "\x1b"),
    ("paste a word", "/192.0.2.17"),
    ("Enter: search", "\r"),
    ("Esc: no search", "\x1b"),
    ("o: problems only", "o"),
    ("o: all", "o"),
    (":", ":"),
    ("a number", "1234"),
    ("Enter: go", "\r"),
    ("b: servers", "b"),
    ("s: their order", "s"),
    ("Esc: back", "\x1b"),
    ("?: help", "?"),
    ("x: no help", "x"),
    ("Enter: open", "\r"),
    ("right", "\x1b[C"),
    ("f: field", "f"),
    ("x: octets", "x"),
    ("r: absolute", "r"),
    ("d: compare", "d"),
    ("left", "\x1b[D"),
    ("n: problem inside", "n"),
    ("]: next connection", "]"),
    ("[: previous", "["),
    ("Esc", "\x1b"),
    ("Esc", "\x1b"),
    ("Esc", "\x1b"),
    ("Esc", "\x1b"),
    ("Esc: back to the list", "\x1b"),
    ("D: two connections", "D"),
    ("j: scroll", "j"),
    ("Esc: back", "\x1b"),
)


class Answer(NamedTuple):
    """What a key took, in seconds."""

    wall: float
    cpu: float


class Measured(Terminal):
    """A program on a terminal, whose answers are timed."""

    def cpu(self) -> float:
        """Return the seconds of CPU time of the program so far."""
        fields = Path(f"/proc/{self.process.pid}/schedstat").read_text("ascii").split()
        tasks = Path(f"/proc/{self.process.pid}/task")
        total = 0
        for task in tasks.iterdir():
            with contextlib.suppress(OSError):
                total += int((task / "schedstat").read_text("ascii").split()[0])
        return max(total, int(fields[0])) / 1e9

    def settle(self, quiet: float = QUIET) -> float:
        """Read until the program is quiet; return when its last output came."""
        last = time.perf_counter()
        while select.select([self._ours], [], [], quiet)[0]:
            if not self._read(0):
                break
            last = time.perf_counter()
        return last

    def ask(self, keys: str) -> Answer:
        """Press keys, and wait for the first screen that follows."""
        self.settle()
        cpu, begun = self.cpu(), time.perf_counter()
        self.press(keys)
        while not self._read(5):
            pass
        # A screen comes in pieces; what is read in the background comes later.
        last = self.settle(0.01)
        return Answer(last - begun, self.cpu() - cpu)


def measure(capture: Path, columns: int, lines: int) -> tuple[Answer, list[Answer]]:
    """Return what opening took after the capture had been read, and what each key took."""
    args = ["-m", "handshake", "list", str(capture), "--lang", "en"]
    with Measured(args, columns, lines) as program:
        read_at = _until_read(program, capture)
        program.see("q quit")
        opened = Answer(time.perf_counter() - read_at[0], program.cpu() - read_at[1])
        answers = [program.ask(keys) for _, keys in KEYS]
        program.press("q")
        program.end()
    return opened, answers


def _until_read(program: Measured, capture: Path) -> tuple[float, float]:
    """Return when all of the capture had been read, by the clock and in CPU time."""
    size, files = capture.stat().st_size, Path(f"/proc/{program.process.pid}/fd")
    known = time.perf_counter(), program.cpu()
    while True:
        program._read(0.002)
        places = []
        for each in _descriptors(files):
            with contextlib.suppress(OSError):
                if each.readlink() == capture:
                    info = (files.parent / "fdinfo" / each.name).read_text("ascii")
                    places.append(int(info.split()[1]))
        if places and max(places) < size:
            known = time.perf_counter(), program.cpu()
        if "q quit" in program.output:
            return known


def _descriptors(files: Path) -> Sequence[Path]:
    try:
        return list(files.iterdir())
    except OSError:
        return ()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--connections", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--capture", type=Path, help="use this capture instead of a made one")
    parser.add_argument("--size", default="80x24")
    args = parser.parse_args()
    columns, lines = map(int, args.size.split("x"))
    with tempfile.TemporaryDirectory() as folder:
        capture = args.capture or busy(Path(folder) / "busy.pcap", args.connections)
        rounds = [measure(capture.resolve(), columns, lines) for _ in range(args.rounds)]
    print(f"{'ms':34}{'wall':>8}{'best':>8}{'CPU':>8}")
    rows = [("opens", [opened for opened, _ in rounds])]
    rows += [(name, [each[at] for _, each in rounds]) for at, (name, _) in enumerate(KEYS)]
    late = []
    for name, found in rows:
        wall, best = (f([each.wall for each in found]) for f in (statistics.median, min))
        cpu = min(each.cpu for each in found)
        print(f"{name:34}{wall * 1e3:8.1f}{best * 1e3:8.1f}{cpu * 1e3:8.1f}")
        late += [name] if name != "opens" and cpu > GOAL else []
    print(f"more than {GOAL * 1e3:.0f} ms of CPU time: {', '.join(late) or 'none'}")


if __name__ == "__main__":
    main()
