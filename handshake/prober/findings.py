"""Hints: what an expert would point at in what came back, none of it more than a sign."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.endpoint.verdict import Note
from handshake.tcp import Offer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from handshake.packet.checksum import Address
    from handshake.record import Finding
    from handshake.tcp import Observed

REFUSED: Final = "refused-by-firewall"
"""The code of the note that a RST was not the target's."""

_OF_THE_TRACKER: Final = frozenset(
    {
        "ecn-fallback",
        "ecn-reflected",
        "ecn-refused",
        "malformed",
        "middlebox",
        "mptcp-refused",
        "options-blanked",
        "reserved-bits",
        "reset-by-other-ttl",
        "shift-above-14",
        "split-handshake",
        "syn-ack-isns",
        "syn-cookies",
        "syn-data-rejected",
        "timestamps-echo",
        "timestamps-missing",
        "ttl-varies",
    }
)
"""What the tracker finds in a capture that means the same to who made the call himself."""


def hints(
    segments: Sequence[Observed], path_mss: int, findings: Sequence[Finding]
) -> Iterator[Note]:
    """Yield what stands out in a call's segments.

    `path_mss` is what a segment may carry on our side of the path, and `findings` are those of
    a tracker that has heard the same.
    """
    for each in findings:
        if each.code in _OF_THE_TRACKER:
            yield Note(each.code, each.text)
    syn = next((each for each in segments if each.outgoing and each.segment.syn), None)
    answer = next(
        (e for e in segments if not e.outgoing and e.segment.syn and e.segment.ack is not None),
        None,
    )
    if syn is None or answer is None:
        return
    yield from _options(Offer.of(syn.segment), Offer.of(answer.segment))
    yield from _mss(Offer.of(answer.segment), path_mss, answer.segment.source.version)
    yield from _proxy(answer, [each for each in segments if not each.outgoing])


def too_near(answer: str, ttl: int, address: Address, gateway: Address) -> Note:
    """Return the note that an answer passed no router, although the target is behind one.

    `answer` is what answered our SYN, in a word.
    """
    behind = (
        f"it passed no router, and {address} lies behind {gateway}, from where {ttl - 1} at most "
        f"arrives."
    )
    if answer == "RST":
        return Note(
            REFUSED,
            f"The RST's TTL ({ttl}) is not the target's: {behind} A firewall on the way answered "
            f"in its name, unless the host has a shorter way back.",
        )
    return Note(
        "answered-on-the-way",
        f"The {answer}'s TTL ({ttl}) is not the target's: {behind} Something on the way answered "
        f"in its name, such as a SYN proxy or a box that takes calls over, unless {address} is an "
        f"address of {gateway} itself, or the host has a shorter way back.",
    )


def kept_out() -> Note:
    """Return the note that the answer was on the wire, and never got to TCP."""
    return Note(
        "own-firewall",
        "The answer came to this machine, but no further than its own firewall, which drops what "
        "comes in, or its reverse path filter. What is told here is what passed on the wire: any "
        "other program of this machine may get no answer.",
    )


def _options(ours: Offer, theirs: Offer) -> Iterator[Note]:
    offered = [
        (name, accepted)
        for name, offers, accepted in (
            ("SACK", ours.sack_permitted, theirs.sack_permitted),
            ("timestamps", ours.timestamps, theirs.timestamps),
            ("window scaling", ours.window_scale is not None, theirs.window_scale is not None),
        )
        if offers
    ]
    missing = [name for name, accepted in offered if not accepted]
    if not missing:
        return
    if len(offered) > 1 and len(missing) == len(offered):
        yield Note(
            "options-stripped",
            f"Nothing that our SYN offered ({_and(missing)}) is in the SYN+ACK: a box on the way "
            f"took the options away from one or the other, or the server is old or simple, or "
            f"under attack: SYN cookies without timestamps keep none of them.",
        )
    else:
        yield Note(
            "options-refused",
            f"Our SYN offered {_and(missing)}, and the SYN+ACK does not: the server does not use "
            f"{'it' if len(missing) == 1 else 'them'}, or a box on the way took that away.",
        )


def _mss(theirs: Offer, path_mss: int, version: int) -> Iterator[Note]:
    if theirs.mss is None:
        yield Note(
            "no-mss",
            f"The SYN+ACK names no MSS, so that no segment to it may carry more than "
            f"{536 if version == 4 else 1220} octets (section 3.7.1): a box on the way took the "
            f"option away, or the server is a very simple one.",
        )
    elif theirs.mss < path_mss:
        yield Note(
            "mss-low",
            f"The SYN+ACK's MSS is {theirs.mss}, {path_mss - theirs.mss} less than our side of the "
            f"path carries ({path_mss}): a tunnel or a small link on the way whose router clamps "
            f"it, or the server's own link carries no more.",
        )


def _proxy(answer: Observed, heard: Sequence[Observed]) -> Iterator[Note]:
    """Yield a note where a SYN proxy seems to have answered: it has no room until a server has."""
    if answer.segment.window:
        return
    later = [each for each in heard if not each.segment.syn and not each.segment.rst]
    what = "and room came only later"
    if not any(each.segment.window for each in later):
        what = "and none came later, so that the server behind it may not be there"
    ttls = sorted({each.ttl for each in later if each.ttl is not None} - {answer.ttl})
    elsewhere = f" with TTL {answer.ttl}, and what followed with {_and(ttls)}" if ttls else ""
    yield Note(
        "syn-proxy",
        f"The SYN+ACK gave us no room (window 0){elsewhere}, {what}: a SYN proxy answers so, which "
        f"completes the handshake before it calls the server.",
    )


def _and(words: Sequence[object]) -> str:
    *most, last = map(str, words)
    return f"{', '.join(most)} and {last}" if most else last
