"""Answers in JSON, taken apart: what both versions share."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import attrs

from ..errors import DecodeError, clip, shown
from ..json_values import is_array, is_object

if TYPE_CHECKING:
    from collections.abc import Generator


@attrs.frozen
class Found:
    """What an answer holds.

    Attributes:
        records: The records, as they were sent.
        next_cursor: Where the next page begins; None where the answer names none.
        tells_next: Whether the answer has a word on cursors at all.
    """

    records: list[Any]
    next_cursor: str | None = None
    tells_next: bool = False


def document(body: bytes, page: int) -> Generator[None, None, Any]:
    """Return a parsed answer, a step of its own; numbers with a fraction are exact.

    Args:
        body: The body of the answer.
        page: Which answer of the call it is, for error messages.

    Raises:
        DecodeError: The answer is no JSON.
    """
    parsed = _parsed(body, page)
    yield
    return parsed


def _parsed(body: bytes, page: int) -> Any:
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=Decimal)
    except (ValueError, ArithmeticError, RecursionError) as error:
        there = clip(body[:2000].decode("utf-8", "replace"))
        raise DecodeError(
            f"page {page}: the answer is no JSON ({clip(str(error))}): {there!r}",
            page=page,
            value=there,
        ) from error


def records(parsed: Any, page: int) -> list[Any]:
    """Return the records of a page, as they were sent.

    Raises:
        DecodeError: The answer is no page.
    """
    at, found = "$", parsed
    if is_object(parsed) and "results" in parsed:
        at, found = "$.results", parsed["results"]
        if is_array(found):
            return found
    there = shown(found)
    raise DecodeError(
        f"page {page}: {at} holds no list of results, but {there}", page=page, path=at, value=there
    )
