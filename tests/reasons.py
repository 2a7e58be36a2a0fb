"""Reasons of results: those that tests make up, and those of an endpoint, as codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.messages import Message
from handshake.prober.explanation import explain

if TYPE_CHECKING:
    from handshake.endpoint.client import Client


def because(why: str) -> Message:
    """Return a reason whose sentence is this text."""
    return Message("errors", "send.failed", {"why": why})


def explained(client: Client, seconds: float = 0, *, signed: bool = False) -> Message:
    """Return why a client has its verdict."""
    how = {"asked": client.options.asked, "signed": signed}
    return explain(client.outcome(), client.local.address, client.remote, seconds, **how)  # type: ignore[arg-type]


def codes(reason: Message) -> list[str]:
    """Return the code of a reason, and those of its clauses."""
    clauses = [each for each in reason.values.values() if isinstance(each, Message)]
    return [reason.code, *(each.code for each in clauses)]
