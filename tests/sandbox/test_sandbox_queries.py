"""What a request asks for, by the facts and by the settings."""

import base64
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from asking import NOW, V1, V4, Reply, ago, asking, sent, stamp

from infobip_email_logs.sandbox import STATUSES, Sandbox, Settings, Traffic

THREE = [
    sent("a", 30, bulk_id="x", sender="ada@example.com", application_id="app", entity_id="one"),
    sent("b", 20, bulk_id="y", destination="bob@example.org", campaign_reference_id="summer"),
    sent("c", 10, bulk_id="y", status=STATUSES["REJECTED_NETWORK"]),
]


@pytest.mark.parametrize(
    ("target", "ids"),
    [
        (f"{V1}?messageId=b", "b"),
        (f"{V1}?messageId=a,c", "ca"),
        (f"{V1}?bulkId=y", "cb"),
        (f"{V1}?bulkId=x,y", ""),
        (f"{V1}?from=ada@example.com", "a"),
        (f"{V1}?to=bob@example.org", "b"),
        (f"{V1}?generalStatus=REJECTED", "c"),
        (f"{V1}?campaignReferenceId=summer", "b"),
        (f"{V1}?applicationId=app&entityId=one", "a"),
        (f"{V1}?applicationId=app&entityId=two", ""),
        (f"{V1}?limit=2", "cb"),
        (f"{V4}?messageId=a,c", "ca"),
        (f"{V4}?messageId=a&messageId=c", "ca"),
        (f"{V4}?bulkId=x,y", "cba"),
        (f"{V4}?sender=ada@example.com", "a"),
        (f"{V4}?destination=bob@example.org", "b"),
        (f"{V4}?campaignReferenceId=winter,summer", "b"),
        (f"{V4}?generalStatus=REJECTED", "c"),
        (f"{V4}?applicationId=app", "a"),
        (f"{V4}?bulkId=y&generalStatus=DELIVERED", "b"),
    ],
)
async def test_filters(target: str, ids: str) -> None:
    """Each filter lets through what it names, in the words of its version."""
    async with asking(records=THREE) as (_, ask):
        assert (await ask(target)).ids == list(ids)


@pytest.mark.parametrize(
    ("since_inclusive", "until_inclusive", "ids"),
    [(False, False, "b"), (True, False, "ba"), (False, True, "cb"), (True, True, "cba")],
)
async def test_bounds_of_a_window(
    *, since_inclusive: bool, until_inclusive: bool, ids: str
) -> None:
    """Either bound of a window matches or not, as the settings have it; the truth agrees."""
    settings = Settings(since_inclusive=since_inclusive, until_inclusive=until_inclusive)
    query = f"?sentSince={stamp(ago(30))}&sentUntil={stamp(ago(10))}"
    async with asking(records=THREE, settings=settings) as (sandbox, ask):
        truth = sandbox.matching(sent_since=ago(30), sent_until=ago(10))
        assert (await ask(V1 + query)).ids == list(ids)
        assert [record.message_id for record in truth] == list(ids)


async def test_the_truth_takes_bounds_finer_than_a_millisecond() -> None:
    """The truth between two instants holds what was sent between them, to the microsecond."""
    little = timedelta(microseconds=1)
    async with asking(records=THREE) as (sandbox, _):
        wide = sandbox.matching(sent_since=ago(30) - little, sent_until=ago(30) + little)
        later = sandbox.matching(sent_since=ago(30) + little, since_inclusive=True)
        assert [record.message_id for record in wide] == ["a"]
        assert [record.message_id for record in later] == ["c", "b"]


async def test_sent_until_may_act_on_done_at() -> None:
    """With the setting, sentUntil is compared with doneAt, or with sentAt where that is missing."""
    records = [sent("late", 30, done_at=ago(1)), sent("done", 30, done_at=ago(29)), sent("no", 30)]
    settings = Settings(sent_until_field="doneAt")
    async with asking(records=records, settings=settings) as (_, ask):
        assert (await ask(f"{V1}?sentUntil={stamp(ago(10))}")).ids == ["no", "done"]


@pytest.mark.parametrize(
    ("settings", "target", "ids"),
    [
        (Settings(v1_message_ids="literal"), f"{V1}?messageId=a,c", ""),
        (Settings(v1_message_ids="first"), f"{V1}?messageId=a,c", "a"),
        (Settings(v1_message_ids="ignored"), f"{V1}?messageId=a,c", "cba"),
        (Settings(v1_message_ids="ignored"), f"{V1}?messageId=a", "a"),
        (Settings(v1_bulk_ids="accepted"), f"{V1}?bulkId=x,y", "cba"),
        (Settings(v4_lists="commas"), f"{V4}?messageId=a&messageId=c", "a"),
        (Settings(v4_lists="commas"), f"{V4}?messageId=a,c", "ca"),
        (Settings(v4_lists="repeated"), f"{V4}?messageId=a&messageId=c", "ca"),
        (Settings(v4_lists="repeated"), f"{V4}?messageId=a,c", ""),
        (Settings(ignored_filters=["generalStatus"]), f"{V1}?generalStatus=EXPIRED", "cba"),
    ],
)
async def test_undocumented_meanings_of_filters(settings: Settings, target: str, ids: str) -> None:
    """Lists of ids and whole filters mean what the settings say."""
    async with asking(records=THREE, settings=settings) as (_, ask):
        assert (await ask(target)).ids == list(ids)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("limit=0", "limit must be a whole number from 1 to 1000"),
        ("limit=1001", "limit must be a whole number from 1 to 1000"),
        ("limit=ten", "limit must be a whole number from 1 to 1000"),
        ("sentSince=yesterday", "sentSince must be written as yyyy-MM-dd"),
        ("sentSince=2026-07-01T10:00:00", "sentSince must be written as yyyy-MM-dd"),
        ("sentSince=2026-07-01T10:00:00Z", "sentSince must be written as yyyy-MM-dd"),
        ("sentUntil=2026-02-30T10:00:00.000Z", "sentUntil is no date and time"),
        ("sentUntil=2026-07-01T10:00:00.000+01:00", "'+' must travel as %2B"),
        ("bulkId=", "bulkId is empty"),
        ("messageId=" + 2049 * "a", "messageId is longer than 2048 characters"),
    ],
)
@pytest.mark.parametrize("path", [V1, V4])
async def test_slips_of_a_client_show(path: str, query: str, words: str) -> None:
    """A malformed parameter is a 400 that says what is wrong, in the body and in the trace."""
    async with asking() as (sandbox, ask):
        reply = await ask(f"{path}?{query}")
        assert reply.status == 400
        assert words in reply.body
        assert words in sandbox.arrivals[0].error


@pytest.mark.parametrize(
    "query", ["useCursor=yes", "cursor=abc", "useCursor=true&cursor=abc", "generalStatus=LOST"]
)
async def test_slips_in_version_4(query: str) -> None:
    """Version 4 knows its status groups, its cursors, and true from false."""
    async with asking() as (_, ask):
        reply = await ask(f"{V4}?{query}")
    name = query.rpartition("&")[2].partition("=")[0]
    assert reply.status == 400
    assert reply.document["violations"][0]["property"] == name


async def test_unknown_parameters_are_noted_and_ignored() -> None:
    """What a version does not know changes nothing, but can be seen."""
    async with asking(records=THREE) as (sandbox, ask):
        assert (await ask(f"{V1}?sender=ada@example.com&page=2")).ids == list("cba")
        assert sandbox.arrivals[0].unknown_parameters == ("sender", "page")


def _authorizations(sandbox: Sandbox) -> list[str]:
    told = sandbox.credentials
    pair = base64.b64encode(f"{told.username}:{told.password}".encode()).decode()
    return [
        f"App {told.api_key}",
        f"Basic {pair}",
        f"IBSSO {told.ibsso_token}",
        f"Bearer {told.bearer_token}",
    ]


async def test_the_four_authorizations() -> None:
    """All four are accepted, and noted as such."""
    async with asking(records=THREE) as (sandbox, ask):
        for authorization in _authorizations(sandbox):
            assert (await ask(V1, Authorization=authorization)).status == 200
        assert all(arrival.authorized for arrival in sandbox.arrivals)


@pytest.mark.parametrize("authorization", ["", "App wrong", "Basic ???", "Bearer", "made-up"])
async def test_bad_credentials(authorization: str) -> None:
    """Anything else is a 401, in the words of the version."""
    async with asking() as (sandbox, ask):
        one, four = [await ask(path, Authorization=authorization) for path in (V1, V4)]
        assert (one.status, four.status) == (401, 401)
        assert one.document["requestError"]["serviceException"]["messageId"] == "UNAUTHORIZED"
        assert four.document["errorCode"] == "E401"
        assert not sandbox.arrivals[0].authorized


async def test_credentials_without_the_scope() -> None:
    """A scheme can lack the scope, which is a 403, while another has it."""
    async with asking(settings=Settings(forbidden=["App"])) as (sandbox, ask):
        assert (await ask(V1)).status == 403
        assert (await ask(V4)).document["errorCode"] == "E403"
        bearer = f"Bearer {sandbox.credentials.bearer_token}"
        assert (await ask(V1, Authorization=bearer)).status == 200


async def test_other_paths_methods_and_urls() -> None:
    """Nothing else is answered, and no URL without an end."""
    async with asking(settings=Settings(longest_url=100)) as (sandbox, ask):
        assert (await ask("/email/1/reports")).status == 404
        assert (await ask(f"{V1}?to={100 * 'a'}")).status == 414
        async with ask.session.post(sandbox.url + V1) as response:
            assert response.status == 405


@pytest.mark.parametrize(("path", "root"), [(V1, "ApiException"), (V4, "ApiError")])
async def test_errors_in_xml(path: str, root: str) -> None:
    """Both versions tell their errors in XML to those who ask for it."""
    async with asking() as (_, ask):
        reply = await ask(f"{path}?limit=0", Accept="application/xml")
    assert reply.headers["Content-Type"] == "application/xml"
    assert ET.fromstring(reply.body).tag == root


@pytest.mark.parametrize(
    ("path", "accept", "xml", "kind"),
    [
        (V1, "application/xml", True, "application/xml"),
        (V1, "application/xml", False, "application/json"),
        (V1, "*/*", True, "application/json"),
        (V1, "application/json, application/xml", True, "application/json"),
        (V1, "application/json;q=0.5, application/xml", True, "application/xml"),
        (V1, "application/xml;q=none", True, "application/json"),
        (V4, "application/xml", True, "application/json"),
    ],
)
async def test_the_form_of_an_answer(*, path: str, accept: str, xml: bool, kind: str) -> None:
    """Version 1 answers in XML to those who want it most, unless the setting forbids it."""
    async with asking(settings=Settings(xml=xml)) as (_, ask):
        assert (await ask(path, Accept=accept)).headers["Content-Type"] == kind


async def _first(**settings: Any) -> Reply:
    record = sent("a", 30, done_at=ago(5), price="1.10", extra={"own": 1}, entity_id="<&>")
    async with asking(records=[record], settings=Settings(**settings)) as (_, ask):
        return await ask(V1)


async def test_timestamps_are_spelled_as_set() -> None:
    """The offset moves the clock on the wall, and the fraction can be left out."""
    west = await _first(offset="-05:30", fraction=False)
    east = await _first(offset="+01:00")
    zulu = await _first(offset="Z")
    assert west.document["results"][0]["sentAt"] == "2026-07-01T06:29:30-05:30"
    assert east.document["results"][0]["sentAt"] == "2026-07-01T12:59:30.000+01:00"
    assert zulu.document["results"][0]["sentAt"] == "2026-07-01T11:59:30.000Z"


async def test_fields_can_be_absent_null_or_new() -> None:
    """Fields come and go by the settings, nested ones as well; prices keep their digits."""
    reply = await _first(
        absent=["text", "status.id", "not.there"], null=["doneAt", "error.name"], extra={"new": [1]}
    )
    [record] = reply.document["results"]
    assert "text" not in record
    assert "id" not in record["status"]
    assert (record["doneAt"], record["error"]["name"]) == (None, None)
    assert (record["new"], record["own"]) == ([1], 1)
    assert '"pricePerMessage": 1.10' in reply.body


async def test_an_absent_status_stays_absent() -> None:
    """What was not there cannot be null inside."""
    async with asking(records=[sent("a", 1, status=None)]) as (sandbox, ask):
        sandbox.settings.null = frozenset({"status.id"})
        assert "status" not in (await ask(V1)).document["results"][0]


async def test_version_4_has_its_own_words() -> None:
    """A record of version 4 has sender, destination, platform and campaign."""
    async with asking(records=THREE) as (_, ask):
        _, b, a = (await ask(V4)).document["results"]
    assert (a["sender"], a["platform"]) == (
        "ada@example.com",
        {"entityId": "one", "applicationId": "app"},
    )
    assert (b["destination"], b["campaignReferenceId"]) == ("bob@example.org", "summer")
    assert "from" not in a


async def test_xml_can_hold_anything() -> None:
    """Markup is escaped, what XML cannot hold is replaced, and everything has an element."""
    record = sent("a", 1, text="<\x01>", price=None, extra={"list": [1, None], "yes": True})
    async with asking(records=[record]) as (_, ask):
        root = ET.fromstring((await ask(V1, Accept="application/xml")).body)
    assert root.findtext(".//text") == "<\ufffd>"
    assert [item.text for item in root.findall(".//list/item")] == ["1", None]
    assert root.findtext(".//yes") == "true"
    assert root.find(".//pricePerMessage") is None


async def test_headers_that_warn() -> None:
    """Deprecation, sunset and other headers go with every answer."""
    settings = Settings(deprecation="@1", sunset="soon", headers={"X-Own": "1"})
    async with asking(settings=settings) as (_, ask):
        headers = (await ask(V1)).headers
    assert (headers["Deprecation"], headers["Sunset"], headers["X-Own"]) == ("@1", "soon", "1")
    assert headers["Date"] == "Wed, 01 Jul 2026 12:00:00 GMT"


async def test_gzip() -> None:
    """Answers are compressed for those who accept it."""
    async with asking(records=THREE, settings=Settings(gzip=True)) as (_, ask):
        assert (await ask(V1)).headers["Content-Encoding"] == "gzip"
        assert "Content-Encoding" not in (await ask(V1, **{"Accept-Encoding": "br"})).headers


async def test_retention_and_visibility() -> None:
    """A record is there from when it is visible until 48 hours after it was sent."""
    records = [
        sent("gone", 48 * 3600 + 1),
        sent("oldest", 48 * 3600),
        sent("late", 100, visible_at=NOW + timedelta(seconds=1)),
        sent("soon", -3600),
        sent("now", 0),
    ]
    async with asking(records=records) as (sandbox, ask):
        assert (await ask(V1)).ids == ["now", "oldest"]
        assert [record.message_id for record in sandbox.matching()] == ["now", "oldest"]
        sandbox.settings.visible_after = 1.0
        assert (await ask(V1)).ids == ["oldest"]
        assert len(sandbox.records) == 5


async def test_a_record_is_pending_until_it_is_settled() -> None:
    """With the setting a young record is still pending, for filters and for the truth too."""
    records = [sent("old", 100, done_at=ago(99)), sent("young", 5, done_at=ago(4))]
    settings = Settings(pending_for=60, sent_until_field="doneAt")
    async with asking(records=records, settings=settings) as (sandbox, ask):
        [young] = (await ask(f"{V1}?generalStatus=PENDING")).document["results"]
        assert (young["messageId"], "doneAt" in young) == ("young", False)
        assert (await ask(f"{V1}?sentUntil={stamp(NOW)}")).ids == ["young", "old"]
        assert sandbox.matching(general_status="PENDING")[0].done_at is None
        sandbox.settings.pending_for = 0
        assert (await ask(f"{V1}?generalStatus=DELIVERED")).ids == ["young", "old"]


async def test_answers_are_written_anew_when_there_are_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is remembered of answers has an end, and answers do not change by it."""
    monkeypatch.setattr("infobip_email_logs.sandbox.wording._CACHED", 30)
    async with asking(traffic=Traffic(bulks=0, loose=20, hours=1)) as (sandbox, ask):
        before = [(await ask(path)).body for path in (V1, V4)]
        sandbox.settings.offset = "Z"
        assert (await ask(V1)).body != before[0]
        sandbox.settings.offset = "+0000"
        assert [(await ask(path)).body for path in (V1, V4)] == before
