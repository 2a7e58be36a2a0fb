"""The headers that a client builds, field by field, for all options of a probe."""

from __future__ import annotations

import pytest

from handshake.endpoint.segment_builder import check, offer_for
from handshake.errors import UsageError
from handshake.prober import ClientOptions
from handshake.tcp import Flags, Options, Timestamps
from handshake.tcp import options as opt
from handshake.tcp.signature import verified
from tests.endpoint.figure import DrawnAttempt

COOKIE = bytes.fromhex("0123456789abcdef")


def names(drawn: DrawnAttempt, place: int = 0) -> list[str]:
    return [option.name for option in drawn.sent[place].options]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (ClientOptions(), ["mss", "sack-permitted", "timestamps", "nop", "wscale"]),
        (ClientOptions(sack=False), ["mss", "nop", "nop", "timestamps", "nop", "wscale"]),
        (ClientOptions(timestamps=False), ["mss", "nop", "nop", "sack-permitted", "nop", "wscale"]),
        (ClientOptions(window_scale=None), ["mss", "sack-permitted", "timestamps"]),
        (ClientOptions(mss=0), ["sack-permitted", "timestamps", "nop", "wscale"]),
        (
            ClientOptions(mss=0, window_scale=None, sack=False, timestamps=False),
            [],
        ),
        (
            ClientOptions(fast_open=b""),
            ["mss", "sack-permitted", "timestamps", "nop", "wscale", "fast-open", "nop", "nop"],
        ),
        (
            ClientOptions(md5=b"key"),
            ["nop", "nop", "md5", "mss", "nop", "nop", "sack-permitted", "nop", "wscale"],
        ),
        (
            ClientOptions(extra_options=((30, b"\x00\x01"), (1, b""), (253, b"ab"))),
            [
                *("mss", "sack-permitted", "timestamps", "nop", "wscale"),
                *("mptcp", "nop", "experiment-253", "end"),
            ],
        ),
    ],
)
def test_the_options_of_the_syn_in_the_order_of_linux(
    options: ClientOptions, expected: list[str]
) -> None:
    assert names(DrawnAttempt(options=options)) == expected


def test_the_fields_of_the_fixed_header() -> None:
    syn = DrawnAttempt(
        iss=7,
        options=ClientOptions(mss=536, window=1024, window_scale=3, flags=Flags.SYN | Flags.PSH),
    ).sent[0]
    assert (syn.window, syn.flags, int(syn.seq)) == (1024, Flags.SYN | Flags.PSH, 7)
    assert (syn.options.mss, syn.options.window_scale) == (536, 3)


def test_our_window_is_scaled_after_negotiation() -> None:
    drawn = DrawnAttempt(options=ClientOptions(window=200_000, window_scale=3))
    peer = Options.of(opt.nop(), opt.window_scale(9))
    drawn.receive("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10, options=peer)
    assert [each.window for each in drawn.sent[:2]] == [0xFFFF, 25_000]


def test_the_mss_of_the_path_is_the_default() -> None:
    assert offer_for(1280, 6).mss == 1220
    assert offer_for(1500, 4, ClientOptions(mss=536)).mss == 536
    assert offer_for(1500, 4, ClientOptions(mss=0)).mss is None
    assert offer_for(65536, 4).mss == 65495


def test_only_the_first_syn_asks_for_ecn() -> None:
    # RFC 3168 section 6.1.1.1: a middlebox that drops a SYN with ECN may pass one without.
    drawn = DrawnAttempt(options=ClientOptions(ecn=True))
    drawn.on_timer()
    both = Flags.SYN | Flags.ECE | Flags.CWR
    assert [each.flags for each in drawn.sent] == [both, Flags.SYN]
    drawn.receive("<SEQ=300><ACK=101><CTL=SYN,ECE,ACK>", 1010)
    assert drawn.attempt.block.ecn


@pytest.mark.parametrize(("control", "agreed"), [("SYN,ECE,ACK", True), ("SYN,ACK", False)])
def test_ecn_is_used_if_the_syn_ack_agrees(control: str, agreed: bool) -> None:
    drawn = DrawnAttempt(options=ClientOptions(ecn=True))
    drawn.receive(f"<SEQ=300><ACK=101><CTL={control}>", 10)
    assert drawn.attempt.block.ecn == agreed
    assert drawn.sent[1].flags == Flags.ACK


def test_with_a_cookie_the_syn_carries_data() -> None:
    drawn = DrawnAttempt(options=ClientOptions(fast_open=COOKIE, data=b"hello"))
    (syn,) = drawn.sent
    assert (syn.options.fast_open, syn.payload) == (COOKIE, b"hello")
    drawn.receive("<SEQ=300><ACK=106><CTL=SYN,ACK>", 10)
    assert [str(each) for each in drawn.sent[1:]] == [
        "<SEQ=106><ACK=301><CTL=ACK>",
        "<SEQ=106><ACK=301><CTL=FIN,ACK>",
    ]


def test_data_of_the_syn_that_is_not_acknowledged_is_retransmitted() -> None:
    drawn = DrawnAttempt(options=ClientOptions(fast_open=COOKIE, data=b"hello"))
    drawn.receive("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10)
    assert str(drawn.sent[2]) == "<SEQ=101><ACK=301><DATA=5><CTL=PSH,ACK>"


def test_data_of_the_syn_may_be_acknowledged_in_part() -> None:
    drawn = DrawnAttempt(options=ClientOptions(fast_open=COOKIE, data=b"hello"))
    drawn.receive("<SEQ=300><ACK=103><CTL=SYN,ACK>", 10)
    assert drawn.sent[2].payload == b"llo"


@pytest.mark.parametrize("mss", [None, 0, 10])
def test_data_of_the_syn_is_limited_by_the_path(mss: int | None) -> None:
    drawn = DrawnAttempt(options=ClientOptions(fast_open=COOKIE, data=bytes(3000), mss=mss))
    (syn,) = drawn.sent
    assert len(syn.options.raw) + syn.payload_length == 1460


def test_a_retransmitted_syn_has_no_fast_open() -> None:
    # RFC 7413 section 4.1.3.1: some middleboxes drop SYNs with this option, too.
    drawn = DrawnAttempt(options=ClientOptions(fast_open=COOKIE, data=b"hello"))
    drawn.on_timer()
    syn = drawn.sent[1]
    assert (syn.options.fast_open, syn.payload, int(syn.seq)) == (None, b"", 100)
    drawn.receive("<SEQ=300><ACK=101><CTL=SYN,ACK>", 1010)
    assert drawn.sent[3].payload == b"hello"


def test_without_a_cookie_the_syn_requests_one_and_has_no_data() -> None:
    drawn = DrawnAttempt(options=ClientOptions(fast_open=b"", data=b"hello"))
    assert (drawn.sent[0].options.fast_open, drawn.sent[0].payload) == (b"", b"")
    peer = Options.of(opt.mss(1460), opt.fast_open(COOKIE))
    drawn.receive("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10, options=peer)
    assert drawn.attempt.block.peer_offered is not None
    assert drawn.attempt.block.peer_offered.fast_open == COOKIE
    assert drawn.sent[2].payload == b"hello"


def test_data_of_the_syn_leaves_room_for_its_options() -> None:
    drawn = DrawnAttempt(options=ClientOptions(fast_open=COOKIE, data=bytes(3000)))
    (syn,) = drawn.sent
    assert len(syn.options.raw) + len(syn.payload) == 1460


def test_segments_are_signed_and_unsigned_ones_dropped() -> None:
    drawn = DrawnAttempt(options=ClientOptions(md5=b"key", data=b"hello"))
    drawn.receive("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10)
    drawn.receive("<SEQ=0><ACK=101><CTL=RST,ACK>", 20)
    assert drawn.codes == ["bad-signature"]
    assert len(drawn.sent) == 1
    assert verified(drawn.sent[0], b"key")
    assert not verified(drawn.sent[0], b"kex")


def test_an_ack_echoes_the_timestamp() -> None:
    drawn = DrawnAttempt(options=ClientOptions())
    peer = Options.of(opt.timestamps(7, 0))
    drawn.receive("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10, options=peer)
    assert drawn.sent[1].options.timestamps == Timestamps(10, 7)


@pytest.mark.parametrize(
    ("options", "length", "timestamps"),
    [
        (ClientOptions(extra_options=((253, bytes(30)),)), 52, True),
        (ClientOptions(md5=b"k", fast_open=COOKIE), 44, False),
    ],
)
def test_options_longer_than_a_header_are_rejected_before_anything_is_sent(
    options: ClientOptions, length: int, timestamps: bool
) -> None:
    with pytest.raises(UsageError, match=f"options take {length} octets") as error:
        check(options)
    assert error.value.code == "options.too-long"
    assert error.value.values["timestamps"] is timestamps


@pytest.mark.parametrize(
    ("wrong", "code", "values"),
    [
        ({"mss": 65536}, "range", {"field": "MSS", "least": 0, "most": 65535, "value": 65536}),
        ({"window_scale": -1}, "range", {"field": "window shift", "least": 0, "most": 255}),
        ({"ttl": 0}, "range", {"field": "TTL", "least": 1, "most": 255}),
        ({"tos": 256}, "range", {"field": "type of service", "most": 255}),
        ({"iss": 2**32}, "range", {"field": "sequence number", "most": 4294967295}),
        ({"source_port": 70000}, "range", {"field": "source port", "most": 65535}),
        ({"data": bytes(70000)}, "data-length", {"length": 70000, "most": 65535}),
        ({"md5": bytes(81)}, "md5-length", {"length": 81, "most": 80}),
        ({"extra_options": ((256, b""),)}, "kind", {"kind": 256}),
        ({"extra_options": ((1, b"x"),)}, "kind-data", {"kind": 1}),
        ({"flags": Flags.SYN | Flags.RST}, "rst", {}),
        ({"expect": b"x", "answer": False}, "no-ack-expect", {}),
        ({"data": b"x", "answer": False}, "no-ack-data", {}),
        ({"flags": Flags.FIN, "data": b"x"}, "flags-data", {"flags": Flags.FIN}),
        ({"flags": Flags(0), "data": b"x"}, "flags-data", {"flags": "no flags"}),
    ],
)
def test_values_out_of_range_are_rejected(
    wrong: dict[str, object], code: str, values: dict[str, object]
) -> None:
    with pytest.raises(UsageError) as error:
        ClientOptions(**wrong)  # type: ignore[arg-type]
    assert error.value.code == f"options.{code}"
    assert error.value.values.items() >= values.items()
