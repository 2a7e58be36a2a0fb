"""Records of known shapes, many at once: what is counted of them, in columns.

A record of its own takes longer than all packets of a brief connection. Where records are only
counted, none is made of a connection whose shape is known: `Row` stands for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from handshake.capture.columns import Column
    from handshake.record import Record

_AT_ONCE: Final = 1 << 15

_Rest = TypeVar("_Rest")


@dataclass(eq=False, slots=True)
class RecordRows:
    """What is counted of connections; each column has an item for each of them."""

    capture: str | None
    models: Sequence[Record]
    """Records that have all else: outcomes, findings, retransmissions."""

    of: Column
    """Which model each has."""

    keys: Column
    """A row of octets for each: addresses, the client's first, and ports."""

    frames: Column
    """The first of each."""

    segments: Column
    octets: Column
    """Of payload, both ends together."""

    rtts: Column
    """Seconds; not a number where the record has none."""

    ttls: Column
    """The server's, by its first segment; -1 where it sent none."""

    refusals: Column
    """The frame of the RST that refused it; -1 where none did."""

    diagnoses: Sequence[str | None]
    """The code of each."""

    def __len__(self) -> int:
        return len(self.of)


class Batch(Protocol):
    """Connections whose shapes are known, and of which records can be made."""

    def number(self, at: int) -> int:
        """Return the number of a connection."""
        ...

    def isns(self, at: int) -> tuple[int, int] | None:
        """Return the ISNs of a connection, the client's first; None if one was not seen."""
        ...

    def model(self, at: int) -> Record:
        """Return the record of its shape."""
        ...

    def record(self, at: int) -> Record:
        """Return its own record."""
        ...

    def rows(self, which: Sequence[int]) -> RecordRows:
        """Return what is counted of some connections."""
        ...


class Row(NamedTuple):
    """A connection of which no record was made yet."""

    batch: Batch
    at: int

    @property
    def stream(self) -> int:
        """Its number."""
        return self.batch.number(self.at)

    @property
    def outcome(self) -> str:
        """What became of it."""
        return self.batch.model(self.at).outcome

    @property
    def closed(self) -> str | None:
        """How it was closed."""
        return self.batch.model(self.at).closed

    @property
    def record(self) -> Record:
        """Its record."""
        return self.batch.record(self.at)


def only_records(
    found: Iterable[tuple[Record | Row | RecordRows, _Rest]],
) -> Iterator[tuple[Record, _Rest]]:
    """Yield records where nothing else is expected."""
    for item, rest in found:
        assert not isinstance(item, Row | RecordRows)
        yield item, rest


def together(
    found: Iterable[tuple[Record | Row | RecordRows, _Rest]],
) -> Iterator[tuple[Record | RecordRows, _Rest | None]]:
    """Yield records, and rows of one batch that follow each other at once."""
    batch: Batch | None = None
    which: list[int] = []
    for item, rest in found:
        if isinstance(item, Row) and item.batch is batch and len(which) < _AT_ONCE:
            which.append(item.at)
            continue
        if batch is not None:
            yield batch.rows(which), None
            batch = None
        if isinstance(item, Row):
            batch, which = item.batch, [item.at]
        else:
            yield item, rest
    if batch is not None:
        yield batch.rows(which), None
