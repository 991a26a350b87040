"""One request and the retry budget of its client: what it spends, earns, and is refused."""

from __future__ import annotations

import copy
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .errors import EmailLogsError, TransportError
from .retry import is_answer, is_failure

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from .retry_budget import RetryBudget


class Spending:
    """The part of one request in the budget: its attempts are to run within :meth:`attempt`.

    Args:
        budget: What all requests of the client may spend.
        clock: The loop's clock, in seconds.
        patient: Whether it goes on by its own bounds while it is refused, and only sends nothing;
            else it is given up at once.
    """

    def __init__(self, budget: RetryBudget, clock: Callable[[], float], *, patient: bool) -> None:
        self._budget = budget
        self._clock = clock
        self._patient = patient
        self._spent = 0
        self._owed: EmailLogsError | None = None

    @property
    def over(self) -> bool:
        """Whether it is given up now, whatever its own bounds."""
        return not self._patient and self._refusal() is not None

    @contextmanager
    def attempt(self) -> Generator[None]:
        """Let one attempt be made, and take note of how it ends.

        Raises:
            EmailLogsError: What failed last, where the budget is used up: nothing is to be sent.
        """
        if refusal := self._refusal():
            raise unsent(refusal) from refusal
        self._budget.admit(self._clock(), self._spent)
        self.settle()
        try:
            yield
        except EmailLogsError as error:
            if is_failure(error):
                self._owed = _kept(error)
            elif is_answer(error):
                self._budget.earn()
            raise
        self._budget.earn()

    def settle(self) -> None:
        """Pay for the last failure: another attempt follows, or none does."""
        owed, self._owed = self._owed, None
        if owed:
            self._spent += 1
            self._budget.spend(self._clock(), owed)

    def _refusal(self) -> EmailLogsError | None:
        return self._budget.refusal(self._clock(), self._spent)


def unsent(failure: EmailLogsError) -> EmailLogsError:
    """Return the error for a request that is not sent: of the kind of what failed last."""
    error = copy.copy(failure)
    error.args = (f"{failure} - and so did most requests: this one is not sent, for the moment",)
    if isinstance(error, TransportError):
        error.sent = False
    return error


def _kept(error: EmailLogsError) -> EmailLogsError:
    """Return the error without the frames that it went through, and what they hold."""
    kept = copy.copy(error)
    kept.__cause__ = error.__cause__
    return kept
