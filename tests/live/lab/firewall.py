"""Packets lost on purpose: nftables rules in a table that goes when the test does."""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.live.lab.namespaces import Host


@dataclass(frozen=True, slots=True)
class Rule:
    """A firewall rule that counts what it catches."""

    host: Host
    table: str

    @property
    def packets(self) -> int:
        """How many packets the rule has caught."""
        listed = self.host.run(["nft", "--json", "list", "table", "inet", self.table]).stdout
        (rule,) = (item["rule"] for item in json.loads(listed)["nftables"] if "rule" in item)
        return sum(part["counter"]["packets"] for part in rule["expr"] if "counter" in part)


@contextmanager
def firewall(host: Host, hook: str, match: str, verdict: str) -> Iterator[Rule]:
    """Apply one rule at a hook (input, output, forward) while the context lasts.

    `match` and `verdict` are nft's words: "tcp dport 9001", "reject with tcp reset".
    """
    rule = Rule(host, f"scratch_{secrets.token_hex(4)}")
    host.nft(
        f"table inet {rule.table} {{ chain scratch {{\n"
        f"type filter hook {hook} priority 0; policy accept;\n"
        f"{match} counter {verdict}\n"
        "}; }"
    )
    try:
        yield rule
    finally:
        host.nft(f"delete table inet {rule.table}")


@contextmanager
def drop(host: Host, hook: str, match: str) -> Iterator[Rule]:
    """Drop every packet that matches."""
    with firewall(host, hook, match, "drop") as rule:
        yield rule


@contextmanager
def drop_first(host: Host, hook: str, match: str, count: int = 1) -> Iterator[Rule]:
    """Drop the first `count` packets that match; let through those that follow."""
    # numgen counts up from 0 with each packet that gets so far, and as good as never wraps.
    with firewall(host, hook, f"{match} numgen inc mod 4294967295 < {count}", "drop") as rule:
        yield rule
