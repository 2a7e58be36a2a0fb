"""One thing that is wrong with a packet, as a code, a place and values."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from handshake import messages

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong, or worth knowing: a code, where it is, and its values."""

    code: str
    """A key of `messages/en/problems.toml`."""

    at: int
    """The octet where it is, counted from the first that was given."""

    field: str
    """The field of the TCP header, as `view.header` names it; `ip` or `end` beyond it."""

    values: Mapping[str, object] = dataclasses.field(default_factory=dict, hash=False)
    wrong: bool = True
    """Whether it is wrong; otherwise it is a remark."""

    @property
    def text(self) -> str:
        """The sentence, in English."""
        return self.said(messages.ENGLISH)

    def said(self, language: str) -> str:
        """Return the sentence in a language."""
        return messages.text("problems", self.code, self.values, language)
