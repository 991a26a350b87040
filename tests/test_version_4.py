"""A client of version 4 and the service: pages, cursors, lists, the limit."""

import asyncio
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from service import all_of, ids_of, service
from yarl import URL

from infobip_email_logs import (
    ApiKey,
    EmailLog,
    EmailLogsClient,
    InvalidInput,
    LogsQuery,
    RateLimited,
    RequestRejected,
    RetryPolicy,
)
from infobip_email_logs.batches import MAX_LENGTH, joined_length, pack
from infobip_email_logs.lists import ListFacts
from infobip_email_logs.sandbox import STATUSES, Sandbox, Settings, TimeWindow, Traffic
from infobip_email_logs.wire import dialect

FEW = Traffic(bulks=60, bulk_size=(1, 9), loose=120, hours=24)
IMPATIENT = RetryPolicy(attempts=1)
BOTH_WAYS = [
    pytest.param(Settings(v4_lists="commas"), False, id="commas"),
    pytest.param(Settings(v4_lists="repeated"), True, id="repeated"),
]


def asked(sandbox: Sandbox) -> list[list[tuple[str, str]]]:
    """Return the parameters of each request, after a look at whether all was understood."""
    for arrival in sandbox.arrivals:
        assert (arrival.path, arrival.status) == ("/email/4/logs", 200)
        assert arrival.accept == "application/json"
        assert not arrival.unknown_parameters
    return [parse_qsl(arrival.query) for arrival in sandbox.arrivals]


async def test_a_page_is_one_request_to_version_4() -> None:
    """It goes to its path, with its own names of the filters."""
    async with service(api_version=4) as (sandbox, client):
        record = sandbox.records[0]
        query = LogsQuery(sender=record.sender, destination=record.destination, limit=1000)
        page = await client.get_page(query)
        (told,) = asked(sandbox)
        assert dict(told) == {
            "sender": record.sender,
            "destination": record.destination,
            "limit": "1000",
        }
        assert record.message_id in ids_of(list(page.logs))
        assert page.next_cursor is None


async def test_a_record_is_the_same_log_in_both_versions() -> None:
    """Field for field, but for the two that only one of them sends."""
    extra: dict[str, Any] = {"new": {"x": [1, "2"]}}
    async with Sandbox(traffic=FEW, seed=3) as sandbox:
        sandbox.extend(
            [
                {"message_id": "all", "application_id": "app", "entity_id": "ent", "extra": extra},
                {"message_id": "half", "entity_id": "ent", "campaign_reference_id": "camp"},
                {"message_id": None, "sender": None, "destination": None, "text": None},
                {"message_id": "bare", "status": None, "error": None, "price": None},
                {"message_id": "rejected", "status": STATUSES["REJECTED_NETWORK"]},
            ]
        )
        first, fourth = [await logs_of(sandbox, version) for version in (1, 4)]
        assert len(first) > 300
        assert [attrs.evolve(log, channel=None) for log in first] == [
            attrs.evolve(log, campaign_reference_id=None) for log in fourth
        ]
        assert [log.extra for log in first] == [log.extra for log in fourth]
        assert {log.channel for log in first} == {"EMAIL"}
        assert {log.channel for log in fourth} == {None}
        (half,) = (log for log in fourth if log.message_id == "half")
        assert (half.entity_id, half.application_id) == ("ent", None)
        assert half.campaign_reference_id == "camp"


async def logs_of(sandbox: Sandbox, version: Any) -> list[EmailLog]:
    """Return the latest logs, as a version tells them."""
    key = ApiKey(sandbox.credentials.api_key)
    async with EmailLogsClient(sandbox.url, key, api_version=version) as client:
        return list((await client.get_page(LogsQuery(limit=1000))).logs)


@pytest.mark.parametrize("end", ["absent", "null", "empty_page"])
async def test_cursors_lead_through_all_pages(end: Any) -> None:
    """Each page tells where the next one begins, however the last one says that there is none."""
    async with service(Settings(cursor_end=end), FEW, api_version=4) as (sandbox, client):
        query: LogsQuery | None = LogsQuery(limit=50, use_cursor=True)
        logs: list[EmailLog] = []
        while query:
            page = await client.get_page(query)
            logs += page.logs
            assert page.full == (page.next_cursor is not None)
            query = attrs.evolve(query, cursor=page.next_cursor) if page.next_cursor else None
        assert ids_of(logs) == sorted(one.message_id or "" for one in sandbox.records)
        told = [dict(parameters) for parameters in asked(sandbox)]
        assert told[0] == {"limit": "50", "useCursor": "true"}
        assert all(parameters["useCursor"] == "true" for parameters in told)
        assert len({parameters.get("cursor") for parameters in told}) == len(told)


async def test_a_log_is_looked_up() -> None:
    """Lookups share a request, and an unknown message has no log."""
    async with service(traffic=FEW, api_version=4) as (sandbox, client):
        one, two = sandbox.message_ids[:2]
        found = await asyncio.gather(client.get_log(one), client.get_log(two))
        assert [log and log.message_id for log in found] == [one, two]
        assert len(asked(sandbox)) == 1
        assert await client.get_log("no-such-id") is None


@pytest.mark.parametrize(("settings", "repeat"), BOTH_WAYS)
async def test_messages_are_asked_for_in_lists(settings: Settings, repeat: bool) -> None:  # noqa: FBT001 - a row of the table
    """All logs come, in the fewest requests that the lists allow, and absent ids are named."""
    options: dict[str, Any] = {"api_version": 4, "repeat_list_keys": repeat}
    async with service(settings, FEW, **options) as (sandbox, client):
        pull = client.logs_by_message_id([*sandbox.message_ids, "no-such-id"])
        assert ids_of(await all_of(pull)) == sorted(sandbox.message_ids)
        assert pull.missing_ids == ("no-such-id",)
        asked(sandbox)
        assert max(len(arrival.query) for arrival in sandbox.arrivals) < MAX_LENGTH + 60
        characters = sum(map(len, sandbox.message_ids)) + len(sandbox.message_ids)
        assert len(sandbox.arrivals) <= characters / (1000 if repeat else 1900) + 3


@pytest.mark.parametrize(("settings", "repeat"), BOTH_WAYS)
async def test_bulks_are_asked_for_in_lists(settings: Settings, repeat: bool) -> None:  # noqa: FBT001 - a row of the table
    """Sixty small bulks are one request, and one that shows that the service keeps cursors."""
    options: dict[str, Any] = {"api_version": 4, "repeat_list_keys": repeat}
    async with service(settings, FEW, **options) as (sandbox, client):
        pull = client.logs_by_bulk_id(sandbox.bulk_ids)
        logs = await all_of(pull)
        wanted = [one.message_id or "" for one in sandbox.records if one.bulk_id]
        assert ids_of(logs) == sorted(wanted)
        assert pull.missing_ids == ()
        told, check = asked(sandbox)
        assert dict(check) == {"limit": "1", "useCursor": "true"}
        lists = [value for name, value in told if name == "bulkId"]
        assert ",".join(lists).split(",") == sandbox.bulk_ids
        assert len(lists) == (60 if repeat else 1)


async def test_the_length_of_lists_holds_for_bulks_too() -> None:
    """``max_ids_length`` bounds the lists of either kind; facts of one say nothing of the other."""
    options: dict[str, Any] = {"api_version": 4, "max_ids_length": 100}
    async with service(traffic=FEW, **options) as (sandbox, client):
        await all_of(client.logs_by_bulk_id(sandbox.bulk_ids))
        await all_of(client.logs_by_message_id(sandbox.message_ids[:20]))
        lengths = [len(told[0][1]) for told in asked(sandbox)]
        assert max(lengths) <= 100
        assert len(lengths) < 60


@pytest.mark.parametrize(("settings", "repeat"), BOTH_WAYS)
async def test_lists_that_are_not_understood_lose_nothing(
    settings: Settings,
    repeat: bool,  # noqa: FBT001 - a row of the table
) -> None:
    """A service that takes them only the other way is asked for each id on its own."""
    options: dict[str, Any] = {"api_version": 4, "repeat_list_keys": not repeat}
    async with service(settings, FEW, **options) as (sandbox, client):
        wanted = sandbox.message_ids[:30]
        pull = client.logs_by_message_id([*wanted, "no-such-id"])
        assert ids_of(await all_of(pull)) == sorted(wanted)
        assert pull.missing_ids == ("no-such-id",)


async def test_several_campaigns_are_one_list() -> None:
    """Version 1 takes one of them."""
    async with service(traffic=FEW, api_version=4) as (sandbox, client):
        for name in ("a", "b", "c"):
            sandbox.add(message_id=f"of-{name}", campaign_reference_id=name)
        query = LogsQuery(campaign_reference_id=["a", "c"])
        page = await client.get_page(query)
        assert ids_of(list(page.logs)) == ["of-a", "of-c"]
        assert asked(sandbox) == [[("campaignReferenceId", "a,c")]]


async def test_logs_of_messages_and_of_bulks_at_once() -> None:
    """Several bulks beside message ids are not asked for, and their logs are sifted."""
    async with service(traffic=FEW, api_version=4) as (sandbox, client):
        inside = [one for one in sandbox.records if one.bulk_id in sandbox.bulk_ids[:2]]
        query = LogsQuery(bulk_id=sandbox.bulk_ids[:2])
        pull = client.logs_by_message_id(sandbox.message_ids, query=query)
        assert ids_of(await all_of(pull)) == sorted(one.message_id or "" for one in inside)
        assert all("bulkId" not in dict(told) for told in asked(sandbox))


@pytest.mark.parametrize(("version", "most"), [(1, 60), (4, 120)])
async def test_the_published_limit_is_kept_and_used(version: Any, most: int) -> None:
    """So many requests go out at once, and one more a minute later; none is turned away."""
    async with service(traffic=FEW, api_version=version) as (sandbox, client):
        loop = asyncio.get_running_loop()
        begin = loop.time()
        await asyncio.gather(*(client.get_page(LogsQuery(limit=1)) for _ in range(most)))
        assert loop.time() - begin < 10
        await client.get_page(LogsQuery(limit=1))
        assert 60 <= loop.time() - begin < 75
        assert sandbox.throttled == 0


async def test_a_limit_of_ones_own_counts() -> None:
    """What is given is kept, whatever the version publishes."""
    async with service(traffic=FEW, api_version=4, limit="2/60s") as (_, client):
        begin = asyncio.get_running_loop().time()
        for _ in range(3):
            await client.get_page()
        assert asyncio.get_running_loop().time() - begin >= 60


async def test_refusals_are_told_in_its_words() -> None:
    """The codes of version 4 are in the errors, with the parameter at fault."""
    settings = Settings(v4_limits=(TimeWindow(2, 60.0),))
    async with service(settings, api_version=4, retry=IMPATIENT) as (sandbox, client):
        with pytest.raises(RequestRejected) as rejected:
            await client.get_page(LogsQuery(use_cursor=True, cursor="made-up"))
        assert rejected.value.code == "E400"
        assert rejected.value.details[0].startswith("cursor: ")
        await client.get_page()
        with pytest.raises(RateLimited) as limited:
            await client.get_page()
        assert limited.value.code == "E429"
        assert {arrival.path for arrival in sandbox.arrivals} == {"/email/4/logs"}


async def test_a_window_travels_and_is_kept() -> None:
    """The window of a stream is that of version 1."""
    async with service(traffic=FEW, api_version=4) as (sandbox, client):
        until = sandbox.records[100].sent_at
        query = LogsQuery(sent_since=until - timedelta(hours=2), sent_until=until)
        page = await client.get_page(attrs.evolve(query, limit=1000))
        truth = sandbox.matching(sent_since=query.sent_since, sent_until=query.sent_until)
        assert len(page.logs) == len(truth) > 0


async def test_an_end_that_is_announced_is_told_by_its_path(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whoever reads the warning knows which version it is about."""
    async with service(Settings(deprecation="true"), FEW, api_version=4) as (_, client):
        await client.get_page()
    assert "/email/4/logs is announced to end" in caplog.text


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"api_version": 2}, "api_version must be one of 1, 4, not 2"),
        ({"api_version": "4"}, "api_version must be one of 1, 4, not '4'"),
        ({"api_version": 4, "accept": "xml"}, "version 4 of the API answers in JSON only"),
        ({"repeat_list_keys": True}, "lists with repeated keys are for version 4"),
    ],
)
async def test_what_does_not_go_together_is_refused(options: Any, told: str) -> None:
    """Nothing is sent that the version does not know."""
    with pytest.raises(InvalidInput, match=told):
        EmailLogsClient(None, ApiKey("k"), **options)


REPEATING = dialect(4, accept="json", repeat_keys=True)


@given(
    st.lists(st.text("aé", min_size=1, max_size=400), unique=True),
    st.sampled_from(["message_id", "bulk_id"]),
    st.integers(30, MAX_LENGTH),
)
def test_no_list_with_repeated_keys_is_too_long(ids: list[str], field: str, length: int) -> None:
    """Whatever the ids, names and all: but for an id that is too long on its own."""
    name = REPEATING.names[field]
    facts = ListFacts.repeating(name, length)
    fitting = [one for one in ids if joined_length((one,)) <= length]
    lists = pack(fitting, max_length=facts.max_length, max_ids=facts.max_ids, longest=facts.longest)
    assert sorted(one for batch in lists for one in batch) == sorted(fitting)
    for batch in lists:
        query = LogsQuery(**{field: batch})  # type: ignore[arg-type]
        travelled = REPEATING.request(query, URL("http://a")).url.raw_query_string
        assert len(travelled) - len(f"{name}=") <= length


async def test_the_pages_of_large_lists_are_planned() -> None:
    """The first list tells how large bulks are, and its page is not asked for again."""
    crowd = Traffic(bulks=120, bulk_size=(80, 120), loose=0)
    unlimited = Settings(v4_limits=())
    async with service(unlimited, crowd, api_version=4) as (sandbox, client):
        pull = client.logs_by_bulk_id(sandbox.bulk_ids, strategy="by_id")
        plan = await pull.plan()
        assert len(sandbox.arrivals) == 1
        assert len(await all_of(pull)) == len(sandbox.records)
        assert 0.8 < plan.requests / len(sandbox.arrivals) < 1.25
