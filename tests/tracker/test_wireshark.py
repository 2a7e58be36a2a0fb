"""What each segment is marked as, and which octets were seen, in plain numbers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from handshake.tracker.coverage import Coverage
from handshake.tracker.wireshark import Analysis, Direction, Mark
from tests.segments import segment

M = 2**32
OPEN = (
    "0 A <SEQ=100><CTL=SYN>",
    "10 B <SEQ=300><ACK=101><CTL=SYN,ACK>",
    "20 A <SEQ=101><ACK=301><CTL=ACK>",
)


class Watch:
    """An analysis, and what it marked; every number shifted, so that the circle closes anywhere."""

    def __init__(self, shift: int = 0) -> None:
        self.analysis = Analysis()
        self.ends = {"A": Direction(), "B": Direction()}
        self.shift = shift

    def marks(self, *conversation: str) -> list[str]:
        """Feed lines of milliseconds, who sent it, and the segment; a window may stand last."""
        return [self._take(*line.split()) for line in conversation]

    def _take(self, ms: str, by: str, text: str, window: str = "9000") -> str:
        seg = segment(text)
        ack = 0 if seg.ack is None else (int(seg.ack) + self.shift) % M
        found = self.analysis.take(
            self.ends[by],
            self.ends["B" if by == "A" else "A"],
            (int(seg.seq) + self.shift) % M,
            ack,
            seg.payload_length,
            int(seg.flags),
            int(window),
            1_700_000_000 * 10**9 + int(float(ms) * 1e6),
        )
        return " ".join(mark.name or "" for mark in Mark if found & mark)


shifts = st.sampled_from((0, M - 101, M - 150, M - 302, M // 2 - 101, M // 2 - 150))


@given(shifts)
def test_an_ordinary_connection_has_no_mark(shift: int) -> None:
    watch = Watch(shift)
    found = watch.marks(
        *OPEN,
        "30 A <SEQ=101><ACK=301><DATA=50><CTL=ACK>",
        "40 B <SEQ=301><ACK=151><CTL=ACK>",
        "41 B <SEQ=301><ACK=151><DATA=200><CTL=ACK>",
        "50 A <SEQ=151><ACK=501><CTL=FIN,ACK>",
        "60 B <SEQ=501><ACK=152><CTL=FIN,ACK>",
        "70 A <SEQ=152><ACK=502><CTL=ACK>",
    )
    assert found == [""] * 9
    assert watch.analysis.completeness == 31
    assert watch.analysis.round_trip == 20_000_000
    assert [end.octets.count for end in watch.ends.values()] == [50, 200]


@given(shifts)
def test_a_resend_by_what_asked_for_it(shift: int) -> None:
    three = (
        *OPEN,
        "30 A <SEQ=101><ACK=301><DATA=50><CTL=ACK>",
        "31 A <SEQ=151><ACK=301><DATA=50><CTL=ACK>",
        "32 A <SEQ=201><ACK=301><DATA=50><CTL=ACK>",
    )
    again = "A <SEQ=101><ACK=301><DATA=50><CTL=ACK>"
    asked = tuple(f"{ms} B <SEQ=301><ACK=101><CTL=ACK>" for ms in (40, 41, 42))
    # Within a round trip of the newest data nothing can have asked for it.
    assert Watch(shift).marks(*three, f"51 {again}")[-1] == "OUT_OF_ORDER"
    assert Watch(shift).marks(*three, f"52 {again}")[-1] == "RETRANSMISSION"
    # Three duplicate ACKs did, unless it took more than 20 ms.
    assert Watch(shift).marks(*three, *asked, f"61 {again}")[-1] == "FAST_RETRANSMISSION"
    assert Watch(shift).marks(*three, *asked, f"62 {again}")[-1] == "RETRANSMISSION"
    acked = "45 B <SEQ=301><ACK=151><CTL=ACK>"
    assert Watch(shift).marks(*three, acked, f"46 {again}")[-1] == "SPURIOUS_RETRANSMISSION"
    # What was sent last and comes again is a resend, however soon.
    last = "33 A <SEQ=201><ACK=301><DATA=50><CTL=ACK>"
    assert Watch(shift).marks(*three, last)[-1] == "RETRANSMISSION"


def test_without_a_round_trip_three_milliseconds_make_the_difference() -> None:
    middle = (
        "0 A <SEQ=101><ACK=301><DATA=10><CTL=ACK>",
        "1 A <SEQ=121><ACK=301><DATA=10><CTL=ACK>",
    )
    late = "A <SEQ=111><ACK=301><DATA=10><CTL=ACK>"
    assert Watch().marks(*middle, f"3.9 {late}")[1:] == ["GAP", "OUT_OF_ORDER"]
    assert Watch().marks(*middle, f"4 {late}")[1:] == ["GAP", "RETRANSMISSION"]


@given(shifts)
def test_windows_and_keep_alives(shift: int) -> None:
    found = Watch(shift).marks(
        *OPEN,
        "30 B <SEQ=301><ACK=101><CTL=ACK> 0",
        "40 A <SEQ=101><ACK=301><DATA=1><CTL=ACK>",
        "50 B <SEQ=301><ACK=101><CTL=ACK> 0",
        "60 B <SEQ=301><ACK=101><CTL=ACK> 500",
        "70 A <SEQ=101><ACK=301><DATA=9><CTL=ACK>",
        "80 B <SEQ=301><ACK=110><CTL=ACK> 500",
        "9000 A <SEQ=109><ACK=301><CTL=ACK>",
        "9001 B <SEQ=301><ACK=110><CTL=ACK> 500",
        "9002 A <SEQ=110><ACK=301><CTL=ACK>",
    )
    assert found[3:] == [
        "ZERO_WINDOW",
        "ZERO_WINDOW_PROBE",
        "ZERO_WINDOW ZERO_WINDOW_PROBE_ACK",
        "WINDOW_UPDATE",
        "",
        "",
        "KEEP_ALIVE",
        "KEEP_ALIVE_ACK",
        "DUPLICATE_ACK",
    ]


def test_a_syn_and_a_fin_that_come_again_are_retransmissions() -> None:
    syn = "0 A <SEQ=100><CTL=SYN>"
    assert Watch().marks(syn, syn.replace("0 A", "900 A")) == ["", "RETRANSMISSION"]
    fin = "A <SEQ=101><ACK=301><CTL=FIN,ACK>"
    assert Watch().marks(*OPEN, f"30 {fin}", f"230 {fin}")[-1] == "RETRANSMISSION"


def test_numbers_that_were_never_seen() -> None:
    found = Watch().marks(
        *OPEN,
        "30 B <SEQ=301><ACK=151><CTL=ACK>",
        "31 B <SEQ=301><ACK=201><CTL=ACK>",
        "40 A <SEQ=201><ACK=301><DATA=10><CTL=ACK>",
    )
    assert found[3:] == ["ACK_OF_UNSEEN", "", "GAP"]


def test_the_first_segment_counts_once_there_is_a_second() -> None:
    watch = Watch()
    watch.marks("0 A <SEQ=101><ACK=301><DATA=9><CTL=ACK>")
    assert watch.analysis.completeness == 0
    watch.marks("9 B <SEQ=301><ACK=110><CTL=ACK>")
    assert watch.analysis.completeness == 12


def test_the_round_trip_begins_with_the_last_syn() -> None:
    watch = Watch()
    watch.marks(OPEN[0], OPEN[0].replace("0 A", "5 A"), *OPEN[1:])
    assert watch.analysis.round_trip == 15_000_000


spans = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 80)), max_size=30)


@given(spans, st.integers(0, M - 1))
def test_each_octet_is_counted_once(sent: list[tuple[int, int]], base: int) -> None:
    coverage, seen, top = Coverage(), set[int](), None
    for start, length in sent:
        # Numbers before the first ones seen belong to unknown data.
        if top is None:
            base, top = (base - start) % M, start
            lowest = start
        coverage.take((base + start) % M, length, 0x10)
        new = {octet for octet in range(start, start + length) if octet >= lowest} - seen
        assert (coverage.ahead + coverage.filled, coverage.gap) == (len(new), max(0, start - top))
        top = max(top, start + length)
        seen |= new
    assert coverage.count == len(seen)


def test_neither_syn_nor_fin_nor_what_a_reset_carries_is_an_octet() -> None:
    coverage = Coverage()
    coverage.take(99, 20, 0x02)
    coverage.take(100, 20, 0x10)
    coverage.take(120, 5, 0x11)
    coverage.take(126, 7, 0x14)
    assert (coverage.count, coverage.gap) == (25, 0)
