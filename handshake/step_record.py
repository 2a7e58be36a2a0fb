"""The JSON form of a step: the segment, both control blocks before and after it, its events."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from handshake.record import endpoint_record, rfc3339
from handshake.tcp.option_text import option_text
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from handshake.events import Change, Event, Step
    from handshake.record import Json
    from handshake.tcp import ControlBlock, Offer, Option, Segment, Seq


def option_record(option: Option) -> Json:
    """Return one option as JSON, as it was found."""
    found: Json = {
        "kind": option.kind,
        "name": option.name,
        "data": option.data.hex(),
        "text": option_text(option),
    }
    if option.problem is not None:
        found["problem"] = option.problem
    return found


def segment_record(seg: Segment) -> Json:
    """Return every header field and option as JSON."""
    stamps = seg.options.timestamps
    return {
        "source": endpoint_record(seg.source),
        "destination": endpoint_record(seg.destination),
        "seq": int(seg.seq),
        "ack": None if seg.ack is None else int(seg.ack),
        "data_offset": seg.data_offset,
        "reserved": seg.reserved,
        "flags": list(seg.flags.names),
        "window": seg.window,
        "checksum": seg.checksum,
        "urgent": seg.urgent,
        "length": seg.payload_length,
        "mss": seg.options.mss,
        "window_scale": seg.options.window_scale,
        "sack_permitted": seg.options.sack_permitted or (None if seg.cut else False),
        "timestamps": None if stamps is None else {"value": stamps.value, "echo": stamps.echo},
        "sack": [[int(first), int(end)] for first, end in seg.options.sack],
        "fast_open": _hex(seg.options.fast_open),
        "options": [option_record(option) for option in seg.options],
        "problems": list(seg.problems),
    }


def block_record(block: ControlBlock | None) -> Json | None:
    """Return a control block as JSON; None where nothing is known of that end."""
    if block is None:
        return None
    snd, rcv = block.snd, block.rcv
    return {
        "state": str(block.state),
        "local": endpoint_record(block.local),
        "remote": endpoint_record(block.remote),
        "passive": block.passive,
        "snd": {
            "iss": _number(snd.iss),
            "una": _number(snd.una),
            "nxt": _number(snd.nxt),
            "wnd": snd.wnd,
            "wl1": _number(snd.wl1),
            "wl2": _number(snd.wl2),
        },
        "rcv": {
            "irs": _number(rcv.irs),
            "nxt": _number(rcv.nxt),
            "wnd": rcv.wnd,
            "held": [[int(first), int(end)] for first, end in rcv.held],
            "fin": _number(rcv.fin),
        },
        "fin": _number(block.fin),
        "offered": _offer(block.offered),
        "peer_offered": _offer(block.peer_offered),
        "in_force": {
            "mss": block.mss,
            "snd_shift": block.snd_shift,
            "rcv_shift": block.rcv_shift,
            "sack": block.sack,
            "timestamps": block.timestamps,
            "ecn": block.ecn,
            "accecn": block.accecn,
        },
        "ts_recent": block.ts_recent,
        "last_ack_sent": _number(block.last_ack_sent),
        "inferred": block.inferred,
    }


def _number(seq: Seq | None) -> int | None:
    return None if seq is None else int(seq)


def _offer(offer: Offer | None) -> Json | None:
    if offer is None:
        return None
    return {**asdict(offer), "fast_open": _hex(offer.fast_open)}


def _hex(octets: bytes | None) -> str | None:
    return None if octets is None else octets.hex()


def change_record(change: Change) -> Json:
    """Return what a segment changed at one end, as JSON."""
    return {
        "before": block_record(change.before),
        "after": block_record(change.after),
        "changed": list(change.changed),
    }


def event_record(event: Event) -> Json:
    """Return an event as JSON."""
    return {"code": event.code, "section": event.section, "text": event.text}


def step_record(step: Step) -> Json:
    """Return one step as JSON: what `replay --json` prints a line of."""
    observed = step.observed
    return {
        "stream": step.stream,
        "index": step.index,
        "frame": observed.frame,
        "time": rfc3339(observed.at),
        "since_start": step.since_start / NS_PER_SECOND,
        "by": str(step.by),
        "ttl": observed.ttl,
        "checksum_ok": observed.checksum_ok,
        "segment": segment_record(step.segment),
        "sender": change_record(step.sender),
        "receiver": change_record(step.receiver),
        "events": [event_record(event) for event in step.events],
        "why": step.why,
        "section": step.section,
        "inferred": step.inferred,
        "fate": None if step.fate is None else str(step.fate),
    }
