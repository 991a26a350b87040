"""The examples of the two reference pages, asked and answered."""

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest
from asking import V1, asking

from infobip_email_logs.sandbox import Credentials, Record

FIRST = "64c98929-f160-4e2c-b156-ca88cc733547"
SECOND = "60d586a1-6448-4c5f-860d-be3ddbea16da"
SENT = datetime(2016, 9, 1, 10, 29, 0, 440_000, tzinfo=UTC)
BASIC = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
EXAMPLE = Credentials(username="Aladdin", password="open sesame")


def _record(message_id: str, sent_at: datetime, done_after: float) -> Record:
    return Record(
        message_id=message_id,
        bulk_id="lrzkq6gatdkxouhrkgni",
        sent_at=sent_at,
        done_at=sent_at + timedelta(seconds=done_after),
        message_count=None,
        error=None,
    )


def _example() -> dict[str, object]:
    return {
        "records": [
            _record(FIRST, SENT, 0.69),
            _record(SECOND, SENT - timedelta(milliseconds=123), 0.49),
        ],
        "now": SENT + timedelta(hours=1),
        "credentials": EXAMPLE,
    }


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", [FIRST, SECOND]),
        (f"?messageId={FIRST},{SECOND}", [FIRST, SECOND]),
        ("?from=sender@example.com&to=recipient@example.com&limit=1", [FIRST]),
        ("?sentSince=2016-08-31T17:42:05.390%2b01:00&generalStatus=DELIVERED", [FIRST, SECOND]),
        ("?bulkId=lrzkq6gatdkxouhrkgni", [FIRST, SECOND]),
        ("?sentSince=2021-01-02T01%3A00%3A00.123Z&sentUntil=2021-01-02T01%3A00%3A00.123Z", []),
    ],
)
async def test_the_examples_are_answered(query: str, ids: list[str]) -> None:
    """Each example request of the references has its answer."""
    async with asking(**_example()) as (_, ask):
        reply = await ask(V1 + query, Authorization=BASIC)
    assert (reply.status, reply.ids) == (200, ids)


async def test_an_answer_in_json_is_the_one_of_the_example() -> None:
    """A record has the fields of the older reference, and its spelling of time and price."""
    async with asking(**_example()) as (_, ask):
        reply = await ask(f"{V1}?messageId={FIRST}", Authorization=BASIC)
    assert reply.document["results"] == [
        {
            "bulkId": "lrzkq6gatdkxouhrkgni",
            "messageId": FIRST,
            "to": "recipient@example.com",
            "from": "sender@example.com",
            "text": "Test text",
            "sentAt": "2016-09-01T10:29:00.440+0000",
            "doneAt": "2016-09-01T10:29:01.130+0000",
            "price": {"pricePerMessage": 0.0005, "currency": "EUR"},
            "status": {
                "groupId": 3,
                "groupName": "DELIVERED",
                "id": 5,
                "name": "DELIVERED_TO_HANDSET",
                "description": "Message delivered to handset",
            },
            "channel": "EMAIL",
        }
    ]


async def test_an_answer_in_xml_is_the_one_of_the_example() -> None:
    """In XML a price has ten decimals, and the rest is nested as in the older reference."""
    async with asking(**_example()) as (_, ask):
        reply = await ask(
            f"{V1}?messageId={FIRST},{SECOND}", Authorization=BASIC, Accept="application/xml"
        )
    root = ET.fromstring(reply.body)
    results = root.findall("results/result")
    assert root.tag == "LogsResponse"
    assert [result.findtext("messageId") for result in results] == [FIRST, SECOND]
    assert results[0].findtext("price/pricePerMessage") == "0.0005000000"
    assert results[0].findtext("sentAt") == "2016-09-01T10:29:00.440+0000"
    assert results[1].findtext("status/groupId") == "3"
