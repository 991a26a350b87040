"""What a query refuses, and what it keeps."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from infobip_email_logs import InvalidInput, LogsQuery, StatusGroup

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"limit": 0}, "1 to 1000"),
        ({"limit": 1001}, "1 to 1000"),
        ({"limit": True}, "1 to 1000"),
        ({"limit": "5"}, "1 to 1000"),
        ({"message_id": "a,b"}, "comma"),
        ({"bulk_id": ["a", "b,c"]}, "comma"),
        ({"message_id": ""}, "empty"),
        ({"message_id": ["a", " "]}, "empty"),
        ({"bulk_id": [5]}, "must be text, not int"),
        ({"message_id": "\ud800"}, "no text that can be sent"),
        ({"sender": "\ud800"}, "no text that can be sent"),
        ({"sender": ""}, "leave it out"),
        ({"destination": 5}, "must be text"),
        ({"sent_since": datetime(2026, 1, 1)}, "aware"),  # noqa: DTZ001 - that is the point
        ({"sent_until": "2026-01-01"}, "must be a datetime"),
        ({"sent_since": NOON, "sent_until": NOON - timedelta(seconds=1)}, "later than"),
    ],
)
def test_a_query_that_cannot_be_asked_is_refused(wrong: dict[str, Any], told: str) -> None:
    """The error names the field and what is wrong with it."""
    with pytest.raises(InvalidInput, match=told) as caught:
        LogsQuery(**wrong)
    assert isinstance(caught.value, ValueError)


def test_one_id_or_several_are_kept_without_repeats() -> None:
    """One id may be given as text, several as any iterable."""
    assert LogsQuery(message_id="a").message_id == ("a",)
    assert LogsQuery(message_id=iter(["a", "b", "a"])).message_id == ("a", "b")
    assert LogsQuery().message_id == ()


def test_a_window_may_be_one_instant_in_two_zones() -> None:
    """What counts is the instant, not how it is written."""
    elsewhere = NOON.astimezone(timezone(timedelta(hours=5)))
    query = LogsQuery(sent_since=NOON, sent_until=elsewhere)
    assert query.sent_since == query.sent_until


def test_the_filters_of_a_query_are_told_by_field() -> None:
    """A gap is told with the filters that were set."""
    query = LogsQuery(bulk_id="b", general_status=StatusGroup.PENDING, limit=5, sent_since=NOON)
    assert query.filters == {"bulk_id": ("b",), "general_status": ("PENDING",)}


def test_a_cursor_needs_its_flag() -> None:
    """The service refuses one without the other; here nothing is sent."""
    with pytest.raises(InvalidInput, match="use_cursor=True"):
        LogsQuery(cursor="abc")
    assert LogsQuery(cursor="abc", use_cursor=True).filters == {}
