"""What is tried again, and how long: the one place that builds the tenacity object."""

from __future__ import annotations

import math
import random
from ssl import SSLCertVerificationError
from typing import TYPE_CHECKING, Any

import attrs
import tenacity

from .errors import (
    DecodeError,
    EmailLogsError,
    InvalidInput,
    RateLimited,
    ServerError,
    ServiceError,
    TransportError,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def _check_above_zero(_policy: object, field: attrs.Attribute[Any], value: Any) -> None:
    if not 0 < value < math.inf:
        raise InvalidInput(f"{field.name} of a retry policy must be above zero, not {value!r}")


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """How patient a request is.

    Attributes:
        attempts: How often it is sent, at most.
        total: For how many seconds after its first failure a new attempt may begin.
        first: The longest first pause, in seconds; the pauses are drawn at random between
            nothing and a bound that doubles ("full jitter").
        longest: The highest such bound, in seconds.
    """

    attempts: int = attrs.field(default=8, validator=_check_above_zero)
    total: float = attrs.field(default=300.0, validator=_check_above_zero)
    first: float = attrs.field(default=0.5, validator=_check_above_zero)
    longest: float = attrs.field(default=30.0, validator=_check_above_zero)


@attrs.frozen
class Retry:
    """A failure that another attempt follows.

    Attributes:
        error: What failed.
        attempt: Which attempt it was, counted from 1.
        wait: The seconds until the next one.
    """

    error: EmailLogsError
    attempt: int
    wait: float


def worth_retrying(error: BaseException) -> bool:
    """Say whether the same request may work later."""
    if isinstance(error, TransportError):
        return not isinstance(_root(error), SSLCertVerificationError)
    return isinstance(error, RateLimited) or is_failure(error)


def is_failure(error: BaseException) -> bool:
    """Say whether the service failed: it was not reached, had an error, or sent what is no page."""
    if isinstance(error, DecodeError):
        return error.index is None  # else it is a page, and one record of it is wrong
    return isinstance(error, TransportError | ServerError)


def is_answer(error: BaseException) -> bool:
    """Say whether the service is well, and it is the request or a record that is wrong."""
    return isinstance(error, ServiceError | DecodeError) and not isinstance(error, RateLimited)


def _root(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


FIRST_CONTACT = 3
"""The attempts, at most, to reach a service that never answered: its address may be wrong."""


class _Patience:
    """The bounds of one request: how often, and how long after its first failure."""

    def __init__(
        self,
        policy: RetryPolicy,
        clock: Callable[[], float],
        known: Callable[[], bool],
        over: Callable[[], bool],
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._known = known
        self._over = over
        self._first_failure: float | None = None

    def __call__(self, state: tenacity.RetryCallState) -> bool:
        if self._over() and is_failure(_error(state)):
            return True
        now = self._clock()
        if self._first_failure is None:
            self._first_failure = now
        spent = now - self._first_failure + (state.upcoming_sleep or 0.0)
        return state.attempt_number >= self._attempts(state) or spent > self._policy.total

    def _attempts(self, state: tenacity.RetryCallState) -> int:
        error = _error(state)
        if isinstance(error, TransportError) and not error.sent and not self._known():
            return min(FIRST_CONTACT, self._policy.attempts)
        return self._policy.attempts


def retrying(
    policy: RetryPolicy,
    *,
    clock: Callable[[], float],
    sleep: Callable[[float], Awaitable[None]],
    pause: Callable[[], float],
    known: Callable[[], bool],
    over: Callable[[], bool],
    notify: Callable[[Retry], None],
) -> tenacity.AsyncRetrying:
    """Return the object that runs one request, attempt by attempt, and raises its last error.

    Args:
        policy: The bounds.
        clock: The loop's clock, in seconds.
        sleep: The loop's way of waiting.
        pause: The seconds for which a 429 keeps everybody silent: that is the wait after one.
        known: Whether the service ever answered.
        over: Whether a request that failed is given up now, whatever its bounds.
        notify: Called before each further attempt.
    """

    def wait(state: tenacity.RetryCallState) -> float:
        error = _error(state)
        if isinstance(error, RateLimited):
            return pause()
        bound = min(policy.longest, policy.first * 2 ** (state.attempt_number - 1))
        jitter = random.uniform(0.0, bound)  # noqa: S311 - it need not be unpredictable
        asked = error.retry_after if isinstance(error, ServerError) else None
        return max(jitter, asked or 0.0)

    def before_sleep(state: tenacity.RetryCallState) -> None:
        notify(Retry(_error(state), state.attempt_number, state.upcoming_sleep))

    return tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception(worth_retrying),
        wait=wait,
        stop=_Patience(policy, clock, known, over),
        sleep=sleep,
        before_sleep=before_sleep,
        reraise=True,
    )


def _error(state: tenacity.RetryCallState) -> EmailLogsError:
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, EmailLogsError):  # pragma: no cover - nothing else is retried
        raise TypeError(f"{error!r} is not retried")
    return error
