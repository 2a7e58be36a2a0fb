"""What the kernel may take over, and what it is to be given; `tests/live` lets it."""

from __future__ import annotations

import pytest

from handshake.errors import LocalError
from handshake.linux.tcp_repair import acknowledged, adopt
from handshake.tcp import (
    ControlBlock,
    Endpoint,
    Flags,
    Observed,
    Offer,
    ReceiveSpace,
    Segment,
    SendSpace,
    Seq,
    State,
)

US, PEER = Endpoint.of("192.0.2.1", 50000), Endpoint.of("192.0.2.2", 80)


@pytest.mark.parametrize(
    ("block", "code"),
    [
        (ControlBlock(Endpoint.of("10.77.0.1", 1)), "adopt.state"),
        (
            ControlBlock(
                Endpoint.of("10.77.0.1", 1),
                state=State.ESTABLISHED,
                snd=SendSpace(una=Seq(1), nxt=Seq(2)),
            ),
            "adopt.unacknowledged",
        ),
        (
            ControlBlock(
                Endpoint.of("10.77.0.1", 1),
                state=State.ESTABLISHED,
                offered=Offer(ecn=True),
                peer_offered=Offer(ecn=True),
            ),
            "adopt.ecn",
        ),
    ],
)
def test_what_the_kernel_could_not_carry_on(block: ControlBlock, code: str) -> None:
    with pytest.raises(LocalError) as error:
        adopt(block, clock=None, release=lambda: False)
    assert error.value.code == code


def test_what_was_acknowledged_is_what_was_taken() -> None:
    """In any order, more than once; not what was refused, and not what is missing yet."""

    def theirs(seq: int, payload: bytes, ack: int = 101) -> Segment:
        return Segment(PEER, US, Seq(seq), Seq(ack), Flags.ACK, 5000, payload=payload)

    def ours(ack: int) -> Segment:
        return Segment(US, PEER, Seq(101), Seq(ack), Flags.ACK, 5000)

    first = 2**32 - 2
    segments = [
        Segment(US, PEER, Seq(100), None, Flags.SYN, 5000),
        # Data in a SYN is not taken: it comes again.
        Segment(PEER, US, Seq(first - 1), Seq(101), Flags.SYN | Flags.ACK, 5000, payload=b"?"),
        ours(first),
        theirs(first + 4, b"efg"),
        theirs(first, b"WRONG", ack=999),
        theirs(first, b"abc"),
        ours(first + 3),
        theirs(first + 1, b"bcd"),
        ours(first + 7),
        theirs(first + 9, b"late"),
    ]
    seen = [Observed(seg, at) for at, seg in enumerate(segments)]
    seen.insert(4, Observed(theirs(first, b"BAD"), 4, checksum_ok=False))
    block = ControlBlock(
        US, PEER, State.ESTABLISHED, rcv=ReceiveSpace(irs=Seq(first - 1), nxt=Seq(first + 7))
    )
    assert acknowledged(block, seen) == b"abcdefg"
