"""The limiter on a real Redis: outages, restarts, lost scripts and states, and what it refuses."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import attrs
import pytest
import redis.asyncio
from redis_server import Server, serving, settle
from sharing import Account, fullest, now

from infobip_email_logs import InvalidInput, TimeLimit
from infobip_email_logs.bucket import Limit, TokenLimit
from infobip_email_logs.errors import LimiterUnavailable
from infobip_email_logs.messages import Ended, Message
from infobip_email_logs.redis_limiter import SHA, RedisLimiter, _later

pytestmark = pytest.mark.real_time

LIMIT = TimeLimit(5, per=0.4)
keys = (f"{{limits}}:{number}" for number in itertools.count())


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[redis.asyncio.Redis]:
    """Return a client of the server."""
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Server]]:
    """Return servers that were up for long enough; each is for one test, which may kill it."""
    durable = ("--appendonly", "yes", "--appendfsync", "always")
    wanted = {"keeps": durable, "loses": (), "raise": (), "local": ()}
    with ExitStack() as stack:
        started = {
            name: stack.enter_context(serving(tmp_path_factory.mktemp("redis"), *options))
            for name, options in wanted.items()
        }
        for server in started.values():
            settle(server.url)
        yield started


def limiter_of(server: Server, **options: object) -> tuple[redis.asyncio.Redis, RedisLimiter]:
    """Return a client of a server, and a limiter."""
    client = redis.asyncio.Redis.from_url(server.url)
    return client, RedisLimiter(client, LIMIT, key="{limits}", **options)  # type: ignore[arg-type]


async def test_two_limiters_of_a_key_share_its_limit(client: redis.asyncio.Redis) -> None:
    """No window holds more, and nothing waits that could have gone."""
    account, key = Account(), next(keys)
    one, other = (RedisLimiter(client, LIMIT, key=key) for _ in range(2))
    async with one, other:
        start = now()
        await asyncio.gather(*(account.ask(each) for each in (one, other) * 5))
        took = now() - start
    assert fullest(account.arrivals, LIMIT.per) <= 5
    assert LIMIT.per <= took < 5 * LIMIT.per


async def test_an_admission_costs_two_calls(client: redis.asyncio.Redis) -> None:
    """One that says when, one that says how it ended; and nothing but scripts."""
    account = Account()
    async with RedisLimiter(client, TimeLimit(50, per=1), key=next(keys)) as limiter:
        await account.ask(limiter)
        await client.config_resetstat()
        for _ in range(10):
            await account.ask(limiter)
        await limiter.flush()
        stats = await client.info("commandstats")
    calls = {name: each["calls"] for name, each in stats.items()}
    assert calls["cmdstat_evalsha"] <= 20
    assert set(calls) <= {
        "cmdstat_evalsha",
        "cmdstat_time",
        "cmdstat_get",
        "cmdstat_set",
        "cmdstat_config|resetstat",
        "cmdstat_config",
        "cmdstat_info",
    }


async def test_a_ledger_is_one_key_that_expires(client: redis.asyncio.Redis) -> None:
    """Of an account that nobody uses nothing is left, and a cluster keeps it in one place."""
    key = next(keys)
    before = await client.dbsize()
    async with RedisLimiter(client, LIMIT, key=key) as limiter:
        await Account().ask(limiter)
    assert await client.dbsize() == before + 1
    assert 0 < await client.pttl(key) < 60_000


async def test_a_script_that_redis_lost_is_given_to_it_again(client: redis.asyncio.Redis) -> None:
    """After a SCRIPT FLUSH or a failover."""
    account = Account()
    async with RedisLimiter(client, LIMIT, key=next(keys)) as limiter:
        await account.ask(limiter)
        await client.script_flush()
        await account.ask(limiter)
        assert await client.script_exists(SHA) == [True]
    assert len(account.arrivals) == 2


async def test_callers_who_give_up_leave_no_queue_behind(client: redis.asyncio.Redis) -> None:
    """After a storm of two hundred the next one waits for its own turn only."""
    key = next(keys)
    one, other = (RedisLimiter(client, TokenLimit(burst=1, refill=5), key=key) for _ in range(2))
    async with one, other:
        storm = [asyncio.create_task(each.acquire()) for each in (one, other) * 100]
        await asyncio.sleep(0.3)
        for task in storm:
            task.cancel()
        ended = await asyncio.gather(*storm, return_exceptions=True)
        for permit in ended:
            if not isinstance(permit, BaseException):
                permit.answered()
        start = now()
        (await other.acquire()).answered()
    assert now() - start <= 10 / 5


async def test_a_fresh_server_begins_empty(tmp_path: Path) -> None:
    """It may have lost what it knew: nothing goes before a period is over since it started."""
    with serving(tmp_path) as server:
        client, limiter = limiter_of(server)
        async with client, limiter:
            start = now()
            await Account().ask(limiter)
            assert now() - start > 0.5


async def test_a_restart_that_keeps_the_state_keeps_the_limit(servers: dict[str, Server]) -> None:
    """With every write on disk, killed and started again, and nobody is told of it."""
    account = Account()
    server = servers["keeps"]
    client, limiter = limiter_of(server)
    async with client, limiter:
        await asyncio.gather(*(account.ask(limiter) for _ in range(5)))
        await limiter.flush()
        waits = asyncio.create_task(account.ask(limiter))
        server.kill()
        await asyncio.to_thread(server.start)
        await waits
        await asyncio.gather(*(account.ask(limiter) for _ in range(6)))
    assert fullest(account.arrivals, LIMIT.per) <= 5
    assert len(account.arrivals) == 12


async def test_a_restart_that_loses_the_state_begins_empty(servers: dict[str, Server]) -> None:
    """No window holds more than the limit, and work goes on by itself."""
    account = Account()
    server = servers["loses"]
    client, limiter = limiter_of(server)
    async with client, limiter:
        await asyncio.gather(*(account.ask(limiter) for _ in range(5)))
        server.kill()
        await asyncio.to_thread(server.start)
        await asyncio.gather(*(account.ask(limiter) for _ in range(6)))
    assert fullest(account.arrivals, LIMIT.per) <= 5


async def test_without_redis_nothing_is_sent(servers: dict[str, Server]) -> None:
    """Callers are told; what ended meanwhile is told to Redis when it is back."""
    server = servers["raise"]
    client, limiter = limiter_of(server, patience=0.5)
    async with client, limiter:
        permit = await limiter.acquire()
        server.kill()
        with pytest.raises(LimiterUnavailable, match="Redis") as caught:
            await limiter.acquire()
        assert caught.value.__cause__
        permit.answered()
        await asyncio.to_thread(server.start)
        await Account().ask(limiter)


async def test_without_redis_a_process_keeps_to_its_share(servers: dict[str, Server]) -> None:
    """Where that was chosen; it begins used up, and the whole limit is there again in the end."""
    account = Account()
    server = servers["local"]
    client, limiter = limiter_of(server, patience=0.5, on_outage="local", share=0.4)
    async with client, limiter:
        await asyncio.gather(*(account.ask(limiter) for _ in range(5)))
        server.kill()
        alone = len(account.arrivals)
        await asyncio.gather(*(account.ask(limiter) for _ in range(4)))
        assert fullest(account.arrivals[alone:], LIMIT.per) <= 2
        await asyncio.to_thread(server.start)
        async with asyncio.timeout(5):
            while limiter._local:
                await account.ask(limiter)
        await asyncio.gather(*(account.ask(limiter) for _ in range(5)))
    assert fullest(account.arrivals, LIMIT.per) <= 5


async def test_a_slow_redis_is_an_outage(client: redis.asyncio.Redis) -> None:
    """A caller learns that within the patience, not when Redis pleases."""
    limiter = RedisLimiter(client, LIMIT, key=next(keys), patience=0.5)
    async with limiter:
        await Account().ask(limiter)
        await client.client_pause(1000)
        start = now()
        with pytest.raises(LimiterUnavailable, match="no answer in time"):
            await limiter.acquire()
        assert now() - start < 1.0


async def test_redis_without_scripts_is_refused(tmp_path: Path) -> None:
    """When its context is entered, or by the first caller: a constructor does not wait."""
    with serving(tmp_path, "--rename-command", "EVALSHA", "") as server:
        client, limiter = limiter_of(server)
        async with client:
            with pytest.raises(InvalidInput, match="runs no scripts"):
                await limiter.acquire()
            with pytest.raises(InvalidInput, match="runs no scripts"):
                await RedisLimiter(client, LIMIT, key="k").__aenter__()


async def test_redis_that_forbids_scripts_is_refused(tmp_path: Path) -> None:
    """A user who may do everything but that; and one whose password is wrong."""
    with serving(tmp_path) as server:
        async with redis.asyncio.Redis.from_url(server.url) as admin:
            await admin.acl_setuser(
                "u",
                enabled=True,
                passwords="+p",
                keys="*",
                categories=["+@all", "-@scripting"],
                commands=["-info"],
            )
        for password, said in (("p", "permission"), ("wrong", "password|authentication")):
            url = server.url.replace("//", f"//u:{password}@")
            async with redis.asyncio.Redis.from_url(url) as client:
                with pytest.raises(InvalidInput, match=f"(?i)does not let .*({said})"):
                    await RedisLimiter(client, LIMIT, key="k").acquire()


async def test_redis_that_is_too_old_is_refused() -> None:
    """A server that says that it is of version 4; nothing else of it is needed."""

    async def old(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            if line.strip().upper() in (b"INFO", b"CLIENT", b"HELLO"):
                told = b"redis_version:4.0.14\r\n"
                info = b"$%d\r\n%s\r\n" % (len(told), told)
                is_info = line.strip().upper() == b"INFO"
                writer.write(info if is_info else b"-ERR unknown command\r\n")
        writer.close()

    async with await asyncio.start_server(old, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        client = redis.asyncio.Redis(port=port, protocol=2)
        limiter = RedisLimiter(client, LIMIT, key="k")
        for way in (limiter.acquire, limiter.__aenter__):
            with pytest.raises(InvalidInput, match="too old"):
                await way()
        await client.aclose()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"on_outage": "ignore"}, "on_outage"),
        ({"on_outage": "local"}, "share"),
        ({"share": 0.5}, "share"),
        ({"on_outage": "local", "share": 0.1}, "less than one request"),
        ({"on_outage": "local", "share": 0.0}, "above 0"),
        ({"on_outage": "local", "share": 1.5}, "at most"),
        ({"key": ""}, "key"),
        ({"limits": "5/abc"}, "5/abc"),
        ({"limits": "60/60s, 20001+10/s"}, r"up to 10000 requests .*; 20001\+10/s is beyond"),
        ({"limits": []}, "at least one"),
        ({"patience": 0}, "patience"),
        ({"max_pause": -1}, "max_pause"),
    ],
)
def test_what_can_not_be_kept_is_refused_when_it_is_built(
    options: dict[str, object], said: str
) -> None:
    """The message says what is wrong."""
    given = {"limits": LIMIT, "key": "k"} | options
    with pytest.raises(InvalidInput, match=said):
        RedisLimiter(redis.asyncio.Redis(), **given)  # type: ignore[arg-type]


def test_a_message_that_is_said_again_later_is_older() -> None:
    """By its own words: when its requests ended, and when they left."""
    ended = (Ended(1, "throttled", ago=2, left=3),)
    message = Message(member="one", terms=(), lease=1, ended=ended, seen=5, since=4)
    later = _later(message, 1.0)
    assert later.since == 1_000_004
    assert [(one.ago, one.left) for one in later.ended] == [(1_000_002, 1_000_003)]
    assert _later(attrs.evolve(message, seen=0), 1.0).since == 0


def test_a_share_of_a_bucket_is_a_limit_of_its_own() -> None:
    """A quarter of the burst, and of the rate that refills it."""
    limits: list[Limit] = [TokenLimit(burst=8, refill=2), TimeLimit(60)]
    client = redis.asyncio.Redis()
    limiter = RedisLimiter(client, limits, key="k", on_outage="local", share=0.25)
    assert list(map(str, limiter._alone)) == ["2+0.5/s", "15/60s"]
