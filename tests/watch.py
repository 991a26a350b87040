"""Looks for credentials in whatever it is shown.

Of an error that is its text, its fields, its traceback, its pickled form, what led to it, and the
variables of the frames that it came through: but those of tests, of the command line, and of where
credentials are made, all of which are handed them as text.
"""

import pickle
import traceback
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import click
import pytest
from credentials import FORMS

import infobip_email_logs

KEPT = 16
"""The errors that are kept until their fields are there: the frames of each hold a page or two."""

ALIKE = 10
"""The errors that came the same way in one test and are looked at whole; a storm has thousands."""

SHOWN = 20_000
"""The characters of a variable that are looked at."""

HOUSE = str(Path(infobip_email_logs.__file__).parent)
UNWATCHED = (
    str(Path(__file__).parent),
    f"{HOUSE}/cli",
    str(Path(click.__file__).parent),
    f"{HOUSE}/auth.py",
    "<attrs generated",
    str(Path(pytest.__file__).parent.parent / "_pytest"),
)


class Watch:
    """Looks for credentials in whatever it is shown, and keeps what it found."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._errors: deque[BaseException] = deque()
        self._alike: Counter[tuple[object, ...]] = Counter()
        self._looks = False

    def look(self, place: str, said: str | bytes) -> None:
        """Look for every form of every credential."""
        text = said.encode("utf-8", "surrogatepass") if isinstance(said, str) else said
        names = {name for name, form in FORMS if form in text}
        self.found += [f"{name} is in {place}" for name in sorted(names)]

    def made(self, error: BaseException) -> None:
        """Take note of an error, which has no fields and no traceback yet."""
        if not self._looks:  # Else it is a copy, made by looking at one.
            self._errors.append(error)
            self.settle(KEPT)

    def settle(self, kept: int = 0) -> None:
        """Look at the errors that were made, but for so many of the last."""
        self._looks = True
        while len(self._errors) > kept:
            self.look_at(self._errors.popleft())
        if not kept:
            self._alike.clear()
        self._looks = False

    def look_at(self, error: BaseException) -> None:
        """Look at all that an error tells."""
        kind = type(error).__name__
        self.look(f"{kind}'s fields", f"{error}\n{error!r}\n{vars(error)!r}")
        way = (kind, *((frame.f_code, line) for frame, line in _walked(error)))
        self._alike[way] += 1
        if self._alike[way] > ALIKE:
            return
        self.look(f"{kind}'s traceback", "".join(traceback.format_exception(error)))
        for one in _chain(error):
            self.look(f"{kind}'s cause", f"{one!r}\n{vars(one)!r}")
            for where, name, shown in _variables(one.__traceback__):
                self.look(f"{kind}'s frame {where}, as {name}", shown)
        if type(error).__module__.startswith("infobip_email_logs"):
            self._pickle(error)

    def _pickle(self, error: BaseException) -> None:
        try:
            pickled = pickle.dumps(error)
            back = pickle.loads(pickled)
        except Exception as trouble:  # noqa: BLE001 - whatever it is, it is told
            self.found.append(f"{error!r} does not pickle: {trouble!r}")
            return
        self.look(f"{type(error).__name__}, pickled", pickled)
        if (type(back), str(back), vars(back)) != (type(error), str(error), vars(error)):
            self.found.append(f"{error!r} is another one when it was pickled: {back!r}")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all that led to it."""
    seen: set[int] = set()
    ahead: list[BaseException | None] = [error]
    while ahead:
        one = ahead.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            yield one
            hidden = one.__suppress_context__
            ahead += [one.__cause__, None if hidden else one.__context__]


def _walked(error: BaseException) -> Iterator[tuple[FrameType, int]]:
    return traceback.walk_tb(error.__traceback__)


def _variables(trace: TracebackType | None) -> Iterator[tuple[str, str, str]]:
    """Yield the place, the name and the ``repr`` of the variables along a traceback."""
    for frame, line in traceback.walk_tb(trace):
        path = frame.f_code.co_filename
        if not path.startswith(UNWATCHED):
            for name, value in frame.f_locals.items():
                yield f"{path}:{line}", name, _shown(value)


def _shown(value: Any) -> str:
    try:
        return repr(value)[:SHOWN]
    except Exception as trouble:  # noqa: BLE001 - a broken repr shows nothing
        return repr(trouble)


WATCH = Watch()
