"""Every segment of the public captures is as tshark reads it: which frames, and each field."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.capture.open import read
from handshake.packet.decode import Decoder
from handshake.replayer import replay
from handshake.tcp import Kind, Observed
from tests.oracle import public

if TYPE_CHECKING:
    from pathlib import Path

FIELDS = (
    "time_epoch",
    "frame_len",
    "src",
    "sport",
    "dst",
    "dport",
    "seq_raw",
    "ack_raw",
    "flags",
    "window_size_value",
    "len",
    "hdr_len",
    "urgent_pointer",
    "options.mss_val",
    "options.wscale.shift",
    "options.sack_perm",
    "options.timestamp.tsval",
    "options.timestamp.tsecr",
    "option_kind",
)


def as_tshark_writes(observed: Observed) -> dict[str, str]:
    seg = observed.segment
    seconds, nanoseconds = divmod(observed.at, 10**9)
    clocks = seg.options.timestamps
    # tshark lists each octet of the padding after the end of the options.
    kinds = [
        kind
        for option in seg.options
        for kind in (option.raw if option.kind == Kind.END else [option.kind])
    ]
    values = (
        f"{seconds}.{nanoseconds:09}",
        observed.length,
        seg.source.address,
        seg.source.port,
        seg.destination.address,
        seg.destination.port,
        int(seg.seq),
        seg.ack_field,
        f"0x{seg.flags | seg.reserved << 9:04x}",
        seg.window,
        seg.payload_length,
        seg.data_offset * 4,
        seg.urgent,
        seg.options.mss,
        seg.options.window_scale,
        1 if seg.options.sack_permitted else None,
        clocks and clocks.value,
        clocks and clocks.echo,
        ",".join(map(str, kinds)),
    )
    return {
        field: "" if value is None else str(value)
        for field, value in zip(FIELDS, values, strict=True)
    }


@public.each(public.captures_with_rows())
def test_the_same_segments(path: Path) -> None:
    decoder = Decoder()
    with read(path) as capture:
        ours = {
            frame.number: as_tshark_writes(observed)
            for frame in capture
            if isinstance(observed := decoder.observed(frame), Observed)
        }
    theirs = {
        number: {field: row[field] for field in FIELDS}
        for number, row in public.segments(path).items()
    }
    assert ours == theirs
    assert decoder.warnings == []


@public.each(public.captures())
def test_a_replay_comes_to_its_end(path: Path) -> None:
    replayed = replay(path)
    for step in replayed:
        assert step.segment.problems == ()
