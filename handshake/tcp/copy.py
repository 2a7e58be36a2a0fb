"""Values that do not change, and copies of them: cheap, since each segment changes two blocks."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import dataclass as value
else:
    from dataclasses import dataclass

    def value(**_):
        """Make a class a frozen dataclass with slots: frozen for mypy alone.

        To set a frozen field takes seven times as long, and a segment makes 20 such values.
        """
        return dataclass(slots=True, unsafe_hash=True)


__all__ = ["changed", "value"]

_Value = TypeVar("_Value")

_SAME: Final = object()
_copiers: dict[type, Callable[..., Any]] = {}


def changed(value: _Value, **fields: object) -> _Value:
    """Return a copy of a dataclass, with other values in these fields."""
    copier = _copiers.get(type(value)) or _copier(type(value))
    copy: _Value = copier(value, **fields)
    return copy


def _copier(kind: type) -> Callable[..., Any]:
    """Return a function that copies a dataclass: `dataclasses.replace`, several times as fast."""
    known = [each for each in fields(kind) if each.init]
    given = ", ".join(f"{each.name}=same" for each in known)
    taken = ", ".join(
        (f"{name}=" if each.kw_only else "") + f"value.{name} if {name} is same else {name}"
        for each in sorted(known, key=lambda each: bool(each.kw_only))
        for name in (each.name,)
    )
    scope = {"kind": kind, "same": _SAME}
    exec(f"def copy(value, *, {given}): return kind({taken})", scope)  # noqa: S102 - names of fields
    copier: Callable[..., Any] = scope["copy"]  # type: ignore[assignment]
    _copiers[kind] = copier
    return copier
