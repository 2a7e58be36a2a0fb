"""Runs the tshark that is installed, and gives rows as those that are stored beside captures."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.oracle.public import Row

PROGRAM: Final = shutil.which("tshark")

needed: Final = pytest.mark.skipif(PROGRAM is None, reason="tshark is not installed")


def rows(path: Path, fields: list[str]) -> dict[int, Row]:
    """Return `tcp.` fields of each frame that is a segment, not one quoted in an ICMP error."""
    names = ["frame.number", "frame.protocols", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst"]
    names += ["tcp.srcport", "tcp.dstport", *(f"tcp.{field}" for field in fields)]
    # In two passes, as Wireshark reads a file: what came later is known of each segment.
    program = [str(PROGRAM), "-2", "-n", "-r", str(path), "-Y", "tcp", "-T", "fields"]
    program += [word for name in names for word in ("-e", name)]
    run = subprocess.run(program, capture_output=True, text=True, timeout=300, check=False)
    found = {}
    for line in run.stdout.splitlines():
        number, layers, *values = line.split("\t")
        below = layers.partition(":tcp")[0].split(":")
        if {"icmp", "icmpv6"} & set(below):
            continue
        ends, ports, rest = values[:4], values[4:6], values[6:]
        # Of a tunnel's addresses the innermost come last.
        inner = (
            ends[2:]
            if [name for name in below if name in ("ip", "ipv6")][-1:] == ["ipv6"]
            else ends[:2]
        )
        src, dst = (each.split(",")[-1] for each in inner)
        row = dict(zip(fields, rest, strict=True))
        found[int(number)] = {**row, "src": src, "dst": dst, "sport": ports[0], "dport": ports[1]}
    return found
