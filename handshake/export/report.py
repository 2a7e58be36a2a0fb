"""A report for the administrator of a firewall: verdict, evidence, ladder, what to check next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.export.markup import as_items, as_table, as_text
from handshake.export.page import page
from handshake.export.svg import ladder_picture
from handshake.record import rfc3339
from handshake.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import BinaryIO

    from handshake.export.document import ConnectionDocument, Document

_CERTAINTY: Final = {
    "proven": "proven by the packets",
    "likely": "likely: the packets suggest it and rule out the usual others",
    "possible": "possible: one of several causes that fit the packets",
}


def write_report(document: Document, out: BinaryIO) -> None:
    """Write a page of A4 for each connection; it has no script."""
    found = list(document.connections)
    parts = ["<main>"]
    if len(found) != 1:
        parts.append(f"<h1>{as_text(document.title)}</h1>")
        parts += [f"<p>{as_text(each)}</p>" for each in document.notes]
        rows = [each.cells for each in found]
        parts.append(_table(document.headings, rows))
    for each in found:
        heading = "h1" if len(found) == 1 else "h2"
        body = "\n".join(_connection(each, heading))
        parts.append(f'<article class="connection">\n{body}\n</article>')
    parts.append("</main>")
    text = page(
        document.title,
        "\n".join(parts),
        styles=("page.css", "report.css"),
        language=document.glyphs.language,
    )
    out.write(text.encode())


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table that a narrow screen scrolls, by keys, too."""
    frame = f'<div class="scroll" tabindex="0" role="group" aria-label="{as_text(headings[-1])}">'
    return f"{frame}{as_table(headings, rows)}</div>"


def _time(at: int) -> str:
    """Return the time of day with microseconds."""
    return rfc3339(at)[11:26]


def _connection(found: ConnectionDocument, heading: str) -> Iterator[str]:
    yield f"<{heading}>{as_text(f'{found.mark} {found.verdict}: {found.name}')}</{heading}>"
    below = f"h{int(heading[1]) + 1}"

    translated = found.glyphs.translated

    def section(title: str, *parts: str) -> str:
        return f"<section><{below}>{as_text(translated(title))}</{below}>{''.join(parts)}</section>"

    diagnosis = found.diagnosis
    said = [f"<p>{as_text(each)}</p>" for each in found.answer or (found.summary,)]
    if diagnosis is not None:
        sure = translated(_CERTAINTY.get(diagnosis.certainty, diagnosis.certainty))
        said.append(f"<p><strong>{as_text(diagnosis.code)}</strong>, {as_text(sure)}.</p>")
    yield f'<div class="verdict {found.style}">{"".join(said)}</div>'
    rows = [
        (str(number), _time(told.step.observed.at), translated(str(told.step.by)), told.label)
        for number, told in list(found.evidence)[:_MOST_EVIDENCE]
    ]
    rows += [
        (str(each.frame or "–"), _time(each.at), str(each.sender), found.between(each))
        for each in found.errors
    ]
    titles = [
        translated(each) for each in ("packet", "time (UTC)", "sender", "segment or ICMP error")
    ]
    proof = [_table(titles, rows)] if rows else []
    if diagnosis is not None and diagnosis.ruled_out:
        proof.append(
            as_items(
                as_text(f"{translated('Ruled out:')} {each.said(found.glyphs.language)}")
                for each in diagnosis.ruled_out
            )
        )
    if found.findings:
        proof.append(as_items(as_text(each) for each in found.findings[:_MOST_FINDINGS]))
    if proof:
        yield section("Evidence", *proof)
    if found.steps:
        yield section("What passed", ladder_picture([found], found.name, bare=True))
    filters = capture_filters(found)
    if filters:
        lines = "\n".join(
            f"# {as_text(translated(where))}\n{as_text(command)}" for where, command in filters
        )
        yield section("Capture at both ends", f"<pre><code>{lines}</code></pre>")
    if found.checks:
        checks = [
            (f"<code>{as_text(each.command)}</code> " if each.command else "")
            + as_text(each.purpose)
            for each in found.checks
        ]
        yield section("What to check next", as_items(checks))
    facts = [*found.facts, (translated("written by"), f"handshake {__version__}")]
    yield section("Facts", _table((translated("fact"), translated("value")), facts))


_MOST_EVIDENCE: Final = 8
_MOST_FINDINGS: Final = 5


def capture_filters(found: ConnectionDocument) -> list[tuple[str, str]]:
    """Return where to capture, and the command: what passes at one end only is lost between."""
    client, server = _address(found.client), _address(found.server)
    port = found.server.rpartition(":")[2]
    if not server or not port:
        return []
    icmp = "icmp6" if ":" in server else "icmp"
    both = [f"host {server}", *([f"host {client}"] if client else [])]
    return [
        (
            f"at the {end}",
            f"tcpdump -ni any -w {end}.pcap '(tcp port {port} and {host}) or {icmp}'",
        )
        for end, host in zip(("client", "server"), both, strict=False)
    ] + [
        (
            "at both, if an address is translated between them (NAT, load balancer)",
            f"tcpdump -ni any -w nat.pcap 'tcp port {port} or {icmp}'",
        )
    ]


def _address(endpoint: str) -> str:
    """Return an address as tcpdump takes it: without port, brackets and scope."""
    return endpoint.rpartition(":")[0].strip("[]").partition("%")[0]
