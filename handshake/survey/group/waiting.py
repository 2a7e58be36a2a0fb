"""The attempts that wait for more segments, in columns: a few octets for each, and no object."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from handshake.packet.packed_frames import HEAD, V4
from handshake.survey.decode.segment_columns import in_columns
from handshake.survey.group.flow import other_way
from handshake.survey.group.group_columns import hash_of
from handshake.survey.group.tally import tally
from handshake.survey.read.whereabouts import FAR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.capture.columns import Column
    from handshake.survey.decode.segment_columns import Segments
    from handshake.survey.group.group_columns import AttemptGroups

_SIZE: Final = V4.record.size
_HERE: Final = 32
"""Bits of a place that tell where in its block an attempt is."""

_KEY: Final = slice(HEAD + V4.addresses, HEAD + V4.addresses + 12)


class AttemptRows:
    """Attempts over IPv4, and their packed frames: one or two for each, the SYN first."""

    def __init__(self, numbers: Column, counts: Column, rows: Column) -> None:
        self.numbers, self.counts, self.rows = numbers, counts, rows

    @cached_property
    def starts(self) -> Column:
        """Which row is the SYN of each."""
        return np.cumsum(self.counts) - self.counts

    @cached_property
    def seen(self) -> Segments:
        """Their segments in columns."""
        return in_columns(V4, self.rows, self.counts)

    @cached_property
    def keys(self) -> Column:
        """Addresses and ports of each SYN."""
        return np.ascontiguousarray(self.rows[self.starts, _KEY])

    @cached_property
    def ends(self) -> tuple[Column, Column, Column]:
        """The client's address, the server's, and the server's port, as numbers."""
        words, ports = self.keys.view(">u4").astype(np.int64), self.keys.view(">u2")
        return words[:, 0], words[:, 1], ports[:, 5].astype(np.int64)

    @property
    def client_ports(self) -> Column:
        """The port of each client."""
        found: Column = self.keys.view(">u2")[:, 4].astype(np.int64)
        return found

    @property
    def of_one_socket(self) -> Column:
        """Which go from a socket to itself."""
        client, server, port = self.ends
        found: Column = (client == server) & (self.client_ports == port)
        return found

    @property
    def pairs(self) -> Iterator[bytes]:
        """The addresses of each pair of client and server, as packed frames have them."""
        octets, size = self.keys.tobytes(), self.keys.shape[1]
        client, server, _ = self.ends
        for at in tally(client << 32 | server).firsts.tolist():
            yield octets[at * size : at * size + 8]

    @property
    def unanswered(self) -> list[int]:
        """Which are a SYN alone."""
        found: list[int] = np.flatnonzero(self.counts == 1).tolist()
        return found

    def __len__(self) -> int:
        return len(self.numbers)

    def key(self, at: int) -> bytes:
        """Return addresses and ports of one of them, as its SYN has them."""
        return bytes(self.keys[at])

    def one(self, at: int) -> tuple[int, bytes, bytes]:
        """Return number, key and packed frames of one of them."""
        return int(self.numbers[at]), self.key(at), self.records(at)

    @property
    def scattered(self) -> list[int]:
        """Which have frames that are far apart."""
        frames = np.ascontiguousarray(self.rows[:, 8:12]).view(">u4")[:, 0].astype(np.int64)
        apart = frames[self.starts + self.counts - 1] - frames[self.starts] >= FAR
        found: list[int] = np.flatnonzero(apart).tolist()
        return found

    def records(self, at: int) -> bytes:
        """Return the packed frames of one of them."""
        start = int(self.starts[at])
        return self.rows[start : start + int(self.counts[at])].tobytes()

    def only(self, which: Column) -> AttemptRows:
        """Return those of them that are chosen."""
        if which.all():
            return self
        rows = self.rows[np.repeat(which, self.counts)]
        return AttemptRows(self.numbers[which], self.counts[which], rows)


class _AttemptBlock(NamedTuple):
    """Attempts of one chunk; the octets that none of their frames has are left out."""

    numbers: Column
    """-1 for one that does not wait any more."""

    counts: Column
    rows: Column

    @property
    def whole(self) -> AttemptRows:
        """Those that wait, as they were."""
        rows = np.zeros((len(self.rows), _SIZE), np.uint8)
        rows[:, : self.rows.shape[1]] = self.rows
        return AttemptRows(self.numbers.copy(), self.counts.astype(np.int64), rows)

    def before(self, at: int | None) -> Column:
        """Return which of them wait, and got their last segment before a time, if one is given."""
        waits: Column = self.numbers >= 0
        return waits if at is None else waits & (self.last_at < at)

    @property
    def last_at(self) -> Column:
        """When the last segment of each was captured."""
        ends = np.cumsum(self.counts, dtype=np.int64) - 1
        times = np.ascontiguousarray(self.rows[ends, :8]).view(">i8")[:, 0]
        found: Column = times.astype(np.int64)
        return found


class WaitingAttempts:
    """The attempts that wait."""

    def __init__(self) -> None:
        self._blocks: dict[int, _AttemptBlock] = {}
        self._left: dict[int, int] = {}
        """How many attempts of each block still wait: a block without any is dropped."""

        self._made = self._count = 0
        self._index: list[tuple[Column, Column]] = []
        """Hashes of socket pairs in order, and the places of their attempts: the longest first."""

        self._new: list[tuple[Column, AttemptGroups]] = []

    def __len__(self) -> int:
        return self._count

    @property
    def octets(self) -> int:
        """How many octets of packed frames are kept."""
        return sum(block.rows.size for block in self._blocks.values())

    def add(self, first: int, found: AttemptGroups) -> None:
        """Let attempts wait whose numbers follow one another, beginning with `first`."""
        self._new.append((np.arange(first, first + len(found.which)), found))

    def seal(self) -> None:
        """Note that a chunk ends."""
        if not self._new:
            return
        groups = self._new[0][1].groups
        numbers = np.concatenate([each for each, _ in self._new])
        which = np.concatenate([each.which for _, each in self._new])
        self._new.clear()
        starts, counts = groups.starts[which], groups.stops[which] - groups.starts[which]
        places = np.repeat(starts - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
        rows = groups.records[places]
        packed = np.ascontiguousarray(rows[:, 16:20]).view(">u4")[:, 0] >> 2
        width = min(_SIZE, HEAD + int(packed.max()))
        block = _AttemptBlock(
            numbers.astype(np.int64), counts.astype(np.uint8), np.ascontiguousarray(rows[:, :width])
        )
        self._blocks[self._made] = block
        self._left[self._made] = len(numbers)
        self._count += len(numbers)
        self._add_to_index(groups.hashes[which], self._made << _HERE | np.arange(len(numbers)))
        self._made += 1

    def _add_to_index(self, hashes: Column, places: Column) -> None:
        # What is added is merged with what is not longer: so there are few parts to search.
        while self._index and len(self._index[-1][0]) <= 2 * len(hashes):
            more, theirs = self._index.pop()
            kept = np.isin(theirs >> _HERE, list(self._blocks))
            hashes = np.concatenate((more[kept], hashes))
            places = np.concatenate((theirs[kept], places))
        order = np.argsort(hashes)
        self._index.append((hashes[order], places[order]))

    def known(self, hashes: Column) -> Column:
        """Return which of these hashes are among those of attempts that wait, or once did."""
        found = np.zeros(len(hashes), bool)
        for known, _ in self._index:
            at = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
            found |= known[at] == hashes
        return found

    def recall(self, key: bytes) -> tuple[int, bytes, bytes] | None:
        """Return number, key and packed frames of the attempt of a socket pair: it waits no more.

        None if there is none. The key is that of its SYN.
        """
        keys, wanted = (key, other_way(key)), np.uint64(hash_of(key))
        for known, places in self._index:
            at = int(np.searchsorted(known, wanted))
            while at < len(known) and known[at] == wanted:
                block, here = divmod(int(places[at]), 1 << _HERE)
                found = self._forget(block, here, keys)
                if found is not None:
                    return found
                at += 1
        return None

    def _forget(
        self, number: int, at: int, keys: tuple[bytes, bytes]
    ) -> tuple[int, bytes, bytes] | None:
        block = self._blocks.get(number)
        if block is None or block.numbers[at] < 0:
            return None
        start = int(block.counts[:at].sum())
        rows = np.zeros((int(block.counts[at]), _SIZE), np.uint8)
        rows[:, : block.rows.shape[1]] = block.rows[start : start + len(rows)]
        key = rows[0, _KEY].tobytes()
        if key not in keys:
            return None
        found = int(block.numbers[at])
        block.numbers[at] = -1
        self._released(number, 1)
        return found, key, rows.tobytes()

    def _released(self, number: int, count: int) -> None:
        """Note that so many attempts of a block wait no more."""
        self._count -= count
        self._left[number] -= count
        if not self._left[number]:
            del self._blocks[number], self._left[number]

    def latest(self) -> list[int]:
        """Return when the last segments of two attempts were captured."""
        found: list[int] = []
        for block in self._blocks.values():
            at = np.sort(block.last_at[block.numbers >= 0])[-2:]
            found = sorted([*found, *at.tolist()])[-2:]
        return found

    def until(self, at: int | None) -> Due:
        """Return those whose last segment was captured before a time; all if it is None."""
        return Due(self._blocks, at)

    def take(self, at: int | None) -> Iterator[AttemptRows]:
        """Yield the same; once yielded, they wait no more."""
        for number, block in list(self._blocks.items()):
            chosen = block.before(at)
            if chosen.any():
                found = block.whole.only(chosen)
                block.numbers[chosen] = -1
                self._released(number, len(found))
                yield found


class Due(Collection[AttemptRows]):
    """Attempts whose last segment was captured before a time."""

    def __init__(self, blocks: dict[int, _AttemptBlock], at: int | None) -> None:
        self._blocks, self._at = blocks, at

    def __iter__(self) -> Iterator[AttemptRows]:
        for block in self._blocks.values():
            chosen = block.before(self._at)
            if chosen.any():
                yield block.whole.only(chosen)

    def __len__(self) -> int:
        return len(self._blocks)

    def __contains__(self, _: object) -> bool:
        return False
