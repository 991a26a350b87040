"""Records in the words of a version: as JSON and as XML."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, cast
from xml.sax.saxutils import escape

import attrs

if TYPE_CHECKING:
    from .records import Error, Record, Status
    from .settings import Settings

Form = Literal["json", "xml"]
_PRICE = "\x00price"
_PRICE_IN_JSON = json.dumps(_PRICE)
_XML_DECIMALS = 10
_CACHED = 50_000
_NOT_IN_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
XML_HEAD = "<?xml version='1.0' encoding='UTF-8'?>"


@attrs.frozen
class Wording:
    """How records are written: the same object for as long as the settings stay.

    Attributes:
        version: The version whose words are used.
        form: JSON or XML.
        offset: The offset of timestamps.
        fraction: Whether timestamps have milliseconds.
        absent: Fields that are left out.
        null: Fields that are null.
        extra: Further fields, as JSON.
        more: The same, read.
        shift: The offset, as a duration.
    """

    version: int
    form: Form
    offset: str
    fraction: bool
    absent: frozenset[str]
    null: frozenset[str]
    extra: str
    more: Mapping[str, Any] = attrs.field(eq=False, repr=False)
    shift: timedelta = attrs.field(eq=False, repr=False)

    @classmethod
    def of(cls, version: int, form: Form, settings: Settings) -> Wording:
        """Return the wording that the settings ask for."""
        return cls(
            version,
            form,
            settings.offset,
            settings.fraction,
            frozenset(settings.absent),
            frozenset(settings.null),
            json.dumps(dict(settings.extra)),
            dict(settings.extra),
            _shift(settings.offset),
        )

    def write(self, record: Record) -> str:
        """Return a record as the service sends it."""
        document = self._document(record)
        price = record.price or "null"
        if self.form == "xml":
            return element("result", _with_price(document, _xml_price(price)))
        return json.dumps(document).replace(_PRICE_IN_JSON, price)

    def _document(self, record: Record) -> dict[str, Any]:
        names = _v1(record) if self.version == 1 else _v4(record)
        document = {
            name: self._timestamp(value) if isinstance(value, datetime) else value
            for name, value in names.items()
            if value is not None
        }
        document |= {**self.more, **record.extra}
        for path in self.absent | record.hidden:
            _drop(document, path)
        for path in self.null:
            _drop(document, path, null=True)
        return document

    def _timestamp(self, instant: datetime) -> str:
        local = instant.replace(tzinfo=None) + self.shift
        timespec = "milliseconds" if self.fraction else "seconds"
        return local.isoformat(timespec=timespec) + self.offset


class Writer:
    """Writes records, and remembers how."""

    def __init__(self) -> None:
        self._written: dict[Wording, dict[int, str]] = {}

    def remembered(self, wording: Wording) -> dict[int, str]:
        """Return what was written in a wording, by ref; it may be added to."""
        written = self._written.setdefault(wording, {})
        if sum(map(len, self._written.values())) > _CACHED:
            self._written = {wording: {}}
            return self._written[wording]
        return written


def _v1(record: Record) -> dict[str, Any]:
    return {
        "applicationId": record.application_id,
        "entityId": record.entity_id,
        "bulkId": record.bulk_id,
        "messageId": record.message_id,
        "to": record.destination,
        "from": record.sender,
        **_common(record),
        "channel": record.channel,
    }


def _v4(record: Record) -> dict[str, Any]:
    platform = _present(entityId=record.entity_id, applicationId=record.application_id)
    return {
        "bulkId": record.bulk_id,
        "messageId": record.message_id,
        "sender": record.sender,
        "destination": record.destination,
        **_common(record),
        "platform": platform or None,
        "campaignReferenceId": record.campaign_reference_id,
    }


def _common(record: Record) -> dict[str, Any]:
    price = None if record.price is None else _PRICE
    return {
        "text": record.text,
        "sentAt": record.sent_at,
        "doneAt": record.done_at,
        "messageCount": record.message_count,
        "price": _present(pricePerMessage=price, currency=record.currency) or None,
        "status": None if record.status is None else _status(record.status),
        "error": None if record.error is None else _error(record.error),
    }


@lru_cache(maxsize=1000)
def _status(status: Status) -> dict[str, Any]:
    return _present(
        groupId=status.group_id,
        groupName=status.group_name,
        id=status.id,
        name=status.name,
        description=status.description,
        action=status.action,
    )


@lru_cache(maxsize=1000)
def _error(error: Error) -> dict[str, Any]:
    return {
        "groupId": error.group_id,
        "groupName": error.group_name,
        "id": error.id,
        "name": error.name,
        "description": error.description,
        "permanent": error.permanent,
    }


def _present(**fields: object) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _drop(document: dict[str, Any], path: str, *, null: bool = False) -> None:
    """Take a field out of a document, or make it null: ``doneAt``, ``status.action``."""
    outer, _, name = path.rpartition(".")
    if outer:
        inner = document.get(outer)
        if isinstance(inner, dict):
            document[outer] = dict(cast("dict[str, Any]", inner))
            _drop(document[outer], name, null=null)
    elif null:
        document[name] = None
    else:
        document.pop(name, None)


def _shift(offset: str) -> timedelta:
    if offset == "Z":
        return timedelta()
    digits = offset[1:].replace(":", "")
    ahead = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return -ahead if offset[0] == "-" else ahead


def _xml_price(price: str) -> str:
    if price == "null":
        return price
    places = max(_XML_DECIMALS, -int(Decimal(price).as_tuple().exponent))
    return f"{Decimal(price):.{places}f}"


def _with_price(document: dict[str, Any], price: str) -> dict[str, Any]:
    told = document.get("price")
    if not isinstance(told, dict) or _PRICE not in told.values():
        return document
    return document | {"price": told | {"pricePerMessage": price}}


def element(name: str, value: object) -> str:
    """Return an XML element: mappings and lists become further elements, None an empty one."""
    return f"<{name}>{''.join(_content(value))}</{name}>"


def _content(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in cast("Mapping[str, object]", value).items():
            yield element(name, inner)
    elif isinstance(value, list):
        for inner in cast("list[object]", value):
            yield element("item", inner)
    elif isinstance(value, bool):
        yield str(value).lower()
    elif value is not None:
        yield escape(_NOT_IN_XML.sub("\ufffd", str(value)))
