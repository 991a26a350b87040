"""The sandbox: the service on a local port."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import uuid
from collections import deque
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakKeyDictionary

import attrs
from aiohttp import web

from .arrivals import Arrival
from .credentials import Credentials
from .faults import Fault
from .records import Record, milliseconds
from .sending import compressed, send
from .service import Outcome, Request, Service, http_date
from .settings import Settings
from .store import Records, Store
from .tokens import TOKEN_PATH
from .traffic import NO_TRAFFIC, Seeded, Traffic
from .truth import Values, wanted_fields, window

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
    from types import TracebackType

    from .answers import Answer

_log = logging.getLogger(__name__)
_LONGEST_LINE = 1 << 20
_SOON = 0.01
_NO_FAULT = Fault()


class Sandbox:
    """A local stand-in for the service: ``async with Sandbox(...) as sandbox``.

    It answers ``GET /email/1/logs`` and ``GET /email/4/logs`` with records of its own, holds its
    own limits, and notes every request. All its waiting is in the time of the running loop.
    A sandbox is used once.

    Args:
        records: Records to start with, or their fields.
        traffic: Synthetic records to start with; without it, none.
        settings: How it behaves; may be changed while it runs.
        seed: Equal seeds (and an equal ``now``) make equal traffic, ids and choices.
        host: Where to listen: only this machine can reach it, unless another address is named
            here, which is warned of. Whoever can reach it can read the records.
        port: The port; 0 takes a free one.
        now: The wall clock at the start, aware; without it, the real one.
        credentials: What it accepts.

    Attributes:
        settings: How it behaves.
        credentials: What it accepts.
        arrivals: The requests for logs so far, in the order of their arrival.
        token_requests: How many requests for an OAuth 2.0 token came.
    """

    def __init__(
        self,
        *,
        records: Iterable[Record | Mapping[str, Any]] = (),
        traffic: Traffic | None = None,
        settings: Settings | None = None,
        seed: int = 0,
        host: str = "127.0.0.1",
        port: int = 0,
        now: datetime | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        self.settings = settings or Settings()
        self.credentials = credentials or Credentials()
        self.arrivals: list[Arrival] = []
        self.token_requests = 0
        self._first = list(records)
        self._traffic = traffic or NO_TRAFFIC
        self._seed = seed
        self._random = Random(f"sandbox {seed}")
        self._luck = Random(f"faults {seed}")
        self._address = (host, port)
        self._wall = now
        self._faults: deque[Fault | None] = deque()
        self._connections: WeakKeyDictionary[asyncio.Transport, int] = WeakKeyDictionary()
        self._numbered = 0
        self._working: set[asyncio.Task[Any]] = set()
        self._stack = AsyncExitStack()
        self._url = ""

    async def __aenter__(self) -> Self:
        """Make the records and start to listen.

        Raises:
            OSError: The address cannot be listened on.
            ValueError: ``now`` has no time zone.
        """
        if self._wall is not None and self._wall.tzinfo is None:
            raise ValueError("now must be aware")
        self._start = asyncio.get_running_loop().time()
        self._wall = (self._wall or datetime.now(UTC)).astimezone(UTC)
        seeded = Seeded(self._traffic, seed=self._seed, start=milliseconds(self._wall))
        self._service = Service(Store(seeded), self.credentials, self._random)
        self.extend(self._first)
        self._url = await self._stack.enter_async_context(self._listening())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop at once: requests in flight are dropped with their connections."""
        await self._stack.aclose()

    @property
    def url(self) -> str:
        """The base URL, such as ``http://127.0.0.1:8080``; empty until it listens."""
        return self._url

    @property
    def records(self) -> Sequence[Record]:
        """All records, whether they can be seen yet or still, in the order of their sending."""
        return Records(self._service.store)

    @property
    def bulk_ids(self) -> list[str]:
        """The bulk ids of all records, distinct, in the order of their first message."""
        store = self._service.store
        found = (store.value("bulk_id", ref) for ref in store.refs())
        return list(dict.fromkeys(bulk_id for bulk_id in found if bulk_id is not None))

    @property
    def message_ids(self) -> list[str]:
        """The message ids of all records, distinct, in the order of their sending."""
        store = self._service.store
        found = (store.value("message_id", ref) for ref in store.refs())
        return list(dict.fromkeys(message_id for message_id in found if message_id is not None))

    @property
    def throttled(self) -> int:
        """How many requests the limits turned away; a scripted 429 is not among them."""
        return sum(arrival.throttled for arrival in self.arrivals)

    def now(self) -> datetime:
        """Return the service's wall clock, in UTC; it goes with the loop's time."""
        if self._wall is None:
            raise RuntimeError("the sandbox has not started")
        return self._wall + timedelta(seconds=self._elapsed())

    def add(self, record: Record | None = None, /, **fields: Any) -> Record:
        """Add one record, while requests come or not, and return it.

        Args:
            record: The record; without it one that was sent just now, with a new id.
            **fields: Fields that differ, by their names in :class:`Record`. With a
                ``visible_at`` the record does not appear in the logs before.
        """
        whole = self._record(fields) if record is None else attrs.evolve(record, **fields)
        self._service.store.add([whole])
        return whole

    def extend(self, records: Iterable[Record | Mapping[str, Any]]) -> list[Record]:
        """Add many records, or their fields, in any order, and return them."""
        whole = [one if isinstance(one, Record) else self._record(one) for one in records]
        self._service.store.add(whole)
        return whole

    def script(self, *faults: Fault | None) -> None:
        """Let the next requests meet these faults, one each and in this order; None is none."""
        self._faults.extend(faults)

    def matching(
        self,
        *,
        message_id: Values = None,
        bulk_id: Values = None,
        sender: Values = None,
        destination: Values = None,
        general_status: Values = None,
        campaign_reference_id: Values = None,
        application_id: Values = None,
        entity_id: Values = None,
        sent_since: datetime | None = None,
        sent_until: datetime | None = None,
        since_inclusive: bool | None = None,
        until_inclusive: bool | None = None,
    ) -> list[Record]:
        """Return the records that a perfect service would return now, the latest first.

        No page ends it. Records that are not kept any more, or not visible yet, are not among
        them. Each filter takes one value or several; of these any may match.

        Args:
            message_id: Message ids.
            bulk_id: Bulk ids.
            sender: Senders.
            destination: Recipients.
            general_status: Status groups.
            campaign_reference_id: Campaigns.
            application_id: Applications.
            entity_id: Entities.
            sent_since: The beginning of a window of ``sent_at``, aware.
            sent_until: Its end, aware.
            since_inclusive: Whether the beginning matches; as in the settings without.
            until_inclusive: Whether the end matches; as in the settings without.
        """
        fields = wanted_fields(
            message_id=message_id,
            bulk_id=bulk_id,
            sender=sender,
            destination=destination,
            general_status=general_status,
            campaign_reference_id=campaign_reference_id,
            application_id=application_id,
            entity_id=entity_id,
        )
        settings = self.settings
        wanted = window(
            sent_since,
            sent_until,
            since_inclusive=(
                settings.since_inclusive if since_inclusive is None else since_inclusive
            ),
            until_inclusive=(
                settings.until_inclusive if until_inclusive is None else until_inclusive
            ),
        )
        return self._service.matching(attrs.evolve(wanted, fields=fields), settings, self.now())

    def _elapsed(self) -> float:
        return asyncio.get_running_loop().time() - self._start

    def _record(self, fields: Mapping[str, Any]) -> Record:
        made: dict[str, Any] = {
            "message_id": str(uuid.UUID(int=self._random.getrandbits(128), version=4)),
            "sent_at": self.now(),
        }
        return Record(**{**made, **fields})

    @asynccontextmanager
    async def _listening(self) -> AsyncGenerator[str]:
        """Listen, and give the URL."""
        host, port = self._address
        server = web.Server(self._handle, access_log=None, max_line_size=_LONGEST_LINE)
        runner = web.ServerRunner(server, shutdown_timeout=_SOON)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
            for address, *_ in runner.addresses:
                if not ipaddress.ip_address(address).is_loopback:
                    _log.warning("the sandbox listens on %s, where others can reach it", address)
            yield _url(host, runner.addresses[0][1])
        finally:
            await self._drop()
            await runner.cleanup()

    async def _drop(self) -> None:
        """End all requests in flight."""
        working = list(self._working)
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a request is handled by a task")
        self._working.add(task)
        try:
            return await self._round_trip(request)
        finally:
            self._working.discard(task)

    async def _round_trip(self, request: web.BaseRequest) -> web.StreamResponse:
        one_way = self._random.uniform(*self.settings.latency) / 2
        await _pause(one_way)
        if request.method == "POST" and request.path == TOKEN_PATH:
            answer, fault = self._token(await request.read()), _NO_FAULT
        else:
            answer, fault = self._arrive(request)
        await _pause(fault.delay + one_way)
        date = {"Date": http_date(self.now())}
        answer = attrs.evolve(answer, headers={**date, **answer.headers})
        return await send(request, answer, fault)

    def _token(self, form: bytes) -> Answer:
        self.token_requests += 1
        lasts = self.settings.token_lifetime
        return self._service.tokens.issue(form, at=self._elapsed(), lasts=lasts)

    def revoke_tokens(self) -> None:
        """Let no OAuth 2.0 token that was given out be good any more."""
        self._service.tokens.revoke()

    def _arrive(self, request: web.BaseRequest) -> tuple[Answer, Fault]:
        """Count a request, note it, and return what it is answered with."""
        arrived = self._request(request)
        fault = self._faults.popleft() if self._faults else self._fault()
        outcome = self._service.answer(arrived, self.settings, fault)
        self.arrivals.append(self._arrival(request, arrived, outcome, fault))
        answer = outcome.answer
        fault = fault or _NO_FAULT
        plain = fault.gzip or fault.padding or fault.spoilt or not self.settings.gzip
        if not plain and "gzip" in request.headers.get("Accept-Encoding", ""):
            answer = compressed(answer)
        return answer, fault

    def _fault(self) -> Fault | None:
        """Return what a request meets that nothing was scripted for."""
        settings = self.settings
        if settings.fault is None and settings.faults and self._luck.random() < settings.fault_rate:
            return self._luck.choice(settings.faults)
        return settings.fault

    def _request(self, request: web.BaseRequest) -> Request:
        return Request(
            method=request.method,
            target=request.raw_path,
            url_length=len(self._url) + len(request.raw_path),
            accept=request.headers.get("Accept", "*/*"),
            authorization=request.headers.get("Authorization", ""),
            at=self._elapsed(),
            now=self.now(),
        )

    def _arrival(
        self, request: web.BaseRequest, arrived: Request, outcome: Outcome, fault: Fault | None
    ) -> Arrival:
        is_reset = fault is not None and fault.disconnect == "before_headers"
        return Arrival(
            at=self._start + arrived.at,
            method=arrived.method,
            path=arrived.path,
            query=arrived.query,
            version=arrived.version,
            connection=self._connection(request),
            accept=arrived.accept,
            authorized=outcome.authorized,
            throttled=outcome.throttled,
            status=None if is_reset else outcome.answer.status,
            records=outcome.answer.records,
            error=outcome.error,
            unknown_parameters=outcome.unknown_parameters,
            fault=fault,
        )

    def _connection(self, request: web.BaseRequest) -> int:
        """Return the number of the connection; 0 when it is gone already."""
        if request.transport is None:
            return 0
        if request.transport not in self._connections:
            self._numbered += 1
        return self._connections.setdefault(request.transport, self._numbered)


async def _pause(seconds: float) -> None:
    if seconds > 0:
        await asyncio.sleep(seconds)


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
