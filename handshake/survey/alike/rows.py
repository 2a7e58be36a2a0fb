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

    def isns(self, which: Sequence[int]) -> list[tuple[int, int] | None]:
        """Return the ISNs of connections, the client's first; None where one was not seen."""
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
    def outcome(self) -> str:
        """What became of it."""
        return self.batch.model(self.at).outcome

    @property
    def closed(self) -> str | None:
        """How it was closed."""
        return self.batch.model(self.at).closed


class Rows(NamedTuple):
    """Connections of one batch of which no records were made yet."""

    batch: Batch
    which: list[int]


def only_records(
    found: Iterable[tuple[Record | Row | Rows, _Rest]],
) -> Iterator[tuple[Record, _Rest]]:
    """Yield records where nothing else is expected."""
    for item, rest in found:
        assert not isinstance(item, Row | Rows)
        yield item, rest


def together(
    found: Iterable[tuple[Record | Row | Rows, _Rest]],
) -> Iterator[tuple[Record | Rows, _Rest]]:
    """Yield records, and rows of one batch that follow each other at once."""
    rows: tuple[Rows, _Rest] | None = None
    for item, rest in found:
        if rows is not None:
            known, _ = rows
            if isinstance(item, Row) and item.batch is known.batch and len(known.which) < _AT_ONCE:
                known.which.append(item.at)
                continue
            yield rows
            rows = None
        if isinstance(item, Row):
            rows = Rows(item.batch, [item.at]), rest
        else:
            yield item, rest
    if rows is not None:
        yield rows
