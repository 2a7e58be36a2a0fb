"""What flows show of their hosts, for the diagnoses of other connections."""

from __future__ import annotations

from collections import deque
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from handshake.diagnosis.others import ANSWERS, Answer, Stamp
from handshake.diagnosis.seen import Seen
from handshake.packet import packed_frames
from handshake.packet.packed_frames import TIMESTAMPS, V4
from handshake.survey.group.flow import text_of
from handshake.tracker import learn_connection
from handshake.units import ACK_BIT, RST_BIT, SYN_BIT

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence, Set

    from handshake.diagnosis import Others
    from handshake.packet.decode import Decoder
    from handshake.packet.packed_frames import FrameLayout
    from handshake.survey.group.flow import Flow
    from handshake.survey.group.waiting import AttemptRows

_OPENING: Final = SYN_BIT | ACK_BIT | RST_BIT
_SYN_ACK: Final = SYN_BIT | ACK_BIT
_MOST_SYNS: Final = 12

_Answered: TypeAlias = tuple[tuple[Any, ...], tuple[Any, ...]]
"""The fields of a SYN's packed frame, and of its answer's."""

_Answers: TypeAlias = dict[bytes, dict[int, list[_Answered]]]
"""The first and the last answer by host and port."""


def learn(
    others: Others,
    flows: Sequence[Flow],
    decoder: Decoder,
    attempts: Collection[AttemptRows] = (),
) -> None:
    """Remember what flows and attempts show, each of its server, and of each connection once.

    Of most flows only the packed frame of the answer is kept for a moment: few are looked at.
    """
    answers: _Answers = {}
    failed: set[bytes] = set()
    flows = [flow for flow in flows if flow.learned != flow.last_number]
    waiting = deque(sorted(_answered(others, attempts), key=itemgetter(0)))
    for flow in flows:
        while waiting and waiting[0][0] < flow.number:
            _remember(others, answers, waiting.popleft()[1])
        flow.learned = flow.last_number
        connection = flow.connection
        if connection is not None:
            learn_connection(others, connection)
            if connection.final_ack is None:
                ends = connection.client.endpoint, connection.server.endpoint
                failed.add(b"".join(each.address.packed for each in ends))
        elif flow.records:
            found = _packed(others, flow, decoder, failed)
            if found is not None:
                _remember(others, answers, found)
    for _, each in waiting:
        _remember(others, answers, each)
    for ports in answers.values():
        for pair in ports.values():
            _answer(others, *pair[0])
            _answer(others, *pair[-1])
    if flows:
        failed.update(*(rows.pairs for rows in attempts))
    if failed:
        _learn_stamps(others, flows, failed)
    if refusing := others.refusing:
        _learn_senders(others, flows, attempts, refusing)
    if not others.has_unasked:
        return
    # A SYN may be answered from another address: only then is it worth to look at those without
    # an answer.
    asked = [
        (flow.number, flow.layout, bytes(flow.records[: flow.layout.record.size]))
        for flow in flows
        if flow.connection is None and flow.records and _is_unanswered(flow)
    ]
    for rows in attempts:
        asked += ((int(rows.numbers[at]), V4, rows.records(at)) for at in rows.unanswered)
    if attempts:
        asked.sort(key=itemgetter(0))
    for _, layout, records in asked:
        others.asked(_first(layout, records, decoder))


def _answered(others: Others, attempts: Collection[AttemptRows]) -> Iterator[tuple[int, _Answered]]:
    """Count attempts that failed; yield answers to be remembered, with the attempt's number."""
    size, unpack = V4.record.size, V4.fields.unpack_from
    for rows in attempts:
        from handshake.survey.across.learn_columns import learn_attempts

        for at in learn_attempts(others, rows):
            records = rows.records(at)
            yield int(rows.numbers[at]), (unpack(records), unpack(records, size))


def _remember(others: Others, answers: _Answers, answered: _Answered) -> None:
    """Keep the first and the last answer of some ports of each host."""
    ends = answered[0][6]
    host = answers.setdefault(ends[len(ends) // 2 - 2 : -4], {})
    port = int.from_bytes(ends[-2:], "big")
    if port in host or len(host) < ANSWERS or others.remembers(_ends(ends)[1], port):
        host.setdefault(port, [])[1:] = (answered,)


def _learn_stamps(others: Others, flows: Sequence[Flow], failed: set[bytes]) -> None:
    """Remember the timestamps that a host accepted of a client which failed with it once."""
    for flow in flows:
        if flow.keys[0][:-4] not in failed or flow.connection is not None or not flow.records:
            continue
        size, unpack = flow.layout.record.size, flow.layout.fields.unpack_from
        for at in range(0, min(len(flow.records) - size, _MOST_SYNS * size), size):
            answer = unpack(flow.records, at)
            if answer[9] & _OPENING == _SYN_ACK:
                _stamp(others, answer, unpack(flow.records, at + size))
                break


def _learn_senders(
    others: Others, flows: Sequence[Flow], attempts: Collection[AttemptRows], refusing: Set[str]
) -> None:
    """Remember the TTL of the SYNs of hosts that refuse: it is that of their own RSTs, too."""
    sent: list[tuple[int, str, int | None, int | None]] = []
    for flow in flows:
        if flow.connection is not None:
            syn = flow.connection.client.syn
            if syn is not None:
                seen = syn.first
                sent.append((flow.number, str(seen.segment.source.address), seen.ttl, seen.frame))
        elif flow.records:
            first = flow.layout.fields.unpack_from(flow.records, 0)
            client = _ends(first[6])[0]
            if first[9] & _OPENING == SYN_BIT and client in refusing:
                sent.append((flow.number, client, first[5], first[1]))
    for rows in attempts:
        from handshake.survey.across.learn_columns import senders

        sent += senders(rows, refusing)
    if attempts:
        sent.sort(key=itemgetter(0))
    for _, client, ttl, frame in sent:
        others.sent(client, ttl, frame)


def _packed(others: Others, flow: Flow, decoder: Decoder, failed: set[bytes]) -> _Answered | None:
    """Take the first packed frames of a flow into account; return its SYN and an answer."""
    layout, records, asked, bits = flow.layout, flow.records, None, 0
    answer: _Answered | None = None
    size, unpack = layout.record.size, layout.fields.unpack_from
    for at in range(0, min(len(records), _MOST_SYNS * size), size):
        found = unpack(records, at)
        bits = found[9] & _OPENING
        if bits == SYN_BIT:
            if asked is not None and found[6] != asked[6]:
                return None
            asked = found
        elif asked is None:
            if bits == _SYN_ACK:
                others.unasked(_first(layout, records, decoder))
            return None
        elif found[6] == asked[6] or bits == ACK_BIT:
            break
        else:
            answer = asked, found
            if bits == _SYN_ACK and at + size < len(records):
                if unpack(records, at + size)[6] == found[6]:
                    failed.add(asked[6][:-4])  # the SYN-ACK again
                return answer
            break
    if asked is not None:
        client, server, port = _ends(asked[6])
        failed.add(asked[6][:-4])
        others.failed(client, server, port, hanging=not bits & RST_BIT)
    return answer


def _ends(key: bytes) -> tuple[str, str, int]:
    half = len(key) // 2 - 2
    return text_of(key[:half]), text_of(key[half:-4]), int.from_bytes(key[-2:], "big")


def _answer(others: Others, asked: tuple[Any, ...], found: tuple[Any, ...]) -> None:
    _, server, port = _ends(asked[6])
    refused = bool(found[9] & RST_BIT)
    answer = Answer(found[1], found[0], found[5], port, refused, found[0] - asked[0])
    others.answered(server, answer)


def _stamp(others: Others, answer: tuple[Any, ...], final: tuple[Any, ...]) -> None:
    if final[6] == answer[6] or final[9] & SYN_BIT:
        return
    client, server, _ = _ends(final[6])
    if final[9] & ACK_BIT:
        others.reaches(client, server, final[1])
    if final[11] == TIMESTAMPS:
        others.accepted(client, server, Stamp(final[1], final[0], final[12]))


def _is_unanswered(flow: Flow) -> bool:
    """Whether it has only SYNs of one end."""
    fields = list(
        flow.layout.fields.iter_unpack(flow.records[: _MOST_SYNS * flow.layout.record.size])
    )
    return all(each[9] & _OPENING == SYN_BIT and each[6] == fields[0][6] for each in fields)


def _first(layout: FrameLayout, records: bytes | bytearray, decoder: Decoder) -> Seen:
    """Return the first segment of a flow."""
    first = records[: layout.record.size]
    return Seen.of(next(iter(packed_frames.observed(layout, first, decoder))))
