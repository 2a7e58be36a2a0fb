"""What may happen in the middle of a long connection: each function does it to a `Talk`."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from handshake.units import ACK_BIT, MASK, MODULUS, NS_PER_SECOND, RST_BIT, SYN_BIT
from tests.survey.talk import EDGES, NUMBERS, SNAPS, SUMS, unreachable

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.survey.talk import Talk

_URG, _ECE, _CWR, _AE = 0x20, 0x40, 0x80, 0x100
_TAGS = (b"", b"\x81\0\0\x64", b"\x81\0\0\x65")
_MPTCP = (b"\x1e\x08\x20\x01\0\0\0\1", b"\x1e\x04\x30\0", b"\x1e\x08\x30\1\0\0\0\2")
_FAR = (1 << 20, 9 << 20, 11 << 20, (1 << 24) - 1, 1 << 24, 1 << 29, 1 << 30, (1 << 31) - 2000)


def pause(talk: Talk, _me: int) -> None:
    talk.at += talk.dice.choice((5, 59, 60, 119, 300)) * NS_PER_SECOND + talk.dice.choice((-1, 0))


def step_back(talk: Talk, _me: int) -> None:
    talk.at -= talk.dice.choice((1, 1_000, 10_000_000, NS_PER_SECOND, 100 * NS_PER_SECOND))


def keep_alive(talk: Talk, me: int) -> None:
    length = talk.dice.randrange(2)
    for _ in range(talk.dice.choice((1, 3))):
        talk.send(me, length, ahead=-1)
        if talk.dice.random() < 0.7:
            talk.send(1 - me)


def close_window(talk: Talk, me: int) -> None:
    talk.hear(me)
    talk.send(me, window=0)
    for _ in range(talk.dice.randrange(3)):
        talk.send(1 - me, 1)
        talk.send(me, window=0)
    if talk.dice.random() < 0.7:
        talk.send(me)


def change_window(talk: Talk, me: int) -> None:
    talk.sides[me].window = talk.dice.choice((1, 100, 2000, 64240, 65535))


def repeat_ack(talk: Talk, me: int) -> None:
    for _ in range(talk.dice.randrange(1, 5)):
        talk.send(me)


def update_window(talk: Talk, me: int) -> None:
    mine, kept = talk.sides[me], talk.sides[me].window
    for _ in range(talk.dice.randrange(1, 8)):
        mine.window = talk.dice.choice((kept, 100, 2000, 65535))
        mine.numbers = talk.dice.choice((mine.numbers, "constant", "counted"))
        talk.send(me)


def overrun_window(talk: Talk, me: int) -> None:
    """Send more than the other side has room for, with a gap at the begin or without one."""
    other = talk.sides[1 - me]
    kept, other.window = other.window, max(1, 4000 >> (other.scale or 0))
    talk.hear(1 - me)
    talk.send(1 - me)
    talk.sides[me].nxt += talk.dice.choice((0, 100))
    for _ in range(talk.dice.randrange(3, 9)):
        talk.go_on(me, talk.dice.choice((100, 1448)))
    other.window = kept
    for _ in range(5):
        talk.send(1 - me)
        talk.go_on(me, 100)


def lose_some(talk: Talk, me: int) -> None:
    """Lose data, before or after it is captured, and send it again once the ACKs repeat."""
    dice, other = talk.dice, talk.sides[1 - me]
    lost, length, only = talk.sides[me].nxt, dice.choice((100, 1448)), talk.only
    if dice.random() < 0.5:
        talk.only = 1 - me
    talk.go_on(me, length)
    talk.only, first = only, talk.sides[me].nxt
    for _ in range(dice.randrange(1, 12)):
        talk.go_on(me, length)
        if dice.random() < 0.2:
            talk.sides[me].nxt += dice.choice((0, length))
        if dice.random() < 0.3:
            talk.go_on(1 - me, 50)
        for _ in range(dice.choice((0, 1, 1, 2))):
            talk.send(1 - me, options=_with_sack(talk, me, first))
            if dice.random() < 0.1:
                other.acked = max(other.acked, lost)
    if dice.random() < 0.7:
        talk.send(me, length, ahead=lost - talk.sides[me].nxt)
    talk.hear(1 - me)
    talk.send(1 - me, options=_with_sack(talk, me, first))


def _with_sack(talk: Talk, me: int, first: int) -> bytes:
    """Return options of the other side: timestamps if they are in force, and SACK if it likes."""
    dice, mine, other = talk.dice, talk.sides[me], talk.sides[1 - me]
    stamps = struct.pack("!BBBBII", 1, 1, 8, 10, other.clock, other.heard) if talk.stamped else b""
    blocks = dice.choice((0, 1, 1, 2, 3))
    edges = [(mine.isn + edge) & MASK for edge in (first, mine.nxt)] * blocks
    sack = struct.pack(f"!BBBB{2 * blocks}I", 1, 1, 5, 2 + 8 * blocks, *edges) if blocks else b""
    return sack + stamps if dice.random() < 0.1 else stamps + sack


def send_again(talk: Talk, me: int) -> None:
    length = min(talk.dice.choice((1, 100, 1448, 3000)), max(0, talk.sides[me].nxt - 1))
    talk.send(me, length, ahead=-length)


def send_other_data(talk: Talk, me: int) -> None:
    """Send two segments at once that differ only in checksum and octets not kept of a frame."""
    talk.sides[me].checksums = "right"
    for last in (b"a", b"b"):
        talk.fill = b"x" * 99 + last
        talk.send(me, 100)
    talk.fill = b""
    talk.sides[me].nxt += 100


def capture_again(talk: Talk, me: int) -> None:
    talk.at += talk.dice.choice((0, 1_000, 500_000, 1_000_000, 20_000_000, NS_PER_SECOND))
    if talk.sides[me].last:
        talk.put(bytes(12) + (b"\x86\xdd" if talk.six else b"\x08\0") + talk.sides[me].last)


def miss(talk: Talk, me: int) -> None:
    talk.sides[me].nxt += talk.dice.choice((1, 1448, 100_000))


def miss_much(talk: Talk, me: int) -> None:
    _jump(talk, me, talk.dice.choice(_FAR))


def go_near_an_edge(talk: Talk, me: int) -> None:
    """Go on just before 0 or 2**31, of the header or since the SYN."""
    mine = talk.sides[me]
    edge = talk.dice.choice((0, MODULUS // 2, mine.isn + MODULUS // 2))
    to_go = (edge - talk.dice.choice((0, 1448, 9000)) - mine.isn - mine.nxt) & MASK
    _jump(talk, me, to_go % (MODULUS // 2))


def _jump(talk: Talk, me: int, octets: int) -> None:
    talk.sides[me].nxt += octets
    talk.go_on(me, 100)
    talk.hear(1 - me)
    talk.send(1 - me)


def overtake(talk: Talk, me: int) -> None:
    length = talk.dice.choice((100, 1448))
    talk.send(me, length, ahead=length)
    talk.send(me, length)
    talk.sides[me].nxt += 2 * length


def acknowledge_unseen(talk: Talk, me: int) -> None:
    mine, length = talk.sides[me], talk.dice.choice((100, 1448))
    talk.send(1 - me, ack=mine.isn + mine.nxt + length)
    if talk.dice.random() < 0.7:
        talk.go_on(me, length)
        talk.hear(1 - me)


def acknowledge_old(talk: Talk, me: int) -> None:
    back = talk.dice.choice((1, 1_000, 100_000, 1 << 25))
    ack = talk.sides[1 - me].isn + talk.sides[me].acked - back
    talk.send(me, talk.dice.choice((0, 20)), ack=ack)


def acknowledge_nothing(talk: Talk, me: int) -> None:
    talk.send(me, ack=0)


def send_old(talk: Talk, me: int) -> None:
    """Send numbers from long ago, in packets with the identification of others."""
    mine, back = talk.sides[me], talk.dice.choice((1_000, 1 << 20, 17 << 20))
    mine.numbers, talk.fill = talk.dice.choice(NUMBERS), b"x"
    for _ in range(talk.dice.choice((1, 3))):
        talk.send(me, 100, ahead=-back)
        for _ in range(5):
            talk.send(me, 100)
            mine.nxt += 100
        talk.hear(1 - me)
        talk.send(1 - me)
    talk.fill = b""


def change_ttl(talk: Talk, me: int) -> None:
    talk.sides[me].ttl = talk.dice.choice((61, 63, 64, 128))


def change_checksums(talk: Talk, me: int) -> None:
    talk.sides[me].checksums = talk.dice.choice(("right", *SUMS))


def damage(talk: Talk, me: int) -> None:
    mine, length = talk.sides[me], talk.dice.choice((0, 100))
    sums, clock = mine.checksums, mine.clock
    mine.checksums = talk.dice.choice(SUMS[1:])
    # The damage may be in the timestamp.
    mine.clock = talk.dice.choice((clock, (clock + (1 << 28)) & MASK))
    talk.send(me, length)
    mine.checksums, mine.clock = sums, clock
    if talk.dice.random() < 0.5:
        talk.send(me, length)
    mine.nxt += length


def change_snap(talk: Talk, _me: int) -> None:
    talk.snap = talk.dice.choice(SNAPS)


def change_link(talk: Talk, _me: int) -> None:
    talk.tag = talk.dice.choice(_TAGS)


def change_path(talk: Talk, _me: int) -> None:
    talk.tos, talk.label = talk.dice.choice((0, 1, 2, 3, 0xB8)), talk.dice.getrandbits(20)


def change_numbers(talk: Talk, me: int) -> None:
    talk.sides[me].numbers = talk.dice.choice(NUMBERS)


def begin_copies(talk: Talk, _me: int) -> None:
    talk.copied = talk.dice.choice((None, (0, 0), (500, 1), (500, 0), (2_000_000, 2)))


def hide_one(talk: Talk, me: int) -> None:
    talk.only = talk.dice.choice((None, None, me))


def set_flags(talk: Talk, me: int) -> None:
    flags = talk.dice.choice((_URG, _ECE, _CWR, _ECE | _CWR, _AE, 0x200, 0))
    talk.send(me, 10, ACK_BIT | flags, urgent=talk.dice.choice((0, 5)))
    talk.sides[me].nxt += 10


def signal(talk: Talk, me: int) -> None:
    talk.send(me, options=talk.dice.choice(_MPTCP))


def leave_out_timestamps(talk: Talk, me: int) -> None:
    talk.send(me, 50, options=b"")
    talk.sides[me].nxt += 50


def turn_clock_back(talk: Talk, me: int) -> None:
    mine = talk.sides[me]
    kept = mine.clock
    mine.clock = (kept - talk.dice.choice((1, 1_000, 1 << 30, 1 << 31))) & MASK
    talk.send(me, 60)
    mine.clock = kept


def set_clock(talk: Talk, me: int) -> None:
    mine = talk.sides[me]
    mine.clock = talk.dice.choice((*EDGES, (mine.clock + (1 << 31)) & MASK))


def break_header(talk: Talk, me: int) -> None:
    talk.send(me, 20, offset=talk.dice.choice((0, 4, 15)))


def cut_headers_for_long(talk: Talk, me: int) -> None:
    """Repeat an ACK without its options, after which Zeek's timeout is nearly over."""
    talk.snap, kept = 58, talk.snap
    for _ in range(talk.dice.choice((4, 5))):
        talk.at += 55 * NS_PER_SECOND
        talk.send(me)
    talk.snap = kept
    talk.at += talk.dice.choice((20, 50)) * NS_PER_SECOND


def syn_again(talk: Talk, me: int) -> None:
    flags = talk.dice.choice((SYN_BIT, SYN_BIT | ACK_BIT))
    ahead = talk.dice.choice((0, 1, 70_000)) - talk.sides[me].nxt
    talk.send(me, 0, flags, ahead=ahead, options=b"\2\4\5\xb4")


def connect_again(talk: Talk, _me: int) -> None:
    talk.at += talk.dice.choice((0, 1, 100)) * NS_PER_SECOND
    for each in talk.sides:
        each.isn, each.nxt, each.acked = talk.dice.getrandbits(32), 0, 0
    talk.open()


def reset(talk: Talk, me: int) -> None:
    ahead, ttl = talk.dice.choice((0, 5, 1 << 24)), talk.dice.choice((64, 200))
    talk.send(me, 0, RST_BIT | ACK_BIT, ahead=ahead, ttl=ttl, options=b"")


def report_an_error(talk: Talk, me: int) -> None:
    packet = talk.sides[me].last
    if packet and not talk.six:
        talk.put(struct.pack("!12sH", bytes(12), 0x800) + unreachable(packet, 4))


def send_much(talk: Talk, me: int) -> None:
    """Send more than 8 MiB before the other side acknowledges anything."""
    talk.snap, kept = 96, talk.snap
    for _ in range(140):
        talk.go_on(me, 65_000)
    talk.snap = kept


TROUBLES: tuple[Callable[[Talk, int], None], ...] = (
    *(pause, step_back, keep_alive, close_window, change_window, repeat_ack, send_again),
    *(update_window, overrun_window, lose_some, lose_some),
    *(
        send_other_data,
        capture_again,
        miss,
        miss_much,
        go_near_an_edge,
        overtake,
        acknowledge_unseen,
    ),
    *(acknowledge_old, acknowledge_nothing, send_old, change_ttl, change_checksums, damage),
    *(change_snap, change_link, change_path, change_numbers, begin_copies, hide_one, set_flags),
    *(signal, leave_out_timestamps, turn_clock_back, set_clock, break_header),
    *(cut_headers_for_long, syn_again, connect_again, reset, report_an_error, send_much),
)
