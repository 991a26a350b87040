"""What the versions of the API do differently, as one value."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from functools import partial
from typing import Any, Literal

import attrs
from yarl import URL

from ..errors import InvalidInput
from ..models import EmailLog
from ..query import LogsQuery
from . import v1_json, v1_xml, v4_json
from .documents import Document, Found
from .exchange import Reply, Request
from .quick_records import QuickDecoder
from .records import VERSION_1, VERSION_4

Version = Literal[1, 4]


@attrs.frozen(kw_only=True)
class Dialect:
    """How a version of the API is asked, and how its answers are read.

    Attributes:
        version: The version.
        path: Where it is asked.
        names: Its names of the filters, by the field of :class:`LogsQuery`.
        bulk_lists: Whether several bulks or campaigns can be asked for in one request.
        cursors: Whether an answer can tell where the next page begins.
        repeats_keys: Whether each id of a list has the parameter's name before it.
        request: Builds the one request for a query.
        askable: Returns the part of a query that one request can ask beside a list of ids.
        results: Takes an answer apart, a slice a step; it is given which answer it is, and
            what makes a document of one in JSON.
        log: Decodes a record, parsed or not.
    """

    version: Version
    path: str
    names: Mapping[str, str]
    bulk_lists: bool
    cursors: bool
    repeats_keys: bool = False
    request: Callable[[LogsQuery, URL], Request]
    askable: Callable[[LogsQuery], LogsQuery]
    results: Callable[[Reply, int, Document], Generator[None, None, Found]]
    log: Callable[[Any], EmailLog]


def _results_1(reply: Reply, page: int, document: Document) -> Generator[None, None, Found]:
    """Take an answer apart by what it says it is, not by what was asked for."""
    if v1_xml.is_xml(reply):
        return Found((yield from v1_xml.results(reply.body, page)))
    return Found((yield from v1_json.results(reply.body, page, document)))


def _results_4(reply: Reply, page: int, document: Document) -> Generator[None, None, Found]:
    return v4_json.results(reply.body, page, document)


V1 = Dialect(
    version=1,
    path=v1_json.PATH,
    names=v1_json.NAMES,
    bulk_lists=False,
    cursors=False,
    request=v1_json.request,
    askable=v1_json.askable,
    results=_results_1,
    log=QuickDecoder(VERSION_1),
)

V4 = Dialect(
    version=4,
    path=v4_json.PATH,
    names=v4_json.NAMES,
    bulk_lists=True,
    cursors=True,
    request=v4_json.request,
    askable=v4_json.askable,
    results=_results_4,
    log=QuickDecoder(VERSION_4),
)


def dialect(version: Version, *, accept: v1_json.Accept, repeat_keys: bool) -> Dialect:
    """Return the dialect of a version.

    Args:
        version: The version.
        accept: The form of the answers that is asked for.
        repeat_keys: Whether each id of a list has the parameter's name before it.

    Raises:
        InvalidInput: The version has no such form, or no such lists.
    """
    if version == 1:
        if repeat_keys:
            raise InvalidInput("lists with repeated keys are for version 4 of the API")
        return attrs.evolve(V1, request=partial(v1_json.request, accept=accept))
    if accept != "json":
        raise InvalidInput('version 4 of the API answers in JSON only; version 1 knows "xml"')
    if repeat_keys:
        return attrs.evolve(V4, request=v4_json.request_repeating, repeats_keys=True)
    return V4
