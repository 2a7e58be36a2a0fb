"""Totals as text: a page, or the line below a list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.query.totals import OUTCOMES, TOP, ranked, top
from handshake.view.columns import milliseconds
from handshake.view.glyphs import UNICODE, Glyphs
from handshake.view.layout import fit, line, wrap

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator

    from rich.text import Text

    from handshake.query.totals import OutcomeTotals, Totals

_LABEL: Final = 15

_JOINT: Final = "\u2800"
"""A blank pattern of Braille: it looks like a space, but no line is broken at it."""


def summary_line(totals: OutcomeTotals, width: int) -> Text:
    """Return the outcomes in one line, and the minimum, median and maximum round-trip time.

    Only the median if there is no room for three.
    """
    usual = ("established", "refused", "no-answer", "reset", "half-open")
    rare = [each for each in OUTCOMES if each not in usual and totals.outcomes[each]]
    parts = [f"{each} {totals.outcomes[each]}" for each in (*usual, *rare)]
    rtt = totals.rtt
    if rtt is not None:
        three = " / ".join(milliseconds(each) for each in (rtt.least, rtt.median, rtt.most))
        nonzero = [each for each in parts if not each.endswith(" 0")]
        fits = len("  ".join([*nonzero, f"rtt {three} ms"])) <= width - 1
        parts.append(f"rtt {three if fits else milliseconds(rtt.median)} ms")
    while len(parts) > 1 and len("  ".join(parts)) > width - 1:
        # Drop outcomes that did not occur first, then the last of the others.
        zero = [each for each in parts if each.endswith(" 0")]
        parts.remove(zero[-1] if zero else parts[-1])
    return line(f" {'  '.join(parts)}")


def page(totals: Totals, width: int, glyphs: Glyphs = UNICODE, *, parts: int = 0) -> Iterator[Text]:
    """Yield the page of totals line by line; `parts` are the files of one capture, if several."""
    say, captures = glyphs.say, len(totals.captures)
    where = {"captures": captures if captures > 1 and not parts else 0, "parts": parts}
    yield line(
        (say("totals.title", connections=totals.connections, **where), "title"),
        say("totals.contents", segments=totals.segments, octets=totals.octets),
    )
    yield line()
    for each in OUTCOMES:
        if found := totals.outcomes[each]:
            share = f"{found / totals.connections:.1%}"
            yield line(f"{each:<{_LABEL}}{found:>9,}{share:>8}")
    if totals.left_out:
        yield line((f"{fit(say('totals.left-out'), _LABEL)}{totals.left_out:>9,}", "warn"))
    yield line()
    yield line((fit(say("totals.rtt"), _LABEL), "dim"), _rtt(totals, glyphs))
    counts = say(
        "totals.retransmissions",
        syn=totals.syn_retransmissions,
        syn_ack=totals.syn_ack_retransmissions,
        data=totals.data_retransmissions,
    )
    yield line((fit(say("totals.retransmitted"), _LABEL), "dim"), counts)
    yield from _servers(say("totals.refusing"), totals.refusing, width, glyphs)
    yield from _servers(say("totals.silent"), totals.silent, width, glyphs)
    for label, found_codes in (("diagnoses", totals.diagnoses), ("findings", totals.codes)):
        if found_codes:
            codes = ", ".join(f"{code} ({found:,})" for code, found in ranked(found_codes))
            yield from _labelled(say(f"totals.{label}"), codes, width)
    for capture, finding in totals.findings:
        yield line()
        capture_name = f"{capture}: " if capture is not None and len(totals.captures) > 1 else ""
        for at, each in enumerate(
            wrap(f"{capture_name}{finding.said(glyphs.language)}", width - 3)
        ):
            yield line((" ! " if not at else "   ", "warn"), each)


def _rtt(totals: Totals, glyphs: Glyphs) -> str:
    rtt = totals.rtt
    if rtt is None:
        return glyphs.dash
    named = {"min": rtt.least, "median": rtt.median, "p95": rtt.p95, "max": rtt.most}
    return "  ".join(f"{name} {milliseconds(each)}" for name, each in named.items()) + " ms"


def _servers(
    label: str, found: Counter[tuple[str, int]], width: int, glyphs: Glyphs
) -> Iterator[Text]:
    if not found:
        return
    words = [
        f"{f'[{address}]' if ':' in address else address}:{port} ({count:,})"
        for (address, port), count in top(found)
    ]
    if len(found) > TOP:
        words.append(glyphs.say("totals.others", count=len(found) - TOP))
    yield from _labelled(label, ", ".join(words), width)


def _labelled(label: str, text: str, width: int) -> Iterator[Text]:
    # Do not break a line between a name and its count.
    joined = text.replace(" (", f"{_JOINT}(")
    for at, each in enumerate(wrap(joined, width - _LABEL)):
        yield line((fit("" if at else label, _LABEL), "dim"), each.replace(_JOINT, " "))
