"""Synthetic traffic, drawn from a seed: millions of emails in a few bytes each.

Only what must be looked up quickly is kept, in arrays; the rest of a record is computed from its
ordinal. Message ids hold their ordinal, scrambled, so that no index of them is needed.
"""

from __future__ import annotations

import base64
import hashlib
import uuid
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from random import Random
from typing import get_args

import attrs

from .records import STATUSES, Record, Status, error_of, from_milliseconds
from .shapes import Shape, bursts, diurnal, uniform

_HOUR = 3_600_000
_BULK_BITS = 24
_LOW_BITS = (1 << 62) - 1
_VARIANT = 1 << 63
_VERSION = 0x4000
_VERSION_MASK = 0xFFFFFFFFFFFF0FFF
_DOMAINS = ("example.com", "example.org", "example.net")
_SUBJECTS = ("Your invoice", "Welcome aboard", "Your order is on its way", "Reset your password")
_PRICES = ("0.0005", "0.00075", "0.001", "0.0004")


def _usual_statuses() -> dict[str, float]:
    return {
        "DELIVERED_TO_HANDSET": 80.0,
        "DELIVERED_TO_OPERATOR": 3.0,
        "PENDING_ENROUTE": 4.0,
        "MESSAGE_ACCEPTED": 1.0,
        "UNDELIVERABLE_NOT_DELIVERED": 5.0,
        "EXPIRED_EXPIRED": 3.0,
        "REJECTED_NETWORK": 3.0,
        "REJECTED_NOT_ENOUGH_CREDITS": 1.0,
    }


@attrs.frozen(kw_only=True)
class Traffic:
    """What the account has sent before the sandbox started, and what it sends meanwhile.

    Attributes:
        bulks: How many send requests to several recipients.
        bulk_size: The least and the most messages of one of them.
        spread: Seconds in which the messages of one bulk are sent; 0 puts them into one
            millisecond.
        loose: How many messages without a bulk.
        shape: How these lie in the hours: ``uniform``, evenly; ``diurnal``, in a wave with a peak
            at two in the afternoon, UTC, that is seven times the trough of the night; ``bursts``,
            in groups within a minute, at random places.
        burst_size: How many messages a burst has; the last one has the rest.
        hours: Hours before the sandbox's start in which all that is sent.
        ahead: Hours after the start that it goes on for; such a record is seen once its time comes.
        senders: How many sending addresses.
        recipients: How many receiving addresses.
        statuses: How often a status occurs, by its name in ``STATUSES``.
    """

    bulks: int = 40
    bulk_size: tuple[int, int] = (10, 200)
    spread: float = 30.0
    loose: int = 200
    shape: Shape = attrs.field(default="uniform", validator=attrs.validators.in_(get_args(Shape)))
    burst_size: int = attrs.field(default=20_000, validator=attrs.validators.ge(1))
    hours: float = 47.0
    ahead: float = 0.0
    senders: int = 3
    recipients: int = 500
    statuses: Mapping[str, float] = attrs.field(factory=_usual_statuses)


NO_TRAFFIC = Traffic(bulks=0, loose=0)


def _moments(traffic: Traffic, start: int, random: Random) -> Iterator[int]:
    """Yield each message's time, and in the lowest bits its bulk plus one (0: none)."""
    first = start - round(traffic.hours * _HOUR)
    length = round((traffic.hours + traffic.ahead) * _HOUR)
    spread = min(round(traffic.spread * 1000), length)
    for moment in _loose(traffic, first, length, random):
        yield (first + moment) << _BULK_BITS
    begins = sorted(int(random.random() * (length - spread)) for _ in range(traffic.bulks))
    for bulk, begin in enumerate(begins, start=1):
        for _ in range(random.randint(*traffic.bulk_size)):
            yield (first + begin + int(random.random() * spread)) << _BULK_BITS | bulk


def _loose(traffic: Traffic, first: int, length: int, random: Random) -> Iterator[int]:
    """Return the times of the loose messages, counted from ``first``."""
    if traffic.shape == "diurnal":
        return diurnal(traffic.loose, length, random, first=first)
    if traffic.shape == "bursts":
        return bursts(traffic.loose, length, random, size=traffic.burst_size)
    return uniform(traffic.loose, length, random)


class Seeded:
    """The emails of a :class:`Traffic`, known by their ordinals: 0 is the one sent first.

    Args:
        traffic: What to make.
        seed: Equal seeds (and starts) make equal emails.
        start: The start of the sandbox, in milliseconds from 1970.
    """

    def __init__(self, traffic: Traffic, *, seed: int, start: int) -> None:
        random = Random(f"traffic {seed}")
        moments = sorted(_moments(traffic, start, random))
        self.times = array("q", (moment >> _BULK_BITS for moment in moments))
        self._bulks = array("i", ((moment & (1 << _BULK_BITS) - 1) - 1 for moment in moments))
        self._key = hashlib.blake2b(str(seed).encode(), digest_size=16).digest()
        self._statuses = [STATUSES[name] for name in traffic.statuses]
        self._groups = [status.group_name for status in self._statuses]
        self._status = bytes(
            random.choices(
                range(len(self._statuses)), list(traffic.statuses.values()), k=len(moments)
            )
        )
        self._senders = [f"sender{number}@example.com" for number in range(traffic.senders)]
        self._recipients = traffic.recipients
        self._salt = random.getrandbits(32)
        self.bulk_ids = [self._bulk_id(bulk) for bulk in range(traffic.bulks)]
        self._bulk_numbers = {bulk_id: bulk for bulk, bulk_id in enumerate(self.bulk_ids)}
        self._members, self._ends = self._grouped(traffic.bulks)

    def __len__(self) -> int:
        """Return the number of emails."""
        return len(self.times)

    @property
    def getters(self) -> Mapping[str, Callable[[int], str | None]]:
        """What can be filtered by, each as a function of the ordinal."""
        return {
            "message_id": self.message_id,
            "bulk_id": self.bulk_id,
            "sender": self.sender,
            "destination": self.destination,
            "general_status": self.general_status,
            "application_id": self.application_id,
            "entity_id": self.entity_id,
            "campaign_reference_id": self.campaign_reference_id,
        }

    @cached_property
    def ranks(self) -> array[int]:
        """A random number for each email, drawn once."""
        random = Random(self._salt)
        return array("I", (random.getrandbits(32) for _ in range(len(self))))

    def with_message_id(self, message_id: str) -> Sequence[int]:
        """Return the ordinals of the emails with this id: one or none."""
        try:
            number = uuid.UUID(message_id).int
        except ValueError:
            return ()
        high, low = number >> 64, number & _LOW_BITS
        ordinal = low ^ self._mask(high)
        known = ordinal < len(self) and self.message_id(ordinal) == message_id
        return (ordinal,) if known else ()

    def with_bulk_id(self, bulk_id: str) -> Sequence[int]:
        """Return the ordinals of the emails of this bulk, ascending."""
        bulk = self._bulk_numbers.get(bulk_id)
        if bulk is None:
            return ()
        return self._members[self._ends[bulk] : self._ends[bulk + 1]]

    def message_id(self, ordinal: int) -> str:
        """Return the id of an email: a UUID that holds the ordinal, scrambled."""
        digest = self._digest(b"id", ordinal)
        high = digest & _VERSION_MASK | _VERSION
        low = _VARIANT | (self._mask(high) ^ ordinal)
        text = f"{high << 64 | low:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def bulk_id(self, ordinal: int) -> str | None:
        """Return the id of an email's bulk, or None without one."""
        bulk = self._bulks[ordinal]
        return None if bulk < 0 else self.bulk_ids[bulk]

    def sender(self, ordinal: int) -> str:
        """Return the sender, one for all of a bulk."""
        return self._senders[self._profile(ordinal) % len(self._senders)]

    def destination(self, ordinal: int) -> str:
        """Return the recipient."""
        number = self._mix(ordinal) % self._recipients
        return f"recipient{number}@{_DOMAINS[number % len(_DOMAINS)]}"

    def status(self, ordinal: int) -> Status:
        """Return the status."""
        return self._statuses[self._status[ordinal]]

    def general_status(self, ordinal: int) -> str:
        """Return the status group."""
        return self._groups[self._status[ordinal]]

    def application_id(self, ordinal: int) -> str | None:
        """Return the application; a third of the traffic has none."""
        number = self._profile(ordinal) % 3
        return f"application-{number}" if number else None

    def entity_id(self, ordinal: int) -> str | None:
        """Return the entity; half of the traffic has none."""
        return "entity-1" if self._profile(ordinal) % 2 else None

    def campaign_reference_id(self, ordinal: int) -> str | None:
        """Return the campaign; loose messages have none."""
        bulk = self._bulks[ordinal]
        return None if bulk < 0 else f"campaign-{bulk % 7}"

    def done(self, ordinal: int) -> int | None:
        """Return when an email was finished, in milliseconds; None while it is pending."""
        if self.general_status(ordinal) in {"PENDING", "ACCEPTED"}:
            return None
        return self.times[ordinal] + 200 + self._mix(ordinal) % 9000

    def record(self, ordinal: int) -> Record:
        """Return an email in full."""
        status, done = self.status(ordinal), self.done(ordinal)
        mixed = self._mix(ordinal) >> 7
        return Record(
            message_id=self.message_id(ordinal),
            sent_at=from_milliseconds(self.times[ordinal]),
            bulk_id=self.bulk_id(ordinal),
            sender=self.sender(ordinal),
            destination=self.destination(ordinal),
            text=f"{_SUBJECTS[mixed % len(_SUBJECTS)]} ({ordinal})",
            done_at=None if done is None else from_milliseconds(done),
            price=_PRICES[mixed % len(_PRICES)],
            status=status,
            error=error_of(status),
            application_id=self.application_id(ordinal),
            entity_id=self.entity_id(ordinal),
            campaign_reference_id=self.campaign_reference_id(ordinal),
        )

    def _grouped(self, bulks: int) -> tuple[array[int], array[int]]:
        """Return the ordinals bulk by bulk, and where each bulk begins and ends."""
        ends = array("q", [0]) * (bulks + 1)
        for bulk in self._bulks:
            if bulk >= 0:
                ends[bulk + 1] += 1
        for bulk in range(bulks):
            ends[bulk + 1] += ends[bulk]
        members, free = array("i", [0]) * ends[bulks], ends[:]
        for ordinal, bulk in enumerate(self._bulks):
            if bulk >= 0:
                members[free[bulk]] = ordinal
                free[bulk] += 1
        return members, ends

    def _bulk_id(self, bulk: int) -> str:
        digest = hashlib.blake2b(b"bulk%d" % bulk, key=self._key, digest_size=15).digest()
        return base64.b32encode(digest).decode().lower()[:20]

    def _profile(self, ordinal: int) -> int:
        bulk = self._bulks[ordinal]
        return self._mix(ordinal) if bulk < 0 else bulk

    def _mix(self, ordinal: int) -> int:
        return (ordinal * 0x9E3779B97F4A7C15 + self._salt * 0xBF58476D1CE4E5B9) >> 17 & 0xFFFFFFFF

    def _digest(self, use: bytes, number: int) -> int:
        told = hashlib.blake2b(number.to_bytes(8, "big"), key=self._key, person=use, digest_size=8)
        return int.from_bytes(told.digest(), "big")

    def _mask(self, high: int) -> int:
        return self._digest(b"mask", high) & _LOW_BITS
