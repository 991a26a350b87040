"""A record becomes an :class:`EmailLog` straight from the bytes that it was sent in.

msgspec parses it into a structure of the fields that are known, and looks at their types on the
way. Its parts (price, status, error) are not even parsed where the same bytes were met before:
the value that they became is shared. Whatever is unusual in a record lets it be parsed as a whole
and converted by cattrs, as the parts are, which says what is wrong in it; a field that turns out to
be new is expected from then on.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple, get_args, get_type_hints

import attrs
import msgspec
from msgspec import UNSET, Raw
from msgspec.structs import astuple

from ..json_values import NOTHING, Unchanging, is_array, is_object, is_too_deep
from ..models import EmailLog, LogError, Price, Status
from . import timestamps
from .documents import UNUSUAL, piece
from .records import RecordDecoder, wire_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .records import Names

    Convert = Callable[[Any], Any]
    Field = tuple[str, Any, Any]

MOST_PARTS = 1000
"""The parts of one kind that are remembered, at most."""

LONGEST_PART = 1000
"""The bytes of a part that is remembered, at most."""

MOST_BESIDE = 10
"""The unknown fields in a part that is remembered, at most: each takes many times its bytes."""

MOST_LEARNED = 20
"""The fields that are expected beside the known ones, at most."""

LONGEST_NAME = 100
"""The characters of the name of such a field, at most: it is kept for good."""


class Expected(NamedTuple):
    """How records are read that are as expected.

    Attributes:
        parse: Parses a record.
        taken: Takes the values of the known fields out of it, in the order of those of
            :class:`EmailLog`, and then of the learned ones.
        learned: The fields that are expected beside the known ones.
    """

    parse: Callable[[Raw], Any]
    taken: Callable[[Any], tuple[Any, ...]]
    learned: tuple[str, ...]


PARTS = (Price, Status, LogError)

_PARSED = {str: str, int: int, datetime: str}
"""What the value of a field is parsed as; that of a part is not."""


class Parts(dict[bytes, Any]):
    """The values of parts of one kind, by the bytes that they were sent in.

    Args:
        convert: Converts a parsed part.
    """

    def __init__(self, convert: Convert) -> None:
        super().__init__()
        self._convert = convert

    def __missing__(self, sent: bytes) -> Any:
        """Return the value of a part that was not met before, or was forgotten."""
        parsed = piece(sent)
        part = None if parsed is None else self._convert(parsed)
        if len(sent) <= LONGEST_PART and _can_be_shared(part):
            if len(self) >= MOST_PARTS:
                self.clear()
            self[sent] = part
        return part


def _can_be_shared(part: Any) -> bool:
    """Say whether a part is small, and nobody who has it can change it for the others."""
    if part is None:
        return True
    beside = part.extra
    return len(beside) <= MOST_BESIDE and not any(
        is_object(one) or is_array(one) for one in beside.values()
    )


_SETTABLE = attrs.make_class(
    "Settable", {field.name: attrs.field(default=field.default) for field in attrs.fields(EmailLog)}
)


class _Unfinished(EmailLog):
    """A log whose fields are being set.

    Those of a frozen one are set by a call each, which costs four times as much: a quarter of all
    decoding.
    """

    __slots__ = ()
    __setattr__ = object.__setattr__
    __delattr__ = object.__delattr__  # Python knows a quicker way only where both are its own
    __init__: Any = vars(_SETTABLE)["__init__"]


def _finished(log: EmailLog) -> EmailLog:
    """Make a log like all others: frozen, and of their class."""
    log.__class__ = EmailLog
    return log


class QuickDecoder:
    """Decodes the records of one dialect, whether they are parsed or not.

    Args:
        names: The dialect's names of the fields.
    """

    def __init__(self, names: Names) -> None:
        self._plain = RecordDecoder(names)
        wires = wire_names(EmailLog, names)
        kinds = [
            get_args(hint)[0] for name, hint in get_type_hints(EmailLog).items() if name in wires
        ]
        self._wires = tuple(wires.values())
        self._known = _known(dict(zip(self._wires, kinds, strict=True)))
        self._instants = [place for place, kind in enumerate(kinds) if kind is datetime]
        self._parts = [
            (place, Parts(partial(self._plain.part, kind)))
            for place, kind in enumerate(kinds)
            if kind in PARTS
        ]
        self._expected = self._expecting(())

    def __call__(self, sent: Any) -> EmailLog:
        """Return the record as an :class:`EmailLog`.

        Raises:
            Undecodable: It can't be read; the path starts at the record.
            ValueError: It is no JSON.
            ArithmeticError: A number in it is beyond all bounds.
            RecursionError: Its values are too deep inside one another.
        """
        if not isinstance(sent, Raw):
            return self._plain(sent)
        try:
            return self._quickly(sent)
        except UNUSUAL:
            log = self._plain(piece(bytes(sent)))
        self._learn(log.extra)
        return log

    def _quickly(self, sent: Raw) -> EmailLog:
        """Return a record that is as it is expected to be."""
        parse, taken, learned = self._expected
        values = list(taken(parse(sent)))
        for place in self._instants:
            if (text := values[place]) is not None:
                values[place] = timestamps.read(text)
        for place, parts in self._parts:
            if (part := values[place]) is not None:
                values[place] = parts[bytes(part)]
        if learned:
            beside = zip(learned, values[len(self._wires) :], strict=True)
            extra = {name: value for name, value in beside if value is not UNSET}
            if any(map(is_too_deep, extra.values())):
                raise TypeError("an unknown field is nested too deep")
            values[len(self._wires) :] = (Unchanging(extra) if extra else NOTHING,)
        return _finished(_Unfinished(*values))

    def _learn(self, extra: Iterable[str]) -> None:
        """Expect, from now on, fields that were met in a record."""
        learned = self._expected.learned
        new = [name for name in extra if _is_plain(name) and name not in self._known]
        if new := [name for name in new if name not in learned][: MOST_LEARNED - len(learned)]:
            self._expected = self._expecting((*learned, *new))

    def _expecting(self, learned: tuple[str, ...]) -> Expected:
        """Return how records are read that may have learned fields."""
        fields = [*self._known.values(), *((name, Any, UNSET) for name in learned)]
        parse = msgspec.json.Decoder(_structure(fields), float_hook=Decimal).decode
        flat = all(wire in self._known for wire in self._wires)
        return Expected(parse, astuple if flat else attrgetter(*self._wires, *learned), learned)


def _is_plain(name: str) -> bool:
    return len(name) <= LONGEST_NAME and name.isidentifier() and not name.startswith("_")


def _known(kinds: Mapping[str, Any]) -> dict[str, Field]:
    """Return the fields of a parsed record, by their names on the wire.

    One within an object (``platform.entityId``) makes a structure of that object.
    """
    known: dict[str, Field] = {}
    within: dict[str, list[Field]] = {}
    for wire, kind in kinds.items():
        outer, _, inner = wire.partition(".")
        if inner:
            within.setdefault(outer, []).append((inner, kind | None, None))
        else:
            parsed = _PARSED.get(kind, Raw)
            known[wire] = (wire, Raw if parsed is Raw else parsed | None, None)
    for outer, fields in within.items():
        structure = _structure(fields)
        known[outer] = (outer, structure, structure())
    return known


def _structure(fields: Iterable[Field]) -> type[msgspec.Struct]:
    return msgspec.defstruct("Record", fields, forbid_unknown_fields=True, frozen=True, gc=False)
