"""Diagnoses a connection that did not go well: the cause, how certain it is, and what shows it.

Each cause is a rule, a pure function of a `Case`, and a proof: a predicate over the segments that
the rule names as its evidence. A rule whose proof fails says nothing. The rules stand in the order
in which they are tried: what the packets prove comes before what they only suggest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from handshake.diagnosis import across, answers, damage, data, opening, resets, retries, silence
from handshake.diagnosis.case import Case
from handshake.diagnosis.facts import Facts
from handshake.diagnosis.others import Others

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from handshake.diagnosis.case import Claim
    from handshake.diagnosis.seen import Seen
    from handshake.diagnosis.watched import Told
    from handshake.record import Diagnosis, Record
    from handshake.tcp import Endpoint

    Rule: TypeAlias = Callable[["Case"], Claim | None]
    """Claims a cause; None if it is not the one."""

__all__ = ["CODES", "RULES", "Facts", "Others", "diagnose", "diagnose_alike", "telling"]


class Cause(NamedTuple):
    """What a code of a diagnosis means, and when its evidence shows it."""

    meaning: str
    proof: Callable[[Sequence[Seen]], bool]


CODES: Final[dict[str, Cause]] = {
    # No answer.
    "no-answer": Cause("the SYN was not answered, nor anything else", silence.is_unanswered),
    "silent-filter": Cause("only SYNs to this port get no answer", silence.is_unanswered),
    "unanswered-by-listener": Cause(
        "a port that answers others did not answer", silence.is_unanswered
    ),
    "listener-overloaded": Cause("a port answers some SYNs and not others", silence.is_unanswered),
    "timestamps-behind": Cause("the SYN's timestamp is behind another's", across.has_timestamps),
    "translation-undone": Cause("another address answers the SYN", across.is_translation_undone),
    "port-scan": Cause("one of many ports that a client tries", silence.is_unanswered),
    "host-scan": Cause("one of many hosts that a client tries", silence.is_unanswered),
    "syn-flood": Cause("one of many connections that hang", across.is_hanging),
    "host-down": Cause("a router reports that the host does not answer", silence.is_unanswered),
    "rejected-by-firewall": Cause("an ICMP error of a firewall", silence.is_unanswered),
    "routing-loop": Cause("the SYN passed too many routers", silence.is_unanswered),
    "no-route": Cause("a router has no route for the SYN", silence.is_unanswered),
    "icmp-error": Cause("another ICMP error answered the SYN", silence.is_unanswered),
    # An answer that opens nothing.
    "wrong-acknowledgment": Cause(
        "the SYN-ACK acknowledges a number that was not sent", answers.is_wrong_acknowledgment
    ),
    "wrong-checksum": Cause("every SYN-ACK has a wrong checksum", damage.is_wrong_checksum),
    "tunnel-checksum": Cause(
        "the tunnel's outer checksum is wrong in the SYNs", damage.is_tunnel_checksum
    ),
    "stale-connection": Cause("the server still has an older connection", answers.is_stale),
    "ack-without-syn": Cause("an ACK without SYN answered the SYN", answers.is_bare_ack),
    "syn-ack-unanswered": Cause("no answer to the SYN-ACK", answers.is_unacknowledged),
    "syn-turned-ack": Cause("a SYN whose flag was changed to ACK", damage.is_syn_turned_ack),
    "two-servers": Cause("two hosts answered one SYN", answers.is_two_servers),
    "self-connect": Cause("a socket connected to itself", across.is_itself),
    "timestamp-mangled": Cause(
        "the SYN-ACK echoes no SYN's timestamp", damage.is_timestamp_mangled
    ),
    "unexplained": Cause("it did not open, and nothing shows why", answers.is_anything),
    "one-sided-capture": Cause("one direction is not in the capture", across.is_one_sided),
    "asymmetric-path": Cause("likewise, though the capture sees that host", across.is_one_sided),
    # A handshake that is not finished, or late.
    "syn-proxy": Cause("a window of zero that never opens", opening.is_syn_proxy),
    "accept-queue-full": Cause("the server ignores the ACK and the data", opening.is_accept_queue),
    "deferred-accept": Cause("the SYN-ACK comes again after the ACK", opening.is_deferred),
    "late-accept": Cause("likewise, and then the server goes on", opening.is_late_accept),
    "fast-open-fallback": Cause(
        "only a SYN without data is answered", retries.is_fast_open_fallback
    ),
    "ecn-fallback": Cause("only a SYN without ECN is answered", retries.is_ecn_fallback),
    "slow-path": Cause("the round trip is longer than the SYN's timer", retries.is_slow_path),
    "syn-ack-lost": Cause("the SYN was sent again after its answer", retries.is_answer_lost),
    "syn-lost": Cause("the SYN had to be sent again", retries.is_delayed),
    # RSTs.
    "injected-reset": Cause("another device sent a RST in the server's name", resets.is_injected),
    "refused": Cause("a RST answered the SYN", resets.is_refused),
    "refused-by-host": Cause("likewise, with the TTL of the host", resets.is_refused),
    "refused-by-firewall": Cause("likewise, with another TTL", resets.is_refused),
    "hand-made-syn": Cause("a tool's SYN, and the RST of its own kernel", resets.is_hand_made),
    "client-gave-up": Cause("the SYN-ACK came too late", resets.is_by_client),
    "reset-by-client": Cause("the client answered the SYN-ACK with a RST", resets.is_by_client),
    "unexpected-syn-ack": Cause("likewise, and its SYN was not seen", resets.is_by_client),
    "closed-at-once": Cause("the server reset it without data", resets.is_after_accept),
    "reset-by-other-device": Cause("likewise, with another TTL", resets.is_after_accept),
    "unknown-to-server": Cause("the server does not know the connection", resets.is_stateless),
    "syn-cookies": Cause("likewise, and its SYN-ACK kept no option", resets.is_stateless),
    "idle-reset": Cause("a RST after a long silence", resets.is_idle_reset),
    # Data.
    "path-mtu": Cause("large segments are lost, small ones arrive", data.is_path_mtu),
    "missing-large": Cause("a hole in the data never closes", data.is_missing),
    "window-overrun": Cause("data beyond the receiver's window", data.is_window_overrun),
    "sack-not-translated": Cause("a SACK block of what was never sent", damage.is_broken_sack),
    "idle-timeout": Cause("no answer after a long silence", data.is_idle),
    "peer-silent": Cause("no answer any more", data.is_stalled),
}
"""Every cause by its code: what programs may rely on."""

RULES: Final[tuple[Rule, ...]] = (
    across.itself,
    damage.syn_turned_ack,
    across.translation_undone,
    answers.wrong_acknowledgment,
    damage.wrong_checksum,
    damage.tunnel_checksum,
    damage.timestamp_mangled,
    resets.injected,
    answers.two_servers,
    answers.bare_ack,
    resets.refused,
    silence.unreachable,
    across.one_sided,
    resets.by_client,
    resets.after_idle,
    opening.syn_proxy,
    resets.after_accept,
    data.window_overrun,
    damage.broken_sack,
    opening.unfinished,
    data.path_mtu,
    data.missing_large,
    data.silent_peer,
    across.timestamps_behind,
    across.flood,
    across.scan,
    silence.unanswered,
    answers.unacknowledged,
    retries.fast_open_fallback,
    retries.ecn_fallback,
    retries.delayed,
    retries.answer_lost,
    answers.unexplained,
)

_NOTHING: Final = Others()


def telling(record: Record, client: Endpoint, facts: Facts) -> tuple[Rule, ...]:
    """Return the rules that may tell something of connections like this one, of few segments."""
    from handshake.diagnosis.watched import looking

    return tuple(looking(RULES, record, client, facts.segments))


def diagnose(
    record: Record,
    client: Endpoint,
    facts: Facts,
    others: Others | None = None,
    rules: Sequence[Rule] = RULES,
) -> Diagnosis | None:
    """Return what was wrong with a connection; None if it went well, or nothing shows the cause.

    `others` is what the rest of the capture shows of its hosts. Only `rules` are asked.
    """
    kept, complete = facts.segments, facts.complete
    case = Case.of(record, client, kept, others or _NOTHING, complete=complete, icmp=facts.icmp)
    claim = _claim(case, rules)
    return None if claim is None else claim.diagnosis()


def diagnose_alike(
    record: Record,
    client: Endpoint,
    segments: Sequence[Seen],
    others: Others,
    rules: Sequence[Rule],
) -> Told:
    """Return what is claimed of a connection of few segments, and of which others it is, too."""
    from handshake.diagnosis.watched import claimed

    return claimed(lambda case: _claim(case, rules), record, client, segments, others)


def _claim(case: Case, rules: Sequence[Rule]) -> Claim | None:
    """Return what the first rule claims whose proof holds."""
    for rule in rules:
        claim = rule(case)
        if claim is not None and CODES[claim.code].proof(claim.evidence):
            return claim
    return None
