"""Everything that the service does not promise, each as a setting of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, get_args

import attrs

from .faults import Fault
from .limits import Limit, TimeWindow

RetryAfter = Literal["seconds", "date"]
SentUntilField = Literal["sentAt", "doneAt"]
Order = Literal["newest", "oldest", "random", "by_id"]
Ties = Literal["newest", "oldest", "random"]
FullPage = Literal["latest", "earliest", "random", "hash", "stretch"]
V1Lists = Literal["accepted", "literal", "first", "ignored"]
V4Lists = Literal["both", "commas", "repeated"]
CursorEnd = Literal["absent", "null", "empty_page"]


def _one_of(choices: Any) -> Callable[[object, attrs.Attribute[Any], object], None]:
    """Return a validator that lets a literal's values through, and None."""
    allowed = (None, *get_args(choices))

    def check(_settings: object, field: attrs.Attribute[Any], value: object) -> None:
        if value not in allowed:
            raise ValueError(f"{field.name} is one of {allowed}, not {value!r}")

    return check


def _names(names: Iterable[str]) -> frozenset[str]:
    return frozenset(names)


def _nothing() -> dict[str, Any]:
    return {}


@attrs.define(kw_only=True)
class Settings:
    """How the sandbox behaves where the service's documentation leaves it open.

    Each can be changed while the sandbox runs, and holds from the next request on.

    Attributes:
        v1_limits: The limits of version 1; all must agree.
        v4_limits: The limits of version 4; all must agree.
        count_rejected: Whether a request that met a limit counts towards it all the same.
        retry_after: How a 429 tells when to come back; None: not at all.
        latency: The least and the most seconds of a round trip, drawn from the seed; half of it
            passes before the request arrives and is counted.
        retention: Seconds that a record is kept for after its ``sentAt``.
        visible_after: Seconds from ``sentAt`` until a record appears in the logs.
        pending_for: Seconds from ``sentAt`` in which a record is still pending, without ``doneAt``,
            whatever becomes of it then.
        since_inclusive: Whether a record sent exactly at ``sentSince`` matches.
        until_inclusive: Whether a record sent exactly at ``sentUntil`` matches.
        sent_until_field: The field that ``sentUntil`` is compared with; a record without
            ``doneAt`` is judged by its ``sentAt``.
        full_page: Which records a page holds when more match: the latest, the earliest, any
            (``random``: others each time, ``hash``: the same each time), or any ``stretch`` of
            neighbours. Paging with a cursor goes from the latest to the earliest regardless.
        order: The order of the records of a page.
        ties: Which of several records of one millisecond comes first: the one added later
            (``newest``), or earlier, or either.
        page_cap: The most records of a page, whatever ``limit`` asks for.
        v1_message_ids: What a comma-joined ``messageId`` means in version 1: several ids, one id
            with commas in it, only the first of them, or no filter at all.
        v1_bulk_ids: The same for ``bulkId`` in version 1.
        v4_lists: How several ids are told in version 4: joined by commas, by repeating the
            parameter, or both. What is not understood is one literal id, or only the first.
        ignored_filters: Parameters that are accepted and do nothing.
        longest_list: The most characters of a list of ids, as they travel in the URL.
        longest_url: The most characters of the URL; beyond it the answer is 414.
        xml: Whether ``Accept: application/xml`` is heeded.
        cursor_end: How the last page is told: without ``nextCursor``, with a null (as is every page
            that is asked for without ``useCursor``), or by an empty page after a full one.
        cursor_short_pages: Whether pages are half empty while there is a next one.
        cursor_repeats_after: After so many pages, ``nextCursor`` is the cursor just used.
        cursor_dies_after: After so many pages, the cursor is refused with a 400.
        offset: The offset of timestamps, and its spelling: ``Z``, ``+0000``, ``+01:00``.
        fraction: Whether timestamps have milliseconds.
        absent: Fields of a record that are left out, such as ``doneAt`` or ``status.action``.
        null: Fields of a record that are null.
        extra: Further fields of each record.
        gzip: Whether answers are compressed for those who accept it.
        headers: Further headers of each answer.
        deprecation: The ``Deprecation`` header of each answer.
        sunset: The ``Sunset`` header of each answer.
        forbidden: The schemes of authorization whose credentials lack the scope: 403.
        token_lifetime: Seconds that an OAuth 2.0 token is good for.
        fault: What each request meets that no scripted fault is left for.
        faults: What each other request may meet by chance, drawn from the seed.
        fault_rate: The part of them that meets one of ``faults``, from 0 to 1.
    """

    v1_limits: Sequence[Limit] = (TimeWindow(60, 60.0),)
    v4_limits: Sequence[Limit] = (TimeWindow(120, 60.0),)
    count_rejected: bool = False
    retry_after: RetryAfter | None = attrs.field(default=None, validator=_one_of(RetryAfter))
    latency: tuple[float, float] = (0.0, 0.0)
    retention: float = 48 * 3600.0
    visible_after: float = 0.0
    pending_for: float = 0.0
    since_inclusive: bool = False
    until_inclusive: bool = False
    sent_until_field: SentUntilField = attrs.field(
        default="sentAt", validator=_one_of(SentUntilField)
    )
    full_page: FullPage = attrs.field(default="latest", validator=_one_of(FullPage))
    order: Order = attrs.field(default="newest", validator=_one_of(Order))
    ties: Ties = attrs.field(default="newest", validator=_one_of(Ties))
    page_cap: int | None = None
    v1_message_ids: V1Lists = attrs.field(default="accepted", validator=_one_of(V1Lists))
    v1_bulk_ids: V1Lists = attrs.field(default="literal", validator=_one_of(V1Lists))
    v4_lists: V4Lists = attrs.field(default="both", validator=_one_of(V4Lists))
    ignored_filters: frozenset[str] = attrs.field(default=frozenset[str](), converter=_names)
    longest_list: int | None = 2048
    longest_url: int | None = 8000
    xml: bool = True
    cursor_end: CursorEnd = attrs.field(default="absent", validator=_one_of(CursorEnd))
    cursor_short_pages: bool = False
    cursor_repeats_after: int | None = None
    cursor_dies_after: int | None = None
    offset: str = attrs.field(
        default="+0000", validator=attrs.validators.matches_re(r"Z|[+-]\d\d:?\d\d")
    )
    fraction: bool = True
    absent: frozenset[str] = attrs.field(default=frozenset[str](), converter=_names)
    null: frozenset[str] = attrs.field(default=frozenset[str](), converter=_names)
    extra: Mapping[str, Any] = attrs.field(factory=_nothing)
    gzip: bool = False
    headers: Mapping[str, str] = attrs.field(factory=_nothing)
    deprecation: str | None = None
    sunset: str | None = None
    forbidden: frozenset[str] = attrs.field(default=frozenset[str](), converter=_names)
    token_lifetime: float = 3600.0
    fault: Fault | None = None
    faults: Sequence[Fault] = ()
    fault_rate: float = attrs.field(
        default=0.0, validator=[attrs.validators.ge(0), attrs.validators.le(1)]
    )

    def limits(self, version: int) -> Sequence[Limit]:
        """Return the limits of a version."""
        return self.v1_limits if version == 1 else self.v4_limits
