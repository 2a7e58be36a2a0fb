"""A cached response is what the endpoint would send: the same packets, octet by octet."""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import ip_address

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from handshake.endpoint.attempt import Attempt
from handshake.endpoint.segment_builder import LINUX
from handshake.linux.packet_socket import Captured
from handshake.packet.checksum import internet_checksum
from handshake.packet.quick_parse import ends, peek
from handshake.packet.template import Templates
from handshake.prober import Close, Timeouts, Verdict
from handshake.prober.userspace.response_cache import CachedResponse, ResponseCache
from handshake.prober.userspace.session import Session
from handshake.tcp import Endpoint, Flags, Observed, Options, Segment, Seq
from handshake.tcp import options as opt
from handshake.tcp.icmp import IcmpError
from tests.reasons import because

MS = 1_000_000
TIMEOUTS = Timeouts.of(timeout=3, retries=1, hold=0)
ENDS = {
    4: (Endpoint.of("192.0.2.10", 49152), Endpoint.of("198.51.100.7", 80)),
    6: (Endpoint.of("2001:db8::10", 49152), Endpoint.of("2001:db8::7", 80)),
}


@dataclass(frozen=True)
class Said:
    """What the peer says after so many milliseconds, with numbers as distances."""

    seq: int
    ack: int
    control: str
    clock: int | None
    data: int = 0
    window: int = 500
    wait: int = 1
    checksum_ok: bool = True
    stopped: int = 0
    """Milliseconds for which the program is stopped before it reads this."""

    late: int = 0
    """Milliseconds that what it then sends leaves late."""

    def segment(self, local: Endpoint, remote: Endpoint, iss: int, irs: int) -> Segment:
        flags = Flags(0)
        for name in self.control.split(","):
            flags |= Flags[name]
        parts = [] if self.clock is None else [opt.nop(), opt.nop(), opt.timestamps(self.clock, 9)]
        if Flags.SYN in flags:
            parts = [opt.mss(1400), opt.sack_permitted(), opt.window_scale(9), opt.nop(), *parts]
        return Segment(
            source=remote,
            destination=local,
            seq=Seq(irs + self.seq),
            ack=Seq(iss + self.ack) if Flags.ACK in flags else None,
            flags=flags,
            window=self.window,
            options=Options.of(*parts),
            payload=bytes(self.data),
        )


class Both:
    """A course and an attempt that hear the same, and must do the same."""

    def __init__(self, responses: ResponseCache, version: int, iss: int, ticks: int) -> None:
        self.local, self.remote = ENDS[version]
        self.known: dict[int, Observed] = {}
        self.templates = Templates()
        self.attempt = Attempt(
            self.local, self.remote, Seq(iss), responses.offer, ticks, responses.timeouts
        )
        both = ends(self.local, self.remote)
        self.session = Session(
            responses,
            self.local.address,
            self.local.port,
            self.remote,
            both,
            iss,
            ticks,
            self.decode,
        )
        self.expect(self.session.start(0), self.attempt.start(0))

    def decode(self, captured: Captured) -> Observed:
        return self.known[captured.at]

    def expect(self, packets: list[bytes], segments: tuple[Segment, ...]) -> None:
        expected = [self.templates.packet(each) for each in segments]
        if self.local.version == 4:  # each has an identification of its own
            packets, expected = ([p[:4] + p[6:] for p in each] for each in (packets, expected))
        assert packets == expected
        assert self.session.done == self.attempt.done
        if not self.attempt.done:
            # To be woken too early is no harm, too late is.
            assert self.session.deadline <= self.attempt.deadline
            return
        # A cached response knows how much data was received, and not which.
        found = self.session.outcome()
        assert replace(found, data=None) == replace(self.attempt.outcome(), data=None)
        answer = self.session.answer()
        seen = self.decode(answer) if isinstance(answer, Captured) else answer
        assert seen == self.attempt.answer

    def hear(self, segment: Segment, at: int, *, checksum_ok: bool, stopped: int = 0) -> None:
        """A segment arrives at a time, and is read so much later."""
        # A stamp of its own tells the same octets apart, once whole and once damaged.
        observed = Observed(segment, at + len(self.known), checksum_ok=checksum_ok)
        octets = self.templates.packet(segment)
        if self.local.version == 4:  # its sender's kernel has filled this one in
            filled = internet_checksum(octets[:20]).to_bytes(2, "big")
            octets = octets[:10] + filled + octets[12:]
        captured = Captured(octets, observed.at, "eth0", outgoing=False, unfinished=False)
        self.known[captured.at] = observed
        at = observed.at + stopped
        answers = self.attempt.receive(observed, at)
        found = peek(octets)
        assert found is not None
        if checksum_ok:
            packets = self.session.received(captured, found, at)
        else:
            packets = self.session.observed(observed, at)
        self.expect(packets, answers)

    def postpone(self, late: int) -> None:
        if not self.attempt.done:
            self.attempt.postpone(late)
        self.session.postpone(late)
        self.expect([], ())

    def on_timer(self, at: int) -> None:
        self.expect(self.session.on_timer(at), self.attempt.on_timer(at))


SYN_ACK = Said(0, 1, "SYN,ACK", 1000)
ACK = Said(1, 2, "ACK", 1001)
FIN = Said(1, 2, "FIN,ACK", 1001)
CLEAN = [SYN_ACK, ACK, FIN]
TALK = st.lists(
    st.builds(
        Said,
        seq=st.sampled_from([0, 1, 1, 1, 2, 4, 2**31, 2**32 - 1]),
        ack=st.sampled_from([0, 1, 2, 2, 3, 2**31]),
        control=st.sampled_from(
            ["SYN,ACK", "SYN,ACK", "ACK", "FIN,ACK", "RST,ACK", "RST", "SYN", "PSH,ACK", "FIN"]
        ),
        clock=st.sampled_from([None, 0, 1000, 1001, 2**31, 2**31 + 1001, 2**32 - 5]),
        data=st.sampled_from([0, 0, 0, 3]),
        window=st.sampled_from([0, 500]),
        wait=st.sampled_from([0, 1, 600, 5000]),
        checksum_ok=st.sampled_from([True, True, True, True, False]),
        stopped=st.sampled_from([0, 0, 900, 2500]),
        late=st.sampled_from([0, 0, 300, 4000]),
    ),
    max_size=6,
)
BUSY = [replace(SYN_ACK, stopped=1500, late=300), replace(FIN, wait=700, stopped=6000)]
CLEAN_ISH = st.sampled_from([CLEAN, [SYN_ACK, FIN], [SYN_ACK], BUSY, BUSY[:1], []])
NUMBER = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def responses() -> dict[int, ResponseCache]:
    """Those of all tests: what one has taught, another is held to."""
    return {each: ResponseCache(each, LINUX, TIMEOUTS, Templates()) for each in (4, 6)}


@settings(max_examples=300)
@given(
    version=st.sampled_from([4, 6]),
    begin=CLEAN_ISH,
    rest=TALK,
    iss=NUMBER,
    irs=NUMBER,
    ticks=NUMBER,
)
@example(4, CLEAN, [], 2**32 - 1, 2**32 - 1, 2**32 - 1)
@example(4, [Said(0, 1, "SYN,ACK", None), Said(1, 2, "FIN,ACK", None)], [], 0, 0, 1)
def test_what_is_sent_is_the_same(
    responses: dict[int, ResponseCache],
    version: int,
    begin: list[Said],
    rest: list[Said],
    iss: int,
    irs: int,
    ticks: int,
) -> None:
    both = Both(responses[version], version, iss, ticks)
    at = 0
    for said in (*begin, *rest):
        until = at + said.wait * MS
        while not both.attempt.done and both.session.deadline <= until:
            at = max(at, both.session.deadline)
            both.on_timer(at)
        at = until
        if both.attempt.done:
            return
        segment = said.segment(both.local, both.remote, iss, irs)
        stopped = said.stopped * MS
        both.hear(segment, at, checksum_ok=said.checksum_ok, stopped=stopped)
        at += stopped
        both.postpone(said.late * MS)
    while not both.attempt.done:
        at = max(at, both.session.deadline)
        both.on_timer(at)


def test_a_cached_response_does_not_ask_the_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    known = ResponseCache(4, LINUX, TIMEOUTS, Templates())
    outcomes = []
    for number in range(2):
        both = Both(known, 4, 1000 + number, 5)
        for place, said in enumerate(CLEAN):
            both.hear(said.segment(*ENDS[4], 1000 + number, 7), place * MS, checksum_ok=True)
        outcomes.append(both.session.outcome())
        # The second time the cache must not ask.
        monkeypatch.setattr(ResponseCache, "after", lambda *_: pytest.fail("asked"))
    assert [(each.verdict, each.close) for each in outcomes] == [(Verdict.OPEN, Close.CLEAN)] * 2
    assert outcomes[1].negotiated == outcomes[0].negotiated
    assert outcomes[1].negotiated is not None
    assert outcomes[1].negotiated.mss == 1400


def test_strange_peers_do_not_fill_our_memory() -> None:
    known = ResponseCache(4, LINUX, TIMEOUTS, Templates())
    for window in range(2000):
        both = Both(known, 4, 1, 1)
        both.hear(
            Said(0, 1, "SYN,ACK", 1, window=window).segment(*ENDS[4], 1, 1), 1, checksum_ok=True
        )
    assert len(known.root.following) <= 512


def test_a_long_connection_is_not_cached() -> None:
    # To learn a response, all segments before it are simulated: for a long connection, seconds.
    known = ResponseCache(4, LINUX, TIMEOUTS, Templates())
    node: CachedResponse | None = known.root
    depth = 0
    answer = (5 << 12) | int(Flags.SYN | Flags.ACK)
    shapes = [(0, 1, answer, 64240, b"", 0)]
    shapes += [(seq, 1, (5 << 12) | int(Flags.ACK), 64240, b"", 1) for seq in range(1, 100)]
    for shape in shapes:
        assert node is not None
        node = known.after(node, shape)
        if node is None:
            break
        depth += 1
    assert 4 < depth < 20


def test_the_endpoint_decides_on_icmp_and_unsent_segments() -> None:
    known = ResponseCache(4, LINUX, TIMEOUTS, Templates())
    both = Both(known, 4, 77, 1)
    error = IcmpError(4, 3, 1, ip_address("203.0.113.1"), *ENDS[4], Seq(77))
    both.session.icmp(error)
    both.attempt.icmp(error)
    both.expect([], ())
    both = Both(known, 4, 77, 1)
    why = because("no route")
    both.session.unsent(why)
    both.attempt.unsent(why)
    both.expect([], ())
    assert both.session.outcome().failure == why
