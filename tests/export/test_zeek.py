"""A conn.log as Zeek writes one: its header, its rows, and the same in every run."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from handshake.export.zeek import conn_log, is_local, uid
from handshake.tracker.zeek import ZeekRecord

CALL = ZeekRecord(
    ts=1_285_862_902_700_271_000,
    orig_h=ip_address("10.0.88.85"),
    orig_p=50368,
    resp_h=ip_address("198.18.0.27"),
    resp_p=80,
    duration=60_991_770_000,
    orig_bytes=474,
    resp_bytes=23783,
    conn_state="RSTO",
    missed_bytes=24257,
    history="ShADaGdgtR",
    orig_pkts=17,
    orig_ip_bytes=1250,
    resp_pkts=22,
    resp_ip_bytes=28961,
)
SINGLE = replace(
    CALL,
    ts=1_285_862_900_000_000_600,
    orig_h=ip_address("2606:2800:220:1::1"),
    resp_h=ip_address("fe80::1%eth0"),
    duration=None,
    orig_bytes=None,
    resp_bytes=None,
    conn_state="OTH",
    missed_bytes=0,
    history="^h",
)

HEADER = [
    r"#separator \x09",
    "#set_separator\t,",
    "#empty_field\t(empty)",
    "#unset_field\t-",
    "#path\tconn",
]


def test_a_log() -> None:
    lines = list(conn_log([CALL, SINGLE]))
    assert lines[:5] == HEADER
    assert lines[5] == "#open\t2010-09-30-16-08-22"
    assert lines[6] == (
        "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration"
        "\torig_bytes\tresp_bytes\tconn_state\tlocal_orig\tlocal_resp\tmissed_bytes\thistory"
        "\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\ttunnel_parents"
    )
    assert lines[7] == (
        "#types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\tinterval\tcount\tcount"
        "\tstring\tbool\tbool\tcount\tstring\tcount\tcount\tcount\tcount\tset[string]"
    )
    assert lines[8] == (
        f"1285862902.700271\t{uid(CALL)}\t10.0.88.85\t50368\t198.18.0.27\t80\ttcp\t-\t60.991770"
        "\t474\t23783\tRSTO\tT\tT\t24257\tShADaGdgtR\t17\t1250\t22\t28961\t-"
    )
    assert lines[9] == (
        f"1285862900.000001\t{uid(SINGLE)}\t2606:2800:220:1::1\t50368\tfe80::1\t80\ttcp\t-\t-"
        "\t-\t-\tOTH\tF\tT\t0\t^h\t17\t1250\t22\t28961\t-"
    )
    assert lines[10:] == ["#close\t2010-09-30-16-09-23"]


def test_an_empty_log_is_a_log() -> None:
    assert [line.split("\t")[0] for line in conn_log([])] == [
        r"#separator \x09",
        "#set_separator",
        "#empty_field",
        "#unset_field",
        "#path",
        "#open",
        "#fields",
        "#types",
        "#close",
    ]


def test_a_uid_is_unique_and_the_same_in_every_run() -> None:
    assert uid(CALL) == uid(replace(CALL, history="S"))
    assert len({uid(CALL), uid(SINGLE), uid(replace(CALL, ts=CALL.ts + 1))}) == 3
    assert uid(CALL).isalnum()
    assert 10 < len(uid(CALL)) < 20


@pytest.mark.parametrize(
    ("address", "local"),
    [("192.168.1.1", True), ("100.64.3.3", True), ("1.1.1.1", False), ("fd00::1", True)],
)
def test_what_zeek_takes_for_its_own_site(address: str, local: bool) -> None:
    assert is_local(ip_address(address)) is local
