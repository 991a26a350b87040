"""Answers in JSON, taken apart: what both versions share.

The records of a page are found without being parsed, and each is parsed when its turn comes: no
step takes longer than looking through the page once. Whatever is unusual in an answer lets all of
it be parsed by Python's own parser instead, which is slower and says what is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from decimal import Decimal
from typing import Any

import attrs
import msgspec

from ..errors import DecodeError, clip, shown
from ..json_values import is_array, is_object

Document = Callable[[bytes, int], Generator[None, None, Any]]
"""Makes a document of a body, a step at a time; it is given which answer of the call it is."""

UNUSUAL = (
    msgspec.MsgspecError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    RecursionError,
)
"""What is raised where an answer, or a piece of one, is left to Python's own parser."""

_fields = msgspec.json.Decoder(
    dict[str, list[msgspec.Raw] | dict[str, Any] | str | int | bool | None], float_hook=Decimal
).decode
"""Parses an object but for the lists in it."""


@attrs.frozen
class Found:
    """What an answer holds.

    Attributes:
        records: The records, as they were sent; parsed, or :class:`msgspec.Raw` pieces.
        next_cursor: Where the next page begins; None where the answer names none.
        tells_next: Whether the answer has a word on cursors at all.
    """

    records: list[Any]
    next_cursor: str | None = None
    tells_next: bool = False


def in_pieces(body: bytes, _page: int) -> Generator[None, None, Any]:
    """Return an answer, a step of its own, with results that are not parsed.

    Raises one of :data:`UNUSUAL` where that is better left to :func:`parsed`.
    """
    body.decode()  # the parser does not look at what it passes over
    fields = _fields(body)
    yield
    if any(is_array(value) for name, value in fields.items() if name != "results"):
        raise TypeError("there is one list in a page")
    return fields


def parsed(body: bytes, page: int) -> Generator[None, None, Any]:
    """Return a parsed answer, a step of its own; numbers with a fraction are exact.

    Args:
        body: The body of the answer.
        page: Which answer of the call it is, for error messages.

    Raises:
        DecodeError: The answer is no JSON.
    """
    document = _parsed(body, page)
    yield
    return document


def piece(sent: bytes) -> Any:
    """Return a parsed piece of an answer; numbers with a fraction are exact.

    Raises:
        ValueError: It is no JSON.
        ArithmeticError: A number in it is beyond all bounds.
        RecursionError: Its values are too deep inside one another.
    """
    return json.loads(sent, parse_float=Decimal, parse_constant=Decimal)


def _parsed(body: bytes, page: int) -> Any:
    try:
        return piece(body)
    except (ValueError, ArithmeticError, RecursionError) as error:
        there = clip(body[:2000].decode("utf-8", "replace"))
        raise DecodeError(
            f"page {page}: the answer is no JSON ({clip(str(error))}): {there!r}",
            page=page,
            value=there,
        ) from error


def records(document: Any, page: int) -> list[Any]:
    """Return the records of a page, as they were sent.

    Raises:
        DecodeError: The answer is no page.
    """
    at, found = "$", document
    if is_object(document) and "results" in document:
        at, found = "$.results", document["results"]
        if is_array(found):
            return found
    there = shown(found)
    raise DecodeError(
        f"page {page}: {at} holds no list of results, but {there}", page=page, path=at, value=there
    )
