"""A pcapng file as it is written: read back octet by octet, and by our own reader."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handshake.capture.open import read
from handshake.capture.pcapng_writer import MOST, PcapngWriter, opened
from handshake.packet.decode import Decoder
from handshake.tcp import Observed
from handshake.tcp.icmp import IcmpError
from handshake.version import __version__
from tests.capture.blocks import INBOUND, OUTBOUND, Packet, packets
from tests.capture.files import PCAPNG_MAGIC, block, interface, option
from tests.capture.packets import AT, QUOTING, V4, V6, written

if TYPE_CHECKING:
    from pathlib import Path


def test_every_octet() -> None:
    out = io.BytesIO()
    writer = PcapngWriter(out, interface="eth0")
    writer.packet(b"\x45abcd", AT, outgoing=True, comments=["one", "둘"], original_length=60)
    writer.packet(b"\x45abc", AT + 1, outgoing=None)
    ended = option(0, b"")
    application = option(4, f"handshake {__version__}".encode())
    head = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)
    flags, comments = option(2, b"\x02\0\0\0"), option(1, b"one") + option(1, "둘".encode())
    stamps = [struct.pack("<III", 0, at >> 32, at & 0xFFFFFFFF) for at in (AT, AT + 1)]
    assert out.getvalue() == b"".join(
        (
            block(PCAPNG_MAGIC, head + application + ended),
            interface(link_type=101, options=option(2, b"eth0") + option(9, b"\x09") + ended),
            block(
                6,
                stamps[0]
                + struct.pack("<II", 5, 60)
                + b"\x45abcd\0\0\0"
                + flags
                + comments
                + ended,
            ),
            block(6, stamps[1] + struct.pack("<II", 4, 4) + b"\x45abc"),
        )
    )


PACKETS = st.builds(
    Packet,
    at=st.integers(0, 2**63 - 1),
    octets=st.binary(max_size=70),
    length=st.integers(0, 2**32 - 1),
    direction=st.sampled_from([None, INBOUND, OUTBOUND]),
    comments=st.lists(
        st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1), max_size=3
    ),
)


@given(st.lists(PACKETS, max_size=5))
def test_what_is_written_is_what_is_read(each: list[Packet]) -> None:
    assert packets(written(*each)) == each


@given(each=st.lists(PACKETS, max_size=5))
def test_our_own_reader_reads_it_back(
    each: list[Packet], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("own") / "a.pcapng"
    path.write_bytes(written(*each))
    with read(path) as capture:
        found = [(f.time, bytes(f.data), f.length, f.link_type) for f in capture]
        assert capture.warnings == []
    assert found == [(one.at, one.octets, one.length, 101) for one in each]


def test_our_own_decoder_finds_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    with opened(str(path)) as writer:
        for at, octets in enumerate((V4, V6, QUOTING), AT):
            writer.packet(octets, at, outgoing=None)
    decoder = Decoder()
    segment, segment6, error = [decoder.observed(frame) for frame in read(path)]
    assert decoder.warnings == []
    assert isinstance(segment, Observed)
    assert isinstance(segment6, Observed)
    assert isinstance(error, IcmpError)
    assert [each.packet for each in (segment, segment6, error)] == [V4, V6, QUOTING]
    assert [each.at for each in (segment, segment6, error)] == [AT, AT + 1, AT + 2]


@pytest.mark.parametrize(
    ("comment", "kept"),
    [
        ("x" * MOST, "x" * MOST),
        ("x" * (MOST + 1), "x" * MOST),
        # Three octets each, and four: 65,535 is no multiple of four.
        ("한" * 21_846, "한" * 21_845),
        ("x" + "한" * 21_846, "x" + "한" * 21_844),
        ("😀" * 16_384, "😀" * 16_383),
        ("a\0b\udc80", "a\\0b\\udc80"),
    ],
)
def test_a_comment_is_cut_between_characters(comment: str, kept: str) -> None:
    (found,) = packets(written(Packet(AT, V4, 40, None, ["", comment, ""])))
    assert found.comments == [kept]


class Disk(io.BytesIO):
    """Remembers what had reached it each time it was flushed."""

    def __init__(self) -> None:
        super().__init__()
        self.flushed: list[bytes] = []

    def flush(self) -> None:
        self.flushed.append(self.getvalue())


def test_the_file_is_whole_after_each_packet() -> None:
    disk = Disk()
    writer = PcapngWriter(disk)
    for count in range(4):
        assert len(packets(disk.flushed[-1])) == count
        writer.packet(V4, AT, True, ["x"])
