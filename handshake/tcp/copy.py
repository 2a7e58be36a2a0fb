"""Values that do not change, and copies of them: cheap, since each segment changes two blocks."""

from __future__ import annotations

from dataclasses import fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import dataclass as value
else:
    from dataclasses import dataclass

    def value(**_):
        """Make a class a frozen dataclass with slots: frozen for mypy alone.

        To set a frozen field takes seven times as long, and a segment makes 20 such values. And
        `dataclass` compiles each method: of a hundred classes, these take a third of a start.
        """

        def made(cls):
            own = vars(cls)
            made = dataclass(slots=True, repr=False, eq=False)(cls)
            known = fields(made)
            compared = _getter(each.name for each in known if each.compare)
            hashed = _getter(
                each.name for each in known if (each.compare if each.hash is None else each.hash)
            )
            shown = [each.name for each in known if each.repr]

            def equals(self, other):
                if self is other:
                    return True
                if other.__class__ is not self.__class__:
                    return NotImplemented
                return compared(self) == compared(other)

            def hash_of(self):
                return hash(hashed(self))

            def text_of(self):
                values = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
                return f"{type(self).__qualname__}({values})"

            methods = {"__eq__": equals, "__hash__": hash_of, "__repr__": text_of}
            for name, method in methods.items():
                if name not in own:
                    setattr(made, name, method)
            return made

        return made

    def _getter(names):
        """Return a function that gets these attributes of an object, to compare them."""
        names = tuple(names)
        return attrgetter(*names) if names else lambda _: None


__all__ = ["changed", "copier", "put", "value"]

_Value = TypeVar("_Value")

_copiers: dict[tuple[object, ...], Callable[..., Any]] = {}
"""By the type, and the names of the fields that get other values."""


def changed(value: _Value, **fields: object) -> _Value:
    """Return a copy of a dataclass, with other values in these fields."""
    kind = type(value)
    copy = _copiers.get((kind, *fields))
    if copy is None:
        copy = _copiers[kind, *fields] = copier(kind, *fields)
    made: _Value = copy(value, **fields)
    return made


def put(value: object, **fields: object) -> None:
    """Set fields of a value that is not shared yet: a copy takes far longer."""
    for name, each in fields.items():
        object.__setattr__(value, name, each)


def copier(kind: type, *names: str) -> Callable[..., Any]:
    """Return a function that copies a dataclass: `dataclasses.replace`, ten times as fast.

    It takes the dataclass and the values of these fields, by place or by name.
    """
    made = [each for each in fields(kind) if each.init]
    if odd := set(names) - {each.name for each in made}:
        raise TypeError(f"{kind.__name__} has no field {min(odd)}")
    taken = {each.name: each.name if each.name in names else f"value.{each.name}" for each in made}
    has_more = len(made) < len(fields(kind)) or hasattr(kind, "__post_init__")
    scope: dict[str, Any] = {"kind": kind, "new": object.__new__}
    given = ", ".join(("value", *names))
    if has_more or kind.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        arguments = ", ".join(f"{name}={source}" for name, source in taken.items())
        body = f"return kind({arguments})"
    else:
        # What `__init__` does, without the call.
        sets = (f"copy.{name} = {source}" for name, source in taken.items())
        body = "; ".join(("copy = new(kind)", *sets, "return copy"))
    exec(f"def copy({given}): {body}", scope)  # noqa: S102 - names of fields
    found: Callable[..., Any] = scope["copy"]
    return found
