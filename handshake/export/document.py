"""A connection as every export tells it: verdict, evidence, facts and segments."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.escape import printable
from handshake.export.step_document import StepDocument
from handshake.messages import count, time
from handshake.prober.answer import cause, evidence, next_steps
from handshake.prober.hindsight import steps_of
from handshake.query.problems import is_wrong
from handshake.view import columns
from handshake.view.glyphs import UNICODE, Glyphs
from handshake.view.ladder import Gap, Ladder, icmp_numbers
from handshake.view.notation import Numbers, TimeColumn, endpoint
from handshake.view.probe import target_text, time_to_answer
from handshake.view.probe_lines import three_digits
from handshake.view.replay import summary

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from handshake.events import Step
    from handshake.linux.privileges import Shell
    from handshake.prober import Result
    from handshake.record import Diagnosis, EndRecord, Json, Record
    from handshake.tcp.icmp import IcmpError
    from handshake.view.ladder import Row


class NextCheck(NamedTuple):
    """What would tell more: a command, or nothing, and what it is for."""

    command: str
    purpose: str


@dataclass(frozen=True)
class ConnectionDocument:
    """A connection, told: of a capture, or of a probe."""

    name: str
    """Both ends, with the number if it has one; or the target of a probe."""

    verdict: str
    """The outcome or the verdict, in the words of filters and JSON."""

    mark: str
    """Its sign: opened, opened with problems, or not opened."""

    style: str
    """The same as the name of a colour: `ok`, `warn`, `bad` or `dim`."""

    summary: str
    answer: tuple[str, ...]
    """What happened and how that is known, in sentences."""

    cells: tuple[str, ...]
    """Its row in a list, under the headings of the document."""

    facts: tuple[tuple[str, str], ...]
    diagnosis: Diagnosis | None
    findings: tuple[str, ...]
    checks: tuple[NextCheck, ...]
    client: str
    """Address and port; empty where it is not known."""

    server: str
    json: Json
    """The record, or the result of the probe, as it is printed with `--json`."""

    steps: tuple[Step, ...]
    errors: tuple[IcmpError, ...] = ()
    glyphs: Glyphs = UNICODE
    """The language that it is told in."""

    shown: tuple[int, ...] | None = None
    """The indexes of the steps that are told; None for all."""

    left_out: int = 0
    """How many segments are not told."""

    @cached_property
    def numbers(self) -> Numbers:
        """How sequence numbers are shown."""
        return Numbers.of(self.steps)

    @cached_property
    def clock(self) -> TimeColumn:
        """How times are shown."""
        return TimeColumn(self.steps)

    @property
    def rows(self) -> list[Row]:
        """The rows of the ladder: indexes of steps, gaps and ICMP errors."""
        ladder = Ladder(
            self.steps, self.numbers, errors=self.errors, gaps=True, only=self.shown or None
        )
        return ladder.rows()

    def between(self, row: Gap | IcmpError) -> str:
        """Return what stands between two segments in words: a gap, or an ICMP error."""
        if isinstance(row, Gap):
            return row.said(self.glyphs)
        said = {"sender": row.sender, "meaning": self.glyphs.translated(row.meaning)}
        return self.glyphs.say("ladder.error", number=icmp_numbers(row), **said)

    def told(self, index: int) -> StepDocument:
        """Return a step in words."""
        before = self.steps[index - 1] if index else None
        return StepDocument(self.steps[index], self.numbers, self.clock, before, self.glyphs)

    @property
    def told_steps(self) -> Iterator[tuple[int, StepDocument]]:
        """The steps that are told, with their indexes."""
        shown = range(len(self.steps)) if self.shown is None else self.shown
        for index in shown:
            yield index, self.told(index)

    @property
    def evidence(self) -> Iterator[tuple[int, StepDocument]]:
        """The steps that show what went wrong, with the numbers that the diagnosis has for them."""
        if self.diagnosis is None:
            return
        wanted = dict.fromkeys(self.diagnosis.evidence)
        for index, step in enumerate(self.steps):
            number = step.observed.frame or index + 1
            if number in wanted:
                yield number, self.told(index)


RECORD_HEADINGS: Final = (
    *("#", "outcome", "client", "server", "rtt", "retry", "packets", "time", "why"),
)
RESULT_HEADINGS: Final = ("#", "verdict", "target", "rtt", "ttl", "cause")


@dataclass(frozen=True)
class Document:
    """Connections, told one by one, and where they are from."""

    title: str
    headings: tuple[str, ...]
    connections: Iterable[ConnectionDocument]
    """They are made as they are asked for, once."""

    alone: bool
    """Whether it is about one connection only."""

    notes: list[str] = field(default_factory=list)
    """What is left out; complete after the last connection."""

    glyphs: Glyphs = UNICODE
    """The language that it is told in."""


def of_record(
    record: Record,
    steps: Sequence[Step],
    shown: tuple[int, ...] | None = None,
    name: str | None = None,
    glyphs: Glyphs = UNICODE,
) -> ConnectionDocument:
    """Return a connection of a capture; `name` is that of the capture, if not the record's."""
    segments = record.client.segments + record.server.segments
    told = len(steps) if shown is None else len(shown)
    found = record.diagnosis
    capture = printable(name or record.capture or "")
    client, server = endpoint(record.client), endpoint(record.server)
    return ConnectionDocument(
        name=f"#{record.stream + 1} {client} → {server}",
        verdict=record.outcome,
        mark=columns.mark(record, UNICODE),
        style=columns.style(record),
        summary=summary(record, segments, glyphs),
        answer=() if found is None else (found.said(glyphs.language),),
        cells=(
            *(str(record.stream + 1), record.outcome, client, server),
            *(columns.rtt(record), columns.retries(record), columns.packets(record)),
            *(columns.time(record), columns.why(record)),
        ),
        facts=tuple(_facts(record, capture, glyphs)),
        diagnosis=found,
        findings=tuple(
            each.said(glyphs.language)
            for each in sorted(record.findings, key=lambda each: not is_wrong(each))
        ),
        checks=() if found is None else (NextCheck("", found.said(glyphs.language, "next")),),
        client=client,
        server=server,
        json={"record": {**record.as_json(), "capture": name or record.capture}},
        steps=tuple(steps),
        errors=() if record.icmp is None else (record.icmp,),
        glyphs=glyphs,
        shown=shown,
        left_out=max(0, segments - told),
    )


def _facts(record: Record, capture: str, glyphs: Glyphs) -> Iterator[tuple[str, str]]:
    handshake = record.handshake
    if capture:
        yield "capture", capture
    yield "start", record.start
    if record.duration is not None:
        yield "duration", f"{record.duration:.6f} s"
    if record.closed is not None:
        yield "closed", record.closed
    if handshake.rtt is not None:
        yield (
            "rtt",
            time(handshake.rtt)
            + (f" ({glyphs.translated('ambiguous')})" if handshake.rtt_ambiguous else ""),
        )
    if retries := columns.retries(record):
        yield "retry", retries
    for title, end in (("client", record.client), ("server", record.server)):
        yield title, "; ".join(_end(end, glyphs))


def _end(end: EndRecord, glyphs: Glyphs) -> Iterator[str]:
    yield endpoint(end)
    if end.state is not None:
        yield end.state
    yield glyphs.translated(f"{count(end.segments, 'segment')}, {count(end.bytes, 'octet')}")
    offered = (("MSS", end.mss), ("window scale", end.window_scale), ("TTL", end.ttl))
    yield from (f"{name} {value}" for name, value in offered if value is not None)


def of_result(
    result: Result, shell: Shell, number: int = 1, glyphs: Glyphs = UNICODE
) -> ConnectionDocument:
    """Return the connection of a probe."""
    steps, language = steps_of(result), glyphs.language
    target = target_text(result.target, result.address)
    known, why = evidence(result), cause(result).said(language)
    rtt = "" if result.rtt is None else f"{three_digits(result.rtt * 1e3)}ms"
    found = result.diagnosis
    checks = [
        NextCheck(each.command, each.purpose.said(language)) for each in next_steps(result, shell)
    ]
    if found is not None:
        checks.append(NextCheck("", found.said(language, "next")))
    took = time_to_answer(result, language)
    ours = next((each.segment for each in result.segments if each.outgoing), None)
    remote = f"[{result.address}]" if ":" in (result.address or "") else result.address
    return ConnectionDocument(
        name=target,
        verdict=str(result.verdict),
        mark=UNICODE.check if result.succeeded else UNICODE.cross,
        style="ok" if result.succeeded else "bad",
        summary=f"{str(result.verdict).upper()}, {took or why}",
        answer=tuple(
            _sentence(each.said(language)) for each in (result.reason, known) if each is not None
        ),
        cells=(
            *(str(number), str(result.verdict), target, rtt),
            *("" if result.ttl is None else str(result.ttl), why),
        ),
        facts=tuple(_measured(result, glyphs)),
        diagnosis=found,
        findings=tuple(each.said(language) for each in result.findings),
        checks=tuple(checks),
        client="" if ours is None else str(ours.source),
        server="" if remote is None else printable(f"{remote}:{result.port}"),
        json={"probe": result.as_json(shell)},
        steps=tuple(steps),
        errors=result.errors,
        glyphs=glyphs,
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _measured(result: Result, glyphs: Glyphs) -> Iterator[tuple[str, str]]:
    if (took := time_to_answer(result, glyphs.language)) is not None:
        yield "rtt", took
    if result.ttl is not None:
        yield "ttl", glyphs.translated(f"{result.ttl}, {result.hops} hops")
    yield glyphs.translated("SYNs sent"), str(result.syn_sent)
    if result.close is not None:
        yield "close", str(result.close)
    if result.negotiated is not None and result.negotiated.mss is not None:
        yield "MSS", str(result.negotiated.mss)
