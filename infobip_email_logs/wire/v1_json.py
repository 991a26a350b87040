"""Version 1 of the API in JSON: ``GET /email/1/logs``."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import attrs

from ..errors import DecodeError, InvalidInput, clip
from ..json_values import is_array, is_object
from ..models import EmailLog, LogsPage, RejectedRecord
from . import timestamps, urls
from .exchange import Reply, Request
from .records import VERSION_1, RecordDecoder, Undecodable

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from yarl import URL

    from ..query import LogsQuery

PATH = "/email/1/logs"
DEFAULT_LIMIT = 50
"""The page size where a request names none (older reference, ``limit``)."""

SLICE = 50
"""The records that are decoded before the event loop gets its turn."""

_ONE = ("bulk_id", "campaign_reference_id")
"""The filters that take one value in this version."""

_decode = RecordDecoder(VERSION_1)


def request(query: LogsQuery, base: URL) -> Request:
    """Return the one request for ``query``.

    Raises:
        InvalidInput: The query can't be asked in one request of this version.
    """
    for name in _ONE:
        if len(getattr(query, name)) > 1:
            raise InvalidInput(
                f"version 1 of the API takes one {name} in a request, "
                f"not {len(getattr(query, name))}; ask for each on its own"
            )
    return Request(urls.url(base, PATH, _parameters(query)), {"Accept": "application/json"})


def askable(query: LogsQuery) -> LogsQuery:
    """Return the part of ``query`` that one request can ask: the rest is for the client to sift."""
    dropped: dict[str, Any] = {name: () for name in _ONE if len(getattr(query, name)) > 1}
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


def read(
    reply: Reply, *, query: LogsQuery, page: int, keep_bad: bool
) -> Generator[None, None, LogsPage]:
    """Decode a reply with status 200, a slice of records a step; return the page.

    Args:
        reply: The reply.
        query: What was asked.
        page: Which answer of the call it is, for error messages.
        keep_bad: Whether a record that can't be decoded is handed over raw, or raised.

    Raises:
        DecodeError: The answer is no page; or, without ``keep_bad``, a record can't be decoded.
    """
    raws = _results(_document(reply.body, page), page)
    yield
    logs: list[EmailLog] = []
    rejects: list[RejectedRecord] = []
    for index, raw in enumerate(raws):
        try:
            logs.append(_decode(raw))
        except Undecodable as trouble:
            path = f"$.results[{index}]{trouble.path}"
            if not keep_bad:
                raise _undecodable(trouble, path, page, index) from trouble.__cause__
            rejects.append(RejectedRecord(page, index, path, trouble.reason, raw))
        if index % SLICE == SLICE - 1:
            yield
    return LogsPage(tuple(logs), tuple(rejects), len(raws), query.limit or DEFAULT_LIMIT)


def _undecodable(trouble: Undecodable, path: str, page: int, index: int) -> DecodeError:
    return DecodeError(
        f"page {page}, record {index}: {path} is {trouble.value}: {trouble.reason}"
        ' (on_bad_record="keep" hands such records over raw)',
        page=page,
        index=index,
        path=path,
        value=trouble.value,
    )


def _document(body: bytes, page: int) -> Any:
    """Parse a body, numbers with a fraction as exact decimals."""
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
