"""Watches live traffic: handshakes as they complete or fail, and connections once they are over.

The records are those of `survey`: whatever is seen live, `list` finds in the capture of it. Only a
diagnosis may know less, as what comes later is not known yet. What a RST ended may go on with the
same numbers: it is then told again, and its last record counts.
"""

from __future__ import annotations

import queue
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from handshake.diagnosis import Others
from handshake.linux.signals import start_thread
from handshake.packet.decode import Decoder
from handshake.record import nanoseconds
from handshake.survey.across.nat_sides import NatSides
from handshake.survey.group.flow import other_way
from handshake.survey.group.live_flows import LiveFlows
from handshake.tcp.copy import changed
from handshake.units import ACK_BIT, FIN_BIT, NS_PER_SECOND, RST_BIT, SYN_BIT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from handshake.capture.open import Capture
    from handshake.errors import CaptureError
    from handshake.packet.frame import Frame
    from handshake.record import Record
    from handshake.survey.group.flow import Flow

MOST: Final = 100_000
"""Connections that are followed at a time, by default."""

_SETTLED: Final = NS_PER_SECOND
"""Nanoseconds after a FIN or RST before a connection is over: its last segments may follow."""

_MOST_RESET: Final = 2048
"""Connections that a RST ended, and that are kept, as the same SYN may come again.

A port scanner without random numbers sends it every 20 seconds.
"""

_UNANSWERED: Final = 3 * NS_PER_SECOND
"""Nanoseconds after a SYN before a handshake counts as failed; it may still complete."""

_QUIET_EVERY: Final = 10 * NS_PER_SECOND
"""How often silent connections are looked for."""

_LAST_ROUNDS: Final = 4
"""How often is looked at the end for what waits to be read."""

_LAST_WAIT: Final = 0.1
"""Seconds in which the kernel gives over what it holds back to fill a block."""

_WAITING: Final = 16_384
"""Frames of a pipe that wait to be taken."""

_OPENED: Final = SYN_BIT | ACK_BIT
_OVER: Final = frozenset({"fin", "rst-by-client", "rst-by-server"})


class FrameSource(Protocol):
    """Where frames come from."""

    @property
    def ended(self) -> bool:
        """Whether no more will come."""

    @property
    def lost(self) -> int:
        """Packets that were lost before they could be read."""

    @property
    def warnings(self) -> Sequence[CaptureError]:
        """What is wrong with the capture that has ended."""

    def read(self, seconds: float) -> list[Frame]:
        """Return the frames that have come; wait for some, at most so long."""

    def now(self) -> int:
        """Return the time, in nanoseconds since 1970; 0 where the frames alone tell it."""

    def interfaces(self) -> list[tuple[str, int]]:
        """Return the name and link type of each interface so far, by its number."""


class PipeSource:
    """The frames of a capture that still arrives, such as that of `tcpdump -w -`."""

    def __init__(self, capture: Capture) -> None:
        self.capture = capture
        self.ended = False
        self.lost = 0
        self.warnings: list[CaptureError] = []
        self._links: dict[int, int] = {}
        self._frames: queue.Queue[Frame | BaseException | None] = queue.Queue(_WAITING)
        start_thread(self._copy)

    def read(self, seconds: float) -> list[Frame]:
        """Return the frames that have come; wait for one, at most so long.

        Raises what reading raised.
        """
        found: list[Frame] = []
        try:
            while len(found) < _WAITING:
                each = self._frames.get(block=not found, timeout=seconds)
                if isinstance(each, BaseException):
                    raise each
                if each is None:
                    self.ended = True
                    self.warnings = [it.at(self.capture.name) for it in self.capture.warnings]
                    break
                # What is read goes on to change the octets that it has shown.
                found.append(each._replace(data=bytes(each.data)))
                self._links.setdefault(each.interface, each.link_type)
        except queue.Empty:
            pass
        return found

    def now(self) -> int:
        """Return 0: what arrives may be old."""
        return 0

    def interfaces(self) -> list[tuple[str, int]]:
        """Return link types by number; a capture's own names are not kept."""
        most = max(self._links, default=-1)
        return [(f"interface {at}", self._links.get(at, 1)) for at in range(most + 1)]

    def _copy(self) -> None:
        try:
            for each in self.capture:
                self._frames.put(each)
            self._frames.put(None)
        except BaseException as error:
            self._frames.put(error)


class News(NamedTuple):
    """What has become known in one round."""

    handshakes: list[Record]
    """Handshakes that have completed or failed since the last round, as far as they were seen."""

    over: list[Record]
    """Connections that are over: no more is known of them later."""


@dataclass(slots=True)
class _Reset:
    """What was told of a connection that a RST ended."""

    flow: Flow
    number: int
    at: int
    segments: int = 0
    """How many segments its record had; 0 before it was told."""

    @property
    def is_still_over(self) -> bool:
        """Whether nothing came since, for this connection or another one on its ports."""
        return (self.flow.last_number, self.flow.last_at) == (self.number, self.at)


class LiveWatch:
    """All connections of a source of frames, in bounded memory."""

    def __init__(
        self,
        source: FrameSource,
        *,
        most: int = MOST,
        name: str | None = None,
        keep: Callable[[list[Frame]], None] | None = None,
        handshakes: bool = True,
    ) -> None:
        """`name` is that of the capture in the records; `keep` is given all frames as they come.

        Without `handshakes` only what is over is told.
        """
        self.source = source
        self.decoder = Decoder()
        self.packets = 0
        self.octets = 0
        self.flows = LiveFlows(
            self.decoder, others=Others(), share=False, columns_from=0, most_open=most
        )
        self.now = 0
        """The latest time stamp."""

        self.each_segment: Callable[[bytes, int, Frame], None] | None = None
        """Is given key, control bits and frame of each segment."""

        self._name = name
        self._keep = keep
        self._handshakes = handshakes
        self._sides = NatSides()
        self._opening: OrderedDict[bytes, list[int]] = OrderedDict()
        """Of each SYN's key: when it was first seen, and whether a SYN-ACK answered."""

        self._unanswered: deque[tuple[int, bytes]] = deque()
        """When a handshake began, and its key, until it is looked whether it was answered."""

        self._decided: list[bytes] = []
        """Keys of handshakes that have completed or failed."""

        self._closing: deque[tuple[int, bytes]] = deque()
        """When a FIN or RST was seen, and the key of its segment."""

        self._told: dict[int, str] = {}
        """The outcomes that were told, by the numbers of the connections that are not over."""

        self._reset: OrderedDict[int, _Reset] = OrderedDict()
        """What was told of connections that a RST ended and that may go on, by their numbers."""

        self._most_reset = min(_MOST_RESET, most // 8)
        self._quiet_at = 0

    @property
    def left_out(self) -> int:
        """How many connections found no room."""
        return self.flows.left_out

    def round(self, seconds: float) -> News:
        """Take what has come, waiting for it at most so long; return what that tells."""
        frames = self.source.read(seconds)
        if self._keep is not None and frames:
            self._keep(frames)
        self.take(frames)
        if not frames:
            # Only now: packets that still wait are older than the clock, and may go on with what
            # seems to be over.
            self.now = max(self.now, self.source.now())
        return self._news()

    def take(self, frames: Iterable[Frame]) -> None:
        """Take frames in their order."""
        add, note, marked = self.flows.add, self._note, SYN_BIT | FIN_BIT | RST_BIT
        for frame in frames:
            self.packets += 1
            key, bits = add(frame)
            if self.each_segment is not None and key:
                self.each_segment(key, bits, frame)
            if bits & marked or key in self._opening:
                note(frame.time, key, bits)
            self.now = max(self.now, frame.time)

    def so_far(self, keys: Iterable[bytes]) -> Iterator[Record]:
        """Yield the records of these connections, as far as they were seen."""
        for _, record in self.flows.so_far(self.flows.flows(keys)):
            yield self._placed(record)

    def _note(self, at: int, key: bytes, bits: int) -> None:
        """Take note of how handshakes go on."""
        opening = self._opening
        if bits & RST_BIT:
            for each in (key, other_way(key)):
                if opening.pop(each, None) is not None:
                    self._decided.append(each)
            self._closing.append((at, key))
        elif bits & _OPENED == SYN_BIT:
            if key not in opening:
                opening[key] = [at, 0]
                self._unanswered.append((at, key))
                if len(opening) > 2 * MOST:
                    opening.popitem(last=False)
        elif bits & SYN_BIT:
            if (known := opening.get(other_way(key))) is not None:
                known[1] = 1
        else:
            if (known := opening.get(key)) is not None and known[1]:
                del opening[key]
                self._decided.append(key)
            if bits & FIN_BIT:
                self._closing.append((at, key))

    def _news(self) -> News:
        over = self.flows.ready()
        late = self.now - _UNANSWERED
        waiting = []
        while self._unanswered and self._unanswered[0][0] <= late:
            _, key = self._unanswered.popleft()
            if key in self._opening:
                waiting.append(key)
        decided, self._decided = self._decided, []
        if not self._handshakes:
            decided, waiting = [], []
        handshakes = []
        for _, record in self.flows.so_far(self.flows.flows([*decided, *waiting])):
            if self._told.get(record.stream) != record.outcome:
                self._told[record.stream] = record.outcome
                handshakes.append(record)
        closing = []
        while self._closing and self._closing[0][0] <= self.now - _SETTLED:
            closing.append(self._closing.popleft()[1])
        for flow, record in self.flows.so_far(self.flows.flows(closing)):
            if has_ended(record):
                over += self.flows.ready()
                over.append(record)
                self._leave(flow, record)
        if self.now >= self._quiet_at:
            self._quiet_at = self.now + _QUIET_EVERY
            over += self.flows.quiet()
        over += self.flows.ready()
        return News([self._placed(each) for each in handshakes], self._over(over, ended=False))

    def _leave(self, flow: Flow, record: Record) -> None:
        """Drop a flow that is over; one that a RST ended later, or if there are many."""
        if record.closed == "fin":
            self.flows.drop(flow)
            return
        self._reset[record.stream] = _Reset(flow, flow.last_number, flow.last_at)
        while len(self._reset) > self._most_reset:
            _, known = self._reset.popitem(last=False)
            if known.is_still_over:
                self.flows.drop(known.flow)

    def rest(self) -> None:
        """Take what has come by now."""
        for _ in range(_LAST_ROUNDS):
            frames = self.source.read(_LAST_WAIT)
            if self._keep is not None and frames:
                self._keep(frames)
            self.take(frames)
            if not frames:
                break

    def end(self) -> News:
        """Take what has come by now; return the records of what is still open, too."""
        self.rest()
        news = self._news()
        flows = self.flows.all()
        rest = [record for _, record in self.flows.so_far(flows)]
        rest = [*self.flows.ready(), *rest]
        known = {each.stream for each in news.handshakes}
        new = [
            self._placed(each) for each in rest if self._is_news(each) and each.stream not in known
        ]
        return News([*news.handshakes, *new], [*news.over, *self._over(rest, ended=True)])

    def _is_news(self, record: Record) -> bool:
        return self._told.get(record.stream) != record.outcome and not self._is_told(record)

    def _is_told(self, record: Record) -> bool:
        """Whether just this was told when a RST ended it."""
        known = self._reset.get(record.stream)
        return known is not None and known.segments == _segments(record)

    def _over(self, records: list[Record], *, ended: bool) -> list[Record]:
        found = []
        paired = self._sides.paired(((each, None) for each in records), lambda: ended)
        for record, _ in paired:
            self._told.pop(record.stream, None)
            if self._is_told(record):
                continue
            found.append(self._placed(record))
            if (known := self._reset.get(record.stream)) is not None:
                known.segments = _segments(record)
        return found

    def _placed(self, record: Record) -> Record:
        """Return a record with its place in the capture."""
        at = nanoseconds(record.start) - (self.flows.begin or 0)
        return changed(record, capture=self._name, time=at / NS_PER_SECOND)


def has_ended(record: Record) -> bool:
    """Whether a connection was closed, reset or refused: only its last segments may follow."""
    return record.closed in _OVER or record.outcome == "refused"


def _segments(record: Record) -> int:
    return record.client.segments + record.server.segments
