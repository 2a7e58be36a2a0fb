"""Conversations with the time, the TTL, the window and the options of each segment beside it.

    "0.5 A <SEQ=100><CTL=SYN> ttl=64 win=0 opts=mss1460,ws7 bad"

A checksum is `good`, `bad` (0, as offload may leave it) or `wrong`.

A line without a time comes 10 ms after the one before. A SYN without `opts` offers what a plain
modern host does, so that it gives nothing to point at.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from handshake.tcp import Flags, Observed, Options
from handshake.tcp import options as opt
from handshake.tracker import Tracker, summarize
from tests.schema import valid
from tests.segments import A, B, segment

if TYPE_CHECKING:
    from handshake.record import Finding, Record

MODERN: Final = "mss1460,sack,ws7"

_ECN: Final = {"ae": Flags.AE, "cwr": Flags.CWR, "ece": Flags.ECE}


def _option(word: str) -> bytes:
    name, number = word.rstrip("0123456789/-"), word.lstrip("abcdefghijklmnopqrstuvwxyz")
    match name:
        case "mss":
            return opt.mss(int(number))
        case "ws":
            return opt.window_scale(int(number))
        case "sack":
            return opt.sack_permitted()
        case "ts":
            value, _, echo = number.partition("/")
            return opt.timestamps(int(value), int(echo or 0))
        case "nops":
            return opt.nop() * int(number)
        case "mptcp":
            return bytes.fromhex("1e040181")
        case "tfo":
            return bytes((34, 2 + int(number))) + bytes(int(number))
    raise ValueError(word)


def observed(line: str, at: int, frame: int) -> Observed:
    """Return the segment of such a line as observed."""
    words = line.split()
    if words[0][0].isdigit():
        at = round(float(words.pop(0)) * 1e9)
    by, text, *rest = words
    output = dict(word.partition("=")[::2] for word in rest)
    seg = segment(text, by=A if by == "A" else B, window=int(output.get("win", 65535)))
    wanted = output.get("opts", MODERN if seg.syn else "")
    options = Options.of(*(_option(word) for word in wanted.split(",") if word))
    flags = seg.flags
    for each in filter(None, output.get("ecn", "").split(",")):
        flags |= _ECN[each]
    problems = (output["problem"].replace("_", " "),) if "problem" in output else ()
    ttl = int(output.get("ttl", 64 if by == "A" else 52))
    packet = b"\x45\x00\x00\x28" + int(output["id"]).to_bytes(2, "big") if "id" in output else b""
    ok = False if {"bad", "wrong"} & output.keys() else True if "good" in output else None
    seg = replace(seg, checksum=0x1234 if "wrong" in output else 0)
    return Observed(
        replace(seg, options=options, flags=flags, problems=problems),
        at,
        frame=frame,
        ttl=ttl,
        packet=packet,
        checksum_ok=ok,
    )


def tracked(*lines: str, tracker: Tracker | None = None) -> Tracker:
    """Return the tracker after these segments."""
    tracker = tracker or Tracker()
    at = -10_000_000
    for number, line in enumerate(lines, start=1):
        seen = observed(line, at + 10_000_000, number)
        at = seen.at
        tracker.feed(seen)
    return tracker


def records(*lines: str) -> list[Record]:
    """Return the record of each connection; as JSON it matches the schema."""
    found = [summarize(each) for each in tracked(*lines).connections]
    for record in found:
        valid(record.as_json(), "record")
    return found


def findings(*lines: str) -> list[str]:
    """Return what there is to point at, as `code@frame`, in the last connection."""
    return [f"{each.code}@{each.frame}" for each in records(*lines)[-1].findings]


def finding(code: str, *lines: str) -> Finding:
    """Return the one finding with this code in the last connection."""
    (found,) = (each for each in records(*lines)[-1].findings if each.code == code)
    return found
