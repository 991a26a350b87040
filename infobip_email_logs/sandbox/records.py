"""One email as the service knows it, in words that belong to neither version of its API."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import attrs

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


def milliseconds(instant: datetime) -> int:
    """Return the whole milliseconds from 1970 to ``instant``, which must be aware."""
    return (instant - EPOCH) // _MILLISECOND


def from_milliseconds(count: int) -> datetime:
    """Return the instant ``count`` milliseconds after 1970, in UTC."""
    return EPOCH + timedelta(milliseconds=count)


@attrs.frozen
class Status:
    """What became of an email.

    Attributes:
        group_id: The number of the group.
        group_name: The group, which ``generalStatus`` filters by.
        id: The number of the status.
        name: The name of the status.
        description: The status in words.
        action: What to do about it; None is not sent.
    """

    group_id: int
    group_name: str
    id: int
    name: str
    description: str
    action: str | None = None


@attrs.frozen
class Error:
    """Why an email failed.

    Attributes:
        group_id: The number of the group.
        group_name: The group.
        id: The number of the error.
        name: The name of the error.
        description: The error in words.
        permanent: Whether another attempt is pointless.
    """

    group_id: int
    group_name: str
    id: int
    name: str
    description: str
    permanent: bool = False


NO_ERROR = Error(0, "OK", 0, "NO_ERROR", "No error")

STATUSES: Mapping[str, Status] = MappingProxyType(
    {
        status.name: status
        for status in (
            Status(0, "ACCEPTED", 0, "MESSAGE_ACCEPTED", "Message accepted"),
            Status(1, "PENDING", 26, "PENDING_ACCEPTED", "Message accepted, not yet sent on"),
            Status(1, "PENDING", 7, "PENDING_ENROUTE", "Message is on its way"),
            Status(3, "DELIVERED", 2, "DELIVERED_TO_OPERATOR", "Message handed to the next host"),
            Status(3, "DELIVERED", 5, "DELIVERED_TO_HANDSET", "Message delivered to handset"),
            Status(2, "UNDELIVERABLE", 9, "UNDELIVERABLE_NOT_DELIVERED", "Message not delivered"),
            Status(4, "EXPIRED", 15, "EXPIRED_EXPIRED", "Message expired before its delivery"),
            Status(5, "REJECTED", 6, "REJECTED_NETWORK", "Network is not supported", "Ask support"),
            Status(5, "REJECTED", 11, "REJECTED_NOT_ENOUGH_CREDITS", "Too few credits", "Top up"),
        )
    }
)
"""Statuses to make records of, by name. The service has hundreds more."""

PENDING = STATUSES["PENDING_ENROUTE"]
"""The status of a record before it is settled."""

ON_THE_WIRE = frozenset(
    (
        "applicationId",
        "bulkId",
        "campaignReferenceId",
        "channel",
        "destination",
        "doneAt",
        "entityId",
        "error",
        "from",
        "messageCount",
        "messageId",
        "platform",
        "price",
        "sender",
        "sentAt",
        "status",
        "text",
        "to",
    )
)
"""The fields of a record in answers, of both versions."""

_MAILBOX = Error(2, "USER_ERRORS", 5003, "EC_MAILBOX_UNAVAILABLE", "Mailbox unavailable", True)
_TIMEOUT = Error(3, "OPERATOR_ERRORS", 5009, "EC_HOST_TIMEOUT", "The host did not answer")
_ERRORS = {"UNDELIVERABLE": _MAILBOX, "EXPIRED": _TIMEOUT, "REJECTED": _MAILBOX}


def error_of(status: Status) -> Error:
    """Return the error that goes with ``status`` in synthetic records."""
    return _ERRORS.get(status.group_name, NO_ERROR)


def _whole(instant: datetime) -> datetime:
    if instant.tzinfo is UTC and not instant.microsecond % 1000:
        return instant
    return from_milliseconds(milliseconds(instant))


def _whole_or_none(instant: datetime | None) -> datetime | None:
    return None if instant is None else _whole(instant)


def _check_price(_record: object, _field: object, price: str | None) -> None:
    if price is not None and not _NUMBER.fullmatch(price):
        raise ValueError(f"a price is a JSON number as text, not {price!r}")


def _names(names: Iterable[str]) -> frozenset[str]:
    return frozenset((names,) if isinstance(names, str) else names)


def _check_names(record: Record, _field: object, names: frozenset[str]) -> None:
    for name in names:
        if name.partition(".")[0] not in ON_THE_WIRE | record.extra.keys():
            raise ValueError(f"no answer has a field {name!r} to leave out")


@attrs.frozen(kw_only=True)
class Record:
    """One email in the logs. A field that is None is left out of the answers.

    Attributes:
        message_id: The id of the message; several records may share one.
        sent_at: When it was sent, aware; kept to the millisecond.
        bulk_id: The id of the send request.
        sender: Who sent it.
        destination: Who receives it.
        text: What was sent.
        done_at: When it was finished, aware; kept to the millisecond.
        message_count: The number of parts.
        price: The price of one message: a JSON number as text, sent digit by digit.
        currency: The currency of the price.
        status: What became of it.
        error: Why it failed.
        channel: The channel; version 1 sends it.
        application_id: The application that it was sent by.
        entity_id: The entity that it was sent for.
        campaign_reference_id: The campaign; version 4 sends it.
        hidden: Fields that answers leave out, such as ``sentAt`` or ``status.action``, in the
            words of a version; filters act on them all the same.
        visible_at: When it appears in the logs, aware; None as soon as the settings let it.
        extra: Further fields on the wire, in JSON's values.
    """

    message_id: str | None
    sent_at: datetime = attrs.field(converter=_whole)
    bulk_id: str | None = None
    sender: str | None = "sender@example.com"
    destination: str | None = "recipient@example.com"
    text: str | None = "Test text"
    done_at: datetime | None = attrs.field(default=None, converter=_whole_or_none)
    message_count: int | None = 1
    price: str | None = attrs.field(default="0.0005", validator=_check_price)
    currency: str | None = "EUR"
    status: Status | None = STATUSES["DELIVERED_TO_HANDSET"]
    error: Error | None = NO_ERROR
    channel: str | None = "EMAIL"
    application_id: str | None = None
    entity_id: str | None = None
    campaign_reference_id: str | None = None
    hidden: frozenset[str] = attrs.field(
        default=frozenset[str](), converter=_names, validator=_check_names
    )
    visible_at: datetime | None = None
    extra: Mapping[str, Any] = attrs.field(factory=dict[str, Any], hash=False)

    @property
    def general_status(self) -> str | None:
        """The status group, which ``generalStatus`` filters by."""
        return None if self.status is None else self.status.group_name
