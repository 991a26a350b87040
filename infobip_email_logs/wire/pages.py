"""An answer with status 200 becomes a page, a slice of records at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from ..errors import DecodeError
from ..models import EmailLog, LogsPage, RejectedRecord
from ..query import DEFAULT_LIMIT
from . import v1_json, v1_xml
from .exchange import notices
from .records import VERSION_1, RecordDecoder, Undecodable

if TYPE_CHECKING:
    from collections.abc import Generator

    from ..query import LogsQuery
    from .exchange import Reply

SLICE = 50
"""The records that are decoded before the event loop gets its turn."""

_decode = RecordDecoder(VERSION_1)


class _Results(Protocol):
    def __call__(self, body: bytes, page: int) -> Generator[None, None, list[Any]]: ...


def _results_of(reply: Reply) -> _Results:
    """Return what takes the answer apart, by what the answer says it is, not by what was asked."""
    return v1_xml.results if v1_xml.is_xml(reply) else v1_json.results


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
    raws = yield from _results_of(reply)(reply.body, page)
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
    return LogsPage(
        tuple(logs),
        tuple(rejects),
        len(raws),
        query.limit or DEFAULT_LIMIT,
        date=notices(reply).date,
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
