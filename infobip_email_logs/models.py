"""What the service tells: one :class:`EmailLog` for every version and format of the API.

Every field may be absent or null in an answer, and is None then. Fields that this package does
not know are kept in ``extra``, in the service's own words.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import attrs

from .json_values import NOTHING, jsonable


def _extra() -> Any:
    return attrs.field(default=NOTHING, hash=False, kw_only=True)


class StatusGroup(enum.StrEnum):
    """The groups of statuses that are documented; others may come, and stay text."""

    OK = "OK"
    ACCEPTED = "ACCEPTED"
    PENDING = "PENDING"
    UNDELIVERABLE = "UNDELIVERABLE"
    DELIVERED = "DELIVERED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"


FINAL_GROUPS = frozenset(
    {
        StatusGroup.UNDELIVERABLE,
        StatusGroup.DELIVERED,
        StatusGroup.EXPIRED,
        StatusGroup.REJECTED,
    }
)
"""The groups after which nothing more happens to an email."""


@attrs.frozen
class Price:
    """What the email cost.

    Attributes:
        price_per_message: The price of one email, exact to the last digit that was sent.
        currency: The currency, usually an ISO 4217 code.
        extra: Fields unknown to this package.
    """

    price_per_message: Decimal | None = None
    currency: str | None = None
    extra: Mapping[str, Any] = _extra()


@attrs.frozen
class Status:
    """What became of the email.

    Attributes:
        group_id: The number of the group.
        group_name: The name of the group, as sent.
        id: The number of the status.
        name: The name of the status. There are hundreds, and new ones appear.
        description: The status in words.
        action: What to do about it.
        extra: Fields unknown to this package.
    """

    group_id: int | None = None
    group_name: str | None = None
    id: int | None = None
    name: str | None = None
    description: str | None = None
    action: str | None = None
    extra: Mapping[str, Any] = _extra()

    @property
    def group(self) -> StatusGroup | str | None:
        """The group: a :class:`StatusGroup` where it is a known one, else its text."""
        try:
            return StatusGroup(self.group_name) if self.group_name is not None else None
        except ValueError:
            return self.group_name

    @property
    def is_final(self) -> bool:
        """Whether it can't change any more, as far as is known.

        Accepted and pending mails are under way, and one that was handed to the next operator
        (``DELIVERED_TO_OPERATOR``) too. A group that is not known is not taken for final.
        """
        final = self.group in FINAL_GROUPS
        return final and self.name != "DELIVERED_TO_OPERATOR"


@attrs.frozen
class LogError:
    """What went wrong with the email, if anything did.

    Attributes:
        group_id: The number of the group.
        group_name: The name of the group.
        id: The number of the error.
        name: The name of the error; ``NO_ERROR`` is one.
        description: The error in words.
        permanent: Whether trying again is in vain.
        extra: Fields unknown to this package.
    """

    group_id: int | None = None
    group_name: str | None = None
    id: int | None = None
    name: str | None = None
    description: str | None = None
    permanent: bool | None = None
    extra: Mapping[str, Any] = _extra()


@attrs.frozen
class EmailLog:
    """What became of one email, in the words of version 4 of the API.

    Attributes:
        message_id: The id of the message. One message to several recipients shares it.
        bulk_id: The id of the request that sent it.
        sender: Who sent it (``from`` in version 1).
        destination: Who was to receive it (``to`` in version 1).
        sent_at: When it was sent, in UTC.
        done_at: When the service was done with it, in UTC.
        message_count: Always 1 for an email.
        text: The text of the message.
        price: What it cost.
        status: What became of it.
        error: What went wrong.
        channel: ``EMAIL``, in the older answers.
        application_id: The application it was sent for.
        entity_id: The entity it was sent for.
        campaign_reference_id: The campaign it was sent for.
        extra: Fields unknown to this package.
    """

    message_id: str | None = None
    bulk_id: str | None = None
    sender: str | None = None
    destination: str | None = None
    sent_at: datetime | None = None
    done_at: datetime | None = None
    message_count: int | None = None
    text: str | None = None
    price: Price | None = None
    status: Status | None = None
    error: LogError | None = None
    channel: str | None = None
    application_id: str | None = None
    entity_id: str | None = None
    campaign_reference_id: str | None = None
    extra: Mapping[str, Any] = _extra()

    def to_dict(self) -> dict[str, Any]:
        """Return the log as plain values that ``json.dumps`` takes, always with the same keys.

        Timestamps become ISO 8601 in UTC with milliseconds, prices become text (exact).
        """
        plain = attrs.asdict(self, value_serializer=_plain)
        plain["extra"] = jsonable(self.extra)
        for part in ("price", "status", "error"):
            if plain[part] is not None:
                plain[part]["extra"] = jsonable(getattr(self, part).extra)
        return plain


def _plain(_owner: object, _field: object, value: Any) -> Any:
    match value:
        case datetime():
            return iso(value)
        case Decimal():
            return f"{value:f}"
        case _:
            return value


def iso(instant: datetime) -> str:
    """Return an aware instant in UTC with milliseconds, as ``2016-09-01T10:29:00.440Z``."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


@attrs.frozen
class RejectedRecord:
    """A record that could not be decoded, handed over as it came.

    Attributes:
        page: Which answer of the call it was in, counted from 1.
        index: Which record of that answer, counted from 0.
        path: Where the trouble is, as ``$.results[3].price.pricePerMessage``.
        reason: What the trouble is, in words.
        raw: The record as the service sent it.
    """

    page: int
    index: int
    path: str
    reason: str
    raw: Any = attrs.field(hash=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the record and its trouble as plain values that ``json.dumps`` takes."""
        plain = {field.name: getattr(self, field.name) for field in attrs.fields(type(self))}
        return plain | {"raw": jsonable(self.raw)}


@attrs.frozen
class LogsPage:
    """One answer of the service.

    Attributes:
        logs: The records that could be decoded and keep the query, in the service's order.
        rejects: The records that could not be decoded (with ``on_bad_record="keep"``).
        size: How many records the service sent.
        limit: How many it could have sent.
        contradictions: For each filter that the service did not keep, how many records broke it.
        left_out: Those records.
        date: The service's clock when it answered, cut to the second; None where it told none.
        next_cursor: Where the next page begins (version 4, asked with ``use_cursor``); None where
            the service names none.
        tells_next: Whether the answer to ``use_cursor`` has a word on cursors at all: without one,
            the service does not keep them.
    """

    logs: tuple[EmailLog, ...]
    rejects: tuple[RejectedRecord, ...] = ()
    size: int = 0
    limit: int = 50
    contradictions: Mapping[str, int] = attrs.field(factory=dict[str, int], hash=False)
    left_out: tuple[EmailLog, ...] = ()
    date: datetime | None = None
    next_cursor: str | None = None
    tells_next: bool = False

    @property
    def full(self) -> bool:
        """Whether there may be more: it is as large as can be, or names a next page."""
        return self.size >= self.limit or self.next_cursor is not None


@attrs.frozen
class Gap:
    """A part of a pull that is not proven to be complete.

    Attributes:
        since: The beginning of the stretch on ``sent_at``; None where the query has none.
        until: Its end; None where the query has none.
        filters: The other filters, by their field in :class:`LogsQuery`.
        why: Why it is not proven: ``"unproven"``, more logs in one millisecond than a page holds;
            ``"full page"``, the same for some of them, where they can't be split further;
            ``"expired"`` before their turn came; ``"max_requests"``, ``"deadline"`` or
            ``"closed"``, the pull ended there; ``"the cursor died"``; ``"the service does not keep
            the window"``; ``"3 unconfirmed ids"``.
    """

    since: datetime | None
    until: datetime | None
    filters: Mapping[str, tuple[str, ...]] = attrs.field(
        factory=dict[str, tuple[str, ...]], hash=False
    )
    why: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the gap as plain values that ``json.dumps`` takes."""
        return {
            "since": iso(self.since) if self.since else None,
            "until": iso(self.until) if self.until else None,
            "filters": {name: list(values) for name, values in self.filters.items()},
            "why": self.why,
        }
