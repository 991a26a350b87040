"""Which records a page holds, in which order, and how pages follow each other."""

from itertools import chain
from typing import Any

import pytest
from asking import V1, V4, Asker, asking, sent

from infobip_email_logs.sandbox import Settings, Traffic

FIVE = [sent(name, 10 - 2 * number) for number, name in enumerate("dbaec")]
"""Sent in this order, two seconds apart."""
TIED = [sent("a", 5), sent("b", 5), sent("c", 1)]
LOOSE = Traffic(bulks=0, loose=100, hours=1)


async def _pages(ask: Asker, query: str = "", most: int = 50) -> list[list[str]]:
    """Return all pages of version 4, followed by their cursors."""
    pages, cursor = list[list[str]](), ""
    for _ in range(most):
        reply = await ask(f"{V4}?useCursor=true{query}{cursor}")
        pages.append(reply.ids)
        following = reply.document["cursor"].get("nextCursor")
        if following is None:
            break
        cursor = "&cursor=" + following.replace("+", "%2B").replace("=", "%3D")
    return pages


async def test_fifty_by_default() -> None:
    """Without a limit a page ends after fifty records, without a word."""
    async with asking(traffic=LOOSE) as (sandbox, ask):
        truth = [record.message_id for record in sandbox.matching()]
        assert (await ask(V1)).ids == truth[:50]
        assert (await ask(V4)).ids == truth[:50]
        assert (await ask(f"{V1}?limit=1000")).ids == truth
        assert sandbox.arrivals[-1].records == 100


@pytest.mark.parametrize(
    ("settings", "ids"),
    [
        (Settings(), "cea"),
        (Settings(order="oldest"), "aec"),
        (Settings(order="by_id"), "ace"),
        (Settings(full_page="earliest"), "abd"),
        (Settings(full_page="earliest", order="oldest"), "dba"),
        (Settings(page_cap=2), "ce"),
    ],
)
async def test_full_pages(settings: Settings, ids: str) -> None:
    """The settings choose the records of a full page, and then their order."""
    async with asking(records=FIVE, settings=settings) as (_, ask):
        assert (await ask(f"{V1}?limit=3")).ids == list(ids)


@pytest.mark.parametrize(
    ("order", "ties", "ids"),
    [
        ("newest", "newest", "cba"),
        ("newest", "oldest", "cab"),
        ("oldest", "newest", "bac"),
        ("oldest", "oldest", "abc"),
    ],
)
async def test_ties(order: Any, ties: Any, ids: str) -> None:
    """Records of one millisecond come in the order that is set."""
    async with asking(records=TIED, settings=Settings(order=order, ties=ties)) as (_, ask):
        assert (await ask(V1)).ids == list(ids)


@pytest.mark.parametrize("full_page", ["random", "hash", "stretch"])
async def test_any_records(full_page: Any) -> None:
    """A full page may hold any of the records; a page that is not full holds them all."""
    settings = Settings(full_page=full_page, order="oldest", v1_limits=())
    async with asking(traffic=LOOSE, settings=settings, seed=3) as (sandbox, ask):
        truth = [record.message_id for record in sandbox.matching()][::-1]
        pages = [(await ask(f"{V1}?limit=10")).ids for _ in range(5)]
        assert all(page == sorted(set(page), key=truth.index) for page in pages)
        assert (await ask(f"{V1}?limit=100")).ids == truth
    assert (len({tuple(page) for page in pages}) == 1) == (full_page == "hash")
    if full_page == "stretch":
        assert all(truth.index(page[9]) - truth.index(page[0]) == 9 for page in pages)


async def test_any_order() -> None:
    """With random order and ties nothing is lost or doubled."""
    settings = Settings(order="random", ties="random")
    async with asking(traffic=LOOSE, settings=settings) as (sandbox, ask):
        ids = (await ask(f"{V1}?limit=1000")).ids
        assert ids != sorted(ids)
        assert sorted(ids) == sorted(sandbox.message_ids)


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(order="oldest", ties="oldest"),
        Settings(page_cap=7),
        Settings(cursor_short_pages=True),
        Settings(cursor_end="empty_page"),
        Settings(cursor_end="null"),
        Settings(full_page="random"),
    ],
)
async def test_a_cursor_reaches_everything_once(settings: Settings) -> None:
    """All records come once, from the latest pages to the earliest, records of one time too."""
    traffic = Traffic(bulks=3, bulk_size=(15, 15), spread=0, loose=5, hours=1)
    async with asking(traffic=traffic, settings=settings) as (sandbox, ask):
        pages = await _pages(ask, "&limit=10")
        truth = [record.message_id for record in sandbox.matching()]
    if settings.order == "oldest":
        pages = [page[::-1] for page in pages]
    assert list(chain(*pages)) == truth


async def test_how_pages_end() -> None:
    """The last page has no cursor, a null one, or is an empty page after a full one."""
    async with asking(records=FIVE) as (sandbox, ask):
        assert list(map(len, await _pages(ask, "&limit=5"))) == [5]
        sandbox.settings.cursor_end = "null"
        assert (await ask(f"{V4}?useCursor=true")).document["cursor"] == {
            "limit": 50,
            "nextCursor": None,
        }
        sandbox.settings.cursor_end = "empty_page"
        assert list(map(len, await _pages(ask, "&limit=5"))) == [5, 0]
        sandbox.settings.cursor_short_pages = True
        assert list(map(len, await _pages(ask, "&limit=4"))) == [2, 3, 0]


async def test_a_cursor_that_repeats() -> None:
    """After so many pages the cursor is the one just used, and the page with it."""
    async with asking(records=FIVE, settings=Settings(cursor_repeats_after=2)) as (_, ask):
        pages = await _pages(ask, "&limit=1", most=5)
    assert list(chain(*pages)) == list("ceaaa")


async def test_a_cursor_that_dies() -> None:
    """After so many pages the cursor is refused."""
    async with asking(records=FIVE, settings=Settings(cursor_dies_after=1)) as (_, ask):
        cursor = (await ask(f"{V4}?useCursor=true&limit=1")).document["cursor"]["nextCursor"]
        reply = await ask(f"{V4}?useCursor=true&limit=1&cursor={cursor.replace('=', '%3D')}")
    assert (reply.status, reply.document["errorCode"]) == (400, "E400")


async def test_a_cursor_belongs_to_its_query() -> None:
    """A cursor without the filters that it was made for is refused; another limit is fine."""
    async with asking(records=FIVE) as (_, ask):
        first = await ask(f"{V4}?useCursor=true&limit=1&generalStatus=DELIVERED")
        cursor = first.document["cursor"]["nextCursor"].replace("=", "%3D")
        lost = await ask(f"{V4}?useCursor=true&cursor={cursor}")
        more = await ask(f"{V4}?useCursor=true&generalStatus=DELIVERED&cursor={cursor}")
    assert lost.status == 400
    assert more.ids == list("eabd")


async def test_without_a_cursor() -> None:
    """Version 4 has no cursor for those who do not ask for one, version 1 for nobody."""
    async with asking(records=FIVE) as (_, ask):
        assert "cursor" not in (await ask(f"{V4}?limit=1")).document
        assert "cursor" not in (await ask(f"{V1}?limit=1&useCursor=true")).document
