"""Single messages looked up together: what is asked within a few milliseconds shares requests."""

from __future__ import annotations

import asyncio
import math
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from .batches import check_length, pack
from .errors import DecodeError, EmailLogsError, IncompleteError, InvalidInput, shown
from .models import Gap
from .overlap import told_id
from .query import check_id

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Coroutine, Iterable

    from .lists import ListFacts
    from .models import EmailLog, RejectedRecord
    from .pull import Pull

LINGER = 0.005
"""Seconds that a lookup waits for others to share its request with."""

MOST_KEPT = 10_000
"""The answers that are kept, at most; the oldest are forgotten first."""


def _check_seconds(_keep: object, field: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise InvalidInput(f"{field.name} must be a number of seconds from 0 on, not {value!r}")


@attrs.frozen(kw_only=True)
class KeepAnswers:
    """For how long the answer to a lookup is good.

    Attributes:
        final: Seconds for a log whose status is final.
        pending: Seconds for one whose status can still change, and for "no log".
    """

    final: float = attrs.field(default=0.0, validator=_check_seconds)
    pending: float = attrs.field(default=0.0, validator=_check_seconds)

    def seconds(self, log: EmailLog | None) -> float:
        """Return for how long an answer is good."""
        return self.final if log and log.status and log.status.is_final else self.pending


Answer = asyncio.Future["EmailLog | None"]


@attrs.define(eq=False)
class _Asked:
    """A message that is asked for.

    Attributes:
        message_id: Its id.
        answer: What its callers wait for.
        callers: How many they are.
        batch: Those that it is asked for with; None while they are gathered.
    """

    message_id: str
    answer: Answer
    callers: int = 0
    batch: _Batch | None = None


@attrs.define(eq=False)
class _Batch:
    """Messages that share a request, and the task that sends it."""

    asked: list[_Asked]
    task: asyncio.Task[None] | None = None

    @property
    def unwanted(self) -> bool:
        """Whether nobody waits for any of them."""
        return not any(one.callers for one in self.asked)


class Lookups:
    """Answers lookups: equal ids share one answer, different ones share requests.

    Args:
        pull: Asks for the logs of some ids.
        spawn: Starts a task that its client knows of.
        facts: What is known of lists of ids.
        keep: For how long answers are good.
        keep_bad: Whether a record that can't be decoded only leaves its message uncertain, or is
            an error for whoever asked for it.
        concurrency: The requests at a time, at most.
    """

    def __init__(
        self,
        *,
        pull: Callable[[Iterable[str]], Pull],
        spawn: Callable[[Coroutine[None, None, None]], asyncio.Task[None]],
        facts: ListFacts,
        keep: KeepAnswers,
        keep_bad: bool,
        concurrency: int,
    ) -> None:
        self._pull = pull
        self._spawn = spawn
        self._facts = facts
        self._keep = keep
        self._keep_bad = keep_bad
        self._room = asyncio.Semaphore(concurrency)
        self._gathering: list[_Asked] = []
        self._asked: dict[str, _Asked] = {}
        self._kept: dict[str, tuple[float, Answer]] = {}

    async def get(self, message_id: str) -> EmailLog | None:
        """Return the log of a message; None where it has none.

        Raises:
            InvalidInput: It can't be an id.
            IncompleteError: It is not certain whether there is one.
        """
        (log,) = await self.get_all([message_id])
        return log

    async def get_all(self, message_ids: Iterable[str]) -> list[EmailLog | None]:
        """Return the logs of several messages, in their order."""
        asked = [self._asked_for(one) for one in message_ids]
        for one in asked:
            one.callers += 1
        try:
            return [await asyncio.shield(one.answer) for one in asked]
        finally:
            for one in asked:
                one.callers -= 1
            for one in asked:
                self._let_go(one)

    def _asked_for(self, message_id: str) -> _Asked:
        """Return what will be, or is, the answer for an id."""
        check_id(message_id, "message_id")
        check_length(message_id, self._facts.longest)
        kept = self._kept.get(message_id)
        if kept and kept[0] > asyncio.get_running_loop().time():
            return _Asked(message_id, kept[1])
        return self._asked.get(message_id) or self._ask(message_id)

    def _ask(self, message_id: str) -> _Asked:
        loop = asyncio.get_running_loop()
        answer: Answer = loop.create_future()
        answer.add_done_callback(_seen)
        asked = self._asked[message_id] = _Asked(message_id, answer)
        if not self._gathering:
            loop.call_later(LINGER, self._depart)
        self._gathering.append(asked)
        return asked

    def _let_go(self, one: _Asked) -> None:
        """Stop asking, if that was the last one who waited for anything of its request."""
        batch = one.batch
        if not one.answer.done() and batch and batch.unwanted:
            self._forget(batch.asked)
            if batch.task:
                batch.task.cancel()

    def _forget(self, asked: Iterable[_Asked]) -> None:
        """Let those who come from now on ask anew."""
        for one in asked:
            if self._asked.get(one.message_id) is one:
                del self._asked[one.message_id]

    def _depart(self) -> None:
        """Ask for all that was gathered and is still wanted, batch by batch: each fails alone."""
        gathered = {one.message_id: one for one in self._gathering if one.callers}
        self._forget(one for one in self._gathering if not one.callers)
        self._gathering = []
        facts = self._facts
        try:
            batches = pack(
                gathered,
                max_length=facts.max_length,
                max_ids=facts.max_ids,
                longest=facts.longest,
            )
            for ids in batches:
                self._send([gathered[one] for one in ids])
        except EmailLogsError as error:
            self._fail(gathered.values(), error)

    def _send(self, asked: list[_Asked]) -> None:
        batch = _Batch(asked)
        batch.task = self._spawn(self._fetch(batch))
        batch.task.add_done_callback(partial(self._ended, batch))
        for one in asked:
            one.batch = batch

    async def _fetch(self, batch: _Batch) -> None:
        ids = [one.message_id for one in batch.asked]
        found: dict[str | None, EmailLog] = {}
        pull = self._pull(ids)
        try:
            async with self._room, pull:
                async for log in pull:
                    found[log.message_id] = _later(found.get(log.message_id), log)
        except IncompleteError:
            self._spoil(batch, found, pull.rejects)
            doubtful = set(pull.report.unconfirmed_ids)
            self._fail([one for one in batch.asked if one.message_id in doubtful], None)
        except EmailLogsError as error:
            self._fail([one for one in batch.asked if one.message_id not in found], error)
        self._spoil(batch, found, pull.rejects)
        for one in batch.asked:
            self._settle(one, found.get(one.message_id))

    def _spoil(
        self, batch: _Batch, found: Container[str | None], rejects: Iterable[RejectedRecord]
    ) -> None:
        """Fail those whose record can't be decoded; one without an id may be of any not found."""
        for reject in () if self._keep_bad else rejects:
            told = told_id(reject, "message_id")
            whose = [one for one in batch.asked if one.message_id == told]
            if told is None:
                whose = [one for one in batch.asked if one.message_id not in found]
            self._fail(whose, _undecodable(reject))

    def _ended(self, batch: _Batch, task: asyncio.Task[None]) -> None:
        """Leave nobody waiting for a task that was cancelled, or that a caller's code broke."""
        if task.cancelled():
            closed = IncompleteError("the client was closed before the answer came")
            self._fail(batch.asked, closed)
        elif error := task.exception():
            self._fail(batch.asked, error)

    def _settle(self, asked: _Asked, log: EmailLog | None) -> None:
        """Give an answer to those who wait for it, and keep it while it is good."""
        self._forget([asked])
        if asked.answer.done():
            return
        asked.answer.set_result(log)
        if seconds := self._keep.seconds(log):
            until = asked.answer.get_loop().time() + seconds
            self._kept.pop(asked.message_id, None)
            self._kept[asked.message_id] = (until, asked.answer)
            if len(self._kept) > MOST_KEPT:
                del self._kept[next(iter(self._kept))]

    def _fail(self, asked: Iterable[_Asked], error: BaseException | None) -> None:
        self._forget(asked := [*asked])
        for one in asked:
            if not one.answer.done():
                one.answer.set_exception(error or _unconfirmed(one.message_id))


def _later(known: EmailLog | None, log: EmailLog) -> EmailLog:
    """Return the log that was sent later; one without a time is the earlier."""
    if known is None or known.sent_at is None:
        return log
    return log if log.sent_at and log.sent_at > known.sent_at else known


def _unconfirmed(message_id: str) -> IncompleteError:
    gap = Gap(None, None, {"message_id": (message_id,)}, "unconfirmed")
    return IncompleteError(f"it is not certain whether {message_id} has a log", gaps=(gap,))


def _undecodable(reject: RejectedRecord) -> DecodeError:
    page, index, path = reject.page, reject.index, reject.path
    told = f"page {page}, record {index}: {path}: {reject.reason}"
    return DecodeError(told, page=page, index=index, path=path, value=shown(reject.raw))


def _seen(answer: Answer) -> None:
    """Take note of an error for which all callers have gone."""
    if not answer.cancelled():
        answer.exception()
