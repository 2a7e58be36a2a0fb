"""Output for monitoring systems: a line for Nagios and the like, metrics for Prometheus.

The formats are those of https://www.monitoring-plugins.org/doc/guidelines.html and of
https://prometheus.io/docs/instrumenting/exposition_formats/ (text, version 0.0.4).
"""

from __future__ import annotations

import re
from collections import Counter
from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake import messages
from handshake.endpoint.outcome import Verdict
from handshake.tcp.address import ip_address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from handshake.prober.result import Result


# For Nagios, Icinga, Naemon, Centreon ...


class Status(IntEnum):
    """The exit code of a plugin."""

    OK = 0
    CRITICAL = 2
    UNKNOWN = 3

    @property
    def severity(self) -> int:
        """The rank of a status: CRITICAL outweighs UNKNOWN."""
        return _SEVERITY.index(self)


_SEVERITY: Final = (Status.OK, Status.UNKNOWN, Status.CRITICAL)


def status(result: Result) -> Status:
    """Return the status of one probe.

    A name without an address is a fault of the service; only an error of the local machine is
    UNKNOWN.
    """
    if result.succeeded:
        return Status.OK
    return Status.UNKNOWN if result.verdict is Verdict.LOCAL_ERROR else Status.CRITICAL


def nagios(results: Iterable[Result]) -> tuple[str, int]:
    """Return the output of a plugin, without the last line end, and its exit code.

    One open address of a target is enough, as for `exit_code`; of several targets the worst
    decides. Several results get a line each below the first.
    """
    found = list(results)
    if not found:
        return unknown("no target")
    best: dict[str, Result] = {}
    for each in found:
        known = best.setdefault(each.target, each)
        best[each.target] = min(known, each, key=_severity)
    worst = max(best.values(), key=_severity)
    verdict = status(worst)
    if len(best) == 1:
        first = _summary(worst)
    else:
        failures = sum(not each.succeeded for each in best.values())
        first = f"all {len(best)} succeeded"
        if failures:
            first = f"{failures} of {len(best)} failed: {_summary(worst)}"
    below = []
    if len(found) > 1:
        below = [_plain(f"{status(each).name} - {_summary(each)}") for each in found]
    first = _plain(f"TCP {verdict.name} - {first}")
    measured = " ".join(_performance(found))
    return "\n".join([f"{first} | {measured}" if measured else first, *below]), verdict


def unknown(why: str) -> tuple[str, int]:
    """Return the output of a plugin that could not probe, and its exit code."""
    return _plain(f"TCP {Status.UNKNOWN.name} - {why}"), Status.UNKNOWN


def _severity(result: Result) -> int:
    return status(result).severity


def _summary(result: Result) -> str:
    """Return a probe as text: target, verdict, round-trip time and reason."""
    text = f"{_target(result)} {result.verdict}"
    if result.rtt is not None:
        guess = " (unclear which SYN was answered)" if result.rtt_ambiguous else ""
        text += f", {_answer(result)} after {messages.time(result.rtt)}{guess}"
    if result.succeeded:
        return text
    unmet = result.verdict is Verdict.OPEN
    return f"{text}: {'the --expect text was not received' if unmet else result.reason}"


def _target(result: Result) -> str:
    if result.address is None or result.address in result.target:
        return result.target
    return f"{result.target} ({result.address})"


def _answer(result: Result) -> str:
    """Return the answer that ended the round trip."""
    if result.verdict is Verdict.CLOSED or (
        # The answer to a first segment that is not a SYN (`--flags ACK`).
        result.verdict is Verdict.RESET and result.negotiated is None
    ):
        return "RST"
    return "SYN-ACK"


def _performance(results: Sequence[Result]) -> Iterator[str]:
    """Yield the measurements: `rtt=0.028400s;;;0`; with several results, labels name the target."""
    seen: Counter[str] = Counter()
    for result in results:
        if result.address is None:
            continue
        label = ""
        if len(results) > 1:
            label = _label(result)
            seen[label] += 1
            # Labels must be unique: a target probed again needs another.
            label = f"_{label}" if seen[label] == 1 else f"_{label}#{seen[label]}"
        # An ambiguous round trip is not a measurement (RFC 6298 section 3).
        if result.rtt is not None and not result.rtt_ambiguous:
            yield f"rtt{label}={result.rtt:.6f}s;;;0"
        if result.duration is not None:
            yield f"duration{label}={result.duration:.6f}s;;;0"
        # Not unit `c`, which is for counters that never restart.
        yield f"syn_sent{label}={result.syn_sent};;;0"


def _label(result: Result) -> str:
    address = f"[{result.address}]" if ":" in str(result.address) else result.address
    # The scope of an address is an interface name, which may contain nearly anything.
    return re.sub(r"[^\w.:%\[\]-]", "_", f"{address}:{result.port}", flags=re.ASCII)


def _plain(text: str) -> str:
    """Return text in one line, with characters escaped that the format gives a meaning."""
    return "".join(
        char if char.isprintable() and char != "|" else f"\\x{ord(char):02x}" for char in text
    )


# For Prometheus.


class Metric(NamedTuple):
    """A metric: its name, its help, and its value for a probe, None if there is none."""

    name: str
    help: str
    value: Callable[[Result], float | None]
    labels: Callable[[Result], dict[str, str]] = lambda _: {}
    """Further labels of a sample beside the target."""


METRICS: Final = (
    Metric(
        "probe_success",
        "Whether the probe succeeded.",
        lambda result: int(result.succeeded),
    ),
    Metric(
        "probe_duration_seconds",
        "Duration of the probe.",
        lambda result: result.duration,
    ),
    Metric(
        "probe_ip_protocol",
        "IP version: 4 or 6.",
        lambda result: None if result.address is None else ip_address(result.address).version,
    ),
    Metric(
        "probe_tcp_rtt_seconds",
        "Time from the SYN to its answer, from kernel time stamps.",
        # An ambiguous round trip is not a measurement (RFC 6298 section 3).
        lambda result: None if result.rtt_ambiguous else result.rtt,
    ),
    Metric(
        "probe_syn_sent",
        "SYNs sent, retransmissions included.",
        lambda result: result.syn_sent,
    ),
    Metric(
        "probe_answer_ttl",
        "TTL or hop limit of the answer.",
        lambda result: result.ttl,
    ),
    Metric(
        "probe_verdict_info",
        "The verdict: open, closed, filtered and so on.",
        lambda _: 1,
        lambda result: {"verdict": str(result.verdict)},
    ),
)
"""All metrics, with the names of blackbox_exporter where it has the same."""


def prometheus(results: Iterable[Result]) -> str:
    """Return the metrics of these probes, the last of each address, as text.

    Values that were not measured have no sample.
    """
    # Prometheus rejects a text with a duplicate sample.
    last = {(each.target, each.address, each.port): each for each in results}
    return "".join(f"{line}\n" for metric in METRICS for line in _samples(metric, last.values()))


def _samples(metric: Metric, results: Iterable[Result]) -> Iterator[str]:
    samples = [
        f"{metric.name}{_labels(result, metric)} {value!r}"
        for result in results
        if (value := metric.value(result)) is not None
    ]
    if samples:
        yield f"# HELP {metric.name} {metric.help}"
        yield f"# TYPE {metric.name} gauge"
        yield from samples


def _labels(result: Result, metric: Metric) -> str:
    labels = {
        "target": result.target,
        "address": result.address or "",
        "port": str(result.port),
        **metric.labels(result),
    }
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    # An argument that is not UTF-8 contains surrogates, which the format does not allow.
    whole = value.encode("utf-8", "backslashreplace").decode("utf-8")
    return whole.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
