"""Version 4: its request lines to the letter, its answers, its cursors, its errors."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from infobip_email_logs import (
    DecodeError,
    EmailLog,
    Forbidden,
    InvalidInput,
    LogError,
    LogsPage,
    LogsQuery,
    Price,
    RateLimited,
    RequestRejected,
    ServerError,
    ServiceError,
    Status,
    Unauthorized,
)
from infobip_email_logs.wire import V1, V4, Dialect, Reply, dialect, failure, read

BASE = URL("https://xyz.api.infobip.com")
REPEATING = dialect(4, accept="json", repeat_keys=True)
TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)
ID = st.text(st.characters(codec="utf-8", exclude_characters=","), min_size=1).filter(str.strip)
INSTANT = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)


def query_string(query: LogsQuery, spoken: Dialect = V4) -> str:
    """Return the query string of the request for a query, as it travels."""
    return spoken.request(query, BASE).url.raw_query_string


EVERYTHING = LogsQuery(
    message_id=["m 1", "m2"],
    sender="Doe, John",
    destination="a+b@example.com",
    bulk_id=["b1", "b/2"],
    campaign_reference_id=["c1", "c2"],
    sent_since=INSTANT,
    sent_until=INSTANT,
    general_status="REJECTED",
    limit=1000,
    application_id="app",
    entity_id="ent",
    use_cursor=True,
    cursor="MTI+/w==",
)

ENDING = (
    "sentSince=2026-01-02T03:04:05.678Z&sentUntil=2026-01-02T03:04:05.679Z&generalStatus=REJECTED"
    "&limit=1000&applicationId=app&entityId=ent&useCursor=true&cursor=MTI%2B%2Fw%3D%3D"
)


def test_everything_at_once_travels_in_the_words_of_version_4() -> None:
    """Lists are joined by literal commas; what a text holds is encoded."""
    assert query_string(EVERYTHING) == (
        "messageId=m%201,m2&sender=Doe%2C%20John&destination=a%2Bb@example.com&bulkId=b1,b%2F2"
        f"&campaignReferenceId=c1,c2&{ENDING}"
    )


def test_keys_are_repeated_where_that_is_asked_for() -> None:
    """Each id of the three lists has the parameter's name before it, and nothing else changes."""
    assert query_string(EVERYTHING, REPEATING) == (
        "messageId=m%201&messageId=m2&sender=Doe%2C%20John&destination=a%2Bb@example.com"
        f"&bulkId=b1&bulkId=b%2F2&campaignReferenceId=c1&campaignReferenceId=c2&{ENDING}"
    )


@pytest.mark.parametrize(
    ("query", "travelled"),
    [
        (LogsQuery(), ""),
        (LogsQuery(use_cursor=True), "useCursor=true"),
        (LogsQuery(use_cursor=True, cursor="a,b", limit=1), "limit=1&useCursor=true&cursor=a%2Cb"),
        (LogsQuery(bulk_id="one"), "bulkId=one"),
    ],
)
@pytest.mark.parametrize("spoken", [V4, REPEATING])
def test_nothing_is_sent_that_is_not_set(query: LogsQuery, travelled: str, spoken: Dialect) -> None:
    """A flag that is off is not named, and one id is the same in both ways to write lists."""
    assert query_string(query, spoken) == travelled


def test_where_and_how_it_is_asked() -> None:
    """The path is version 4's, and JSON is the one form that is asked for."""
    request = V4.request(LogsQuery(), URL("http://127.0.0.1:8080/gateway"))
    assert str(request.url) == "http://127.0.0.1:8080/gateway/email/4/logs"
    assert dict(request.headers) == {"Accept": "application/json"}


@given(
    st.builds(
        LogsQuery,
        message_id=st.lists(ID, max_size=3),
        bulk_id=st.lists(ID, max_size=3),
        sender=st.none() | TEXT,
        destination=st.none() | TEXT,
        campaign_reference_id=st.lists(ID, max_size=3),
        use_cursor=st.just(True),
        cursor=st.none() | TEXT,
    )
)
def test_a_form_decoder_reads_what_was_asked(query: LogsQuery) -> None:
    """Whatever stands in a filter arrives as it was, in either way to write lists."""
    texts = {"sender": query.sender, "destination": query.destination, "cursor": query.cursor}
    set_texts = {name: text for name, text in texts.items() if text} | {"useCursor": "true"}
    lists = {
        "messageId": query.message_id,
        "bulkId": query.bulk_id,
        "campaignReferenceId": query.campaign_reference_id,
    }
    joined = parse_qsl(query_string(query), keep_blank_values=True)
    told = {name: ",".join(ids) for name, ids in lists.items() if ids} | set_texts
    assert sorted(joined) == sorted(told.items())
    repeated = parse_qsl(query_string(query, REPEATING), keep_blank_values=True)
    alone = [(name, one) for name, ids in lists.items() for one in ids]
    assert sorted(repeated) == sorted([*alone, *set_texts.items()])


def test_several_bulks_beside_other_ids_are_left_to_the_client() -> None:
    """Records tell their bulk; campaigns are asked for as a list, a single bulk as it is."""
    query = LogsQuery(bulk_id=["a", "b"], campaign_reference_id=["c", "d"], use_cursor=True)
    assert V4.askable(query) == LogsQuery(campaign_reference_id=["c", "d"], use_cursor=True)
    assert V4.askable(LogsQuery(bulk_id="a")) == LogsQuery(bulk_id="a")


def test_a_dialect_tells_what_its_version_can_do() -> None:
    """What plans ask of it is told as values."""
    assert (V1.version, V1.path, V1.bulk_lists, V1.cursors) == (1, "/email/1/logs", False, False)
    assert (V4.version, V4.path, V4.bulk_lists, V4.cursors) == (4, "/email/4/logs", True, True)
    assert (V4.repeats_keys, REPEATING.repeats_keys) == (False, True)
    assert dialect(4, accept="json", repeat_keys=False) is V4
    xml = dialect(1, accept="xml", repeat_keys=False).request(LogsQuery(), BASE)
    assert xml.headers["Accept"] == "application/xml"


def test_what_a_version_does_not_know_is_refused() -> None:
    """XML is for version 1, repeated keys are for version 4."""
    with pytest.raises(InvalidInput, match="JSON only"):
        dialect(4, accept="xml", repeat_keys=False)
    with pytest.raises(InvalidInput, match="for version 4"):
        dialect(1, accept="json", repeat_keys=True)


GOOD = {
    "messageId": "m",
    "bulkId": "b",
    "sender": "sender@example.com",
    "destination": "recipient@example.com",
    "text": "Test",
    "sentAt": "2016-09-01T10:29:00.440+0000",
    "doneAt": "2021-01-02T01:00:00.123Z",
    "messageCount": 1,
    "price": {"pricePerMessage": 0.0005, "currency": "EUR"},
    "status": {"groupId": 3, "groupName": "DELIVERED", "id": 5, "name": "DELIVERED_TO_HANDSET"},
    "error": {"groupId": 0, "name": "NO_ERROR", "permanent": False},
    "platform": {"entityId": "entity", "applicationId": "app"},
    "campaignReferenceId": "campaign",
}


def page(
    document: Any, *, spoken: Dialect = V4, keep: bool = False, headers: Any = None
) -> LogsPage:
    """Decode an answer, or bytes that are one, to its end."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    slices = read(
        Reply(200, headers or {}, body), dialect=spoken, query=LogsQuery(), page=3, keep_bad=keep
    )
    while True:
        try:
            next(slices)
        except StopIteration as end:
            decoded: LogsPage = end.value
            return decoded


def log_of(record: Any) -> EmailLog:
    """Return the log that a record of version 4 becomes."""
    (log,) = page({"results": [record]}).logs
    return log


def test_a_record_is_read() -> None:
    """Each field has its place, those of the platform too."""
    assert log_of(GOOD) == EmailLog(
        message_id="m",
        bulk_id="b",
        sender="sender@example.com",
        destination="recipient@example.com",
        sent_at=datetime(2016, 9, 1, 10, 29, 0, 440_000, tzinfo=UTC),
        done_at=datetime(2021, 1, 2, 1, 0, 0, 123_000, tzinfo=UTC),
        message_count=1,
        text="Test",
        price=Price(Decimal("0.0005"), "EUR"),
        status=Status(3, "DELIVERED", 5, "DELIVERED_TO_HANDSET"),
        error=LogError(0, None, None, "NO_ERROR", None, False),
        application_id="app",
        entity_id="entity",
        campaign_reference_id="campaign",
    )
    assert log_of(GOOD).extra == {}


@pytest.mark.parametrize(
    "platform", [None, {}, {"entityId": None}, {"entityId": None, "applicationId": None}]
)
def test_a_platform_may_be_absent_null_or_empty(platform: Any) -> None:
    """No field of the description is required, nor is any within the platform."""
    assert log_of({"platform": platform}) == log_of({}) == EmailLog()
    assert log_of({"platform": platform}).extra == {}


def test_half_a_platform_is_read() -> None:
    """The two ids don't depend on each other; a number in place of an id is text."""
    assert log_of({"platform": {"entityId": "e"}}) == EmailLog(entity_id="e")
    assert log_of({"platform": {"applicationId": 7}}) == EmailLog(application_id="7")


@pytest.mark.parametrize("price", [1, "1", " 1 "])
def test_a_price_may_be_a_whole_number_or_a_text(price: Any) -> None:
    """It is exact, whatever it is written as."""
    assert log_of({"price": {"pricePerMessage": price}}).price == Price(Decimal(1))


def test_what_is_unknown_is_data() -> None:
    """What is unknown in the platform is kept under its name, beside the rest."""
    log = log_of({"platform": {"entityId": "e", "region": "eu", "n": 1.5}, "new": 1})
    assert log.entity_id == "e"
    assert log.extra == {"new": 1, "platform": {"region": "eu", "n": Decimal("1.5")}}


def test_the_names_of_version_1_are_unknown_here() -> None:
    """They break nothing, and are not taken for what they may not be."""
    flat = {"from": "a", "to": "b", "applicationId": "c", "entityId": "d", "platform.entityId": "e"}
    log = log_of({**flat, "channel": "EMAIL"})
    assert log == EmailLog(channel="EMAIL", extra=flat)
    assert log.extra == flat
    version_1 = page({"results": [{"platform": {"entityId": "e"}}]}, spoken=V1).logs[0]
    assert version_1.extra == {"platform": {"entityId": "e"}}


@pytest.mark.parametrize(
    ("bad", "path", "value"),
    [
        ({"platform": 5}, ".platform", "5"),
        ({"platform": [1]}, ".platform", "[1]"),
        ({"platform": {"entityId": {"a": 1}}}, ".platform.entityId", "{'a': 1}"),
        ({"platform": {"applicationId": 1.5}}, ".platform.applicationId", "Decimal('1.5')"),
        ({"sender": []}, ".sender", "[]"),
        ({"campaignReferenceId": ["a"]}, ".campaignReferenceId", "['a']"),
        ({"price": {"pricePerMessage": "x"}}, ".price.pricePerMessage", "'x'"),
        ({"price": {"pricePerMessage": True}}, ".price.pricePerMessage", "True"),
        ("", "", "''"),
    ],
)
def test_a_bad_record_costs_only_itself_and_is_named(bad: Any, path: str, value: str) -> None:
    """The path leads into the platform, and ends where the trouble is."""
    kept = page({"results": [GOOD, bad]}, keep=True)
    assert (len(kept.logs), kept.size) == (1, 2)
    assert kept.rejects[0].path == f"$.results[1]{path}"
    with pytest.raises(DecodeError) as caught:
        page({"results": [GOOD, bad]})
    assert caught.value.value == value


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["entityId", "applicationId", "x"]), inner, max_size=3)
    ),
)


@given(st.dictionaries(st.sampled_from([*GOOD, "", "unknown", "platform"]), JSON))
def test_whatever_a_record_holds_it_is_a_log_or_a_reject(record: dict[str, Any]) -> None:
    """Decoding lets no other error out, and what comes out can be written again."""
    decoded = page({"results": [record]}, keep=True)
    assert len(decoded.logs) + len(decoded.rejects) == 1
    json.dumps([log.to_dict() for log in decoded.logs])


@pytest.mark.parametrize(
    ("told", "following"),
    [
        ({}, None),
        ({"cursor": None}, None),
        ({"cursor": {}}, None),
        ({"cursor": {"limit": 50}}, None),
        ({"cursor": {"limit": 50, "nextCursor": None}}, None),
        ({"cursor": {"nextCursor": ""}}, None),
        ({"cursor": {"limit": 50, "nextCursor": "MTI="}}, "MTI="),
        ({"cursor": {"limit": "?", "nextCursor": " ", "new": 1}}, " "),
    ],
)
def test_the_next_page_is_named_or_there_is_none(told: Any, following: str | None) -> None:
    """Absent, null and empty all mean the end; whatever else is text is handed over as it is."""
    decoded = page({"results": [GOOD], **told})
    assert decoded.next_cursor == following
    assert decoded.full == (following is not None)


@pytest.mark.parametrize(
    ("cursor", "path"),
    [
        ("MTI=", "$.cursor"),
        ([], "$.cursor"),
        (False, "$.cursor"),
        ({"nextCursor": 12}, "$.cursor.nextCursor"),
        ({"nextCursor": False}, "$.cursor.nextCursor"),
        ({"nextCursor": {}}, "$.cursor.nextCursor"),
        ({"nextCursor": "\ud800"}, "$.cursor.nextCursor"),
    ],
)
def test_a_cursor_that_is_none_fails_loudly(cursor: Any, path: str) -> None:
    """It is never taken for the end; records that are kept don't change that."""
    with pytest.raises(DecodeError, match=r"page 3.* is no cursor, but ") as caught:
        page({"results": [GOOD], "cursor": cursor}, keep=True)
    assert (caught.value.page, caught.value.path) == (3, path)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'{"cursor":{"nextCursor":"a"}}',
        b'{"results":null,"cursor":null}',
        b'{"errorCode":"E500"}',
    ],
)
def test_an_answer_that_is_no_page_is_never_an_empty_one(body: bytes) -> None:
    """A changed shape fails loudly."""
    with pytest.raises(DecodeError, match="page 3"):
        page(body)


def test_logs_in_xml_are_for_version_1_only() -> None:
    """Version 4 documents none, and one that came all the same would not be understood."""
    body = b"<?xml version='1.0'?><LogsResponse><results/></LogsResponse>"
    headers = {"content-type": "application/xml"}
    assert page(body, spoken=V1, headers=headers).logs == ()
    with pytest.raises(DecodeError, match="no JSON"):
        page(body, headers=headers)


def error_body(status: int) -> dict[str, Any]:
    """Return an error of version 4."""
    return {
        "errorCode": f"E{status}",
        "description": "It went wrong.",
        "action": "Mend it.",
        "violations": [{"property": "cursor", "violation": "is not valid any more"}],
        "resources": [{"name": "docs", "url": "https://example.com"}],
    }


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RequestRejected),
        (401, Unauthorized),
        (403, Forbidden),
        (429, RateLimited),
        (500, ServerError),
    ],
)
def test_errors_are_understood_in_both_forms(status: int, kind: type[ServiceError]) -> None:
    """Code, description, action and violations are told, from JSON and from XML."""
    as_json = failure(Reply(status, {}, json.dumps(error_body(status)).encode()))
    as_xml = failure(
        Reply(
            status,
            {"content-type": "application/xml"},
            f"<ApiError><errorCode>E{status}</errorCode><description>It went wrong.</description>"
            "<action>Mend it.</action><violations><violations><property>cursor</property>"
            "<violation>is not valid any more</violation></violations></violations>"
            "<resources/></ApiError>".encode(),
        )
    )
    for error in (as_json, as_xml):
        assert type(error) is kind
        assert (error.code, error.text) == (f"E{status}", "It went wrong. Mend it.")
        assert error.details == ("cursor: is not valid any more",)
    assert str(as_json) == str(as_xml)


def test_a_window_of_version_4_is_rounded_as_that_of_version_1() -> None:
    """What is finer than a millisecond widens the window, in both."""
    query = LogsQuery(sent_since=INSTANT, sent_until=INSTANT + timedelta(microseconds=1))
    assert query_string(query) == query_string(query, V1)
