"""The two shapes that a JSON document is taken apart by."""

from __future__ import annotations

from typing import Any, cast


def as_object(value: Any) -> dict[str, Any] | None:
    """Return ``value`` if it is a JSON object, else None."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def as_list(value: Any) -> list[Any] | None:
    """Return ``value`` if it is a JSON array, else None."""
    if not isinstance(value, list):
        return None
    items: list[Any] = value
    return items
