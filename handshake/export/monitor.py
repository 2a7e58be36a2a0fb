"""Probes as monitoring systems read them: a line for Nagios and its kin, metrics for Prometheus.

The forms are those of https://www.monitoring-plugins.org/doc/guidelines.html and of
https://prometheus.io/docs/instrumenting/exposition_formats/ (text, version 0.0.4).
"""

from __future__ import annotations

import re
from collections import Counter
from enum import IntEnum
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.endpoint.verdict import Verdict
from handshake.events.base import seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from handshake.prober.result import Result


# For Nagios, Icinga, Naemon, Centreon ...


class Status(IntEnum):
    """What a plugin ends with."""

    OK = 0
    CRITICAL = 2
    UNKNOWN = 3

    @property
    def severity(self) -> int:
        """How bad it is: that a service is down weighs more than that one does not know."""
        return _SEVERITY.index(self)


_SEVERITY: Final = (Status.OK, Status.UNKNOWN, Status.CRITICAL)


def status(result: Result) -> Status:
    """Return the status of one probe.

    A name without an address is a fault of the service: only what failed on this very machine
    leaves its status unknown.
    """
    if result.succeeded:
        return Status.OK
    return Status.UNKNOWN if result.verdict is Verdict.LOCAL_ERROR else Status.CRITICAL


def nagios(results: Iterable[Result]) -> tuple[str, int]:
    """Return the output of a plugin, without its last line end, and what to exit with.

    One address of a target that opens is enough, as with `exit_code`; of several targets the worst
    decides. Where there are several results, each gets a line of its own under the first.
    """
    found = list(results)
    if not found:
        return unknown("nothing was called")
    best: dict[str, Result] = {}
    for each in found:
        known = best.setdefault(each.target, each)
        best[each.target] = min(known, each, key=_severity)
    worst = max(best.values(), key=_severity)
    verdict = status(worst)
    if len(best) == 1:
        first = _said(worst)
    else:
        failures = sum(not each.succeeded for each in best.values())
        first = f"all {len(best)} succeeded"
        if failures:
            first = f"{failures} of {len(best)} failed: {_said(worst)}"
    below = []
    if len(found) > 1:
        below = [_plain(f"{status(each).name} - {_said(each)}") for each in found]
    first = _plain(f"TCP {verdict.name} - {first}")
    measured = " ".join(_performance(found))
    return "\n".join([f"{first} | {measured}" if measured else first, *below]), verdict


def unknown(why: str) -> tuple[str, int]:
    """Return the output of a plugin that could not find out anything, and what to exit with."""
    return _plain(f"TCP {Status.UNKNOWN.name} - {why}"), Status.UNKNOWN


def _severity(result: Result) -> int:
    return status(result).severity


def _said(result: Result) -> str:
    """Return one probe in words: whom, what became of it, how soon, and why."""
    words = f"{_called(result)} {result.verdict}"
    if result.rtt is not None:
        guess = " (to which SYN is not known)" if result.rtt_ambiguous else ""
        words += f", {_answer(result)} after {seconds(result.rtt)}{guess}"
    if result.succeeded:
        return words
    unmet = result.verdict is Verdict.OPEN
    return f"{words}: {'what was expected did not come' if unmet else result.reason}"


def _called(result: Result) -> str:
    if result.address is None or result.address in result.target:
        return result.target
    return f"{result.target} ({result.address})"


def _answer(result: Result) -> str:
    """Return what the round trip ended with."""
    if result.verdict is Verdict.CLOSED or (
        # What asked for no connection was answered by it (`--flags ACK`).
        result.verdict is Verdict.RESET and result.negotiated is None
    ):
        return "RST"
    return "SYN+ACK"


def _performance(results: Sequence[Result]) -> Iterator[str]:
    """Yield what was measured: `rtt=0.028400s;;;0`, with whom in the label where there are more."""
    seen: Counter[str] = Counter()
    for result in results:
        if result.address is None:
            continue
        label = ""
        if len(results) > 1:
            label = _label(result)
            seen[label] += 1
            # Labels tell measurements apart: who is called again needs another.
            label = f"_{label}" if seen[label] == 1 else f"_{label}#{seen[label]}"
        # A round trip that may belong to another SYN is no measurement (RFC 6298 section 3).
        if result.rtt is not None and not result.rtt_ambiguous:
            yield f"rtt{label}={result.rtt:.6f}s;;;0"
        if result.duration is not None:
            yield f"duration{label}={result.duration:.6f}s;;;0"
        # No `c`: that is for counters that never begin again.
        yield f"syn_sent{label}={result.syn_sent};;;0"


def _label(result: Result) -> str:
    address = f"[{result.address}]" if ":" in str(result.address) else result.address
    # The scope of an address is the name of an interface, which may hold nearly anything.
    return re.sub(r"[^\w.:%\[\]-]", "_", f"{address}:{result.port}", flags=re.ASCII)


def _plain(text: str) -> str:
    """Return text in one line, with nothing in it that means something to who reads it."""
    return "".join(
        char if char.isprintable() and char != "|" else f"\\x{ord(char):02x}" for char in text
    )


# For Prometheus.


class Family(NamedTuple):
    """A metric: its name, what it is, and its value for a probe, None where there is none."""

    name: str
    words: str
    value: Callable[[Result], float | None]
    labels: Callable[[Result], dict[str, str]] = lambda _: {}
    """What its samples are told apart by beside who was called."""


FAMILIES: Final = (
    Family(
        "probe_success",
        "Whether the probe found what it was to find.",
        lambda result: int(result.succeeded),
    ),
    Family(
        "probe_duration_seconds",
        "How long the probe took, from its start to its end.",
        lambda result: result.duration,
    ),
    Family(
        "probe_ip_protocol",
        "The version of IP that was used: 4 or 6.",
        lambda result: None if result.address is None else ip_address(result.address).version,
    ),
    Family(
        "probe_tcp_rtt_seconds",
        "From the SYN to its answer, by the time stamps of the kernel.",
        # A round trip that may belong to another SYN is no measurement (RFC 6298 section 3).
        lambda result: None if result.rtt_ambiguous else result.rtt,
    ),
    Family(
        "probe_syn_sent",
        "How many times the SYN was sent.",
        lambda result: result.syn_sent,
    ),
    Family(
        "probe_answer_ttl",
        "Time to live, or hop limit, that the answer came with.",
        lambda result: result.ttl,
    ),
    Family(
        "probe_verdict_info",
        "What became of the call: open, closed, filtered and so on.",
        lambda _: 1,
        lambda result: {"verdict": str(result.verdict)},
    ),
)
"""All that is measured. Where blackbox_exporter has the same, it has the same name."""


def prometheus(results: Iterable[Result]) -> str:
    """Return the metrics of these probes, the last of each address, as one text.

    What was not measured has no sample.
    """
    # A text that has a sample twice is refused as a whole.
    last = {(each.target, each.address, each.port): each for each in results}
    return "".join(f"{line}\n" for family in FAMILIES for line in _samples(family, last.values()))


def _samples(family: Family, results: Iterable[Result]) -> Iterator[str]:
    samples = [
        f"{family.name}{_labels(result, family)} {value!r}"
        for result in results
        if (value := family.value(result)) is not None
    ]
    if samples:
        yield f"# HELP {family.name} {family.words}"
        yield f"# TYPE {family.name} gauge"
        yield from samples


def _labels(result: Result, family: Family) -> str:
    labels = {
        "target": result.target,
        "address": result.address or "",
        "port": str(result.port),
        **family.labels(result),
    }
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    # An argument that is no UTF-8 comes as surrogates, which no text may hold.
    whole = value.encode("utf-8", "backslashreplace").decode("utf-8")
    return whole.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
