"""What flows show of their hosts, for the diagnoses of other connections."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from handshake.diagnosis.others import Answer, Stamp
from handshake.diagnosis.seen import Seen
from handshake.packet import packed_frames
from handshake.tcp.address import ip_address
from handshake.tracker import learn_connection
from handshake.units import ACK_BIT, RST_BIT, SYN_BIT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handshake.diagnosis import Others
    from handshake.packet.decode import Decoder
    from handshake.survey.flow import Flow

_OPENING: Final = SYN_BIT | ACK_BIT | RST_BIT
_SYN_ACK: Final = SYN_BIT | ACK_BIT
_TIMESTAMPS: Final = 0x0101080A
_MOST_SYNS: Final = 12

_text = lru_cache(65536)(lambda packed: str(ip_address(packed)))


def learn(others: Others, flows: Sequence[Flow], decoder: Decoder) -> None:
    """Remember what these flows show, each of its server."""
    for flow in flows:
        if flow.connection is not None:
            learn_connection(others, flow.connection)
        elif flow.records:
            _packed(others, flow, decoder)
    if not others.has_unasked:
        return
    # A SYN may be answered from another address: only then is it worth to look at those without
    # an answer.
    for flow in flows:
        if flow.connection is None and flow.records and _is_unanswered(flow):
            others.asked(_first(flow, decoder))


def _packed(others: Others, flow: Flow, decoder: Decoder) -> None:
    """Remember what the first packed frames of a flow show."""
    layout, records, asked = flow.layout, flow.records, None
    size = layout.record.size
    for at in range(0, min(len(records), _MOST_SYNS * size), size):
        found = layout.fields.unpack_from(records, at)
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
            _answer(others, asked, found)
            if bits == _SYN_ACK and at + size < len(records):
                _stamp(others, found, layout.fields.unpack_from(records, at + size))
                return
            break
    if asked is not None:
        client, server, port = _ends(asked[6])
        others.failed(client, server, port, hanging=not bits & RST_BIT)


def _ends(key: bytes) -> tuple[str, str, int]:
    half = len(key) // 2 - 2
    return _text(key[:half]), _text(key[half:-4]), int.from_bytes(key[-2:], "big")


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
    if final[11] == _TIMESTAMPS:
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
