"""What a request asks for, read strictly: a client's slip is a 400 here."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote_plus

import attrs

from .records import milliseconds
from .refusals import malformed
from .settings import Settings
from .store import Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FIELDS: Mapping[int, Mapping[str, str]] = {
    1: {
        "messageId": "message_id",
        "bulkId": "bulk_id",
        "from": "sender",
        "to": "destination",
        "generalStatus": "general_status",
        "campaignReferenceId": "campaign_reference_id",
        "applicationId": "application_id",
        "entityId": "entity_id",
    },
    4: {
        "messageId": "message_id",
        "bulkId": "bulk_id",
        "sender": "sender",
        "destination": "destination",
        "generalStatus": "general_status",
        "campaignReferenceId": "campaign_reference_id",
        "applicationId": "application_id",
        "entityId": "entity_id",
    },
}
_V4_LISTS = frozenset({"messageId", "bulkId", "campaignReferenceId"})
_LIMITED_LISTS = frozenset({"messageId", "bulkId"})
_PAGING = frozenset({"sentSince", "sentUntil", "limit"})
_CURSORS = frozenset({"useCursor", "cursor"})
_GROUPS = frozenset({"ACCEPTED", "PENDING", "UNDELIVERABLE", "DELIVERED", "EXPIRED", "REJECTED"})
_DEFAULT_LIMIT = 50
_HIGHEST_LIMIT = 1000
_V4 = 4
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:?\d\d)", re.ASCII)
_SPACE_FOR_PLUS = re.compile(r".*\d \d\d:?\d\d", re.ASCII)


@attrs.frozen
class Parameter:
    """One ``name=value`` of a query.

    Attributes:
        name: The name, decoded.
        value: The value, decoded.
        length: The length of the value as it travelled.
    """

    name: str
    value: str
    length: int


def parameters(query: str) -> list[Parameter]:
    """Return the parameters of a query string, in its order."""
    pairs = (part.partition("=") for part in query.split("&") if part)
    return [
        Parameter(unquote_plus(name), unquote_plus(value), len(value)) for name, _, value in pairs
    ]


@attrs.frozen(kw_only=True)
class Question:
    """What a well-formed request asks for.

    Attributes:
        wanted: Which records.
        limit: How many of them at most.
        use_cursor: Whether it pages with a cursor.
        cursor: Where it goes on.
        mark: The same for all pages of one query, whatever their ``limit``.
    """

    wanted: Wanted
    limit: int
    use_cursor: bool
    cursor: str | None
    mark: str


def unknown_parameters(version: int, given: list[Parameter]) -> tuple[str, ...]:
    """Return the names that the version does not know, in their order."""
    known = _FIELDS[version].keys() | _PAGING | (_CURSORS if version == _V4 else frozenset[str]())
    return tuple(parameter.name for parameter in given if parameter.name not in known)


def read(version: int, given: list[Parameter], settings: Settings) -> Question:
    """Return what the parameters ask for.

    Raises:
        Refused: A parameter is malformed.
    """
    values = _grouped(given)
    keeps_cursors = version == _V4 and "useCursor" not in settings.ignored_filters
    return Question(
        wanted=_Reader(version, settings).wanted(values),
        limit=_limit(values),
        use_cursor=keeps_cursors and _use_cursor(values),
        cursor=_cursor(values) if keeps_cursors else None,
        mark=_mark(values),
    )


def _grouped(given: list[Parameter]) -> dict[str, list[Parameter]]:
    values: dict[str, list[Parameter]] = {}
    for parameter in given:
        values.setdefault(parameter.name, []).append(parameter)
        if not parameter.value:
            raise malformed(parameter.name, "is empty")
    return values


def _mark(values: Mapping[str, list[Parameter]]) -> str:
    told = sorted(
        (name, *(one.value for one in several))
        for name, several in values.items()
        if name not in {"limit", *_CURSORS}
    )
    return hashlib.blake2b(repr(told).encode(), digest_size=6).hexdigest()


def _limit(values: Mapping[str, list[Parameter]]) -> int:
    text = values["limit"][0].value if "limit" in values else str(_DEFAULT_LIMIT)
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or not 1 <= int(text) <= _HIGHEST_LIMIT:
        raise malformed("limit", f"must be a whole number from 1 to 1000, not {text!r}")
    return int(text)


def _use_cursor(values: Mapping[str, list[Parameter]]) -> bool:
    text = values["useCursor"][0].value if "useCursor" in values else "false"
    if text not in {"true", "false"}:
        raise malformed("useCursor", f"must be true or false, not {text!r}")
    return text == "true"


def _cursor(values: Mapping[str, list[Parameter]]) -> str | None:
    if "cursor" not in values:
        return None
    if not _use_cursor(values):
        raise malformed("cursor", "needs useCursor=true beside it")
    return values["cursor"][0].value


def instant(name: str, text: str) -> int:
    """Return the milliseconds of a timestamp, written ``yyyy-MM-dd'T'HH:mm:ss.SSSZ``.

    Raises:
        Refused: It is written otherwise.
    """
    if _SPACE_FOR_PLUS.fullmatch(text):
        raise malformed(name, f"has a space in its offset: {text!r} ('+' must travel as %2B)")
    if not _TIMESTAMP.fullmatch(text):
        raise malformed(name, f"must be written as yyyy-MM-dd'T'HH:mm:ss.SSSZ, not {text!r}")
    try:
        return milliseconds(datetime.fromisoformat(text))
    except ValueError as error:
        raise malformed(name, f"is no date and time: {text!r}") from error


@attrs.frozen
class _Reader:
    """Reads the filters in the words of one version, by the settings."""

    version: int
    settings: Settings

    def wanted(self, values: Mapping[str, list[Parameter]]) -> Wanted:
        known = _FIELDS[self.version]
        used = {name: values[name] for name in values if name not in self.settings.ignored_filters}
        fields = {
            known[name]: wanted
            for name in used
            if name in known and (wanted := self._values(name, used[name])) is not None
        }
        return self._window(Wanted(fields=fields), used)

    def _window(self, wanted: Wanted, used: Mapping[str, list[Parameter]]) -> Wanted:
        if "sentSince" in used:
            low = instant("sentSince", used["sentSince"][0].value)
            wanted = attrs.evolve(wanted, low=low + (not self.settings.since_inclusive))
        if "sentUntil" in used:
            until = instant("sentUntil", used["sentUntil"][0].value)
            high = until - (not self.settings.until_inclusive)
            sent = self.settings.sent_until_field == "sentAt"
            wanted = (
                attrs.evolve(wanted, high=high) if sent else attrs.evolve(wanted, done_high=high)
            )
        return wanted

    def _values(self, name: str, given: list[Parameter]) -> frozenset[str] | None:
        """Return the values that a filter lets through; None when it lets all through."""
        self._check_length(name, given)
        if self.version == _V4 and name in _V4_LISTS:
            return frozenset(self._v4_list(given))
        if self.version == 1 and name == "messageId":
            return _v1_list(given[0].value, self.settings.v1_message_ids)
        if self.version == 1 and name == "bulkId":
            return _v1_list(given[0].value, self.settings.v1_bulk_ids)
        if self.version == _V4 and name == "generalStatus" and given[0].value not in _GROUPS:
            raise malformed(name, f"is no status group: {given[0].value!r}")
        return frozenset((given[0].value,))

    def _v4_list(self, given: list[Parameter]) -> Iterator[str]:
        if self.settings.v4_lists == "commas":
            given = given[:1]
        for parameter in given:
            if self.settings.v4_lists == "repeated":
                yield parameter.value
            else:
                yield from parameter.value.split(",")

    def _check_length(self, name: str, given: list[Parameter]) -> None:
        longest = self.settings.longest_list
        if longest is None or name not in _LIMITED_LISTS:
            return
        if sum(parameter.length for parameter in given) > longest:
            raise malformed(name, f"is longer than {longest} characters")


def _v1_list(
    value: str, meaning: Literal["accepted", "literal", "first", "ignored"]
) -> frozenset[str] | None:
    several = value.split(",")
    if len(several) == 1 or meaning == "literal":
        return frozenset((value,))
    if meaning == "ignored":
        return None
    return frozenset(several if meaning == "accepted" else several[:1])
