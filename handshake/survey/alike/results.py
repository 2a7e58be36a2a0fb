"""The records of many flows: some from models, others from trackers, in two processes if many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from handshake.packet.packed_frames import V4
from handshake.survey.spread.parallel import in_halves

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from handshake.diagnosis import Others
    from handshake.packet.decode import Decoder
    from handshake.record import Record
    from handshake.survey.alike.modelled_attempts import ModelledAttempts
    from handshake.survey.alike.models import Models
    from handshake.survey.alike.rows import Row
    from handshake.survey.group.flow import Flow
    from handshake.survey.group.waiting import AttemptRows

_Result = TypeVar("_Result")

MUCH: Final = 2_500 * V4.record.size
"""Octets of packed frames from which it pays to load numpy."""

_MANY: Final = 600
"""Flows from which it pays, however few frames they have."""

_MUCH_TO_TRACK: Final = 20_000 * V4.record.size
"""Octets of packed frames from which a second process pays."""

_TOGETHER: Final = 4 << 20
"""Octets of packed frames that are looked at together."""

_MOST_TOGETHER: Final = 4096
"""Flows that are looked at together: their records are held for a moment."""


class Results:
    """Asks the models for the records of flows, before trackers follow those that have none."""

    in_columns: bool
    """Whether numpy is loaded, or to be loaded at once."""

    def __init__(
        self,
        decoder: Decoder,
        others: Others | None,
        *,
        every: bool,
        share: bool,
        least: int,
        counted: bool,
    ) -> None:
        """With `every` there are no models, nor for few flows where less than `least` is kept.

        Where records are only `counted`, there are rows in the places of what models give.
        """
        self._decoder = decoder
        self._others = others
        self._every = every
        self._share = share and not every
        self._least = least
        self.counted = counted
        self._models: Models | None = None
        self.in_columns = not least

    def of(
        self, work: Callable[[Flow, Record | Row | None], _Result], flows: list[Flow], kept: int
    ) -> Iterator[tuple[Flow, _Result]]:
        """Yield each flow, and what `work` returns for it and for the record of a model, if any.

        `kept` is how many octets are kept of all flows.
        """
        for batch in _batches(flows):
            found = self._modelled(batch, kept)
            # Only what a tracker must follow is worth a second process.
            left = [flow for flow, known in zip(batch, found, strict=True) if known is None]
            much = sum(len(flow.records) for flow in left) >= _MUCH_TO_TRACK
            tracked = in_halves(lambda flow: work(flow, None), left, share=much and self._share)
            for flow, known in zip(batch, found, strict=True):
                yield flow, next(tracked) if known is None else work(flow, known)
            tracked.close()

    def alike(self, rows: AttemptRows) -> tuple[ModelledAttempts, AttemptRows]:
        """Return attempts of which a model gives the record, and the others."""
        return self._known_models().attempts.alike(rows)

    def _known_models(self) -> Models:
        if self._models is None:
            from handshake.survey.alike.models import Models

            models = Models(self._decoder, self._others, counted=self.counted)
            self._models, self.in_columns = models, True
        return self._models

    def _modelled(self, flows: list[Flow], kept: int) -> list[Record | Row | None]:
        """Return the record of each flow of which a model gives it."""
        much = kept >= self._least or len(flows) >= _MANY
        columns = self._models is not None or self.in_columns or much
        if self._every or not columns:
            return [None] * len(flows)
        return self._known_models().records(flows)


def _batches(flows: list[Flow]) -> Iterator[list[Flow]]:
    """Yield flows in batches of about `_TOGETHER` octets, at most `_MOST_TOGETHER` flows."""
    batch: list[Flow] = []
    octets = 0
    for flow in flows:
        batch.append(flow)
        octets += len(flow.records)
        if octets >= _TOGETHER or len(batch) >= _MOST_TOGETHER:
            yield batch
            batch, octets = [], 0
    if batch:
        yield batch
