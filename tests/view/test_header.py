"""The header, drawn as figure 1 of RFC 9293 draws it."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from handshake.tcp import Endpoint, Flags, Options, Segment, Seq, options
from handshake.view.glyphs import ASCII, UNICODE
from handshake.view.header import WIDTH, HeaderGrid

CLIENT = Endpoint.of("192.0.2.10", 49152)
SERVER = Endpoint.of("198.51.100.7", 80)

SYN = Segment(
    CLIENT,
    SERVER,
    seq=Seq(1000),
    ack=None,
    flags=Flags.SYN,
    window=64240,
    options=Options.of(
        options.mss(1460),
        options.sack_permitted(),
        options.timestamps(1000),
        options.nop(),
        options.window_scale(7),
    ),
    checksum=0x98A9,
)

SYN_ACK = replace(
    SYN,
    source=SERVER,
    destination=CLIENT,
    seq=Seq(5000),
    ack=Seq(1001),
    ack_field=1001,
    flags=Flags.SYN | Flags.ACK,
    checksum=0x5E50,
)


def draw(grid: HeaderGrid, width: int = WIDTH) -> list[str]:
    return [line.plain for line in grid.lines(width)]


def options_row(*raw: bytes) -> str:
    grid = HeaderGrid(replace(SYN, options=Options(b"".join(raw))), glyphs=ASCII)
    return draw(grid)[6].strip("| ").removeprefix("Options").strip()


def test_a_syn_on_eight_lines() -> None:
    assert draw(HeaderGrid(SYN)) == [
        "╭───────────────────────────────┬───────────────────────────────╮",
        "│ Source Port      49152        │ Destination Port 80           │",
        "│ Sequence Number  1000                                         │",
        "│ Acknowledgment   0                                            │",
        "│ off 10│ rsv   │c e u a p r S f│ Window           64240        │",
        "│ Checksum         0x98a9       │ Urgent Pointer   0            │",
        "│ Options  MSS 1460 · SACK ok · TS 1000/0 · WScale 7            │",
        "╰───────────────────────────────────────────────────────────────╯",
    ]


def test_notes_stand_from_column_66_on_and_what_changed_has_a_star() -> None:
    grid = HeaderGrid(
        SYN_ACK,
        changed=frozenset({"source", "seq", "options"}),
        notes={"destination": "the answer goes back", "flags": "A: ack counts"},
        glyphs=ASCII,
    )
    assert draw(grid, 80) == [
        "+-------------------------------+-------------------------------+",
        "| Source Port      *80          | Destination Port 49152        | the answer g..",
        "| Sequence Number  *5000                                        |",
        "| Acknowledgment   1001                                         |",
        "| off 10| rsv   |c e u A p r S f| Window           64240        | A: ack counts ",
        "| Checksum         0x5e50       | Urgent Pointer   0            |",
        "| Options  *MSS 1460 . SACK ok . TS 1000/0 . WScale 7           |",
        "+---------------------------------------------------------------+",
    ]


def test_with_a_ruler_and_hexadecimal_numbers() -> None:
    grid = HeaderGrid(SYN_ACK, changed=frozenset({"window"}), ruler=True, hexadecimal=True)
    assert draw(grid) == [
        " 0                   1                   2                   3   ",
        " 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 ",
        "╭───────────────────────────────┬───────────────────────────────╮",
        "│ Source Port       80          │ Destination Port  49152       │",
        "├───────────────────────────────┴───────────────────────────────┤",
        "│ Sequence Number         5000                    0x00001388    │",
        "├───────────────────────────────────────────────────────────────┤",
        "│ Acknowledgment Number   1001                    0x000003e9    │",
        "├───────┬───────┬───────────────┬───────────────────────────────┤",
        "│ off 10│ rsv   │c e u A p r S f│ Window            *64240      │",
        "├───────┴───────┴───────────────┼───────────────────────────────┤",
        "│ Checksum          0x5e50      │ Urgent Pointer    0           │",
        "├───────────────────────────────┴───────────────────────────────┤",
        "│ Options  MSS 1460 · SACK ok · TS 1000/0 · WScale 7            │",
        "╰───────────────────────────────────────────────────────────────╯",
    ]


def test_hangul_takes_two_columns() -> None:
    grid = HeaderGrid(
        SYN,
        notes={"source": "소켓을 찾는다"},
        inside={"seq": "시작 번호"},
        glyphs=replace(UNICODE, language="ko"),
    )
    lines = draw(grid, 80)
    assert lines[1:5] == [
        "│ 송신처 포트 번호 49152        │ 수신처 포트 번호 80           │ 소켓을 찾는다 ",
        "│ 시퀀스 번호      1000    시작 번호                            │",
        "│ ACK 번호         0                                            │",
        "│ off 10│ rsv   │c e u a p r S f│ 윈도우           64240        │",
    ]
    assert {cell_len(line) for line in lines} == {WIDTH, 80}


def test_reserved_bits_and_ae_have_a_cell() -> None:
    accurate = replace(SYN, flags=Flags.SYN | Flags.AE | Flags.CWR | Flags.ECE)
    assert draw(HeaderGrid(accurate))[4].startswith("│ off 10│ rsv AE│C E u a p r S f│")
    odd = replace(accurate, reserved=5)
    assert draw(HeaderGrid(odd))[4].startswith("│ off 10│ rsv5AE│C E u a p r S f│")


def test_every_option_is_named() -> None:
    assert options_row() == "none"
    assert options_row(options.sack([(Seq(1), Seq(2))])) == "SACK 1-2"
    assert options_row(bytes((34, 2))) == "TFO request"
    assert options_row(bytes((34, 6, 1, 2, 3, 4))) == "TFO cookie"
    assert options_row(bytes((77, 4, 1, 2))) == "kind-77 (4)"
    assert options_row(bytes((2, 3, 1)), options.nop()) == "MSS malformed"
    assert options_row(bytes((8, 1)), options.mss(9)) == "TS malformed"


def test_options_that_do_not_fit_are_cut_with_a_sign() -> None:
    many = [(Seq(4_000_000_000 + at), Seq(4_000_000_500 + at)) for at in range(0, 3000, 1000)]
    row = draw(HeaderGrid(replace(SYN, options=Options.of(options.sack(many)))))[6]
    assert row == "│ Options  SACK 4000000000-4000000500,4000001000-4000001500,40… │"
    assert cell_len(row) == WIDTH


@given(st.binary(min_size=20, max_size=80), st.booleans(), st.booleans())
def test_whatever_a_header_holds_the_grid_keeps_its_shape(
    octets: bytes, ruler: bool, hexadecimal: bool
) -> None:
    address = IPv4Address("192.0.2.1")
    segment = Segment.parse(address, address, octets, len(octets))
    every = frozenset({"source", "destination", "seq", "ack", "data_offset", "window", "options"})
    for changed in (frozenset[str](), every):
        grid = HeaderGrid(segment, changed=changed, ruler=ruler, hexadecimal=hexadecimal)
        lines = draw(grid)
        assert len(lines) == (15 if ruler else 8)
        assert {cell_len(line) for line in lines} == {WIDTH}
