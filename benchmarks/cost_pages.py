"""Pages of a thousand records, as the service sends them."""

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

RECORDS = 1000
STATUSES = ["DELIVERED", "PENDING", "REJECTED"]
WORDS = "Your order is on its way. "

Change = Callable[[int, dict[str, Any]], dict[str, Any]]


def page(
    *changes: Change, words: int = 1, first: float = 0.0, every: float = 1.0, **beside: Any
) -> bytes:
    """Return a page of version 1.

    Args:
        changes: What becomes of each record, by its place.
        words: How long a text is.
        first: How many seconds ago the first record was sent.
        every: How many seconds each was sent before the one ahead of it.
        beside: What the page holds beside its records.
    """
    chance = random.Random(first)
    now = datetime.now(UTC) - timedelta(seconds=first)
    records = [
        _record(chance, now - timedelta(seconds=place * every), words) for place in range(RECORDS)
    ]
    for change in changes:
        records = [change(place, record) for place, record in enumerate(records)]
    return json.dumps({"results": records, **beside}, separators=(",", ":")).encode()


def with_new_field(place: int, record: dict[str, Any]) -> dict[str, Any]:
    """Return a record with a field that this package does not know."""
    return record | {"trafficType": f"T{place % 7}"}


def mistyped(place: int, record: dict[str, Any]) -> dict[str, Any]:
    """Return every hundredth record with a number where a text should be."""
    return record | {"text": 1.5} if place % 100 == 50 else record  # noqa: PLR2004


def of_version_4(_place: int, record: dict[str, Any]) -> dict[str, Any]:
    """Return a record in the words of version 4."""
    record = dict(record)
    ids = {name: record.pop(name) for name in ("applicationId", "entityId")}
    names = {"to": "destination", "from": "sender"}
    return {names.get(name, name): value for name, value in record.items()} | {"platform": ids}


def _record(chance: random.Random, sent_at: datetime, words: int) -> dict[str, Any]:
    group = chance.randrange(3)
    return {
        "applicationId": "application",
        "entityId": "entity",
        "bulkId": f"{chance.getrandbits(80):020x}",
        "messageId": f"{chance.getrandbits(128):032x}",
        "to": f"{chance.getrandbits(32)}@example.com",
        "from": "sender@example.com",
        "text": WORDS * words,
        "sentAt": _written(sent_at),
        "doneAt": _written(sent_at + timedelta(milliseconds=chance.randrange(100_000))),
        "messageCount": 1,
        "price": {"pricePerMessage": chance.choice([0.0005, 0.00075]), "currency": "EUR"},
        "status": {
            "groupId": group,
            "groupName": STATUSES[group],
            "id": 5,
            "name": f"{STATUSES[group]}_SOMEHOW",
            "description": "What became of the message, in words",
        },
        "error": {
            "groupId": 0,
            "groupName": "OK",
            "id": 0,
            "name": "NO_ERROR",
            "description": "No Error",
            "permanent": False,
        },
    }


def _written(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "+0000")
