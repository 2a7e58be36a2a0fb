"""Reads the steps of a connection whose record is known, from the places where its frames are."""

from __future__ import annotations

from itertools import chain, count
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.packet.layer import IPV4, IPV6
from handshake.tcp import Endpoint, Observed
from handshake.tcp.address import ip_address
from handshake.tcp.copy import changed
from handshake.tracker import PairTracker
from handshake.units import TCP

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from handshake.events import Step
    from handshake.packet.frame import Frame
    from handshake.record import Record
    from handshake.survey.read.source import ReadReport, Source
    from handshake.survey.read.whereabouts import Whereabouts
    from handshake.tracker import Connection

_FRAGMENTS: Final = 64
"""Frames before a segment that may be the first fragments of its packet."""

_ETHERNET: Final = 1


class Again(NamedTuple):
    """What must be read for the steps of a connection."""

    record: Record

    begin: int
    """The number of the first frame on which they depend."""

    numbers: tuple[int, ...] = ()
    """The connections of these sockets from there on, the last of them this one; if known."""

    reused: int | None = None
    """The connection before these, of which nothing is needed but its number."""

    where: Whereabouts | None = None
    """Where the frames of these connections are, if they are scattered."""

    @property
    def frames(self) -> list[range]:
        """The numbers of the frames, and of those between that need not be left out."""
        end = self.record.frames[1]
        assert end is not None
        whole = range(max(1, self.begin - _FRAGMENTS), end + 1)
        parts = [whole] if self.where is None else self.where.frames
        cut = (
            range(max(each.start - _FRAGMENTS, whole.start), min(each.stop, whole.stop))
            for each in parts
        )
        return [each for each in cut if each]

    def steps(
        self, frames: Iterable[Frame], *, dedup: bool, ordered: bool = True
    ) -> Iterator[tuple[Step, Connection | None]]:
        """Yield the steps among the frames, each with the connection before the last.

        `ordered`: the frames come in the order of their numbers.
        """
        from handshake.packet.decode import Decoder

        record = self.record
        client, server = (
            Endpoint(ip_address(end.address), end.port) for end in (record.client, record.server)
        )
        wanted = client.address.packed, server.address.packed
        numbers = chain(self.numbers, count(record.stream + 1)) if self.numbers else None
        tracker = PairTracker(observers=(), numbers=numbers, reused=self.reused)
        decoder = Decoder()
        begin, end = record.frames
        for frame in frames:
            if ordered and end is not None and frame.number > end:
                return
            if _is_of_others(frame, wanted):
                continue
            observed = decoder.observed(frame)
            if not isinstance(observed, Observed):
                continue
            if {observed.segment.source, observed.segment.destination} != {client, server}:
                continue
            if dedup and tracker.drop_copy(observed):
                continue
            # Earlier connections of the socket pair count too: their state is inherited.
            earlier = tracker.connection
            step = tracker.feed(observed)
            assert tracker.connection is not None
            first = tracker.connection.first
            if first is None or first.frame != begin:
                continue
            yield changed(step, stream=record.stream), earlier


def what_to_read(source: Source, record: Record, report: ReadReport) -> Again:
    """Return what must be read, by the report of an earlier reading of the source."""
    begin = record.frames[0]
    assert begin is not None
    numbers, reused = [record.stream], None
    while (before := report.reused.get((source.name, numbers[-1]))) is not None:
        if before.first is None:
            reused = before.number
            break
        begin = before.first
        numbers.append(before.number)
    where = report.where.get((source.name, numbers[-1]))
    return Again(record, begin, tuple(reversed(numbers)), reused, where)


def _is_of_others(frame: Frame, wanted: tuple[bytes, bytes]) -> bool:
    """Whether a frame is certainly none between these addresses.

    A search for their octets is far cheaper than decoding. Only a whole segment must have them: in
    a tunnel they may stand in another fragment.
    """
    octets = bytes(frame.data)
    if all(each in octets for each in wanted) or frame.link_type != _ETHERNET:
        return False
    kind = int.from_bytes(octets[12:14], "big")
    return (kind == IPV4 and octets[23:24] == bytes([TCP])) or (
        kind == IPV6 and octets[20:21] == bytes([TCP])
    )
