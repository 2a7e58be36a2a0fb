"""What an attempt's headers say, field by field, in every manner that can be asked for."""

from __future__ import annotations

import pytest

from handshake.endpoint.segment_builder import check, offer_for
from handshake.errors import UsageError
from handshake.prober import ClientOptions
from handshake.tcp import Flags, Options, Timestamps
from handshake.tcp import options as opt
from handshake.tcp.signature import verified
from tests.endpoint.exchange import Talk

COOKIE = bytes.fromhex("0123456789abcdef")


def names(exchange: Talk, place: int = 0) -> list[str]:
    return [option.name for option in exchange.sent[place].options]


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
def test_the_syn_offers_what_was_asked_for_in_the_order_of_linux(
    options: ClientOptions, expected: list[str]
) -> None:
    assert names(Talk(options=options)) == expected


def test_the_fields_of_the_fixed_header() -> None:
    syn = Talk(
        iss=7,
        options=ClientOptions(mss=536, window=1024, window_scale=3, flags=Flags.SYN | Flags.PSH),
    ).sent[0]
    assert (syn.window, syn.flags, int(syn.seq)) == (1024, Flags.SYN | Flags.PSH, 7)
    assert (syn.options.mss, syn.options.window_scale) == (536, 3)


def test_a_window_of_ours_is_scaled_once_that_is_agreed_on() -> None:
    exchange = Talk(options=ClientOptions(window=200_000, window_scale=3))
    theirs = Options.of(opt.nop(), opt.window_scale(9))
    exchange.hears("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10, options=theirs)
    assert [each.window for each in exchange.sent[:2]] == [0xFFFF, 25_000]


def test_the_mss_of_the_path_is_named_unless_another_is() -> None:
    assert offer_for(1280, 6).mss == 1220
    assert offer_for(1500, 4, ClientOptions(mss=536)).mss == 536
    assert offer_for(1500, 4, ClientOptions(mss=0)).mss is None
    assert offer_for(65536, 4).mss == 65495


def test_ecn_is_asked_for_and_not_a_second_time() -> None:
    # RFC 3168 section 6.1.1.1: what drops such a SYN may let one without pass.
    exchange = Talk(options=ClientOptions(ecn=True))
    exchange.waits()
    both = Flags.SYN | Flags.ECE | Flags.CWR
    assert [each.flags for each in exchange.sent] == [both, Flags.SYN]
    exchange.hears("<SEQ=300><ACK=101><CTL=SYN,ECE,ACK>", 1010)
    assert exchange.attempt.block.ecn


@pytest.mark.parametrize(("control", "agreed"), [("SYN,ECE,ACK", True), ("SYN,ACK", False)])
def test_ecn_is_in_force_where_the_answer_says_so(control: str, agreed: bool) -> None:
    exchange = Talk(options=ClientOptions(ecn=True))
    exchange.hears(f"<SEQ=300><ACK=101><CTL={control}>", 10)
    assert exchange.attempt.block.ecn == agreed
    assert exchange.sent[1].flags == Flags.ACK


def test_a_cookie_lets_the_syn_carry_data() -> None:
    exchange = Talk(options=ClientOptions(fast_open=COOKIE, data=b"hello"))
    (syn,) = exchange.sent
    assert (syn.options.fast_open, syn.payload) == (COOKIE, b"hello")
    exchange.hears("<SEQ=300><ACK=106><CTL=SYN,ACK>", 10)
    assert [str(each) for each in exchange.sent[1:]] == [
        "<SEQ=106><ACK=301><CTL=ACK>",
        "<SEQ=106><ACK=301><CTL=FIN,ACK>",
    ]


def test_data_that_the_syn_brought_in_vain_is_said_again() -> None:
    exchange = Talk(options=ClientOptions(fast_open=COOKIE, data=b"hello"))
    exchange.hears("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10)
    assert str(exchange.sent[2]) == "<SEQ=101><ACK=301><DATA=5><CTL=PSH,ACK>"


def test_part_of_it_may_be_taken() -> None:
    exchange = Talk(options=ClientOptions(fast_open=COOKIE, data=b"hello"))
    exchange.hears("<SEQ=300><ACK=103><CTL=SYN,ACK>", 10)
    assert exchange.sent[2].payload == b"llo"


@pytest.mark.parametrize("mss", [None, 0, 10])
def test_with_fast_open_a_syn_carries_what_our_path_does(mss: int | None) -> None:
    exchange = Talk(options=ClientOptions(fast_open=COOKIE, data=bytes(3000), mss=mss))
    (syn,) = exchange.sent
    assert len(syn.options.raw) + syn.payload_length == 1460


def test_a_fast_open_that_is_not_answered_is_no_second_time() -> None:
    # RFC 7413 section 4.1.3.1: such SYNs, too, are dropped by some.
    exchange = Talk(options=ClientOptions(fast_open=COOKIE, data=b"hello"))
    exchange.waits()
    syn = exchange.sent[1]
    assert (syn.options.fast_open, syn.payload, int(syn.seq)) == (None, b"", 100)
    exchange.hears("<SEQ=300><ACK=101><CTL=SYN,ACK>", 1010)
    assert exchange.sent[3].payload == b"hello"


def test_without_a_cookie_it_asks_for_one_and_the_data_waits() -> None:
    exchange = Talk(options=ClientOptions(fast_open=b"", data=b"hello"))
    assert (exchange.sent[0].options.fast_open, exchange.sent[0].payload) == (b"", b"")
    theirs = Options.of(opt.mss(1460), opt.fast_open(COOKIE))
    exchange.hears("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10, options=theirs)
    assert exchange.attempt.block.peer_offered is not None
    assert exchange.attempt.block.peer_offered.fast_open == COOKIE
    assert exchange.sent[2].payload == b"hello"


def test_the_data_of_a_syn_leaves_room_for_its_options() -> None:
    exchange = Talk(options=ClientOptions(fast_open=COOKIE, data=bytes(3000)))
    (syn,) = exchange.sent
    assert len(syn.options.raw) + len(syn.payload) == 1460


def test_every_segment_is_signed_and_what_is_not_is_dropped() -> None:
    exchange = Talk(options=ClientOptions(md5=b"key", data=b"hello"))
    exchange.hears("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10)
    exchange.hears("<SEQ=0><ACK=101><CTL=RST,ACK>", 20)
    assert exchange.codes == ["bad-signature"]
    assert len(exchange.sent) == 1
    assert verified(exchange.sent[0], b"key")
    assert not verified(exchange.sent[0], b"kex")


def test_a_reset_carries_no_clock() -> None:
    exchange = Talk(options=ClientOptions())
    theirs = Options.of(opt.timestamps(7, 0))
    exchange.hears("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10, options=theirs)
    assert exchange.sent[1].options.timestamps == Timestamps(10, 7)


@pytest.mark.parametrize(
    ("options", "length", "timestamps"),
    [
        (ClientOptions(extra_options=((253, bytes(30)),)), 52, True),
        (ClientOptions(md5=b"k", fast_open=COOKIE), 44, False),
    ],
)
def test_options_without_room_are_refused_before_anything_is_sent(
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
def test_what_no_header_has_room_for_is_refused(
    wrong: dict[str, object], code: str, values: dict[str, object]
) -> None:
    with pytest.raises(UsageError) as error:
        ClientOptions(**wrong)  # type: ignore[arg-type]
    assert error.value.code == f"options.{code}"
    assert error.value.values.items() >= values.items()
