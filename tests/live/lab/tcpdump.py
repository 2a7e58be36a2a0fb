"""tcpdump in a namespace: listening when the context begins, complete when it ends."""

import re
import signal
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.live.lab.namespaces import TIMEOUT, CommandError, Host, eventually

ANSWERS = "tcp or icmp or (icmp6 and ip6[40] < 128)"
"""TCP, and ICMP errors about it; not neighbour discovery."""

WHOLE = 65535
"""The `snap` that keeps every packet whole."""

_STATISTICS = r"(\d+) packets? captured, (\d+) packets? received by filter, (\d+) packets? dropped"
_FILE_HEADER = 24
_A_WHILE = 0.1
"""Seconds in which tcpdump, which hands on each packet at once, writes what it still has."""

_RECORD_HEADER = struct.Struct("=8xI4x")  # tcpdump writes in this machine's byte order


class Capture:
    """A capture file that is being written."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def packets(self) -> int:
        """How many whole packets the file holds by now."""
        data = self.path.read_bytes()
        count, end = 0, _FILE_HEADER
        while end + _RECORD_HEADER.size <= len(data):
            end += _RECORD_HEADER.size + _RECORD_HEADER.unpack_from(data, end)[0]
            count += end <= len(data)
        return count

    def wait(self, packets: int, timeout: float = TIMEOUT) -> None:
        """Wait until the file holds so many packets."""
        eventually(lambda: self.packets >= packets, f"{packets} packets in {self.path}", timeout)


@contextmanager
def capture(
    host: Host,
    interface: str,
    path: Path,
    *,
    only: str = ANSWERS,
    nano: bool = False,
    snap: int = 2048,
    room: int | None = None,
) -> Iterator[Capture]:
    """Write what passes an interface to a pcap file; `only` is a filter in tcpdump's words.

    Of each packet, `snap` octets are kept: on a veth packets of up to 64 KiB pass. `room` is how
    many KiB of them may wait, by default those of about 8192.
    """
    tcpdump = host.popen(
        [
            "tcpdump",
            # A change of user would also undo that tcpdump dies with us.
            *("-Z", "root"),
            *("-n", "-U", "--immediate-mode"),
            # In this mode each packet takes a slot of `snap` octets, and the kernel clears them all
            # before it begins: room for 8192 packets of the usual length costs 5 ms.
            *("-s", str(snap), "-B", str(room or min(8 * snap, 131072))),
            f"--time-stamp-precision={'nano' if nano else 'micro'}",
            *("-i", interface, "-w", str(path), only),
        ],
        stderr=subprocess.PIPE,
    )
    _expect(tcpdump, r"listening on")
    try:
        yield Capture(path)
    finally:
        # What has passed the filter may still wait in the kernel, and SIGINT would lose it.
        _wait_until_written(tcpdump)
        tcpdump.send_signal(signal.SIGINT)
        tcpdump.communicate(timeout=TIMEOUT)


def _wait_until_written(tcpdump: subprocess.Popen[str]) -> None:
    """Wait until tcpdump has written all that passed its filter, or writes nothing more.

    What came in the moment before the filter took effect is counted and never written.
    """
    before = None
    while True:
        tcpdump.send_signal(signal.SIGUSR1)
        written, passed, lost = _expect(tcpdump, _STATISTICS)
        if int(lost):
            raise CommandError(f"tcpdump lost {lost} packets")
        if written == passed or (written, passed) == before:
            return
        before = written, passed
        time.sleep(_A_WHILE)


def _expect(tcpdump: subprocess.Popen[str], pattern: str) -> tuple[str, ...]:
    """Return the groups of the first line of tcpdump's messages that has the pattern."""
    assert tcpdump.stderr is not None
    output = []
    for line in tcpdump.stderr:
        if found := re.search(pattern, line):
            return found.groups()
        output.append(line)
    raise CommandError(f"tcpdump ended: {''.join(output).strip()}")
