"""A parsed record becomes an :class:`EmailLog`, or says where it can't.

One private cattrs converter. A record is decoded without bookkeeping first; only one that fails
is decoded again with cattrs' detailed validation, to learn the path of what is wrong in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

import attrs
from cattrs import ClassValidationError, Converter
from cattrs.gen import make_dict_structure_fn, override

from ..errors import clip, shown
from ..json_values import DEEPEST, Unchanging, is_object, is_too_deep
from ..models import EmailLog, LogError, Price, Status
from . import timestamps

T = TypeVar("T")

Names = Mapping[str, str]
"""Our name of a field → the service's, where it is not the same in camel case.

``platform.entityId`` is a field of an object within the record.
"""

VERSION_1: Names = {"sender": "from", "destination": "to"}
VERSION_4: Names = {"application_id": "platform.applicationId", "entity_id": "platform.entityId"}


class Undecodable(Exception):
    """A record that can't be decoded: where, what stands there, why not, and all of it."""

    def __init__(self, path: str, value: str, reason: str, raw: Any) -> None:
        super().__init__(path, value, reason, raw)
        self.raw = raw
        self.path = path
        self.value = value
        self.reason = reason


MAX_EXPONENT = 1000
"""The digits before or behind the point of a price, about, beyond which it is none."""

_DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,18}", re.ASCII)


def _text(value: Any, _type: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # the older reference types bulkId as a number
    raise TypeError("text is expected")


def _integer(value: Any, _type: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
        return int(value)
    raise TypeError("a whole number is expected")


def _boolean(value: Any, _type: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip() in ("true", "false"):
        return value.strip() == "true"
    raise TypeError("true or false is expected")


def _decimal(value: Any, _type: object) -> Decimal:
    if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) < MAX_EXPONENT:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, str) and _DECIMAL.fullmatch(value.strip()):
        return Decimal(value.strip())
    raise TypeError("a decimal number is expected")


def _instant(value: Any, _type: object) -> datetime:
    if not isinstance(value, str):
        raise TypeError("a timestamp is expected")
    return timestamps.read(value.strip())


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.title() for part in tail)


def wire_names(cls: type[attrs.AttrsInstance], names: Names) -> dict[str, str]:
    """Return the names of all fields but ``extra``: ours → the service's."""
    known = (field.name for field in attrs.fields(cls) if field.name != "extra")
    return {name: names.get(name, _camel(name)) for name in known}


def _reader(
    cls: type[T], converter: Converter, names: Names, *, detailed: bool
) -> Callable[[Any, Any], T]:
    """Return a function from a JSON object to ``cls``, with what it does not know in ``extra``."""
    wires = wire_names(cls, names)  # type: ignore[arg-type]
    renames: dict[str, Any] = {name: _override(wire) for name, wire in wires.items()}
    structure = make_dict_structure_fn(
        cls,
        converter,
        _cattrs_detailed_validation=detailed,
        extra=override(omit=True),
        **renames,
    )
    known = frozenset(rename.rename for rename in renames.values())
    within = _within(wires.values())

    def read(value: Any, _type: Any) -> T:
        if not is_object(value):
            raise TypeError("an object is expected")
        decoded = structure(value, cls)
        extra = _unknown(value, known)
        for outer, inner in within.items():
            if is_object(found := value.get(outer)) and (rest := _unknown(found, inner)):
                extra[outer] = rest
        return attrs.evolve(decoded, extra=Unchanging(extra)) if extra else decoded  # type: ignore[misc]

    return read


def _unknown(value: dict[str, Any], known: AbstractSet[str]) -> dict[str, Any]:
    """Return the fields that are not known.

    Raises:
        TypeError: One of them is nested too deep to be handed on.
    """
    unknown = {key: value[key] for key in value if key not in known}
    if any(map(is_too_deep, unknown.values())):
        raise TypeError(f"an unknown field has more than {DEEPEST} levels")
    return unknown


def _override(wire: str) -> Any:
    """Return where a field is found; one within an object is taken out of it."""
    outer, _, inner = wire.partition(".")
    return override(rename=outer, struct_hook=_text_within(inner) if inner else None)


def _text_within(name: str) -> Callable[[Any, Any], str | None]:
    def read(value: Any, _type: object) -> str | None:
        if value is None:
            return None
        if not is_object(value):
            raise TypeError("an object is expected")
        found = value.get(name)
        return None if found is None else _text(found, str)

    return read


def _within(wires: Iterable[str]) -> dict[str, set[str]]:
    """Return the objects that fields are taken out of, with the names of these fields."""
    within: dict[str, set[str]] = {}
    for outer, _, inner in (wire.partition(".") for wire in wires):
        if inner:
            within.setdefault(outer, set()).add(inner)
    return within


def _converter(names: Names, *, detailed: bool) -> Converter:
    converter = Converter(detailed_validation=detailed)
    converter.register_structure_hook(str, _text)
    converter.register_structure_hook(int, _integer)
    converter.register_structure_hook(bool, _boolean)
    converter.register_structure_hook(Decimal, _decimal)
    converter.register_structure_hook(datetime, _instant)
    for cls in (Price, Status, LogError):
        converter.register_structure_hook(cls, _reader(cls, converter, {}, detailed=detailed))
    converter.register_structure_hook(
        EmailLog, _reader(EmailLog, converter, names, detailed=detailed)
    )
    return converter


class RecordDecoder:
    """Decodes the records of one dialect."""

    def __init__(self, names: Names) -> None:
        self._names = names
        converter = _converter(names, detailed=False)
        self._structure = converter.structure
        self._quick = converter.get_structure_hook(EmailLog)
        self._exact = _converter(names, detailed=True).get_structure_hook(EmailLog)

    def __call__(self, raw: Any) -> EmailLog:
        """Return the record as an :class:`EmailLog`.

        Raises:
            Undecodable: It can't be read; the path starts at the record.
        """
        try:
            log: EmailLog = self._quick(raw, EmailLog)
        except Exception as error:
            raise self._trouble(raw, error) from error
        return log

    def part(self, kind: type[T], raw: Any) -> T:
        """Return a part of a record; it raises whatever cattrs raises."""
        return self._structure(raw, kind)

    def _trouble(self, raw: Any, error: Exception) -> Undecodable:
        fields: list[str] = []
        try:
            self._exact(raw, EmailLog)
        except ClassValidationError as group:
            fields, error = _first(group)
        except TypeError as plain:
            error = plain
        wires = [self._names.get(name, _camel(name)) for name in fields]
        path, value = "", raw
        for name in ".".join(wires).split("."):
            if is_object(value) and name in value:
                path, value = f"{path}.{name}", value[name]
        return Undecodable(path, shown(value), clip(str(error)), raw)


def _first(group: ClassValidationError) -> tuple[list[str], Exception]:
    """Return the fields that lead to the first error of a group, and that error."""
    error, note = group.group_exceptions()[0][0]
    if isinstance(error, ClassValidationError):
        fields, inner = _first(error)
        return [note.name, *fields], inner
    return [note.name], error
