"""Every finding by its code, with what it means in a line: what programs may rely on."""

from __future__ import annotations

from typing import Final

CODES: Final[dict[str, str]] = {
    # The opening.
    "no-answer": "no segment answers the SYN",
    "syn-lost": "the SYN went out again, and no answer had been seen",
    "syn-ack-lost": "the SYN went out again although a SYN,ACK had been seen",
    "final-ack-lost": "the SYN,ACK went out again although the last ACK had been seen",
    "half-open": "the SYN,ACK went out again and was never acknowledged",
    "refused": "a RST answered the SYN",
    "unreachable": "an ICMP error answered the SYN",
    "abandoned": "a RST of the client answered the SYN,ACK",
    "ack-answers-syn": "an ACK that does not acknowledge the SYN answers it",
    "syn-ack-isns": "SYN,ACKs with different first numbers answer one SYN",
    "split-handshake": "a SYN and an ACK, apart, answer the SYN",
    "simultaneous-open": "both ends called at once",
    "port-reuse": "an earlier connection had the same addresses and ports",
    "mid-stream": "the opening is not in the capture",
    "syn-data-rejected": "data in the SYN was not accepted",
    # What was offered.
    "no-window-scaling": "windows are not scaled",
    "shift-above-14": "a window shift above 14 is offered",
    "no-mss": "an end names no MSS",
    "mss-low": "an end's MSS is below that of an Ethernet path",
    "mss-clamped": "a SYN was seen twice, the second time with a lower MSS",
    "timestamps-refused": "timestamps were offered and not accepted",
    "timestamps-stripped": "a SYN was seen twice, the second time without timestamps",
    "timestamps-missing": "a segment has no timestamps although they are in force",
    "timestamps-echo": "the SYN,ACK echoes a clock that the SYN did not name",
    "options-stripped": "a SYN was seen twice, the second time without an option",
    "options-blanked": "NOPs stand where an option was",
    "ecn-refused": "ECN was asked for and not accepted",
    "ecn-reflected": "the SYN,ACK only reflects the ECN bits",
    "ecn-fallback": "the SYN was answered only without ECN",
    "mptcp-refused": "Multipath TCP was offered and not accepted",
    "syn-cookies": "the SYN,ACK looks like one of a server under SYN flood",
    # The end.
    "reset-after-accept": "the server reset the connection without having sent anything",
    "reset-by-other-ttl": "a RST came with another TTL than its sender's other packets",
    "refused-by-other-ttl": "as that, where a RST answered the SYN",
    "reset-out-of-window": "a RST with a number outside the window",
    "reset-inexact": "a RST with a number in the window that is not the awaited one",
    "reset-wrong-ack": "a RST that does not acknowledge the SYN",
    "reset-with-data": "a RST that carries data",
    "challenge-ack": "an ACK asks back whether a RST or SYN was meant",
    "idle-reset": "a RST after a long silence",
    # Data.
    "zero-window": "an end's buffer was full",
    "retransmissions": "many segments were sent again",
    "peer-silent": "repetitions went unanswered to the end",
    # The way, and the capture.
    "icmp-error": "an ICMP error quotes a segment of an open connection",
    "middlebox": "the handshake came with another TTL than all that follows",
    "ttl-varies": "an end's segments came with different TTLs",
    "checksum-offload": "all segments of one end have a wrong checksum",
    "bad-checksum": "a segment has a wrong checksum",
    "malformed": "a header is malformed",
    "reserved-bits": "reserved bits of the header are set",
    "seen-twice": "packets are in the capture twice",
    "capture-gap": "segments are missing from the capture",
    "one-sided": "only one direction is in the capture",
    # Over many connections.
    "port-scan": "one address tries many ports of another",
    "host-scan": "one address tries a port of many",
    "syn-flood": "many connections to one port are asked for and not completed",
}

NOTES: Final = frozenset(
    {
        "challenge-ack",
        "checksum-offload",
        "ecn-refused",
        "mid-stream",
        "mptcp-refused",
        "mss-low",
        "one-sided",
        "port-reuse",
        "seen-twice",
        "simultaneous-open",
        "syn-cookies",
        "timestamps-refused",
        "ttl-varies",
    }
)
"""Those that say how things are, and not that something is wrong."""
