"""A query in the words of a version: the names are the version's, the values are the same."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from . import timestamps

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..query import LogsQuery

Parameter = tuple[str, tuple[str, ...]]
"""A name and its values."""


def parameters(query: LogsQuery, names: Mapping[str, str]) -> Iterator[Parameter]:
    """Yield the filters that are set, in the order of ``names``.

    Args:
        query: What is asked.
        names: The version's name for each field of the query.
    """
    for field, name in names.items():
        if values := tuple(_texts(field, getattr(query, field))):
            yield name, values


def _texts(field: str, value: Any) -> Iterator[str]:
    """Yield the values of a field; an instant in milliseconds, rounded so that nothing is lost."""
    match value:
        case tuple():
            yield from value
        case datetime():
            whole = timestamps.floor if field == "sent_since" else timestamps.ceil
            yield timestamps.write(whole(value))
        case True:
            yield "true"
        case None | False:
            return
        case _:
            yield str(value)
