"""Results of probes: one of each kind, and any."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from handshake.prober import Result, Verdict
from tests.reasons import because

OPEN = Result(
    target="example.org:443",
    address="198.51.100.7",
    port=443,
    verdict=Verdict.OPEN,
    reason=because("a program listens on port 443"),
    rtt=0.0284,
    syn_sent=1,
    ttl=52,
    duration=0.0857314,
)
SILENT = replace(
    OPEN,
    address="2001:db8::7",
    verdict=Verdict.FILTERED,
    reason=because("nothing answered 3 SYNs in 5.0 s"),
    rtt=None,
    syn_sent=3,
    ttl=None,
    duration=5.0,
)
REFUSED = replace(
    OPEN, verdict=Verdict.CLOSED, reason=because("RST answered our SYN"), rtt=0.000031
)
UNKNOWN_NAME = Result(
    target="a.example:80",
    address=None,
    port=80,
    verdict=Verdict.NAME_ERROR,
    reason=because("a.example: not known"),
)
NO_ROUTE = Result(
    target="203.0.113.9:80",
    address="203.0.113.9",
    port=80,
    verdict=Verdict.LOCAL_ERROR,
    reason=because("this machine did not send our SYN"),
)

TEXT = st.text(max_size=8)
RESULTS = st.lists(
    st.builds(
        Result,
        target=TEXT,
        address=st.sampled_from([None, "192.0.2.1", "2001:db8::1", "fe80::1%a'b=|c"]),
        port=st.integers(1, 0xFFFF),
        verdict=st.sampled_from(Verdict),
        reason=TEXT,
        rtt=st.none() | st.floats(0, 60),
        rtt_ambiguous=st.booleans(),
        syn_sent=st.integers(0, 9),
        ttl=st.none() | st.integers(0, 255),
        duration=st.none() | st.floats(0, 60),
    ),
    max_size=4,
)
