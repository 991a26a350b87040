"""The stand-in for the service answers under every aiohttp that is supported."""

import aiohttp
import pytest
from aioresponses import aioresponses

URL = "https://example.api.infobip.com/email/1/logs?limit=1000"


async def unchanged(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Be a middleware that changes nothing."""
    return await handler(request)


async def test_a_body_is_read_chunk_by_chunk(service: aioresponses) -> None:
    """Status, headers and the chunks of the body arrive."""
    service.get(URL, status=429, body=b'{"a": 1}', headers={"Retry-After": "7"})
    async with aiohttp.ClientSession() as session, session.get(URL) as answer:
        body = b"".join([chunk async for chunk in answer.content.iter_any()])
    assert (answer.status, answer.headers["Retry-After"], body) == (429, "7", b'{"a": 1}')


async def test_all_arguments_of_a_careful_client_are_taken(service: aioresponses) -> None:
    """Timeouts, middlewares, proxies, TLS and a redirect that is not followed go through."""
    service.get(URL, status=302, headers={"Location": "https://elsewhere.example/"})
    async with (
        aiohttp.ClientSession() as session,
        session.get(
            URL,
            allow_redirects=False,
            middlewares=(unchanged,),
            timeout=aiohttp.ClientTimeout(total=5),
            proxy="http://proxy.example:3128",
            ssl=True,
        ) as answer,
    ):
        assert answer.status == 302
    ((_, calls),) = service.requests.items()
    assert calls[0].kwargs["proxy"] == "http://proxy.example:3128"


async def test_answers_are_given_in_turn(service: aioresponses) -> None:
    """Two answers to the same question come in the order in which they were set."""
    service.get(URL, payload={"results": []})
    service.get(URL, exception=aiohttp.ClientConnectionError("gone"))
    async with aiohttp.ClientSession() as session:
        async with session.get(URL) as answer:
            assert await answer.json() == {"results": []}
        with pytest.raises(aiohttp.ClientConnectionError, match="gone"):
            await session.get(URL)
