"""Every finding by its code, with its meaning in a line: what programs may rely on."""

from __future__ import annotations

from typing import Final

CODES: Final[dict[str, str]] = {
    # The handshake.
    "no-answer": "the SYN was not answered",
    "syn-lost": "the SYN was retransmitted before an answer was seen",
    "syn-ack-lost": "the SYN was retransmitted although a SYN-ACK had been seen",
    "final-ack-lost": "the SYN-ACK was retransmitted although the final ACK had been seen",
    "half-open": "the SYN-ACK was retransmitted and never acknowledged",
    "refused": "a RST answered the SYN",
    "unreachable": "an ICMP error answered the SYN",
    "abandoned": "the client answered the SYN-ACK with a RST",
    "ack-answers-syn": "an ACK that does not acknowledge the SYN answered it",
    "ack-without-syn": "an ACK without SYN answered the SYN: it opens nothing",
    "syn-answered-late": "the SYN was retransmitted although an earlier one had been answered",
    "syn-ack-damaged": "the SYN-ACK has a wrong checksum and was never accepted",
    "syn-ack-isns": "SYN-ACKs with different initial sequence numbers answered one SYN",
    "split-handshake": "a SYN and a separate ACK answered the SYN",
    "simultaneous-open": "both ends sent a SYN, and the SYNs crossed",
    "syn-cleared": "a SYN whose flag was changed on the way began the connection",
    "port-reuse": "an earlier connection had the same addresses and ports",
    "mid-stream": "the start of the connection is not in the capture",
    "syn-data-rejected": "data in the SYN was not accepted",
    # The options.
    "no-window-scaling": "window scaling is not in force",
    "shift-above-14": "an end offered a window shift above 14",
    "no-mss": "an end sent no MSS option",
    "mss-low": "an end's MSS is below that of an Ethernet path",
    "mss-clamped": "a SYN was captured twice, the second time with a lower MSS",
    "timestamps-refused": "timestamps were offered and not accepted",
    "timestamps-stripped": "a SYN was captured twice, the second time without timestamps",
    "timestamps-missing": "a segment has no timestamps although they are in force",
    "timestamps-echo": "the SYN-ACK echoes a timestamp that the SYN did not have",
    "options-stripped": "a SYN was captured twice, the second time without an option",
    "options-cut": "the snap length cut off options of a SYN: what was offered is not known",
    "options-blanked": "NOPs stand where an option probably was",
    "ecn-refused": "ECN was requested and not accepted",
    "ecn-reflected": "the SYN-ACK only reflects the ECN bits",
    "ecn-fallback": "the SYN was answered only without ECN",
    "mptcp-refused": "Multipath TCP was offered and not accepted",
    "syn-cookies": "the SYN-ACK looks like one of a server that uses SYN cookies",
    # Resets.
    "reset-after-accept": "the server reset the connection without having sent data",
    "reset-by-other-ttl": "a RST has another TTL than its sender's other packets",
    "refused-by-other-ttl": "likewise, where the RST answered a SYN",
    "reset-out-of-window": "a RST with a sequence number outside the window",
    "reset-inexact": "a RST with a sequence number in the window, but not the expected one",
    "reset-wrong-ack": "a RST that does not acknowledge the SYN",
    "reset-with-data": "a RST that carries data",
    "challenge-ack": "a challenge ACK answered a RST or SYN that might be spoofed",
    "idle-reset": "a RST after a long time without traffic",
    # Data.
    "zero-window": "an end's receive buffer was full",
    "retransmissions": "many segments were retransmitted",
    "peer-silent": "retransmissions were not answered until the end",
    # The path, and the capture.
    "icmp-error": "an ICMP error quotes a segment of an open connection",
    "middlebox": "the SYN has another TTL than all segments after it",
    "ttl-varies": "an end's segments have different TTLs",
    "checksum-offload": "most segments of an end have the partial checksum that offload leaves",
    "checksum-accepted": "segments with a wrong checksum were accepted: the capture changed them",
    "bad-checksum": "a segment has a wrong checksum",
    "malformed": "a header is malformed",
    "reserved-bits": "reserved bits of the header are set",
    "answer-first": "the SYN-ACK was captured before the SYN that it answers",
    "clock-step": "a packet has an earlier time stamp than the one before it",
    "seen-twice": "packets were captured twice",
    "numbers-rewritten": "packets were captured again with other sequence numbers",
    "capture-gap": "segments are missing from the capture",
    "one-sided": "only one direction is in the capture",
    # Over many connections.
    "port-scan": "one address tries many ports of another",
    "host-scan": "one address tries one port of many hosts",
    "syn-flood": "many connections to one port were not completed",
}

HARMLESS: Final = frozenset(
    {
        "challenge-ack",
        "checksum-accepted",
        "checksum-offload",
        "ecn-refused",
        "mid-stream",
        "mptcp-refused",
        "mss-low",
        "numbers-rewritten",
        "one-sided",
        "options-cut",
        "port-reuse",
        "seen-twice",
        "simultaneous-open",
        "syn-cookies",
        "timestamps-refused",
        "ttl-varies",
    }
)
"""Findings that state how things are, not that something is wrong."""
