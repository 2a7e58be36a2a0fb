"""What a flow shows of its server, for the diagnoses of other connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.diagnosis.others import Answer
from handshake.tcp.address import ip_address
from handshake.tracker import learn_connection
from handshake.units import ACK_BIT, RST_BIT, SYN_BIT

if TYPE_CHECKING:
    from handshake.diagnosis import Others
    from handshake.survey.flow import Flow

_OPENING: Final = SYN_BIT | ACK_BIT | RST_BIT

_MOST_SYNS: Final = 12


def learn(others: Others, flow: Flow) -> None:
    """Remember the first answer of a flow's server."""
    if flow.connection is not None:
        learn_connection(others, flow.connection)
        return
    layout, records, asked = flow.layout, flow.records, None
    for at in range(0, min(len(records), _MOST_SYNS * layout.record.size), layout.record.size):
        found = layout.fields.unpack_from(records, at)
        bits = found[9] & _OPENING
        if bits == SYN_BIT:
            asked = found
        elif asked is None or found[6] == asked[6] or bits == ACK_BIT:
            return
        else:
            half = len(found[6]) // 2 - 2
            port = int.from_bytes(found[6][-4:-2], "big")
            took = found[0] - asked[0]
            answer = Answer(found[1], found[0], found[5], port, bool(bits & RST_BIT), took)
            others.answered(str(ip_address(bytes(found[6][:half]))), answer)
            return
