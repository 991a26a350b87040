"""Where a record belongs, and whether it was handed over before. Pure.

In an overlap a record is known by its message, recipient, bulk and instant, and by its
multiplicity within one page. Its status, its price and when it was done are no part of that:
they change.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, NamedTuple

from .json_values import is_object
from .models import EmailLog, RejectedRecord
from .moments import number
from .wire import timestamps

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .models import LogsPage

NAMES = {"message_id": "messageId", "bulk_id": "bulkId"}
"""How records name the ids that are asked for, in every version."""

Record = EmailLog | RejectedRecord

Seen = Counter[Hashable]
"""How often each identity was handed over."""


class Item(NamedTuple):
    """A record of a page.

    Attributes:
        record: The record.
        at: When it was sent, in milliseconds; None where it does not tell.
        key: Its identity.
        wanted: Whether it is to be handed over at all.
    """

    record: Record
    at: int | None
    key: Hashable
    wanted: bool


def items(page: LogsPage, wanted: Iterable[Record]) -> list[Item]:
    """Return all records of a page, those that break a filter and the undecodable ones too."""
    chosen = {id(record) for record in wanted}
    return [
        *(_log(log, wanted=id(log) in chosen) for log in (*page.logs, *page.left_out)),
        *(_reject(reject, wanted=id(reject) in chosen) for reject in page.rejects),
    ]


def wanted_items(records: Iterable[Record]) -> list[Item]:
    """Return records that are to be handed over, whatever pages they are of."""
    return [
        _log(one, wanted=True) if isinstance(one, EmailLog) else _reject(one, wanted=True)
        for one in records
    ]


def told_id(record: Record, field: str) -> str | None:
    """Return the message or bulk id that a record tells, an undecodable one too."""
    if isinstance(record, EmailLog):
        return getattr(record, field, None)
    told = record.raw.get(NAMES[field]) if is_object(record.raw) else None
    return told if isinstance(told, str) else None


def _log(log: EmailLog, *, wanted: bool) -> Item:
    at = None if log.sent_at is None else number(log.sent_at)
    key: tuple[Hashable, ...] = (log.message_id, log.destination, log.bulk_id, at)
    if at is None or log.message_id is None:
        key = (*key, log.sender, log.text)
    return Item(log, at, key, wanted)


def _reject(reject: RejectedRecord, *, wanted: bool) -> Item:
    raw: dict[str, Any] = reject.raw if is_object(reject.raw) else {}
    at = _instant(raw.get("sentAt"))
    told = [raw.get(name) for name in ("messageId", "to", "destination", "bulkId")]
    return Item(reject, at, (repr(told if raw else reject.raw), at), wanted)


def _instant(text: object) -> int | None:
    try:
        return number(timestamps.read(text.strip())) if isinstance(text, str) else None
    except ValueError:
        return None


def seen(found: Iterable[Item]) -> Seen:
    """Return how often each identity occurs."""
    return Counter(item.key for item in found)


def beyond(found: Iterable[Item], known: Seen) -> list[Item]:
    """Return the items that occur more often than is known."""
    if not known:
        return list(found)
    left, new = Counter(known), list[Item]()
    for item in found:
        if left[item.key] > 0:
            left[item.key] -= 1
        else:
            new.append(item)
    return new
