"""Which logs are asked for: :class:`LogsQuery`, checked when it is built."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import attrs

from .errors import InvalidInput, clip

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_LIMIT = 1000
"""The records that one answer holds at most (API reference, ``limit``)."""

DEFAULT_LIMIT = 50
"""The records of an answer where the request names no limit (older reference, ``limit``)."""

LISTS = ("message_id", "bulk_id", "campaign_reference_id")
TEXTS = ("sender", "destination", "general_status", "application_id", "entity_id")


def ids(value: str | Iterable[str] | None, name: str = "an id") -> tuple[str, ...]:
    """Return one id, or several, as a tuple without repeats; refuse what can't be one.

    Raises:
        InvalidInput: An id is not text, is empty or has a comma in it.
    """
    if value is None:
        return ()
    many = (value,) if isinstance(value, str) else tuple(value)
    for one in many:
        check_id(one, name)
    return tuple(dict.fromkeys(many))


def check_id(value: object, name: str = "an id") -> str:
    """Return ``value`` if it can be an id in a query.

    Raises:
        InvalidInput: It is not text, is empty or has a comma in it.
    """
    if not isinstance(value, str):
        raise InvalidInput(f"{name} must be text, not {type(value).__name__}: {clip(repr(value))}")
    if not value.strip():
        raise InvalidInput(f"{name} must not be empty")
    _check_encodable(value, name)
    if "," in value:
        raise InvalidInput(
            f"{name} must not hold a comma; give several ids one by one: {clip(value)}"
        )
    return value


def _check_encodable(value: str, name: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidInput(f"{name} is no text that can be sent: {clip(repr(value))}") from None


def _message_ids(value: str | Iterable[str] | None) -> tuple[str, ...]:
    return ids(value, "message_id")


def _bulk_ids(value: str | Iterable[str] | None) -> tuple[str, ...]:
    return ids(value, "bulk_id")


def _campaigns(value: str | Iterable[str] | None) -> tuple[str, ...]:
    return ids(value, "campaign_reference_id")


def _check_text(_query: object, field: attrs.Attribute[Any], value: object) -> None:
    if value is None:
        return
    if not isinstance(value, str):
        raise InvalidInput(f"{field.name} must be text, not {type(value).__name__}")
    if not value:
        raise InvalidInput(f"{field.name} must not be empty; leave it out to not filter by it")
    _check_encodable(value, field.name)


def _check_time(_query: object, field: attrs.Attribute[Any], value: object) -> None:
    if value is None:
        return
    if not isinstance(value, datetime):
        raise InvalidInput(f"{field.name} must be a datetime, not {type(value).__name__}")
    if value.utcoffset() is None:
        raise InvalidInput(
            f"{field.name} must be an aware datetime; "
            f"say which zone it is in, e.g. {value.isoformat()}+00:00"
        )
    try:
        value.astimezone(UTC)
    except OverflowError:
        raise InvalidInput(f"{field.name} is beyond the calendar of UTC: {value}") from None


def _check_limit(_query: object, _field: object, value: Any) -> None:
    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_LIMIT:
        raise InvalidInput(f"limit must be a whole number from 1 to {MAX_LIMIT}, not {value!r}")


@attrs.frozen(kw_only=True)
class LogsQuery:
    """Filters for logs. All may be combined, none is needed; a query holds no clock.

    Attributes:
        message_id: One message id, or several (comma-joined on the wire).
        bulk_id: One bulk id, or several. Version 1 of the API takes one in a request; for several
            there is :meth:`EmailLogsClient.logs_by_bulk_id`.
        sender: Who sent it (``from`` in version 1). Any text, never checked as an address.
        destination: Who was to receive it (``to`` in version 1).
        general_status: A status group: a :class:`StatusGroup`, or any text.
        sent_since: The earliest ``sent_at``, an aware datetime. It travels in milliseconds,
            rounded down.
        sent_until: The latest ``sent_at``, an aware datetime, not before ``sent_since``. It
            travels in milliseconds, rounded up. Whether the service's bounds are inclusive is not
            documented.
        limit: 1 to 1000. For one request (``get_page``) the page size, 50 by the service's
            default; for ``logs*`` the number of logs in total.
        campaign_reference_id: One campaign, or several (version 1 takes one).
        application_id: The application it was sent for.
        entity_id: The entity it was sent for.
        use_cursor: Whether the answer is to tell where the next page begins (version 4).
        cursor: Where the page begins, as the page before told (version 4); it needs
            ``use_cursor``.

    Raises:
        InvalidInput: A value can't be sent: the message names the field.
    """

    message_id: tuple[str, ...] = attrs.field(default=(), converter=_message_ids)
    bulk_id: tuple[str, ...] = attrs.field(default=(), converter=_bulk_ids)
    sender: str | None = attrs.field(default=None, validator=_check_text)
    destination: str | None = attrs.field(default=None, validator=_check_text)
    general_status: str | None = attrs.field(default=None, validator=_check_text)
    sent_since: datetime | None = attrs.field(default=None, validator=_check_time)
    sent_until: datetime | None = attrs.field(default=None, validator=_check_time)
    limit: int | None = attrs.field(default=None, validator=_check_limit)
    campaign_reference_id: tuple[str, ...] = attrs.field(default=(), converter=_campaigns)
    application_id: str | None = attrs.field(default=None, validator=_check_text)
    entity_id: str | None = attrs.field(default=None, validator=_check_text)
    use_cursor: bool = False
    cursor: str | None = attrs.field(default=None, validator=_check_text)

    def __attrs_post_init__(self) -> None:
        """Refuse a cursor without its flag, and a window that ends before it begins."""
        if self.cursor and not self.use_cursor:
            raise InvalidInput("a cursor needs use_cursor=True beside it")
        if self.sent_since and self.sent_until and self.sent_since > self.sent_until:
            raise InvalidInput(
                f"sent_since ({self.sent_since.isoformat()}) must not be later than "
                f"sent_until ({self.sent_until.isoformat()})"
            )

    @property
    def filters(self) -> Mapping[str, tuple[str, ...]]:
        """The filters that are set, apart from the window, by field: what a gap is told with."""
        texts = {name: (value,) for name in TEXTS if (value := getattr(self, name)) is not None}
        return {name: value for name in LISTS if (value := getattr(self, name))} | texts
