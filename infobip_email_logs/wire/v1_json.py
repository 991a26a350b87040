"""Version 1 of the API: ``GET /email/1/logs``, and its answers in JSON."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

import attrs

from ..errors import DecodeError, InvalidInput, clip
from ..json_values import is_array, is_object
from . import timestamps, urls
from .exchange import Request

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from yarl import URL

    from ..query import LogsQuery

Accept = Literal["json", "xml"]

PATH = "/email/1/logs"
_ONE = ("bulk_id", "campaign_reference_id")
"""The filters that take one value in this version."""

_ECHOED = ("bulk_id",)
"""Those of them that the records of this version tell, so that the client can sift by them."""


def request(query: LogsQuery, base: URL, *, accept: Accept = "json") -> Request:
    """Return the one request for ``query``.

    Args:
        query: What is asked.
        base: The address of the service.
        accept: The form that is asked for; whether it is kept, the answer says.

    Raises:
        InvalidInput: The query can't be asked in one request of this version.
    """
    for name in _ONE:
        if len(getattr(query, name)) > 1:
            raise InvalidInput(
                f"version 1 of the API takes one {name} in a request, "
                f"not {len(getattr(query, name))}; ask for each on its own"
            )
    if query.use_cursor:
        raise InvalidInput("version 1 of the API has no cursor; version 4 has")
    return Request(urls.url(base, PATH, _parameters(query)), {"Accept": f"application/{accept}"})


def askable(query: LogsQuery) -> LogsQuery:
    """Return the part of ``query`` that one request can ask: the rest is for the client to sift."""
    dropped: dict[str, Any] = {name: () for name in _ECHOED if len(getattr(query, name)) > 1}
    return attrs.evolve(query, **dropped)


def _parameters(query: LogsQuery) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the parameters in the order of the references' examples."""
    since, until = query.sent_since, query.sent_until
    values: dict[str, str | tuple[str, ...] | None] = {
        "messageId": query.message_id,
        "from": query.sender,
        "to": query.destination,
        "bulkId": query.bulk_id,
        "campaignReferenceId": query.campaign_reference_id,
        "sentSince": timestamps.write(timestamps.floor(since)) if since else None,
        "sentUntil": timestamps.write(timestamps.ceil(until)) if until else None,
        "generalStatus": query.general_status,
        "limit": str(query.limit) if query.limit else None,
        "applicationId": query.application_id,
        "entityId": query.entity_id,
    }
    for name, value in values.items():
        if value:
            yield name, (value,) if isinstance(value, str) else value


def results(body: bytes, page: int) -> Generator[None, None, list[Any]]:
    """Return the records of a page, as they were sent; numbers with a fraction are exact.

    Args:
        body: The body of the answer.
        page: Which answer of the call it is, for error messages.

    Raises:
        DecodeError: The answer is no page.
    """
    document = _document(body, page)
    yield
    return _results(document, page)


def _document(body: bytes, page: int) -> Any:
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=Decimal)
    except (ValueError, ArithmeticError, RecursionError) as error:
        shown = clip(body[:2000].decode("utf-8", "replace"))
        raise DecodeError(
            f"page {page}: the answer is no JSON ({clip(str(error))}): {shown!r}",
            page=page,
            value=shown,
        ) from error


def _results(document: Any, page: int) -> list[Any]:
    at, found = "$", document
    if is_object(document) and "results" in document:
        at, found = "$.results", document["results"]
        if is_array(found):
            return found
    shown = clip(repr(found))
    raise DecodeError(
        f"page {page}: {at} holds no list of results, but {shown}", page=page, path=at, value=shown
    )
