"""Query strings, to the letter."""

from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from infobip_email_logs import InvalidInput, LogsQuery
from infobip_email_logs.wire import timestamps, v1_json

BASE = URL("https://xyz.api.infobip.com")
TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)
ID = st.text(st.characters(codec="utf-8", exclude_characters=","), min_size=1).filter(str.strip)
INSTANT = st.datetimes(
    min_value=datetime(1990, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    timezones=st.just(timezone(timedelta(hours=1))),
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001
)


def query_string(query: LogsQuery) -> str:
    """Return the query string of the request for a query, as it travels."""
    return v1_json.request(query, BASE).url.raw_query_string


@given(
    st.builds(
        LogsQuery,
        message_id=st.lists(ID, max_size=3),
        bulk_id=st.none() | ID,
        sender=st.none() | TEXT,
        destination=st.none() | TEXT,
        general_status=st.none() | TEXT,
        sent_since=st.none() | INSTANT,
        limit=st.none() | st.integers(1, 1000),
        campaign_reference_id=st.none() | ID,
        application_id=st.none() | TEXT,
        entity_id=st.none() | TEXT,
    )
)
def test_a_form_decoder_reads_what_was_asked(query: LogsQuery) -> None:
    """Whatever stands in a filter arrives as it was, ids joined by commas."""
    travelled = query_string(query)
    assert travelled.isascii()
    assert "+" not in travelled
    told = dict(parse_qsl(travelled, strict_parsing=bool(travelled), keep_blank_values=True))
    asked = {
        "messageId": ",".join(query.message_id),
        "bulkId": ",".join(query.bulk_id),
        "from": query.sender,
        "to": query.destination,
        "generalStatus": query.general_status,
        "sentSince": query.sent_since and timestamps.write(timestamps.floor(query.sent_since)),
        "limit": query.limit and str(query.limit),
        "campaignReferenceId": ",".join(query.campaign_reference_id),
        "applicationId": query.application_id,
        "entityId": query.entity_id,
    }
    assert told == {name: value for name, value in asked.items() if value}


def test_ids_are_joined_by_literal_commas_and_a_comma_elsewhere_is_encoded() -> None:
    """A list is told apart from a text that has a comma in it."""
    query = LogsQuery(message_id=["a", "b"], sender="Doe, John <j+d@example.com>")
    assert query_string(query) == "messageId=a,b&from=Doe%2C%20John%20%3Cj%2Bd@example.com%3E"


def test_a_window_travels_in_milliseconds_rounded_outwards() -> None:
    """What is finer than a millisecond widens the window."""
    instant = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
    query = LogsQuery(sent_since=instant, sent_until=instant)
    assert query_string(query) == (
        "sentSince=2026-01-02T03:04:05.678Z&sentUntil=2026-01-02T03:04:05.679Z"
    )


def test_a_base_url_may_have_a_path() -> None:
    """A gateway in front of the service keeps its prefix."""
    base = URL("http://127.0.0.1:8080/gateway")
    assert str(v1_json.request(LogsQuery(), base).url) == (
        "http://127.0.0.1:8080/gateway/email/1/logs"
    )


@pytest.mark.parametrize("field", ["bulk_id", "campaign_reference_id"])
def test_version_1_takes_one_of_some_ids(field: str) -> None:
    """Several bulks or campaigns can't be asked for in one request of version 1."""
    query = LogsQuery(**{field: ["a", "b"]})  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match=f"one {field}"):
        v1_json.request(query, BASE)


def test_several_bulks_are_left_to_the_client_but_several_campaigns_are_not() -> None:
    """Records tell their bulk, and can be sifted by it; they do not tell their campaign."""
    query = LogsQuery(bulk_id=["a", "b"], campaign_reference_id=["c", "d"])
    assert v1_json.askable(query) == LogsQuery(campaign_reference_id=["c", "d"])


def test_a_request_holds_no_credential() -> None:
    """What is asked and who asks are told apart."""
    assert dict(v1_json.request(LogsQuery(), BASE).headers) == {"Accept": "application/json"}


def test_version_1_has_no_cursor() -> None:
    """Nothing is sent that the version does not know."""
    with pytest.raises(InvalidInput, match="version 4"):
        v1_json.request(LogsQuery(use_cursor=True), BASE)
