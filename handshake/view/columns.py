"""What a row of a list of connections says, column by column."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from handshake.query.problems import is_problem, is_wrong
from handshake.record import nanoseconds
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from handshake.record import Record
    from handshake.view.glyphs import Glyphs

_OUTCOMES: Final = {"established": "open", "no-answer": "no answer"}

_STYLES: Final = {"refused": "bad", "no-answer": "bad", "unreachable": "bad", "mid-stream": "dim"}

_DIDNT_OPEN: Final = ("refused", "no-answer", "unreachable")


def mark(record: Record, glyphs: Glyphs) -> str:
    """Return the sign that says at a glance whether all went well."""
    if record.outcome in _DIDNT_OPEN:
        return glyphs.cross
    if record.outcome == "mid-stream":
        return glyphs.dot
    return "!" if is_problem(record) else glyphs.check


def style(record: Record) -> str:
    """Return the role that the outcome is drawn in."""
    if record.outcome in _STYLES:
        return _STYLES[record.outcome]
    return "warn" if is_problem(record) else "ok"


def outcome(record: Record) -> str:
    """Return what became of the opening, in a word or two."""
    if record.outcome == "established" and record.handshake.simultaneous:
        return "sim. open"
    return _OUTCOMES.get(record.outcome, record.outcome)


def rtt(record: Record) -> str:
    """Return the handshake's round-trip time in milliseconds; nothing where there is none."""
    seconds = record.handshake.rtt
    if seconds is None:
        return ""
    return milliseconds(seconds)


def milliseconds(seconds: float) -> str:
    """Return seconds as milliseconds, with as many decimals as five digits leave room for."""
    value = seconds * 1000
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def retries(record: Record) -> str:
    """Return how often SYN and SYN-ACK were sent again: `S2`, `SA1`."""
    opening = record.handshake
    syn, syn_ack = opening.syn_retransmissions, opening.syn_ack_retransmissions
    return " ".join(f"{sign}{count}" for sign, count in (("S", syn), ("SA", syn_ack)) if count)


def resent(record: Record) -> str:
    """Return how many segments were sent again after the opening."""
    opening = record.handshake
    again = record.client.retransmissions + record.server.retransmissions
    data = again - opening.syn_retransmissions - opening.syn_ack_retransmissions
    return str(data) if data > 0 else ""


def packets(record: Record) -> str:
    """Return how many segments there were."""
    return str(record.client.segments + record.server.segments)


def octets(record: Record) -> str:
    """Return how many octets both ends sent."""
    return str(record.client.bytes + record.server.bytes)


def closed(record: Record) -> str:
    """Return how it ended; nothing where it did not."""
    return record.closed or ""


def findings(record: Record) -> str:
    """Return the codes of what an expert would point at; what is wrong first."""
    found = sorted(record.findings, key=lambda each: not is_wrong(each))
    return ", ".join(dict.fromkeys(each.code for each in found))


def capture(record: Record) -> str:
    """Return the file's name without the way to it."""
    return file_name(record.capture)


def file_name(path: str | None) -> str:
    """Return the last part of a path."""
    return PurePath(path or "").name


def began(record: Record, origin: int) -> str:
    """Return the seconds from `origin` to its first segment."""
    seconds = (nanoseconds(record.start) - origin) / NS_PER_SECOND
    return f"{seconds:.3f}" if seconds < 10_000 else f"{seconds:.0f}"


def shorten(text: str, width: int, ellipsis: str) -> str:
    """Return an endpoint in at most `width` columns: its port and both ends of its address."""
    if len(text) <= width:
        return text
    address, colon, port = text.rpartition(":")
    room = width - len(colon + port) - len(ellipsis)
    if room < 4:
        return text[: max(0, width - len(ellipsis))] + ellipsis
    tail = room // 2
    return f"{address[: room - tail]}{ellipsis}{address[-tail:]}{colon}{port}"
