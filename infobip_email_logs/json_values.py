"""A parsed JSON document: taken apart by its two shapes, and made ready to be written again."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Iterable

DEEPEST = 32
"""The levels of a value that is handed on, at most: what shows, copies or writes it goes down."""


def _refuse(*_: object, **__: object) -> NoReturn:
    raise TypeError("what the service sent can't be changed; take a copy: dict(…)")


class Unchanging(dict[str, Any]):
    """A dictionary that nobody can change, since several values share it."""

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[type[Unchanging], tuple[dict[str, Any]]]:
        """Pickle and copy what it holds at once, since nothing can be put in later."""
        return Unchanging, (dict(self),)


NOTHING = Unchanging()
"""No fields: one value for all that have none."""


def is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    """Say whether ``value`` is a JSON object."""
    return isinstance(value, dict)


def is_array(value: Any) -> TypeGuard[list[Any]]:
    """Say whether ``value`` is a JSON array."""
    return isinstance(value, list)


def is_too_deep(value: Any) -> bool:
    """Say whether a value has more than :data:`DEEPEST` levels."""
    if not is_object(value) and not is_array(value):
        return False
    level = [value]
    for _ in range(DEEPEST):
        level = [inner for outer in level for inner in _within(outer)]
        if not level:
            return False
    return True


def _within(value: Any) -> Iterable[Any]:
    if is_object(value):
        return value.values()
    return value if is_array(value) else ()


def jsonable(value: Any) -> Any:
    """Return a parsed value with its exact numbers as text, since JSON writers have none."""
    if is_object(value):
        return {key: jsonable(item) for key, item in value.items()}
    if is_array(value):
        return [jsonable(item) for item in value]
    return str(value) if isinstance(value, Decimal) else value
