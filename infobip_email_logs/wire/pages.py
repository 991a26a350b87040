"""An answer with status 200 becomes a page, a slice of records at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import DecodeError, shown
from ..json_values import is_too_deep
from ..models import EmailLog, LogsPage, RejectedRecord
from ..query import DEFAULT_LIMIT, MAX_LIMIT
from .exchange import notices
from .records import Undecodable

if TYPE_CHECKING:
    from collections.abc import Generator

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
    found = yield from dialect.results(reply, page)
    if len(found.records) > MOST:
        raise DecodeError(f"page {page}: {len(found.records)} records are no page", page=page)
    logs: list[EmailLog] = []
    rejects: list[RejectedRecord] = []
    for index, raw in enumerate(found.records):
        try:
            logs.append(dialect.log(raw))
        except Undecodable as trouble:
            path = f"$.results[{index}]{trouble.path}"
            if not keep_bad:
                raise _undecodable(trouble, path, page, index) from trouble.__cause__
            kept = shown(raw) if is_too_deep(raw) else raw
            rejects.append(RejectedRecord(page, index, path, trouble.reason, kept))
        if index % SLICE == SLICE - 1:
            yield
    return LogsPage(
        tuple(logs),
        tuple(rejects),
        len(found.records),
        query.limit or DEFAULT_LIMIT,
        date=notices(reply).date,
        next_cursor=found.next_cursor,
        tells_next=query.use_cursor and found.tells_next,
    )


def _undecodable(trouble: Undecodable, path: str, page: int, index: int) -> DecodeError:
    return DecodeError(
        f"page {page}, record {index}: {path} is {trouble.value}: {trouble.reason}"
        ' (on_bad_record="keep" hands such records over raw)',
        page=page,
        index=index,
        path=path,
        value=trouble.value,
    )
