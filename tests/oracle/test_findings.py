"""What there is to point at in others' captures: each line was read beside the packets."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from handshake.messages import Message
from handshake.replayer import replay
from handshake.tracker import summarize
from handshake.tracker.findings import capture_findings
from tests.oracle import public

if TYPE_CHECKING:
    from pathlib import Path

    from handshake.record import Record

FINDINGS: Final[dict[str, list[str]]] = {
    "arkime-gre-erspan-vxlan.pcap": ["0: no-mss@1 no-window-scaling@2 no-mss@2"],
    "arkime-http-500-head.pcap": ["0: mss-low@1 checksum-accepted@1 checksum-accepted@2"],
    "dpkt-nb6-http.pcap": ["0: mss-low@8", "1: mss-low@35", "2: mss-low@53"],
    "ffi-pcap-http.pcap": [],
    "filesamples-simple_http_sll2.pcap": ["0: checksum-offload@1", "1: checksum-offload@13"],
    "ics-security-tools-omron_test.pcap": [
        "0: half-open@14",
        "1: no-window-scaling@4 mss-low@4 syn-cookies@4",
    ],
    "ndpi-4in6tunnel.pcap": ["0: mss-low@1 mss-low@2"],
    "ndpi-radmin3.pcapng": ["0: checksum-offload@1", "1: checksum-offload@12"],
    "ndpi-tls_multiple_synack_different_seq.pcapng": ["0: syn-ack-isns@3 middlebox@10"],
    "nmap-tcpconnect_T3.cap": [
        "0: no-answer@4",
        "1: no-answer@6",
        "2: no-answer@8",
        "3: no-answer@5",
        "4: no-answer@7",
    ],
    "pcapplusplus-many_interfaces-1.pcapng": ["0: mss-low@25", "1: mss-low@54"],
    "pcapplusplus-unidirectional_tcp_stream_with_missing_packet.pcap": ["0: one-sided@14"],
    "ptcpdump-mptcp.pcap": ["0: checksum-offload@1"],
    "pypcap-test.pcap": ["0: refused@2"],
    "suricata-verify-bug-4199-2.pcap": ["0: checksum-offload@1"],
    "suricata-verify-kill_router6.pcap": ["0: unreachable@2", "1: unreachable@4"],
    "suricata-verify-pgsql-bug-5579.pcap": ["0: checksum-offload@1 timestamps-missing@13"],
    "suricata-verify-split-handshake-4whs.pcap": [
        "0: no-mss@1 no-window-scaling@2 no-mss@2 split-handshake@4"
    ],
    "suricata-verify-tcp-overlap2.pcap": ["0: no-mss@1 no-mss@2"],
    "suricata-verify-tcp-rst-with-data.pcap": ["0: no-mss@1 no-mss@2 reset-with-data@8"],
    "suricata-verify-tlpw-tcp-tfo-data-on-syn-nack.pcap": ["0: syn-data-rejected@2 mss-low@2"],
    "suricata-verify-tls_DER-incomplete-header.pcap": ["0: checksum-offload@1 clock-step@2"],
    "tcp-authopt-test-cisco2.pcap": [
        "0: mid-stream@1",
        "1: mss-low@9 mss-low@10 reset-after-accept@13",
        "2: mss-low@14 mss-low@15 middlebox@29",
    ],
    "tcpflow-flow_test.pcap": [
        "0: checksum-offload@1 timestamps-refused@2",
        "1: port-reuse@9 checksum-offload@9 timestamps-refused@10",
        "2: port-reuse@17 checksum-offload@17 timestamps-refused@18",
    ],
    "tcptrace-dlt_null.dmp.gz": ["0: mss-low@1 mss-low@2"],
    "tcptrace-rawip.dmp.gz": ["0: no-window-scaling@2"],
    "zeek-100-continue.pcap": ["0: no-window-scaling@2 timestamps-refused@2"],
    "zeek-get-to-ssh-server.pcap": ["0: checksum-accepted@1 checksum-accepted@2"],
    "zeek-hrr.pcap": ["0: mss-low@2"],
    "zeek-ipv6-http-atomic-frag.pcap": [
        "0: clock-step@4 checksum-offload@7",
        "1: no-mss@13 no-window-scaling@14 checksum-offload@18",
        "2: no-mss@23 no-window-scaling@24 checksum-offload@28",
        "3: no-mss@33 no-window-scaling@34 checksum-offload@38",
    ],
    "zeek-port4242.pcap": [],
    "zeek-rdp-unknown-keyboard.pcap": ["0: mss-low@1 syn-ack-lost@4 bad-checksum@11"],
    "zeek-retransmit-fast009.pcap": [
        (
            "0: mss-low@1 checksum-offload@1 no-window-scaling@2 mss-low@2 retransmissions@32 "
            "idle-reset@39"
        )
    ],
    "zeek-retransmit-timeout.pcapng": ["0: mid-stream@1"],
    "zeek-syn-then-ack-then-rst.pcap": ["0: ack-answers-syn@2"],
    "zeek-window-scale-range.pcap": ["0: shift-above-14@2"],
    "Teredo.pcap": [
        "0: mid-stream@2 reset-by-other-ttl@51",
        "1: mid-stream@4 reset-by-other-ttl@50",
        "2: no-window-scaling@11 mss-low@11 reset-by-other-ttl@78",
        "3: no-window-scaling@65 mss-low@65",
    ],
    "bigtransfer.pcap": ["2: capture-gap@55"],
    "connect-with-header.pcap": ["0: checksum-offload@1"],
    "connect-with-smtp.pcap": ["0: mss-low@1"],
    "encrypted.pcap": [],
    "fake-server-delays-all.pcap": [],
    "ftp-auth-tls.pcap": [],
    "ftp-password-pass-command.pcap": ["0: checksum-offload@1 timestamps-refused@2"],
    "get.pcap": [],
    "gre-over-udp-4754.pcap": ["0: mss-low@6 timestamps-refused@6"],
    "gre-sample.pcap": ["0: mss-low@11"],
    "gtp1_gn_normal_incl_fragmentation.pcap": ["0: mss-low@2"],
    "gtp6_gtp_0x32.pcap": ["0: mss-low@3"],
    "http-post-large.pcap": ["0: checksum-offload@1", "1: checksum-offload@20"],
    "http-to-ssh.pcap": [],
    "ipv4.pcap": [],
    "irc-starttls.pcap": ["0: checksum-offload@1"],
    "krb5-sign-seal-01.pcap": ["0: no-window-scaling@2 bad-checksum@10"],
    "ldap-add.pcap": [],
    "ldap-starttls.pcap": [],
    "ldap-who-am-i.pcap": [],
    "localhost-bad-chksum.pcap": ["0: checksum-offload@1 mss-low@2 timestamps-refused@2"],
    "miss_end_data.pcap": [],
    "missing-syn.pcap": [],
    "missing_krbtgt_ldap_request.pcapng": ["0: checksum-offload@1"],
    "modbus-eit.pcap": ["0: mid-stream@1", "1: mid-stream@3"],
    "optional-service-name.pcap": [],
    "pbb.pcap": [],
    "pop3-starttls.pcap": ["0: checksum-offload@1"],
    "redis-50-pings.pcap": [],
    "retransmit-timeout.pcapng": ["0: mid-stream@1"],
    "sasl-scram-sha-512.pcap": [],
    "server-pre-banner-data.pcap": [],
    "simpleauth.pcap": ["0: checksum-accepted@1 checksum-accepted@2 ttl-varies@4 idle-reset@12"],
    "tls-12-amazon-rds.pcap": ["0: mss-low@2"],
    "wikipedia.pcap": ["0: mid-stream@6"],
}
"""By capture: the findings of each stream that has any, as `code@frame`."""

MANY: Final[dict[str, dict[str, int]]] = {
    "ndpi-synscan.pcap": {"no-answer": 1986, "refused": 5, "half-open": 3},
    "cisco-fabric-path.pcap": {"no-answer": 16, "seen-twice": 16},
}
"""Captures of many connections: how often each code occurs."""


def records(path: Path) -> list[Record]:
    replayed = replay(path)
    for _ in replayed:
        pass
    return [summarize(connection) for connection in replayed.tracker.connections]


@public.each([path for path in public.captures() if path.name in FINDINGS])
def test_findings(path: Path) -> None:
    found = [
        f"{record.stream}: {' '.join(f'{each.code}@{each.frame}' for each in record.findings)}"
        for record in records(path)
        if record.findings
    ]
    assert found == FINDINGS[path.name]


@public.each([path for path in public.captures() if path.name in MANY])
def test_findings_of_many(path: Path) -> None:
    codes = Counter(each.code for record in records(path) for each in record.findings)
    assert codes == MANY[path.name]


@public.each([path for path in public.captures() if path.name not in MANY])
def test_few_connections_are_no_scan(path: Path) -> None:
    assert capture_findings(records(path)) == []


@public.each([path for path in public.captures() if path.name == "ndpi-synscan.pcap"])
def test_a_scan_is_named_in_one_finding(path: Path) -> None:
    (found,) = capture_findings(records(path))
    assert (found.code, found.frame) == ("port-scan", 1)
    counts = {"no-answer": 1986, "refused": 5, "half-open": 3}
    assert found.values == {
        "client": "172.16.0.8",
        "server": "64.13.134.52",
        "total": 1994,
        "names": 1000,
        "more": False,
        "outcomes": tuple(
            Message("reasons", f"outcome.{outcome}", {"count": count})
            for outcome, count in counts.items()
        ),
    }


@public.each(public.captures())
def test_every_capture_was_read(path: Path) -> None:
    assert path.name in FINDINGS or path.name in MANY
