"""An answer with status 200 becomes a page, a slice of records at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import DecodeError, shown
from ..json_values import is_too_deep
from ..models import EmailLog, LogsPage, RejectedRecord
from ..query import DEFAULT_LIMIT, MAX_LIMIT
from .documents import UNUSUAL, in_pieces, parsed
from .exchange import notices
from .records import Undecodable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from ..query import LogsQuery
    from .dialects import Dialect
    from .exchange import Reply

SLICE = 50
"""The records that are decoded before the event loop gets its turn."""


MOST = 100 * MAX_LIMIT
"""The records that are decoded, at most: empty ones take two hundred times the memory sent."""


def read(
    reply: Reply, *, dialect: Dialect, query: LogsQuery, page: int, keep_bad: bool
) -> Generator[None, None, LogsPage]:
    """Decode a reply with status 200, a slice of records a step; return the page.

    Args:
        reply: The reply.
        dialect: What it is written in.
        query: What was asked.
        page: Which answer of the call it is, for error messages.
        keep_bad: Whether a record that can't be decoded is handed over raw, or raised.

    Raises:
        DecodeError: The answer is no page; or, without ``keep_bad``, a record can't be decoded.
    """
    try:
        found = yield from dialect.results(reply, page, in_pieces)
        decoded = yield from _decoded(found.records, dialect.log, page, keep_bad=keep_bad)
    except (DecodeError, *UNUSUAL):
        # What is wrong is said by the parser that has looked at all of the answer.
        found = yield from dialect.results(reply, page, parsed)
        decoded = yield from _decoded(found.records, dialect.log, page, keep_bad=keep_bad)
    logs, rejects = decoded
    return LogsPage(
        tuple(logs),
        tuple(rejects),
        len(found.records),
        query.limit or DEFAULT_LIMIT,
        date=notices(reply).date,
        next_cursor=found.next_cursor,
        tells_next=query.use_cursor and found.tells_next,
    )


def _decoded(
    records: list[Any], decode: Callable[[Any], EmailLog], page: int, *, keep_bad: bool
) -> Generator[None, None, tuple[list[EmailLog], list[RejectedRecord]]]:
    """Decode records, a slice a step; return the logs, and the records that are none."""
    if len(records) > MOST:
        raise DecodeError(f"page {page}: {len(records)} records are no page", page=page)
    logs: list[EmailLog] = []
    rejects: list[RejectedRecord] = []
    for index, raw in enumerate(records):
        try:
            logs.append(decode(raw))
        except Undecodable as trouble:
            path = f"$.results[{index}]{trouble.path}"
            if not keep_bad:
                raise _undecodable(trouble, path, page, index) from trouble.__cause__
            kept = shown(trouble.raw) if is_too_deep(trouble.raw) else trouble.raw
            rejects.append(RejectedRecord(page, index, path, trouble.reason, kept))
        if index % SLICE == SLICE - 1:
            yield
    return logs, rejects


def _undecodable(trouble: Undecodable, path: str, page: int, index: int) -> DecodeError:
    return DecodeError(
        f"page {page}, record {index}: {path} is {trouble.value}: {trouble.reason}"
        ' (on_bad_record="keep" hands such records over raw)',
        page=page,
        index=index,
        path=path,
        value=trouble.value,
    )
