"""The columns of a list of connections: the text of each."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from handshake.escape import printable
from handshake.query.problems import is_problem, is_wrong, reasons, resent

if TYPE_CHECKING:
    from handshake.record import Record
    from handshake.view.glyphs import Glyphs

_STYLES: Final = {"refused": "bad", "no-answer": "bad", "unreachable": "bad", "mid-stream": "dim"}

_NOT_OPENED: Final = ("refused", "no-answer", "unreachable")


def mark(record: Record, glyphs: Glyphs) -> str:
    """Return the sign for the outcome: opened, opened with problems, or not opened."""
    if record.outcome in _NOT_OPENED:
        return glyphs.cross
    if record.outcome == "mid-stream":
        return glyphs.dot
    return "!" if is_problem(record) else glyphs.check


def style(record: Record) -> str:
    """Return the style of the outcome."""
    if record.outcome in _STYLES:
        return _STYLES[record.outcome]
    return "warn" if is_problem(record) else "ok"


def rtt(record: Record) -> str:
    """Return the handshake's round-trip time, as a filter takes it: `28.4ms`; or nothing."""
    seconds = record.handshake.rtt
    return "" if seconds is None else f"{milliseconds(seconds)}ms"


def milliseconds(seconds: float) -> str:
    """Return seconds as milliseconds, in about five digits."""
    value = seconds * 1000
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def retries(record: Record) -> str:
    """Return the retransmissions of SYN and SYN-ACK: `S2`, `SA1`."""
    handshake = record.handshake
    syn, syn_ack = handshake.syn_retransmissions, handshake.syn_ack_retransmissions
    return " ".join(f"{sign}{count}" for sign, count in (("S", syn), ("SA", syn_ack)) if count)


def retransmissions(record: Record) -> str:
    """Return the retransmissions after the handshake."""
    return str(resent(record) or "")


def packets(record: Record) -> str:
    """Return the number of segments."""
    return str(record.client.segments + record.server.segments)


def octets(record: Record) -> str:
    """Return the octets of payload from both ends."""
    return str(record.client.bytes + record.server.bytes)


def closed(record: Record) -> str:
    """Return how it was closed; nothing if it was not."""
    return record.closed or ""


def findings(record: Record) -> str:
    """Return the codes of the findings, problems first."""
    found = sorted(record.findings, key=lambda each: not is_wrong(each))
    return ", ".join(dict.fromkeys(each.code for each in found))


def diagnosis(record: Record) -> str:
    """Return the code of the diagnosis; nothing if it went well."""
    return "" if record.diagnosis is None else record.diagnosis.code


def why(record: Record) -> str:
    """Return what went wrong, the most important first."""
    return ", ".join(reasons(record)) or retries(record)


def why_or_outcome(record: Record) -> str:
    """Return what went wrong, where the outcome has no column of its own."""
    return why(record) or ("" if record.outcome == "established" else record.outcome)


def capture(record: Record) -> str:
    """Return the capture's file name without its directory."""
    return file_name(record.capture)


def file_name(path: str | None) -> str:
    """Return the last part of a path, printable."""
    return printable(PurePath(path or "").name)


def time(record: Record) -> str:
    """Return the seconds from the first packet of the capture: `6.000s`; nothing if unknown."""
    return "" if record.time is None else seconds(record.time)


def seconds(value: float) -> str:
    """Return seconds with their unit, as a filter takes them: `6.000s`, `86400s`."""
    return f"{value:.3f}s" if value < 10_000 else f"{value:.0f}s"


def shorten(text: str, width: int, ellipsis: str) -> str:
    """Return an endpoint in at most `width` columns: its port, start and end of its address."""
    if len(text) <= width:
        return text
    address, colon, port = text.rpartition(":")
    room = width - len(colon + port) - len(ellipsis)
    if 0 < room < 4:
        # The port and the end tell more of it than its beginning.
        return f"{ellipsis}{address[-room:]}{colon}{port}"
    if room < 4:
        return text[: max(0, width - len(ellipsis))] + ellipsis
    tail = room // 2
    return f"{address[: room - tail]}{ellipsis}{address[-tail:]}{colon}{port}"
