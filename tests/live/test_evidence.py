"""Real probes, written to a file: what Wireshark and tcpdump show of the same packets."""

import json
import subprocess
from pathlib import Path

import pytest

from handshake.capture.pcapng_writer import opened
from handshake.export.evidence import PacketLog
from handshake.prober import Probe, Result, Target, Verdict, probes
from tests.capture.blocks import INBOUND, OUTBOUND, packets
from tests.live.lab.firewall import firewall
from tests.live.lab.namespaces import Host, routed
from tests.live.lab.tcpdump import capture
from tests.live.test_probe import PORT, seen, serving
from tests.oracle import tshark


def call(client: Host, target: str) -> Result:
    with client.entered():
        (probe,) = probes(Target.parse(target))
        assert isinstance(probe, Probe)
        return probe.finish()


@pytest.mark.live
def test_what_is_written_is_what_passed(tmp_path: Path) -> None:
    path, theirs = tmp_path / "a.pcapng", tmp_path / "a.pcap"
    with routed() as (client, router, server), capture(client, "eth0", theirs) as captured:
        with serving(server):
            results = [call(client, f"{server.v4}:{PORT}")]
        with serving(server):
            results.append(call(client, f"[{server.v6}]:{PORT}"))
        reject = "reject with icmp type admin-prohibited"
        with firewall(router, "forward", f"tcp dport {PORT}", reject):
            results.append(call(client, f"{server.v4}:{PORT}"))
        reject = "reject with icmpv6 type policy-fail"
        with firewall(router, "forward", f"tcp dport {PORT}", reject):
            results.append(call(client, f"[{server.v6}]:{PORT}"))
        captured.wait(sum(len(each.segments) for each in results) + 2)
    verdicts = [Verdict.OPEN] * 2 + [Verdict.UNREACHABLE] * 2
    assert [each.verdict for each in results] == verdicts
    errors = [each.icmp for each in results if each.icmp is not None]
    assert len(errors) == 2

    with opened(str(path)) as writer:
        for each in results:
            account = PacketLog(writer)
            for segment in each.segments:
                account.add(segment)
            if each.icmp is not None:
                account.add(each.icmp)
    written = packets(path.read_bytes())
    segments = [each for each in written if each.octets not in {error.packet for error in errors}]
    assert [each.octets for each in segments] == [each.packet for each in seen(theirs)]
    assert len(written) == len(segments) + 2
    ours = {client.v4, client.v6}
    assert [each.direction for each in segments] == [
        OUTBOUND if str(each.segment.source.address) in ours else INBOUND for each in seen(theirs)
    ]
    if tshark.PROGRAM is not None:
        _compare(path, results)


def _compare(path: Path, results: list[Result]) -> None:
    """Let tshark read the file: every packet is well-formed, and shows what we show."""
    fields = ["frame.time_epoch", "frame.comment", "tcp.flags", "icmp.code", "icmpv6.code"]
    program = [str(tshark.PROGRAM), "-n", "-r", str(path), "-T", "json"]
    program += [word for field in (*fields, "_ws.malformed") for word in ("-e", field)]
    run = subprocess.run(program, capture_output=True, timeout=60, check=True)
    rows = [each["_source"]["layers"] for each in json.loads(run.stdout)]
    stamps: list[int] = []
    for result in results:
        stamps += [each.at for each in result.segments]
        stamps += [] if result.icmp is None else [result.icmp.at]
    assert [row["frame.time_epoch"] for row in rows] == [
        [f"{at // 10**9}.{at % 10**9:09d}"] for at in stamps
    ]
    assert not [row for row in rows if "_ws.malformed" in row]
    first = [row["frame.comment"][0].split("\n")[0] for row in rows]
    opening = [
        "SYN from the client: client ? -> SYN-SENT, server ?",
        "SYN-ACK from the server: client SYN-SENT -> ESTABLISHED, server ? -> SYN-RECEIVED",
        "ACK from the client: client ESTABLISHED, server SYN-RECEIVED -> ESTABLISHED",
    ]
    count = len(results[0].segments)
    assert first[:3] == first[count : count + 3] == opening
    assert first[-4] == first[-2] == opening[0]
    assert first[-3].endswith(" reports: communication administratively prohibited (ICMP 3/13)")
    assert first[-1].endswith(" reports: source address failed ingress/egress policy (ICMPv6 1/5)")
    assert (rows[-3]["icmp.code"], rows[-1]["icmpv6.code"]) == (["13"], ["5"])
