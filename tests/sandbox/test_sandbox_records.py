"""The records of a sandbox: synthetic ones, added ones, and the truth about them."""

import asyncio
import uuid
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import pytest
from asking import NOW, V1, V4, ago, asking, sent, stamp
from hypothesis import given
from hypothesis import strategies as st

from infobip_email_logs.sandbox import STATUSES, Record, Sandbox, Traffic
from infobip_email_logs.sandbox.records import NO_ERROR, milliseconds
from infobip_email_logs.sandbox.store import Moment, Store, Wanted
from infobip_email_logs.sandbox.traffic import Seeded

START = milliseconds(NOW)
SMALL = Traffic(bulks=5, bulk_size=(3, 9), loose=20)
SEEDED = Seeded(SMALL, seed=1, start=START)


async def test_equal_seeds_make_equal_traffic() -> None:
    """The records depend on the seed and the clock, and on nothing else."""
    runs = [await _records(seed=1), await _records(seed=1), await _records(seed=2)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


async def _records(*, seed: int) -> list[Record]:
    async with Sandbox(traffic=SMALL, seed=seed, now=NOW) as sandbox:
        return list(sandbox.records)


async def test_traffic_is_what_was_asked_for() -> None:
    """Bulks have their sizes, and everything is sent in the hours that were named."""
    traffic = Traffic(bulks=6, bulk_size=(4, 7), loose=9, hours=2, spread=5, senders=2)
    async with Sandbox(traffic=traffic, now=NOW) as sandbox:
        records = sandbox.records
        assert len(sandbox.bulk_ids) == len(set(sandbox.bulk_ids)) == 6
        bulks = [sandbox.matching(bulk_id=bulk_id) for bulk_id in sandbox.bulk_ids]
        assert all(4 <= len(bulk) <= 7 for bulk in bulks)
        assert all(bulk[0].sent_at - bulk[-1].sent_at < timedelta(seconds=5) for bulk in bulks)
        assert sum(record.bulk_id is None for record in records) == 9
        assert all(ago(7200) <= record.sent_at < NOW for record in records)
        assert sandbox.message_ids == [record.message_id for record in records]
        assert {record.sender for record in records} <= {
            "sender0@example.com",
            "sender1@example.com",
        }
        assert sorted(records, key=lambda record: record.sent_at) == list(records)


async def test_traffic_goes_on() -> None:
    """Traffic ahead of the start is seen as its time comes."""
    traffic = Traffic(bulks=0, loose=100, hours=0, ahead=1)
    async with Sandbox(traffic=traffic, now=NOW) as sandbox:
        assert sandbox.matching() == []
        await asyncio.sleep(1800)
        assert 30 < len(sandbox.matching()) < 70
        await asyncio.sleep(1800)
        assert sandbox.matching()[::-1] == list(sandbox.records)


def test_statuses_are_mixed() -> None:
    """The statuses come as often as their weights say, with a time and an error that fit."""
    traffic = Traffic(bulks=0, loose=400, statuses={"PENDING_ENROUTE": 1, "EXPIRED_EXPIRED": 3})
    records = [Seeded(traffic, seed=1, start=START).record(ordinal) for ordinal in range(400)]
    pending = [record for record in records if record.status == STATUSES["PENDING_ENROUTE"]]
    assert 70 < len(pending) < 130
    assert {record.done_at for record in pending} == {None}
    assert {record.error for record in pending} == {NO_ERROR}
    expired = [record for record in records if record not in pending]
    assert all(record.done_at and record.done_at > record.sent_at for record in expired)
    assert all(record.error and record.error.name == "EC_HOST_TIMEOUT" for record in expired)


def test_the_usual_traffic_has_every_group() -> None:
    """Without a word about them there are statuses of each documented group."""
    seeded = Seeded(Traffic(), seed=0, start=START)
    assert {seeded.general_status(ordinal) for ordinal in range(len(seeded))} == {
        "ACCEPTED",
        "PENDING",
        "UNDELIVERABLE",
        "DELIVERED",
        "EXPIRED",
        "REJECTED",
    }


@given(st.integers(0, len(SEEDED) - 1))
def test_a_message_id_holds_its_ordinal(ordinal: int) -> None:
    """A synthetic message id is a random UUID to look at, and leads to its record."""
    message_id = SEEDED.message_id(ordinal)
    assert uuid.UUID(message_id).version == 4
    assert SEEDED.with_message_id(message_id) == (ordinal,)
    assert SEEDED.with_message_id(message_id.upper()) in {(), (ordinal,)}


@given(st.uuids() | st.text())
def test_other_ids_lead_nowhere(message_id: object) -> None:
    """What is no id of the traffic has no record."""
    assert SEEDED.with_message_id(str(message_id)) == ()


@given(
    added=st.lists(st.tuples(st.integers(0, 6), st.sampled_from("abc"), st.sampled_from("xyz"))),
    at_once=st.booleans(),
    low=st.integers(0, 6),
    high=st.integers(0, 6),
    fields=st.dictionaries(
        st.sampled_from(["message_id", "bulk_id", "sender"]),
        st.frozensets(st.sampled_from("abcxyz")),
    ),
    newest_first=st.booleans(),
)
def test_finding_is_filtering(
    *,
    added: list[tuple[int, str, str]],
    at_once: bool,
    low: int,
    high: int,
    fields: dict[str, frozenset[str]],
    newest_first: bool,
) -> None:
    """Whatever is added in whatever order, the indexes find what looking at each would."""
    records = [
        Record(message_id=message_id, bulk_id=bulk_id, sender=bulk_id, sent_at=ago(-seconds))
        for seconds, message_id, bulk_id in added
    ]
    store = Store(Seeded(Traffic(bulks=0, loose=0), seed=0, start=START))
    for batch in [records] if at_once else [[record] for record in records]:
        store.add(batch)
    wanted = Wanted(fields=fields, low=START + 1000 * low, high=START + 1000 * high)
    found = [store.record(ref) for ref in store.find(wanted, Moment(0), newest_first=newest_first)]
    kept = [
        record
        for record in sorted(records, key=lambda record: record.sent_at)
        if ago(-low) <= record.sent_at <= ago(-high)
        and all(getattr(record, name) in values for name, values in fields.items())
    ]
    assert found == (kept[::-1] if newest_first else kept)


async def test_adding() -> None:
    """A record can be added whole, changed, or by its fields, and is there at once."""
    async with asking(traffic=SMALL) as (sandbox, ask):
        whole = sandbox.add(sent("a", 5))
        changed = sandbox.add(whole, message_id="b")
        made = sandbox.add(bulk_id="x")
        late = sandbox.add(visible_at=NOW + timedelta(hours=1))
        assert (changed.message_id, changed.sent_at) == ("b", ago(5))
        assert made.message_id is not None
        assert (await ask(f"{V1}?messageId=a,b")).ids == ["b", "a"]
        assert (await ask(f"{V1}?bulkId=x")).ids == [made.message_id]
        assert late not in sandbox.matching()
        assert late in sandbox.records
        await asyncio.sleep(3600)
        assert late in sandbox.matching()


async def test_adding_many() -> None:
    """Many records can be added in any order, among the synthetic ones."""
    async with asking(traffic=SMALL, records=[{"message_id": "z"}]) as (sandbox, ask):
        fields = {"message_id": "y", "sent_at": ago(8)}
        added = sandbox.extend([sent("w", 3600), fields, sent("x", 9)])
        assert [record.message_id for record in added] == ["w", "y", "x"]
        assert (await ask(f"{V1}?limit=3")).ids == ["z", "y", "x"]
        times = [record.sent_at for record in sandbox.records]
        assert times == sorted(times)


async def test_ids_may_be_shared_or_missing() -> None:
    """Several records may have one id, and some have none."""
    records = [sent("a", 3), sent("a", 2), sent(None, 1)]
    async with asking(records=records) as (sandbox, ask):
        assert (await ask(f"{V1}?messageId=a")).ids == ["a", "a"]
        assert sandbox.message_ids == ["a"]
        assert sandbox.bulk_ids == []
        assert "messageId" not in (await ask(f"{V1}?limit=1")).document["results"][0]


@pytest.mark.parametrize(
    ("hidden", "target"),
    [
        ("sentAt", f"?sentSince={stamp(ago(6))}&sentUntil={stamp(ago(4))}"),
        ("messageId", "?messageId=a"),
        ("bulkId", "?bulkId=x"),
        ("status", "?generalStatus=REJECTED"),
        ("status.name", "?generalStatus=REJECTED"),
    ],
)
@pytest.mark.parametrize("path", [V1, V4])
async def test_some_records_may_lack_fields(hidden: str, target: str, path: str) -> None:
    """What is hidden in a record is not told, yet the service finds it by that; others tell it."""
    status = STATUSES["REJECTED_NETWORK"]
    record = sent("a", 5, bulk_id="x", status=status, hidden={hidden})
    others = [sent("b", 60), sent("c", 1)]
    outer, _, inner = hidden.partition(".")
    async with asking(records=[record, *others]) as (sandbox, ask):
        (found,) = (await ask(path + target)).document["results"]
        assert found["text"] == record.text
        assert inner not in found[outer] if inner else outer not in found
        assert sandbox.matching(message_id="a") == [record]
        last, *_ = (await ask(f"{path}?messageId=c")).document["results"]
        assert outer in last or outer == "bulkId"


def test_only_what_an_answer_has_can_be_hidden() -> None:
    """A name in other words than the answer's would hide nothing, and is refused."""
    assert sent("a", 1, hidden="status.name").hidden == {"status.name"}
    assert sent("a", 1, hidden=["new"], extra={"new": 1}).hidden == {"new"}
    with pytest.raises(ValueError, match="no answer has a field 'sent_at'"):
        sent("a", 1, hidden={"sentAt", "sent_at"})


async def test_the_truth_has_all_filters() -> None:
    """The truth about a query takes one value or several for each of its filters."""
    traffic = Traffic(bulks=8, bulk_size=(5, 5), loose=10)
    async with Sandbox(traffic=traffic, now=NOW) as sandbox:
        one = next(
            record
            for record in sandbox.records
            if record.application_id and record.entity_id and record.bulk_id
        )
        filters: dict[str, Any] = {
            "message_id": [one.message_id, "other"],
            "bulk_id": one.bulk_id,
            "sender": {one.sender},
            "destination": one.destination,
            "general_status": one.general_status,
            "campaign_reference_id": one.campaign_reference_id,
            "application_id": one.application_id,
            "entity_id": one.entity_id,
        }
        assert sandbox.matching(**filters) == [one]
        for name, value in filters.items():
            values = [value] if isinstance(value, str) else list(value)
            assert sandbox.matching(**{name: value}) == [
                record for record in sandbox.records[::-1] if getattr(record, name) in values
            ]


def test_a_record_is_exact() -> None:
    """Times are kept to the millisecond in UTC, prices are numbers digit by digit."""
    east = datetime.fromisoformat("2026-07-01T12:00:00.123999+02:00")
    assert Record(message_id="a", sent_at=east).sent_at.isoformat() == (
        "2026-07-01T10:00:00.123000+00:00"
    )
    with pytest.raises(ValueError, match="a price is a JSON number"):
        sent("a", 1, price="1,5")
    with pytest.raises(TypeError):
        Record(message_id="a", sent_at=east.replace(tzinfo=None))


class _Watched(Seeded):
    """Synthetic emails that count how many were looked at."""

    looked = 0

    def general_status(self, ordinal: int) -> str:
        """Return the status group, and count."""
        self.looked += 1
        return super().general_status(ordinal)


def test_a_page_of_very_many_reads_no_others() -> None:
    """A page of a window is found without looking at the records beside it."""
    seeded = _Watched(Traffic(bulks=100, bulk_size=(1000, 1000)), seed=1, start=START)
    fields = {"general_status": frozenset(["DELIVERED"])}
    found = Store(seeded).find(Wanted(fields=fields, high=START - 3_600_000), Moment(START))
    assert len(list(islice(found, 1000))) == 1000
    assert seeded.looked < 1500
