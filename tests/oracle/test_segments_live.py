"""Every segment is as the tshark that is installed reads it, through tunnels of every kind."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Final

import pytest

from handshake.capture.open import read
from handshake.packet.decode import Decoder
from handshake.tcp import Observed
from tests.capture.files import pcap_header, pcap_record
from tests.oracle import public
from tests.oracle.test_segments import FIELDS, as_tshark_writes
from tests.packet import wrapped

if TYPE_CHECKING:
    from pathlib import Path

_TSHARK: Final = shutil.which("tshark")
needs_tshark: Final = pytest.mark.skipif(_TSHARK is None, reason="tshark is not installed")

_NAMES: Final = {
    "time_epoch": "frame.time_epoch",
    "frame_len": "frame.len",
    "sport": "tcp.srcport",
    "dport": "tcp.dstport",
}
_ADDRESSES: Final = {"src": ("ip.src", "ipv6.src"), "dst": ("ip.dst", "ipv6.dst")}

KNOWN: Final = {
    "cisco-fabric-path.pcap": ("len", "urgent_pointer"),
    # tshark takes the last four octets of each FabricPath frame for a check sequence. These
    # have none, so the end of the TCP header is lost to it.
}
"""The fields that tshark does not give, by capture, each with the reason."""


def theirs(path: Path) -> dict[int, dict[str, str]]:
    """What tshark shows of each frame with a segment, of the innermost header in it."""
    names = [_NAMES.get(field, f"tcp.{field}") for field in FIELDS if field not in _ADDRESSES]
    names += [name for pair in _ADDRESSES.values() for name in pair]
    names += ["frame.number", "frame.protocols"]
    program = [str(_TSHARK), "-2", "-n", "-r", str(path), "-T", "fields", "-Y", "tcp"]
    program += [word for name in names for word in ("-e", name)]
    run = subprocess.run(program, capture_output=True, text=True, timeout=120, check=False)
    found = {}
    for line in run.stdout.splitlines():
        row = dict(zip(names, line.split("\t"), strict=True))
        below = row["frame.protocols"].partition(":tcp")[0].split(":")
        if {"icmp", "icmpv6"} & set(below):
            continue
        version = [layer for layer in below if layer in ("ip", "ipv6")][-1] == "ipv6"
        found[int(row["frame.number"])] = {
            field: _value(row, field, ipv6=version) for field in FIELDS
        }
    return found


def _value(row: dict[str, str], field: str, *, ipv6: bool) -> str:
    name = _ADDRESSES[field][ipv6] if field in _ADDRESSES else _NAMES.get(field, f"tcp.{field}")
    if field == "option_kind":
        return row[name]
    if field == "options.sack_perm":  # shown as a flag or as octets, as the version pleases
        return "1" if row[name] else ""
    return row[name].rpartition(",")[2]


def ours(path: Path) -> dict[int, dict[str, str]]:
    decoder = Decoder()
    with read(path) as capture:
        return {
            frame.number: as_tshark_writes(observed)
            for frame in capture
            if isinstance(observed := decoder.observed(frame), Observed)
        }


def zeeks() -> list[Path]:
    return [path for path in public.captures() if path.parent.name == "zeek"]


@needs_tshark
@pytest.mark.parametrize(
    "link_type", sorted({link_type for link_type, _, _ in wrapped.READ_BY_TSHARK})
)
def test_whatever_a_segment_is_wrapped_in(link_type: int, tmp_path: Path) -> None:
    path = tmp_path / "wrapped.pcap"
    packets = [bytes(packet) for kind, packet, _ in wrapped.READ_BY_TSHARK if kind == link_type]
    path.write_bytes(pcap_header(link_type=link_type) + b"".join(map(pcap_record, packets)))
    assert ours(path) == theirs(path)


@needs_tshark
@public.each(zeeks())
def test_the_same_segments(path: Path) -> None:
    we, they = ours(path), theirs(path)
    for field in KNOWN.get(path.name, ()):
        for number, row in they.items():
            row[field] = row[field] or we[number][field]
    assert we == they
