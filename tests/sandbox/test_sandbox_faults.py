"""Everything that can go wrong, scripted."""

import asyncio
from typing import Any

import pytest
from aiohttp import ClientError, ClientOSError, ClientPayloadError
from asking import V1, V4, Asker, asking, sent

from infobip_email_logs.sandbox import FAULTS, LASTING, PASSING, Fault, Sandbox, Settings

ONE = [sent("a", 1, text=1000 * "long ")]


async def test_faults_come_in_their_order() -> None:
    """Each request meets the next fault of the script; None, or the script's end, is none."""
    async with asking() as (sandbox, ask):
        sandbox.script(Fault(500), None, Fault(503, headers={"Retry-After": "7"}))
        replies = [await ask(V1) for _ in range(4)]
        assert [arrival.fault and arrival.fault.status for arrival in sandbox.arrivals] == [
            500,
            None,
            503,
            None,
        ]
    assert [reply.status for reply in replies] == [500, 200, 503, 200]
    assert replies[2].headers["Retry-After"] == "7"


@pytest.mark.parametrize(
    ("path", "status", "word"),
    [
        (V1, 500, "GENERAL_ERROR"),
        (V4, 500, "E500"),
        (V4, 503, "E503"),
        (V1, 418, "BAD_REQUEST"),
        (V1, 429, "TOO_MANY_REQUESTS"),
        (V4, 307, "E307"),
    ],
)
async def test_a_fault_is_worded_by_the_service(path: str, status: int, word: str) -> None:
    """Without a body of its own, an error has the words of the version."""
    async with asking() as (sandbox, ask):
        sandbox.script(Fault(status))
        reply = await ask(path)
        assert (reply.status, sandbox.throttled) == (status, 0)
    assert word in reply.body


async def test_a_proxy_in_front() -> None:
    """A fault can be any body of any kind, also with a status that is fine."""
    async with asking() as (sandbox, ask):
        sandbox.script(Fault(502, "<h1>Bad gateway</h1>", content_type="text/html"))
        sandbox.script(Fault(body=b'{"results": [{'))
        proxy, broken = [await ask(V1) for _ in range(2)]
    assert (proxy.status, proxy.body) == (502, "<h1>Bad gateway</h1>")
    assert proxy.headers["Content-Type"] == "text/html"
    assert (broken.status, broken.body) == (200, '{"results": [{')
    assert broken.headers["Content-Type"] == "application/json"


async def test_a_redirect() -> None:
    """A fault can send elsewhere."""
    async with asking() as (sandbox, ask):
        sandbox.script(Fault(302, headers={"Location": "https://example.com/"}))
        reply = await ask(V1)
    assert (reply.status, reply.headers["Location"]) == (302, "https://example.com/")


async def test_a_fault_is_counted() -> None:
    """A request that meets a fault has arrived, and counts."""
    async with asking() as (sandbox, ask):
        sandbox.script(*(Fault(500) for _ in range(60)))
        statuses = [(await ask(V1)).status for _ in range(61)]
        assert statuses == [500] * 60 + [429]
        assert sandbox.throttled == 1


async def test_a_delay() -> None:
    """A fault can be a good answer that is late."""
    async with asking(records=ONE) as (sandbox, ask):
        sandbox.script(Fault(delay=30.0))
        began = asyncio.get_running_loop().time()
        assert (await ask(V1)).ids == ["a"]
        assert asyncio.get_running_loop().time() - began == pytest.approx(30)


async def test_a_fault_for_all() -> None:
    """A fault in the settings meets every request that the script has none for."""
    async with asking(settings=Settings(fault=Fault(503))) as (sandbox, ask):
        sandbox.script(Fault(500))
        assert [(await ask(V1)).status for _ in range(3)] == [500, 503, 503]


async def test_a_reset_of_a_used_connection() -> None:
    """A kept connection can be reset instead of an answer; the next request has a new one."""
    async with asking(records=ONE) as (sandbox, ask):
        sandbox.script(None, Fault(disconnect="before_headers"), Fault(disconnect="before_headers"))
        await ask(V1)
        with pytest.raises(ClientOSError, match="reset"):
            await _post(sandbox, ask)
        with pytest.raises(ClientError):
            await _post(sandbox, ask)
        assert (await ask(V1)).ids == ["a"]
        assert [arrival.status for arrival in sandbox.arrivals] == [200, None, None, 200]
        assert [arrival.connection for arrival in sandbox.arrivals] == [1, 1, 2, 3]


async def _post(sandbox: Sandbox, ask: Asker) -> None:
    """Ask in a way that aiohttp does not repeat by itself."""
    async with ask.session.post(sandbox.url + V1):
        pass


async def test_a_truncated_body() -> None:
    """A connection can be closed in the middle of the body, which shows."""
    async with asking(records=ONE) as (sandbox, ask):
        sandbox.script(Fault(disconnect="in_body"))
        with pytest.raises(ClientPayloadError):
            await ask(V1)
        assert sandbox.arrivals[0].status == 200


async def test_a_reset_in_the_body() -> None:
    """It is told to the client as what it is, behind the headers."""
    async with asking(records=ONE) as (sandbox, ask):
        sandbox.script(Fault(disconnect="reset_in_body"))
        with pytest.raises(ClientError) as caught:
            await ask(V1)
        assert "reset" in repr(caught.value) + repr(caught.value.__cause__)
        assert sandbox.arrivals[0].status == 200


async def test_a_body_that_drips() -> None:
    """It comes whole, a byte at a time."""
    async with asking(records=[sent("a", 1)]) as (sandbox, ask):
        sandbox.script(Fault(drips=0.5))
        began = asyncio.get_running_loop().time()
        reply = await ask(V1)
        assert reply.ids == ["a"]
        took = asyncio.get_running_loop().time() - began
        assert took == pytest.approx(len(reply.body) / 2, abs=1)


@pytest.mark.parametrize("kind", ["whole", None])
async def test_a_padded_body_is_a_good_one(kind: Any) -> None:
    """White space is all that is added, compressed or not."""
    async with asking(records=ONE) as (sandbox, ask):
        sandbox.script(Fault(padding=3_000_001, gzip=kind))
        reply = await ask(V1)
    assert reply.ids == ["a"]
    assert len(reply.body) - len(reply.body.lstrip()) == 3_000_001


@pytest.mark.parametrize("settings", [Settings(), Settings(gzip=True)], ids=["plain", "gzip"])
async def test_a_compressed_body_that_is_broken(settings: Settings) -> None:
    """Of one that is cut, the rest is missing; one that is garbled can't be decompressed."""
    async with asking(records=ONE, settings=settings) as (sandbox, ask):
        sandbox.script(Fault(gzip="whole"), Fault(gzip="cut"), Fault(gzip="garbled"))
        whole = await ask(V1)
        assert whole.ids == ["a"]
        assert len((await ask(V1)).body) < len(whole.body)
        with pytest.raises(ClientError):
            await ask(V1)


async def test_faults_by_chance_are_drawn_from_the_seed() -> None:
    """So many of the requests meet one of them, the same with the same seed."""

    async def met(seed: int) -> list[int | None]:
        settings = Settings(v1_limits=(), faults=(Fault(500), Fault(503)), fault_rate=0.3)
        async with asking(seed=seed, settings=settings) as (_, ask):
            return [(await ask(V1)).status for _ in range(200)]

    first = await met(1)
    assert await met(1) == first
    assert await met(2) != first
    assert 30 < first.count(500) + first.count(503) < 90
    assert 500 in first
    assert 503 in first


def test_every_fault_has_one_name() -> None:
    """What may pass and what lasts have different ones, and none of them is nothing."""
    assert len(FAULTS) == len(PASSING) + len(LASTING)
    assert Fault() not in FAULTS.values()


@pytest.mark.parametrize("fault", [Fault(stalls=True), Fault(endless=True), Fault(delay=1e6)])
async def test_patience_ends(fault: Fault) -> None:
    """An answer that stops halfway, or never ends, or never begins, is left by the client."""
    async with asking(records=ONE) as (sandbox, ask):
        sandbox.script(fault)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await ask(V1)
        assert (await ask(V1)).ids == ["a"]


@pytest.mark.parametrize("fault", [Fault(stalls=True), Fault(endless=True), Fault(delay=1e6)])
async def test_the_sandbox_ends_at_once(fault: Fault) -> None:
    """Leaving the sandbox drops requests in flight, and takes no time."""
    async with asking(records=ONE) as (sandbox, ask):
        sandbox.settings.fault = fault
        loop = asyncio.get_running_loop()
        async with Sandbox(settings=Settings(fault=fault)) as other:
            asker = Asker(ask.session, other)
            asked = [asyncio.create_task(asker(V1)) for _ in range(3)]
            await asyncio.sleep(0.5)
            began = loop.time()
        assert loop.time() - began < 0.1
        results = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(result, ClientError) for result in results)


@pytest.mark.parametrize(
    ("kind", "options"), [(Fault, {"disconnect": "never"}), (Settings, {"order": "upwards"})]
)
def test_typing_errors_are_refused(kind: Any, options: dict[str, str]) -> None:
    """A fault or a setting that does not exist is refused at once."""
    with pytest.raises(ValueError, match=next(iter(options))):
        kind(**options)
