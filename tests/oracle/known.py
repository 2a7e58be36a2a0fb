"""All differences from tshark 4.0 in connections, and why we differ."""

from __future__ import annotations

from typing import Final

KNOWN: Final = {
    "quoted": "tshark numbers a stream of which nothing was captured but an ICMP error that "
    "quotes it, so that its later streams have higher numbers. What was not sent here is no "
    "connection.",
    "backwards": "tshark reads a file twice. Where an ACK came before the SYN and none after it, "
    "the second reading takes that ACK for the answer: a round trip of less than nothing.",
    "unshown": "tshark shows the initial RTT beside other things that it has to say of a segment. "
    "Where a SYN and its caller's ACK were captured and no more, it knows it and is silent.",
    "announced": "tshark counts a SYN only where it begins a conversation, and its FTP dissector "
    "has begun one for each data connection that PORT or PASV announced. The SYN was there.",
    "check sequence": "tshark takes the last four octets of a FabricPath frame for a check "
    "sequence. These have none: it loses the end of the header, and marks no such segment.",
    "epoch": "tshark takes a SYN that was sent at 1970-01-01 00:00:00 sharp for one that was not "
    "seen, and knows no round trip.",
}
"""Each has its test in test_connections.py, which fails when tshark changes its mind."""

CAPTURES: Final = {
    "bigtransfer.pcap": "announced",
    "cisco-fabric-path.pcap": "check sequence",
    "ipv4.pcap": "announced",
}
"""What of the above others' captures show."""
