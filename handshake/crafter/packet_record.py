"""The JSON form of a packet: what `craft --json` and `decode --json` print."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.step_record import segment_record

if TYPE_CHECKING:
    from handshake.crafter.decoded import Decoded
    from handshake.packet.ip_header import IpHeader
    from handshake.record import Json


def packet_record(found: Decoded) -> Json:
    """Return a packet that was taken apart as one JSON object."""
    return {
        "beginning": found.beginning,
        "via": list(found.via),
        "ip_at": None if found.ip is None else found.ip_at,
        "tcp_at": found.at,
        "length": len(found.octets),
        "octets": found.octets.hex(),
        "ip": None if found.ip is None else _ip_record(found.ip),
        "segment": segment_record(found.segment),
        "payload": found.segment.payload.hex(),
        "checksum": found.checksum.value,
        "right_checksum": found.right_checksum,
        "problems": [
            {
                "code": each.code,
                "octet": each.at,
                "field": each.field,
                "wrong": each.wrong,
                "text": each.text,
            }
            for each in found.problems
        ],
        "command": found.command,
        "scapy": found.scapy_code,
    }


def _ip_record(above: IpHeader) -> Json:
    found: Json = {
        "version": above.version,
        "source": str(above.source),
        "destination": str(above.destination),
        "ttl": above.ttl,
        "tos": above.tos,
        "protocol": above.protocol,
        "length": above.length,
        "extensions": above.extensions.hex(),
    }
    if above.version == 6:
        return found | {"label": above.label}
    return found | {
        "words": above.words,
        "identification": above.identification,
        "flags": above.flags,
        "fragment": above.fragment,
        "checksum": above.checksum,
        "options": above.options.hex(),
    }
