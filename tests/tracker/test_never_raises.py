"""The tracker never raises, and keeps its promises, on anything that a wire can carry."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from handshake.events import Step
from handshake.step_record import step_record
from handshake.tcp import Endpoint, Observed, Segment
from handshake.tracker import Tracker, summarize
from tests.segments import A, B
from tests.tracker.rebuilt import kept, rebuilt

ENDS = [A, B, Endpoint.of("2001:db8::1", 80)]

# Few numbers, close together and across 2**32, so that windows are hit and missed.
near = st.sampled_from([0, 1, 2, 3, 100, 2**31, 2**32 - 2, 2**32 - 1])


@st.composite
def headers(draw: st.DrawFn) -> bytes:
    flags = draw(st.integers(0, 0x1FF))
    options = draw(st.binary(max_size=40))
    offset = draw(st.sampled_from([5, 5, 5, 5 + (len(options) + 3) // 4, 0, 15]))
    fixed = b"".join(
        (
            draw(near).to_bytes(4, "big"),
            draw(near).to_bytes(4, "big"),
            ((offset << 12) | flags).to_bytes(2, "big"),
            draw(st.integers(0, 65535)).to_bytes(2, "big"),
            bytes(4),
        )
    )
    return fixed + options + bytes(draw(st.integers(0, 8)))


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(ENDS), st.sampled_from(ENDS), headers(), st.integers(0, 10**12)),
        max_size=20,
    )
)
def test_any_segments_at_any_times(
    sent: list[tuple[Endpoint, Endpoint, bytes, int]],
) -> None:
    tracker, steps = Tracker(), list[Step]()
    for source, destination, header, at in sent:
        ports = source.port.to_bytes(2, "big") + destination.port.to_bytes(2, "big")
        raw = ports + header
        seg = Segment.parse(source.address, destination.address, raw, len(raw))
        step = tracker.feed(Observed(seg, at))
        assert step.segment is seg
        steps.append(step)
        assert step_record(step)["segment"]["source"]["port"] == source.port
    for number, connection in enumerate(tracker.connections):
        record = summarize(connection)
        assert record.stream == number
        assert record.client.segments + record.server.segments == connection.segments
        alone = rebuilt(connection, [step for step in steps if step.stream == number])
        assert kept(alone) == kept(connection)
