"""What attempts show of their hosts, for the diagnoses of other connections, in columns."""

from __future__ import annotations

from socket import inet_aton
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from handshake.diagnosis.others import ANSWERS, HOSTS, PORTS
from handshake.packet.packed_frames import HEAD, V4
from handshake.survey.group.tally import tally, text
from handshake.units import RST_BIT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Set

    from handshake.capture.columns import Column
    from handshake.diagnosis import Others
    from handshake.survey.group.waiting import AttemptRows

_TTL: Final = HEAD + V4.ip + 8
_BITS: Final = HEAD + V4.tcp + 13


def learn_attempts(others: Others, rows: AttemptRows) -> Iterator[int]:
    """Remember which attempts failed; yield those whose answers may be worth remembering."""
    client, server, port = rows.ends
    every, answered = np.arange(len(rows)), rows.counts > 1
    reset = rows.rows[rows.starts + rows.counts - 1, _BITS] & RST_BIT != 0
    _failed(others.add_tried, every, (client, server, port), (text, text, int))
    _failed(others.add_swept, every, (client, port, server), (text, int, text))
    _failed(others.add_hanging, every[~reset], (server, port, client), (text, int, text))
    yield from _answers(others, every[answered], server, port)


def _failed(
    add: Callable[[tuple[Any, Any], int, list[Any]], None],
    which: Column,
    columns: tuple[Column, Column, Column],
    said: tuple[Callable[[int], Any], ...],
) -> None:
    """Add rows to a table: two columns are its key, the third has the names that are counted."""
    if not len(which):
        return
    one, two, names = (each[which] for each in columns)
    found = tally(one << 32 | two)
    # Of more, the first ones would be forgotten at once.
    begin = max(0, len(found.firsts) - HOSTS)
    firsts, counts = found.firsts[begin:], found.counts[begin:].tolist()
    own = zip(*(each[firsts].tolist() for each in (one, two, names)), counts, strict=True)
    for at, (left, right, name, count) in enumerate(own, begin):
        # Most groups are one row.
        several = [name] if count == 1 else found.different(at, names, PORTS)
        add((said[0](left), said[1](right)), count, [said[2](each) for each in several])


def _answers(others: Others, rows: Column, server: Column, port: Column) -> Iterator[int]:
    if not len(rows):
        return
    hosts = tally(server[rows])
    for at in range(max(0, len(hosts.firsts) - HOSTS), len(hosts.firsts)):
        mine = rows[hosts.rows(at)]
        ports = tally(port[mine])
        known = others.host(text(server[mine[0]]))
        again = set() if known is None else known.ports.keys()
        for place, each in enumerate(port[mine[ports.firsts]].tolist()):
            if place < ANSWERS or each in again:
                its = ports.rows(place)
                yield int(mine[its[0]])
                if len(its) > 1:
                    yield int(mine[its[-1]])


def senders(rows: AttemptRows, wanted: Set[str]) -> Iterator[tuple[int, str, int, int]]:
    """Yield number, client, TTL and frame of the first SYN with each TTL of these clients."""
    known = [int.from_bytes(inet_aton(each), "big") for each in wanted if ":" not in each]
    client = rows.ends[0]
    mine = np.flatnonzero(np.isin(client, known))
    if not len(mine):
        return
    ttl = rows.rows[rows.starts[mine], _TTL]
    for at in mine[tally(client[mine] << 8 | ttl).firsts].tolist():
        fields = V4.fields.unpack_from(rows.records(at))
        yield int(rows.numbers[at]), text(client[at]), fields[5], fields[1]
