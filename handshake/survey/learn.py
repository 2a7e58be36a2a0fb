"""What flows show of their hosts, for the diagnoses of other connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from handshake.diagnosis.others import ANSWERS, Answer, Stamp
from handshake.diagnosis.seen import Seen
from handshake.packet import packed_frames
from handshake.packet.packed_frames import TIMESTAMPS
from handshake.survey.flow import text_of
from handshake.tracker import learn_connection
from handshake.units import ACK_BIT, RST_BIT, SYN_BIT

if TYPE_CHECKING:
    from collections.abc import Sequence, Set

    from handshake.diagnosis import Others
    from handshake.packet.decode import Decoder
    from handshake.survey.flow import Flow

_OPENING: Final = SYN_BIT | ACK_BIT | RST_BIT
_SYN_ACK: Final = SYN_BIT | ACK_BIT
_MOST_SYNS: Final = 12

_Answered: TypeAlias = tuple[tuple[Any, ...], tuple[Any, ...]]
"""The fields of a SYN's packed frame, and of its answer's."""


def learn(others: Others, flows: Sequence[Flow], decoder: Decoder) -> None:
    """Remember what these flows show, each of its server, and of each connection once.

    Of most flows only the packed frame of the answer is kept for a moment: few are looked at.
    """
    answers: dict[bytes, dict[int, list[_Answered]]] = {}
    failed: set[bytes] = set()
    flows = [flow for flow in flows if flow.learned != flow.last_number]
    for flow in flows:
        flow.learned = flow.last_number
        connection = flow.connection
        if connection is not None:
            learn_connection(others, connection)
            if connection.final_ack is None:
                ends = connection.client.endpoint, connection.server.endpoint
                failed.add(b"".join(each.address.packed for each in ends))
        elif flow.records:
            _packed(others, flow, decoder, answers, failed)
    for ports in answers.values():
        for each in ports.values():
            _answer(others, *each[0])
            _answer(others, *each[-1])
    if failed:
        _learn_stamps(others, flows, failed)
    if refusing := others.refusing:
        _learn_senders(others, flows, refusing)
    if not others.has_unasked:
        return
    # A SYN may be answered from another address: only then is it worth to look at those without
    # an answer.
    for flow in flows:
        if flow.connection is None and flow.records and _is_unanswered(flow):
            others.asked(_first(flow, decoder))


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


def _learn_senders(others: Others, flows: Sequence[Flow], refusing: Set[str]) -> None:
    """Remember the TTL of the SYNs of hosts that refuse: it is that of their own RSTs, too."""
    for flow in flows:
        if flow.connection is not None:
            syn = flow.connection.client.syn
            if syn is not None:
                seen = syn.first
                others.sent(str(seen.segment.source.address), seen.ttl, seen.frame)
        elif flow.records:
            first = flow.layout.fields.unpack_from(flow.records, 0)
            client = _ends(first[6])[0]
            if first[9] & _OPENING == SYN_BIT and client in refusing:
                others.sent(client, first[5], first[1])


def _packed(
    others: Others,
    flow: Flow,
    decoder: Decoder,
    answers: dict[bytes, dict[int, list[_Answered]]],
    failed: set[bytes],
) -> None:
    """Take the first packed frames of a flow into account."""
    layout, records, asked, bits = flow.layout, flow.records, None, 0
    size, unpack = layout.record.size, layout.fields.unpack_from
    for at in range(0, min(len(records), _MOST_SYNS * size), size):
        found = unpack(records, at)
        bits = found[9] & _OPENING
        if bits == SYN_BIT:
            if asked is not None and found[6] != asked[6]:
                return
            asked = found
        elif asked is None:
            if bits == _SYN_ACK:
                others.unasked(_first(flow, decoder))
            return
        elif found[6] == asked[6] or bits == ACK_BIT:
            break
        else:
            ends = asked[6]
            host = answers.setdefault(ends[len(ends) // 2 - 2 : -4], {})
            port = int.from_bytes(ends[-2:], "big")
            if port in host or len(host) < ANSWERS or others.remembers(_ends(ends)[1], port):
                host.setdefault(port, [])[1:] = ((asked, found),)
            if bits == _SYN_ACK and at + size < len(records):
                if unpack(records, at + size)[6] == found[6]:
                    failed.add(ends[:-4])  # the SYN-ACK again
                return
            break
    if asked is not None:
        client, server, port = _ends(asked[6])
        failed.add(asked[6][:-4])
        others.failed(client, server, port, hanging=not bits & RST_BIT)


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


def _first(flow: Flow, decoder: Decoder) -> Seen:
    """Return the first segment of a flow."""
    first = flow.records[: flow.layout.record.size]
    return Seen.of(next(iter(packed_frames.observed(flow.layout, first, decoder))))
