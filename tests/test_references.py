"""Every example of both reference pages: what is asked, to the letter, and what is answered."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import ClientResponse
from conftest import MendedService
from yarl import URL

from infobip_email_logs import (
    Basic,
    EmailLog,
    EmailLogsClient,
    LogsQuery,
    Price,
    Status,
    StatusGroup,
)

HOST = "https://api.infobip.com"
ALADDIN = Basic.encoded("QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
FIRST, SECOND = "64c98929-f160-4e2c-b156-ca88cc733547", "60d586a1-6448-4c5f-860d-be3ddbea16da"


class ListeningService(MendedService):
    """An aioresponses that writes the request lines down as they were made."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.headers: list[dict[str, str]] = []

    async def _request_mock(
        self, orig_self: Any, method: str, url: URL | str, *args: Any, **kwargs: Any
    ) -> ClientResponse:
        self.lines.append(f"{method} {URL(url).raw_path_qs}")
        self.headers.append(kwargs["headers"])
        return await super()._request_mock(orig_self, method, url, *args, **kwargs)


@pytest.fixture
def listening() -> Iterator[ListeningService]:
    """Return a service that takes requests down."""
    answers = ListeningService()
    with answers:
        yield answers


@pytest.fixture
async def client() -> AsyncIterator[EmailLogsClient]:
    """Return a client with the credentials of the older reference's examples."""
    async with EmailLogsClient(None, ALADDIN) as client:
        yield client


def example(message_id: str, sent_at: str, done_at: str, **more: str) -> dict[str, Any]:
    """Return a record as the older reference shows it."""
    return more | {
        "messageId": message_id,
        "to": "recipient@infobip.com",
        "from": "sender@infobip.com",
        "text": "Test text",
        "sentAt": sent_at,
        "doneAt": done_at,
        "price": {"pricePerMessage": Decimal("0.0005"), "currency": "EUR"},
        "status": {
            "groupId": 3,
            "groupName": "DELIVERED",
            "id": 5,
            "name": "DELIVERED_TO_HANDSET",
            "description": "Message delivered to handset",
        },
        "channel": "EMAIL",
    }


def body(*records: dict[str, Any]) -> str:
    """Return records as JSON, prices as they are written."""
    text = repr(list(records)).replace("Decimal('0.0005')", "0.0005").replace("'", '"')
    return f'{{"results": {text}}}'


def decoded(message_id: str, sent_at: datetime, took: timedelta, **more: str) -> EmailLog:
    """Return the log that an example's record stands for."""
    return EmailLog(
        message_id=message_id,
        sender="sender@infobip.com",
        destination="recipient@infobip.com",
        sent_at=sent_at,
        done_at=sent_at + took,
        text="Test text",
        price=Price(Decimal("0.0005"), "EUR"),
        status=Status(3, "DELIVERED", 5, "DELIVERED_TO_HANDSET", "Message delivered to handset"),
        channel="EMAIL",
        **more,  # type: ignore[arg-type]
    )


def at(hour: int, minute: int, second: int, millisecond: int) -> datetime:
    """Return an instant of the day of the examples."""
    return datetime(2016, 9, 1, hour, minute, second, 1000 * millisecond, tzinfo=UTC)


def pair(**more: str) -> tuple[str, list[EmailLog]]:
    """Return the examples' answer of two records, and what it means."""
    answer = body(
        example(FIRST, "2016-09-01T10:29:00.440+0000", "2016-09-01T10:29:01.130+0000", **more),
        example(SECOND, "2016-09-01T10:29:00.317+0000", "2016-09-01T10:29:00.807+0000", **more),
    )
    words = {"bulk_id": more["bulkId"]} if more else {}
    return answer, [
        decoded(FIRST, at(10, 29, 0, 440), timedelta(milliseconds=690), **words),
        decoded(SECOND, at(10, 29, 0, 317), timedelta(milliseconds=490), **words),
    ]


ONE = body(
    example(
        "54ddb941-2566-46e0-802a-22bea5cf94bc",
        "2016-09-01T11:14:44.453+0000",
        "2016-09-01T11:14:45.050+0000",
    )
)
ONE_DECODED = decoded(
    "54ddb941-2566-46e0-802a-22bea5cf94bc", at(11, 14, 44, 453), timedelta(milliseconds=597)
)
NEW_YEAR = datetime(2021, 1, 2, 1, 0, 0, 123_000, tzinfo=UTC)

EXAMPLES = {
    "all": (LogsQuery(), "", *pair()),
    "message ids": (LogsQuery(message_id=[FIRST, SECOND]), f"messageId={FIRST},{SECOND}", *pair()),
    "from, to and limit": (
        LogsQuery(sender="sender@infobip.com", destination="recipient@infobip.com", limit=1),
        "from=sender@infobip.com&to=recipient@infobip.com&limit=1",
        ONE,
        [ONE_DECODED],
    ),
    "bulk id": (
        LogsQuery(bulk_id="lrzkq6gatdkxouhrkgni"),
        "bulkId=lrzkq6gatdkxouhrkgni",
        *pair(bulkId="lrzkq6gatdkxouhrkgni"),
    ),
}


@pytest.mark.parametrize("name", EXAMPLES)
async def test_an_example_of_the_older_reference(
    name: str, listening: ListeningService, client: EmailLogsClient
) -> None:
    """The request line and the headers are the reference's, and so is the answer."""
    query, line, answer, logs = EXAMPLES[name]
    path = f"/email/1/logs?{line}".removesuffix("?")
    listening.get(HOST + path, body=answer)
    page = await client.get_page(query)
    assert list(page.logs) == logs
    assert listening.lines == [f"GET {path}"]
    (headers,) = listening.headers
    assert headers["Authorization"] == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    assert headers["Accept"] == "application/json"


def xml(answer: str) -> str:
    """Return an answer in the older reference's second form."""
    results = "".join(
        f"<result>{elements(one)}</result>\n" for one in json.loads(answer)["results"]
    )
    prolog = "<?xml version='1.0' encoding='UTF-8'?>"
    return f"{prolog}\n<LogsResponse>\n  <results>{results}</results>\n</LogsResponse>"


def elements(record: dict[str, Any]) -> str:
    """Return the fields of a record as elements, prices with ten digits."""
    texts = {
        name: elements(value)
        if isinstance(value, dict)
        else f"{value:.10f}"
        if isinstance(value, float)
        else value
        for name, value in record.items()
    }
    return "\n    ".join(f"<{name}>{text}</{name}>" for name, text in texts.items())


@pytest.mark.parametrize("name", EXAMPLES)
async def test_an_example_of_the_older_reference_in_xml(
    name: str, listening: ListeningService
) -> None:
    """The request line is the same, the other form is asked for, and the logs are equal."""
    query, line, answer, logs = EXAMPLES[name]
    path = f"/email/1/logs?{line}".removesuffix("?")
    listening.get(HOST + path, body=xml(answer), content_type="application/xml;charset=UTF-8")
    async with EmailLogsClient(None, ALADDIN, accept="xml") as client:
        page = await client.get_page(query)
    assert list(page.logs) == logs
    assert listening.lines == [f"GET {path}"]
    assert listening.headers[0]["Accept"] == "application/xml"


async def test_the_date_range_example_of_the_older_reference(
    listening: ListeningService, client: EmailLogsClient
) -> None:
    """An offset from UTC travels as it was given, its plus sign encoded."""
    berlin = timezone(timedelta(hours=1))
    query = LogsQuery(
        sent_since=datetime(2016, 8, 22, 17, 42, 5, 390_000, tzinfo=berlin),
        general_status=StatusGroup.DELIVERED,
    )
    listening.get(
        f"{HOST}/email/1/logs?sentSince=2016-08-22T17:42:05.390%2b01:00&generalStatus=DELIVERED",
        body=ONE,
    )
    page = await client.get_page(query)
    assert page.logs == (ONE_DECODED,)
    assert listening.lines == [
        "GET /email/1/logs?sentSince=2016-08-22T17:42:05.390%2B01:00&generalStatus=DELIVERED"
    ]


async def test_the_window_of_the_current_reference(
    listening: ListeningService, client: EmailLogsClient
) -> None:
    """A window of 2021, both bounds the same, and the record with every field."""
    query = LogsQuery(sent_since=NEW_YEAR, sent_until=NEW_YEAR)
    path = "/email/1/logs?sentSince=2021-01-02T01:00:00.123Z&sentUntil=2021-01-02T01:00:00.123Z"
    words = ("applicationId", "entityId", "bulkId", "messageId", "to", "from", "text")
    status = {"groupId": 0, "groupName": "string", "id": 0, "name": "string"}
    record = dict.fromkeys(words, "string") | {
        "sentAt": "2021-01-02T01:00:00.123Z",
        "doneAt": "2021-01-02T01:00:00.123Z",
        "messageCount": 0,
        "price": {"pricePerMessage": 0, "currency": "string"},
        "status": status | {"description": "string", "action": "string"},
        "error": status | {"description": "string", "permanent": True},
    }
    listening.get(HOST + path, payload={"results": [record]})
    (log,) = (await client.get_page(query)).logs
    assert listening.lines == [f"GET {path}"]
    assert log.sent_at == log.done_at == NEW_YEAR
    assert (log.message_count, log.application_id, log.entity_id) == (0, "string", "string")
    assert log.price == Price(Decimal(0), "string")
    assert log.status == Status(0, "string", 0, "string", "string", "string")
    assert log.error
    assert log.error.permanent is True
    assert log.extra == {}
