"""Rules of section 3.10.7 and RFC 7323 that no figure shows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handshake.tcp import ControlBlock, Endpoint, Offer, Options, ReceiveSpace, Seq, State
from handshake.tcp import options as opt
from tests.segments import A, B, segment


def connected(*, shift: int | None = None) -> ControlBlock:
    """Return A's block once its SYN to B was answered; both offered timestamps."""
    offered = [opt.mss(1460), opt.timestamps(1000)]
    if shift is not None:
        offered.append(opt.window_scale(shift))
    answer = [opt.mss(1460), opt.timestamps(5000, 1000)]
    if shift is not None:
        answer.append(opt.window_scale(shift))
    block = ControlBlock(A).sent(segment("<SEQ=100><CTL=SYN>", options=Options.of(*offered)))
    block = block.received(
        segment("<SEQ=300><ACK=101><CTL=SYN,ACK>", by=B, options=Options.of(*answer))
    )
    return block.sent(stamped("<SEQ=101><ACK=301><CTL=ACK>", 1001, 5000))


def stamped(text: str, value: int, echo: int, *, by: Endpoint = A):  # type: ignore[no-untyped-def]
    return segment(text, by=by, options=Options.of(opt.timestamps(value, echo)))


def test_a_clock_that_runs_backwards_is_not_believed() -> None:
    block = connected()
    old = stamped("<SEQ=301><ACK=101><DATA=5><CTL=ACK>", 4999, 1001, by=B)
    assert block.ts_recent == 5000
    assert block.received(old) == block
    same = stamped("<SEQ=301><ACK=101><DATA=5><CTL=ACK>", 5000, 1001, by=B)
    assert block.received(same).rcv.nxt == Seq(306)


def test_a_clock_may_wrap() -> None:
    block = replace(connected(), ts_recent=2**32 - 1)
    wrapped = stamped("<SEQ=301><ACK=101><DATA=5><CTL=ACK>", 3, 1001, by=B)
    assert block.received(wrapped).rcv.nxt == Seq(306)
    assert block.received(wrapped).ts_recent == 3


def test_only_what_spans_the_last_ack_sent_sets_the_clock_to_echo() -> None:
    block = connected()
    ahead = stamped("<SEQ=311><ACK=101><DATA=5><CTL=ACK>", 5009, 1001, by=B)
    assert block.received(ahead).ts_recent == 5000
    next_one = stamped("<SEQ=301><ACK=101><DATA=5><CTL=ACK>", 5009, 1001, by=B)
    assert block.received(next_one).ts_recent == 5009


@pytest.mark.parametrize(
    ("address", "octets"), [("192.0.2.1", 536), ("2001:db8::1", 1220)], ids=["IPv4", "IPv6"]
)
def test_a_peer_that_names_no_mss_takes_the_default(address: str, octets: int) -> None:
    block = ControlBlock(Endpoint.of(address, 1), peer_offered=Offer())
    assert block.mss == octets
    assert replace(block, peer_offered=Offer(mss=1400)).mss == 1400
    assert replace(block, peer_offered=None).mss is None


@pytest.mark.parametrize(
    ("text", "moves"),
    [
        ("<SEQ=301><ACK=101><CTL=ACK>", True),
        ("<SEQ=301><ACK=102><CTL=ACK>", False),  # nothing beyond 101 was sent
        ("<SEQ=300><ACK=101><CTL=ACK>", False),  # before the window, with no octet in it
        ("<SEQ=65836><ACK=101><CTL=ACK>", False),  # just past the window's end
        ("<SEQ=65835><ACK=101><CTL=ACK>", True),  # its last octet
        ("<SEQ=301><DATA=5><CTL=PSH>", False),  # acknowledges nothing
        ("<SEQ=301><CTL=RST>", True),
        ("<SEQ=302><CTL=RST>", False),  # in the window, but not exactly next (RFC 5961)
        ("<SEQ=301><ACK=101><CTL=SYN,ACK>", False),  # a SYN in a synchronized state
    ],
)
def test_what_is_acceptable_when_synchronized(text: str, moves: bool) -> None:
    block = replace(connected(), ts_recent=None)
    assert block.state is State.ESTABLISHED
    assert block.acceptable(segment(text, by=B)) is moves


def test_a_closed_window_takes_only_the_next_number() -> None:
    block = replace(connected(), ts_recent=None)
    block = replace(block, rcv=replace(block.rcv, wnd=0))
    assert block.acceptable(segment("<SEQ=301><ACK=101><CTL=ACK>", by=B))
    assert not block.acceptable(segment("<SEQ=302><ACK=101><CTL=ACK>", by=B))
    assert not block.acceptable(segment("<SEQ=301><ACK=101><DATA=1><CTL=ACK>", by=B))


def test_an_older_segment_does_not_put_an_older_window_in_force() -> None:
    block = replace(connected(shift=2), ts_recent=None)
    newer = segment("<SEQ=301><ACK=101><DATA=5><CTL=ACK>", by=B, window=500)
    older = segment("<SEQ=300><ACK=101><DATA=3><CTL=ACK>", by=B, window=9)
    assert block.received(newer).snd.wnd == 2000
    assert block.received(newer).received(older).snd.wnd == 2000


@given(st.integers(0, 2**32 - 1), st.integers(-70_000, 70_000), st.integers(0, 9), st.data())
def test_in_window_as_in_table_6(start: int, ahead: int, length: int, data: st.DataObject) -> None:
    wnd = data.draw(st.sampled_from([0, 1, 5, 65535, 65535 << 14]))
    nxt = Seq(start)
    seg = segment(f"<SEQ={(start + ahead) % 2**32}><ACK=1><DATA={length}><CTL=ACK>")
    block = ControlBlock(A, rcv=ReceiveSpace(nxt=nxt, wnd=wnd))

    def lies(number: Seq) -> bool:
        return nxt <= number < nxt + wnd

    if not length:
        expected = lies(seg.seq) if wnd else seg.seq == nxt
    else:
        expected = wnd > 0 and (lies(seg.seq) or lies(seg.end - 1))
    assert block.in_window(seg) == expected
