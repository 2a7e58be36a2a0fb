"""What a chunk of packets gives to the flow table: groups of plain frames, and single frames."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from handshake.survey.decode.decode_columns import ColumnDecoder
from handshake.survey.group.flow import key_of, other_way
from handshake.survey.group.group_columns import AttemptGroups, FlowGroup, Groups

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Set

    from handshake.capture.columns import Chunk, Column
    from handshake.packet.decode import Decoder
    from handshake.packet.frame import Frame
    from handshake.packet.layer_parser import Fields
    from handshake.packet.packed_frames import Framing
    from handshake.tcp.icmp import IcmpError

    Single: TypeAlias = tuple[Frame, Fields | IcmpError | None]
    """A frame, and what the codec found in it, if it was asked."""


class ChunkItems:
    """Decodes chunks and groups their packets."""

    def __init__(self, decoder: Decoder) -> None:
        self._codec = decoder
        self._decoder = ColumnDecoder(decoder)

    def framing(self, group: FlowGroup) -> Framing | None:
        """Return how all frames of a group came; None if they came otherwise one than another."""
        return None if group.tag is None else self._decoder.framing(group.tag)

    def of(
        self,
        chunk: Chunk,
        singly: Callable[[FlowGroup], int],
        waits: Callable[[Groups, Set[bytes]], Column],
    ) -> Iterator[FlowGroup | Single | AttemptGroups]:
        """Yield what a chunk contains, in the order of the first frame of each.

        `singly` is asked how many frames of a group must come one by one, when their turn has come;
        `waits` which groups wait as attempts, of which those of the given keys cannot be.
        """
        found, others = self._decoder.decode(chunk)
        if 2 * len(others) > len(chunk.begins):
            yield from ((chunk.frame(place), None) for place in range(len(chunk.begins)))
            return
        special, keys = self._decoded(chunk, others)
        waiting: list[tuple[int, FlowGroup | Single | AttemptGroups | None]] = list(special)
        for frames in found:
            here = Groups(frames)
            attempts = waits(here, keys)
            waiting += ((each.place, each) for each in here.flows(np.flatnonzero(~attempts)))
            if attempts.any():
                brief = AttemptGroups(here, np.flatnonzero(attempts)).in_order()
                waiting.append((brief.place, brief))
        heapify(waiting)
        while waiting:
            place, item = heappop(waiting)
            if isinstance(item, AttemptGroups):
                now, later = item.until(waiting[0][0] if waiting else len(chunk.begins))
                if len(later.which):
                    heappush(waiting, (later.place, later))
                yield now
                continue
            if not isinstance(item, FlowGroup):
                yield (chunk.frame(place), None) if item is None else item
                continue
            count = len(item.places) if item.key in keys else singly(item)
            for each in item.places[:count].tolist():
                heappush(waiting, (each, None))
            if not count:
                yield item
            elif count < len(item.places):
                rest = item.after(count)
                heappush(waiting, (rest.place, rest))

    def _decoded(self, chunk: Chunk, places: Column) -> tuple[list[tuple[int, Single]], set[bytes]]:
        """Return what the codec finds in these packets, and the keys of the flows they concern."""
        found: list[tuple[int, Single]] = []
        keys: set[bytes] = set()
        for place in places.tolist():
            frame = chunk.frame(place)
            fields = self._codec.fields(frame)
            if fields is None:
                continue
            found.append((place, (frame, fields)))
            if isinstance(fields, tuple):
                source, destination, sport, dport = fields[:4]
                key = source + destination + (sport << 16 | dport).to_bytes(4, "big")
            else:
                key = key_of(fields.source, fields.destination)
            keys |= {key, other_way(key)}
        return found, keys
