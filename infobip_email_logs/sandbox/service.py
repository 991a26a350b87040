"""The service itself, without a network: a request in, an answer and its trace out."""

from __future__ import annotations

import logging
import math
from datetime import datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import attrs

from .answers import Answer, error_answer, page_answer
from .limits import Gate
from .pages import Page, Pages
from .query import Question, parameters, read, unknown_parameters
from .records import Record, milliseconds
from .refusals import Refused
from .settings import Settings
from .tokens import Tokens
from .wording import Form, Wording, Writer

if TYPE_CHECKING:
    from random import Random

    from .credentials import Credentials
    from .faults import Fault
    from .store import Moment, Store, Wanted

_VERSIONS = {"/email/1/logs": 1, "/email/4/logs": 4}
_KINDS = frozenset({"application/json", "application/xml"})
_log = logging.getLogger(__name__)


@attrs.frozen(kw_only=True)
class Request:
    """A request as it arrived.

    Attributes:
        method: The HTTP method.
        target: Path and query, as received.
        url_length: The length of the whole URL.
        accept: The ``Accept`` header.
        authorization: The ``Authorization`` header.
        at: Seconds since the sandbox started.
        now: The wall clock.
    """

    method: str
    target: str
    url_length: int
    accept: str
    authorization: str = attrs.field(repr=False)
    at: float
    now: datetime

    @property
    def path(self) -> str:
        """The path, without the query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The raw query string."""
        return self.target.partition("?")[2]

    @property
    def version(self) -> int | None:
        """The version of the API that the path belongs to, or None."""
        return _VERSIONS.get(self.path)


@attrs.frozen(kw_only=True)
class Outcome:
    """What the service made of a request.

    Attributes:
        answer: What to send.
        authorized: Whether the credentials were good.
        throttled: Whether a limit turned it away.
        unknown_parameters: Names in the query that mean nothing to the version.
        error: Why it was refused; empty when it was not.
    """

    answer: Answer
    authorized: bool
    throttled: bool
    unknown_parameters: tuple[str, ...]
    error: str


class Service:
    """Answers requests from a store, by settings that may be others each time.

    Args:
        store: The records.
        credentials: What it accepts.
        random: For whatever is different each time.
    """

    def __init__(self, store: Store, credentials: Credentials, random: Random) -> None:
        self.store = store
        self._credentials = credentials
        self.tokens = Tokens(credentials, random)
        self._random = random
        self._gates = {1: Gate(), 4: Gate()}
        self._writer = Writer()

    def matching(self, wanted: Wanted, settings: Settings, now: datetime) -> list[Record]:
        """Return all records that match and can be seen at ``now``, the latest first."""
        pages, moment = Pages(self.store, settings, self._random), milliseconds(now)
        at = pages.moment(moment)
        found = self.store.find(pages.held(wanted, moment), at)
        return [self.store.seen(ref, at) for ref in found]

    def answer(self, request: Request, settings: Settings, fault: Fault | None = None) -> Outcome:
        """Return what becomes of a request; it is counted by the limits here.

        A fault with a status or a body stands in front of the service: the request is counted,
        but not looked at any further.
        """
        scheme = self._scheme(request)
        wait = self._count(request, settings) if scheme is not None else 0.0
        return _Visit(self, request, settings, scheme, wait).outcome(fault)

    def logs(self, question: Question, settings: Settings, now: datetime) -> tuple[Page, Moment]:
        """Return the page that answers a question, and the moment that it shows."""
        pages, moment = Pages(self.store, settings, self._random), milliseconds(now)
        return pages.page(question, now=moment), pages.moment(moment)

    def written(self, wording: Wording, page: Page, at: Moment) -> list[str]:
        """Return the records of a page, written."""
        known = self._writer.remembered(wording)
        return [known.get(ref) or self._write(wording, ref, at, known) for ref in page.refs]

    def _write(self, wording: Wording, ref: int, at: Moment, known: dict[int, str]) -> str:
        text = wording.write(self.store.seen(ref, at))
        if self.store.is_settled(ref, at):
            known[ref] = text
        return text

    def _scheme(self, request: Request) -> str | None:
        known = self._credentials.scheme(request.authorization)
        return known or self.tokens.scheme(request.authorization, at=request.at)

    def _count(self, request: Request, settings: Settings) -> float:
        """Return the seconds that the limits want a request to wait; 0 lets it in."""
        if request.version is None:
            return 0.0
        return self._gates[request.version].arrive(
            settings.limits(request.version), request.at, count_rejected=settings.count_rejected
        )


@attrs.frozen
class _Visit:
    """One request at the service, under the settings of that moment."""

    service: Service
    request: Request
    settings: Settings
    scheme: str | None
    wait: float

    def outcome(self, fault: Fault | None) -> Outcome:
        answer, error = self._told(fault)
        return Outcome(
            answer=self._dressed(answer, fault),
            authorized=self.scheme is not None,
            throttled=answer.status == HTTPStatus.TOO_MANY_REQUESTS and not _in_front(fault),
            unknown_parameters=_unknown(self.request),
            error=error,
        )

    def _told(self, fault: Fault | None) -> tuple[Answer, str]:
        """Return the answer, and why the request was refused."""
        if fault is not None and _in_front(fault):
            return self._faulty(fault), ""
        try:
            self._check()
            return self._logs(), ""
        except Refused as refused:
            return self._refusal(refused), str(refused)

    def _check(self) -> None:
        request = self.request
        longest = self.settings.longest_url
        if longest is not None and request.url_length > longest:
            raise Refused(414)
        if request.version is None:
            raise Refused(404)
        if request.method != "GET":
            raise Refused(405)
        if self.scheme is None:
            raise Refused(401)
        if self.scheme in self.settings.forbidden:
            raise Refused(403)
        if self.wait > 0:
            raise Refused(429, wait=self.wait)

    def _logs(self) -> Answer:
        version = self.request.version or 4
        question = read(version, parameters(self.request.query), self.settings)
        page, at = self.service.logs(question, self.settings, self.request.now)
        form = self._form() if version == 1 else "json"
        written = self.service.written(Wording.of(version, form, self.settings), page, at)
        return page_answer(version, form, written, self._cursor(version, question, page))

    def _cursor(self, version: int, question: Question, page: Page) -> dict[str, Any] | None:
        tells_none = self.settings.cursor_end == "null"
        if version == 1 or not (question.use_cursor or tells_none):
            return None
        if page.next_cursor is None and not tells_none:
            return {"limit": question.limit}
        return {"limit": question.limit, "nextCursor": page.next_cursor}

    def _form(self) -> Form:
        return "xml" if self.settings.xml and _prefers_xml(self.request.accept) else "json"

    def _faulty(self, fault: Fault) -> Answer:
        status = fault.status or 200
        if fault.body is None:
            return error_answer(self.request.version or 4, self._form(), Refused(status))
        body = fault.body.encode() if isinstance(fault.body, str) else fault.body
        return Answer(status=status, body=body)

    def _refusal(self, refused: Refused) -> Answer:
        request = self.request
        if refused.status == HTTPStatus.BAD_REQUEST:
            _log.warning("%s is malformed: %s", request.path, refused.text)
        answer = error_answer(request.version or 4, self._form(), refused)
        if refused.wait and self.settings.retry_after is not None:
            told = self._retry_after(refused.wait, request.now)
            answer = attrs.evolve(answer, headers={"Retry-After": told})
        return answer

    def _retry_after(self, wait: float, now: datetime) -> str:
        """Return when to come back, in whole seconds that are never too few."""
        if self.settings.retry_after == "seconds":
            return str(math.ceil(wait))
        then = now + timedelta(seconds=wait)
        return http_date(then if not then.microsecond else then + timedelta(seconds=1))

    def _dressed(self, answer: Answer, fault: Fault | None) -> Answer:
        """Return the answer with the headers that settings and fault add to it."""
        headers = {**self.settings.headers, **answer.headers}
        if self.settings.deprecation is not None:
            headers["Deprecation"] = self.settings.deprecation
        if self.settings.sunset is not None:
            headers["Sunset"] = self.settings.sunset
        if fault is None:
            return attrs.evolve(answer, headers=headers)
        content_type = fault.content_type or answer.content_type
        headers |= fault.headers
        return attrs.evolve(answer, headers=headers, content_type=content_type)


def http_date(instant: datetime) -> str:
    """Return an instant in UTC as a header has it, cut to the second."""
    return format_datetime(instant.replace(microsecond=0), usegmt=True)


def _in_front(fault: Fault | None) -> bool:
    return fault is not None and (fault.status is not None or fault.body is not None)


def _unknown(request: Request) -> tuple[str, ...]:
    if request.version is None:
        return ()
    return unknown_parameters(request.version, parameters(request.query))


def _prefers_xml(accept: str) -> bool:
    """Return whether XML is accepted before JSON; equal weights: whichever is named first."""
    offers = [_offer(part) for part in accept.split(",")]
    known = [(kind, weight) for kind, weight in offers if kind in _KINDS and weight > 0]
    best, _ = max(known, key=lambda offer: offer[1], default=("", 0.0))
    return best == "application/xml"


def _offer(part: str) -> tuple[str, float]:
    """Return a media type of ``Accept``, and its weight."""
    kind, *options = (piece.strip() for piece in part.split(";"))
    weight = next((option[2:] for option in options if option.startswith("q=")), "1")
    try:
        return kind, float(weight)
    except ValueError:
        return kind, 0.0
