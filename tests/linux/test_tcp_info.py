from __future__ import annotations

import socket

import pytest

from handshake.linux.tcp_info import TcpInfo, tcp_info
from handshake.tcp import State

# Linux 6.18, x86-64: a client that has sent 5 octets, between two hosts that take all options.
OCTETS = bytes.fromhex(
    "01 00 00 00 00 07 aa 01"  # state, -, retransmits, -, -, options, shifts 10 and 10, -
    "e01c0300 00000000 a8050000 18020000"  # rto 204,000 µs, ato, snd_mss 1448, rcv_mss 536
    "00000000 00000000 00000000 00000000 00000000"  # unacked, sacked, lost, retrans, fackets
    "34000000 00000000 34000000 34000000"  # last_data_sent, last_ack_sent, ..._recv
    "dc050000 58fa0000 2b000000 18000000"  # pmtu 1500, rcv_ssthresh, rtt 43 µs, rttvar 24 µs
    "ffffff7f 0b000000 a8050000 03000000"  # snd_ssthresh, snd_cwnd, advmss 1448, reordering
    "00000000 90380000 00000000 48e26233 00000000"  # rcv_rtt, rcv_space, total_retrans, pacing
    "ffffffffffffffff 0600000000000000 0000000000000000"  # max pacing, bytes_acked, received
    "03000000 02000000 00000000 0a000000"  # segs_out, segs_in, notsent_bytes, min_rtt
    "00000000 01000000"  # data_segs_in, data_segs_out
    "0079a10800000000"
    + "00" * 24  # delivery_rate, busy_time, rwnd_limited, sndbuf_limited
    + "02000000 00000000 0500000000000000"
    + "00" * 20  # delivered, -, bytes_sent, ...
    + "00000100 fc000000"
    + "00" * 44  # snd_wnd 65536, rcv_wnd
)


def test_every_field_is_in_its_place() -> None:
    assert TcpInfo.parse(OCTETS) == TcpInfo(
        state=State.ESTABLISHED,
        retransmits=0,
        timestamps=True,
        sack=True,
        window_scale=True,
        ecn=False,
        syn_data=False,
        snd_shift=10,
        rcv_shift=10,
        rto=204_000,
        snd_mss=1448,
        rcv_mss=536,
        unacked=0,
        lost=0,
        retrans=0,
        since_data=52,
        since_ack=52,
        path_mtu=1500,
        rtt=43,
        rttvar=24,
        advmss=1448,
        total_retrans=0,
        bytes_acked=6,  # one of them is the SYN
        bytes_received=0,
        segs_out=3,
        segs_in=2,
        data_segs_in=0,
        data_segs_out=1,
        snd_wnd=65_536,
    )


@pytest.mark.parametrize(
    ("offset", "value", "field"),
    [
        (2, 3, "retransmits"),
        (24, 5, "unacked"),
        (32, 6, "lost"),
        (36, 7, "retrans"),
        (52, 11, "since_data"),
        (56, 12, "since_ack"),
        (100, 8, "total_retrans"),
        (128, 9, "bytes_received"),
        (152, 10, "data_segs_in"),
    ],
)
def test_fields_that_were_nought(offset: int, value: int, field: str) -> None:
    octets = OCTETS[:offset] + bytes([value]) + OCTETS[offset + 1 :]
    assert getattr(TcpInfo.parse(octets), field) == value


def test_the_options_are_told_apart() -> None:
    names = ("timestamps", "sack", "window_scale", "ecn", "syn_data")
    for bit, name in zip((1, 2, 4, 8, 32), names, strict=True):
        info = TcpInfo.parse(OCTETS[:5] + bytes([bit, 0x7A]) + OCTETS[7:])
        assert [each for each in names if getattr(info, each)] == [name]
        assert (info.snd_shift, info.rcv_shift) == (10, 7)


@pytest.mark.parametrize(
    ("length", "known"),
    [
        (104, []),
        (120, []),
        (136, ["bytes_acked", "bytes_received"]),
        (144, ["bytes_acked", "bytes_received", "segs_out", "segs_in"]),
        (159, ["bytes_acked", "bytes_received", "segs_out", "segs_in"]),
    ],
)
def test_older_kernels_tell_less(length: int, known: list[str]) -> None:
    info, whole = TcpInfo.parse(OCTETS[:length]), TcpInfo.parse(OCTETS)
    later = ("bytes_acked", "bytes_received", "segs_out", "segs_in", "data_segs_in")
    for name in (*later, "data_segs_out", "snd_wnd"):
        assert getattr(info, name) == (getattr(whole, name) if name in known else None)
    assert (info.rtt, info.total_retrans) == (whole.rtt, whole.total_retrans)


def test_shorter_than_ever_is_an_error() -> None:
    with pytest.raises(ValueError, match="too short: 103 octets"):
        TcpInfo.parse(OCTETS[:103])


def test_of_a_socket_of_our_own() -> None:
    with socket.socket() as sock:
        info = tcp_info(sock)
    assert (info.state, info.segs_in, info.rtt) == (State.CLOSED, 0, 0)
