"""What an expert would point at in the answer to a probe; none of it is more than a sign."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from handshake.endpoint.outcome import note
from handshake.tcp import Offer
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from handshake.packet.checksum import Address
    from handshake.record import Finding
    from handshake.tcp import Observed

REFUSED: Final = "refused-by-firewall"
"""The code of the note that a RST was not the target's."""

LEAST_MSS: Final = {4: 68 - 40, 6: 1280 - 60}
"""What a segment may carry where the MTU is the least that IP allows (RFC 791, RFC 8200)."""

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
        "syn-ack-isns",
        "syn-cookies",
        "syn-data-rejected",
        "timestamps-echo",
        "timestamps-missing",
        "ttl-varies",
    }
)
"""Codes of the tracker's findings that mean the same to the end that made the connection."""


def findings_of(
    segments: Sequence[Observed], path_mss: int, observed: Sequence[Finding]
) -> Iterator[Finding]:
    """Yield the findings of a connection's segments.

    `path_mss` is what a segment may carry on our side of the path; `observed` are the findings of
    a tracker that has seen the same segments.
    """
    for each in observed:
        if each.code in _OF_THE_TRACKER:
            yield replace(each, frame=None)
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


def contradictions(segments: Sequence[Observed]) -> Iterator[Finding]:
    """Yield what speaks against a RST that refused our SYN: a SYN-ACK, or a RST with another TTL.

    `segments` are those of the connection, sent and received.
    """
    received = [each for each in segments if not each.outgoing and each.checksum_ok is not False]
    sent = {each.segment.end for each in segments if each.outgoing and each.segment.syn}
    answers = [each for each in received if each.segment.ack in sent]
    resets = [each for each in answers if each.segment.rst]
    syn_ack = next((e for e in answers if e.segment.syn and not e.segment.rst), None)
    if not resets:
        return
    first = resets[0]
    if syn_ack is not None:
        gap = (syn_ack.at - first.at) / NS_PER_SECOND
        values = {"reset": first.ttl, "ttl": syn_ack.ttl, "gap": abs(gap), "later": gap >= 0}
        yield note("reset-and-syn-ack", **values, same=first.ttl == syn_ack.ttl)
        return
    ttls = sorted({each.ttl for each in resets if each.ttl is not None})
    if len(ttls) > 1:
        yield note("resets-differ", ttls=ttls)


def answered_on_path(answer: str, ttl: int, address: Address, gateway: Address) -> Finding:
    """Return the finding that an answer passed no router, although the target is behind one.

    `answer` is what answered our SYN: `RST` or `SYN-ACK`.
    """
    values = {"ttl": ttl, "address": address, "gateway": gateway, "most": ttl - 1}
    if answer == "RST":
        return note(REFUSED, "near", **values)
    return note("answered-on-the-way", answer=answer, **values)


def dropped_by_local_firewall() -> Finding:
    """Return the finding that the answer was on the wire but did not reach TCP."""
    return note("own-firewall")


def _options(ours: Offer, theirs: Offer) -> Iterator[Finding]:
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
        yield note("options-stripped", missing=missing)
    else:
        yield note("options-refused", missing=missing, one=len(missing) == 1)


def _mss(theirs: Offer, path_mss: int, version: int) -> Iterator[Finding]:
    if theirs.mss is None:
        yield note("no-mss", default=536 if version == 4 else 1220)
    elif theirs.mss < path_mss:
        values = {"mss": theirs.mss, "below": path_mss - theirs.mss, "path": path_mss}
        yield note("mss-low", **values, tiny=theirs.mss < LEAST_MSS[version])


def _proxy(answer: Observed, received: Sequence[Observed]) -> Iterator[Finding]:
    """Yield a finding if a SYN proxy seems to have answered: its window is zero at first."""
    if answer.segment.window:
        return
    later = [each for each in received if not each.segment.syn and not each.segment.rst]
    ttls = sorted({each.ttl for each in later if each.ttl is not None} - {answer.ttl})
    if any(each.segment.window for each in later):
        yield note("syn-proxy", "opened", ttl=answer.ttl, ttls=ttls)
    else:
        yield note("syn-proxy", "never-opened", ttl=answer.ttl, ttls=ttls)
