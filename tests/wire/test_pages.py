"""Answers with status 200 become pages, or say what is wrong with them."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infobip_email_logs import (
    DecodeError,
    EmailLog,
    LogsPage,
    LogsQuery,
    Price,
    Status,
    StatusGroup,
)
from infobip_email_logs.wire import V1, Reply
from infobip_email_logs.wire import read as read_slices
from infobip_email_logs.wire.pages import SLICE

GOOD = {
    "messageId": "m",
    "to": "recipient@example.com",
    "from": "sender@example.com",
    "bulkId": "b",
    "text": "Test",
    "sentAt": "2016-09-01T10:29:00.440+0000",
    "doneAt": "2021-01-02T01:00:00.123Z",
    "messageCount": 1,
    "status": {"groupId": 3, "groupName": "DELIVERED", "id": 5, "name": "DELIVERED_TO_HANDSET"},
    "channel": "EMAIL",
    "applicationId": "app",
    "entityId": "entity",
}


def read(body: bytes, *, keep: bool = False, limit: int | None = None) -> LogsPage:
    """Decode a body to its end."""
    slices = read_slices(
        Reply(200, {}, body),
        dialect=V1,
        query=LogsQuery(limit=limit),
        page=3,
        keep_bad=keep,
    )
    while True:
        try:
            next(slices)
        except StopIteration as end:
            page: LogsPage = end.value
            return page


def page_of(*records: Any, keep: bool = False) -> LogsPage:
    """Decode a page of the given records."""
    return read(json.dumps({"results": records}).encode(), keep=keep)


def test_a_record_is_read_in_the_words_of_version_4() -> None:
    """Version 1's `from` and `to` become sender and destination; instants are in UTC."""
    (log,) = page_of(GOOD).logs
    assert (log.message_id, log.bulk_id, log.channel) == ("m", "b", "EMAIL")
    assert (log.sender, log.destination) == ("sender@example.com", "recipient@example.com")
    assert log.sent_at == datetime(2016, 9, 1, 10, 29, 0, 440_000, tzinfo=UTC)
    assert log.done_at == datetime(2021, 1, 2, 1, 0, 0, 123_000, tzinfo=UTC)
    assert log.status == Status(3, "DELIVERED", 5, "DELIVERED_TO_HANDSET")
    assert log.status.group is StatusGroup.DELIVERED
    assert (log.application_id, log.entity_id, log.extra) == ("app", "entity", {})


@pytest.mark.parametrize(
    "number", ["0.0005", "0.0005000000", "5E-4", "0.1000000000000000055511151"]
)
def test_a_price_is_exact_to_the_last_digit(number: str) -> None:
    """No price goes through a binary fraction."""
    body = f'{{"results":[{{"price":{{"pricePerMessage":{number},"currency":"EUR"}}}}]}}'
    (log,) = read(body.encode()).logs
    assert log.price == Price(Decimal(number), "EUR")
    assert str(log.price.price_per_message) == str(Decimal(number))


def test_every_field_may_be_absent_or_null() -> None:
    """No field of the description is required."""
    nothing = EmailLog()
    assert page_of({}).logs == (nothing,)
    assert page_of(dict.fromkeys(GOOD)).logs == (nothing,)
    assert page_of({"price": {}, "status": {"name": None}}).logs == (
        EmailLog(price=Price(), status=Status()),
    )


def test_what_is_unknown_is_data() -> None:
    """New fields are kept, new groups and names stay text."""
    (log,) = page_of(
        {"new": [1.5, {"a": None}], "extra": 3, "status": {"groupName": "NEW", "hint": "h"}}
    ).logs
    assert log.extra == {"new": [Decimal("1.5"), {"a": None}], "extra": 3}
    assert log.status
    assert log.status.group == "NEW"
    assert log.status.extra == {"hint": "h"}


def test_a_number_in_place_of_an_id_is_text() -> None:
    """The older reference types `bulkId` as a number."""
    assert page_of({"bulkId": 12345678901234567890}).logs[0].bulk_id == "12345678901234567890"


BAD = [
    (5, "$.results[1]", "an object is expected"),
    (None, "$.results[1]", "an object is expected"),
    ({"price": {"pricePerMessage": "abc"}}, "$.results[1].price.pricePerMessage", "decimal"),
    ({"price": {"pricePerMessage": True}}, "$.results[1].price.pricePerMessage", "decimal"),
    ({"price": [1]}, "$.results[1].price", "an object is expected"),
    ({"sentAt": "yesterday"}, "$.results[1].sentAt", "isoformat"),
    ({"sentAt": 5}, "$.results[1].sentAt", "a timestamp is expected"),
    ({"doneAt": "2016-09-01T10:29:00"}, "$.results[1].doneAt", "without an offset"),
    ({"from": {"a": 1}}, "$.results[1].from", "text is expected"),
    ({"to": 1.5}, "$.results[1].to", "text is expected"),
    ({"status": {"groupId": "x"}}, "$.results[1].status.groupId", "whole number"),
    ({"messageCount": 1.5}, "$.results[1].messageCount", "whole number"),
    ({"error": {"permanent": "maybe"}}, "$.results[1].error.permanent", "true or false"),
]


@pytest.mark.parametrize(("bad", "path", "reason"), BAD)
def test_a_bad_record_costs_only_itself(bad: Any, path: str, reason: str) -> None:
    """It is handed over raw, with its place, beside the good ones."""
    page = page_of(GOOD, bad, GOOD, keep=True)
    assert len(page.logs) == 2
    (reject,) = page.rejects
    assert (reject.page, reject.index, reject.path) == (3, 1, path)
    assert reason in reject.reason
    assert json.loads(json.dumps(reject.to_dict()))["path"] == path
    assert page.size == 3


@pytest.mark.parametrize(("bad", "path", "reason"), BAD)
def test_a_bad_record_is_named_when_it_is_not_kept(bad: Any, path: str, reason: str) -> None:
    """The error names page, record, path and value."""
    with pytest.raises(DecodeError, match="page 3, record 1") as caught:
        page_of(GOOD, bad, GOOD)
    error = caught.value
    assert (error.page, error.index, error.path) == (3, 1, path)
    assert path in str(error)
    assert reason in str(error)
    assert len(error.value) <= 200


@pytest.mark.parametrize(
    "number",
    ["NaN", "Infinity", "-Infinity"],
)
def test_a_price_that_is_no_number_costs_only_its_record(number: str) -> None:
    """What JSON does not know, but parsers take, is no price."""
    body = f'{{"results":[{{}},{{"price":{{"pricePerMessage":{number}}}}}]}}'.encode()
    page = read(body, keep=True)
    assert len(page.logs) == len(page.rejects) == 1
    assert page.rejects[0].raw["price"]["pricePerMessage"].is_finite() is False


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"", "$"),
        (b"<html>Bad gateway</html>", "$"),
        (b'{"results":[', "$"),
        (b"\xff\xfe\x00", "$"),
        (b'{"results":[1e9999999999999999999]}', "$"),
        (b"[" * 100_000, "$"),
        (b"null", "$"),
        (b"[]", "$"),
        (b"{}", "$"),
        (b'{"results":null}', "$.results"),
        (b'{"results":{"result":[]}}', "$.results"),
        (b'{"requestError":{"serviceException":{"text":"x"}}}', "$"),
    ],
)
def test_an_answer_that_is_no_page_is_never_an_empty_one(body: bytes, path: str) -> None:
    """A changed shape fails loudly."""
    with pytest.raises(DecodeError, match="page 3") as caught:
        read(body, keep=True)
    assert (caught.value.page, caught.value.index, caught.value.path) == (3, None, path)


def test_a_full_page_says_so() -> None:
    """A page with as many records as it could hold may have been cut."""
    body = json.dumps({"results": [{}] * 50}).encode()
    assert read(body).full
    assert not read(body, limit=51).full
    assert read(body, limit=50).full


def test_a_page_is_decoded_in_slices() -> None:
    """The loop gets its turn after every slice."""
    slices = read_slices(
        Reply(200, {}, json.dumps({"results": [{}] * 1000}).encode()),
        dialect=V1,
        query=LogsQuery(limit=1000),
        page=1,
        keep_bad=False,
    )
    assert sum(1 for _ in slices) == 1 + 1000 // SLICE


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.decimals(allow_nan=False).map(str),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


# A loaded machine may take its time, and the first text of all makes a table of all characters.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from([*GOOD, "price", "error", "unknown"]), JSON))
def test_whatever_a_record_holds_it_is_a_log_or_a_reject(record: dict[str, Any]) -> None:
    """Decoding lets no other error out, and what comes out can be written again."""
    page = page_of(record, keep=True)
    assert len(page.logs) + len(page.rejects) == 1
    json.dumps([log.to_dict() for log in page.logs])
    json.dumps([reject.to_dict() for reject in page.rejects])
