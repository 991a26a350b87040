"""The service is checked against what it was asked."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infobip_email_logs import EmailLog, LogsPage, LogsQuery, Status
from infobip_email_logs.matching import broken_filter, sift

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LOG = EmailLog(
    message_id="m",
    bulk_id="b",
    sender="News <News@Example.com>",
    destination="a@example.com",
    sent_at=NOON,
    status=Status(group_name="PENDING"),
    application_id="app",
    entity_id="entity",
    campaign_reference_id="c",
)


@pytest.mark.parametrize(
    ("kept", "broken"),
    [
        ({"message_id": ["x", "m"]}, {"message_id": "x"}),
        ({"bulk_id": "b"}, {"bulk_id": "B"}),
        ({"campaign_reference_id": "c"}, {"campaign_reference_id": "d"}),
        ({"application_id": "app"}, {"application_id": "ap"}),
        ({"entity_id": "entity"}, {"entity_id": "x"}),
        ({"sender": "news@example.com"}, {"sender": "other@example.com"}),
        ({"destination": "A@example.com"}, {"destination": "b@example.com"}),
        ({"general_status": "pending"}, {"general_status": "DELIVERED"}),
        ({"sent_since": NOON}, {"sent_since": NOON + timedelta(milliseconds=1)}),
        ({"sent_until": NOON}, {"sent_until": NOON - timedelta(milliseconds=1)}),
    ],
)
def test_each_filter_is_checked(kept: dict[str, Any], broken: dict[str, Any]) -> None:
    """A record that breaks a filter is told with its name; one without the field is not."""
    assert broken_filter(LogsQuery(**kept))(LOG) is None
    assert broken_filter(LogsQuery(**broken))(LOG) == next(iter(broken))
    assert broken_filter(LogsQuery(**broken))(EmailLog(status=Status())) is None


def test_a_page_is_sifted_and_its_contradictions_are_counted() -> None:
    """What was not asked for is not handed on, but named; the size stays what was sent."""
    page = LogsPage((LOG, EmailLog(message_id="x"), EmailLog(message_id="y")), size=3, limit=3)
    sifted = sift(page, LogsQuery(message_id="m"))
    assert sifted.logs == (LOG,)
    assert sifted.contradictions == {"message_id": 2}
    assert sifted.full


def test_where_a_filter_is_ignored_the_records_without_its_field_are_left_out() -> None:
    """They may be any record then; where the filter is kept, they are the ones asked for."""
    nameless = EmailLog(destination="a@example.com")
    page = LogsPage((LOG, nameless), size=2, limit=3)
    assert sift(page, LogsQuery(message_id="m")).logs == (LOG, nameless)
    assert sift(page, LogsQuery(message_id="m", sent_since=NOON)).logs == (LOG, nameless)
    ignoring = LogsPage((LOG, nameless, EmailLog(message_id="x")), size=3, limit=3)
    sifted = sift(ignoring, LogsQuery(message_id="m"))
    assert (sifted.logs, sifted.contradictions) == ((LOG,), {"message_id": 2})
    for query in (LogsQuery(general_status="X"), LogsQuery(sent_until=NOON - timedelta(days=1))):
        assert sift(page, query).logs == ()
