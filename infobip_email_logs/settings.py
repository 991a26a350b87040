"""The service's address and the credentials, from environment variables; no I/O.

===================================================  ==========================================
``INFOBIP_BASE_URL``, else ``IB_BASE_URL``           the account's address
``INFOBIP_API_KEY``, else ``IB_API_KEY``             :class:`~infobip_email_logs.ApiKey`
``INFOBIP_USERNAME`` and ``INFOBIP_PASSWORD``        :class:`~infobip_email_logs.Basic`
``INFOBIP_BASIC``                                    the same, as base64 of ``user:password``
``INFOBIP_IBSSO_TOKEN``                              :class:`~infobip_email_logs.IbssoToken`
``INFOBIP_BEARER_TOKEN``                             :class:`~infobip_email_logs.Bearer`
``INFOBIP_CLIENT_ID`` and ``INFOBIP_CLIENT_SECRET``  :class:`~infobip_email_logs.OAuth2`
===================================================  ==========================================

A variable that is empty counts as not set.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import attrs

from .auth import ApiKey, Auth, Basic, Bearer, IbssoToken, OAuth2
from .errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@attrs.frozen
class Given:
    """A value, and where it was given: that is how an error calls it, never by its value."""

    where: str
    value: str = attrs.field(repr=False)


VARIABLES: dict[str, tuple[str, ...]] = {
    "base_url": ("INFOBIP_BASE_URL", "IB_BASE_URL"),
    "api_key": ("INFOBIP_API_KEY", "IB_API_KEY"),
    "username": ("INFOBIP_USERNAME",),
    "password": ("INFOBIP_PASSWORD",),
    "basic": ("INFOBIP_BASIC",),
    "ibsso_token": ("INFOBIP_IBSSO_TOKEN",),
    "bearer_token": ("INFOBIP_BEARER_TOKEN",),
    "client_id": ("INFOBIP_CLIENT_ID",),
    "client_secret": ("INFOBIP_CLIENT_SECRET",),
}
"""For each setting the variables that may hold it, the first one that is set counts."""

KINDS: dict[tuple[str, ...], Callable[..., Auth | OAuth2]] = {
    ("api_key",): ApiKey,
    ("username", "password"): Basic,
    ("basic",): Basic.encoded,
    ("ibsso_token",): IbssoToken,
    ("bearer_token",): Bearer,
    ("client_id", "client_secret"): OAuth2,
}
"""For each kind of credentials the settings that it is made of."""


def from_environment(environ: Mapping[str, str] | None = None) -> tuple[str | None, Auth | OAuth2]:
    """Return the base URL (None where none is set: the shared host) and the credentials.

    Args:
        environ: The variables; those of this process when None.

    Raises:
        InvalidInput: There are no credentials, half of them, or several kinds; the message names
            the variables and never holds a value.
    """
    found = variables(os.environ if environ is None else environ)
    del environ  # Whoever shows the variables of this frame must not show those.
    base_url = found.get("base_url")
    return base_url.value if base_url else None, credentials(found)


def variables(environ: Mapping[str, str]) -> dict[str, Given]:
    """Return the settings that are in ``environ``."""
    found = {name: _first(environ, names) for name, names in VARIABLES.items()}
    return {name: given for name, given in found.items() if given}


def _first(environ: Mapping[str, str], names: tuple[str, ...]) -> Given | None:
    values = ((name, environ.get(name, "").strip()) for name in names)
    return next((Given(name, value) for name, value in values if value), None)


def credentials(found: Mapping[str, Given]) -> Auth | OAuth2:
    """Return the one kind of credentials that ``found`` holds.

    Args:
        found: Settings by the names of :data:`VARIABLES`.

    Raises:
        InvalidInput: It holds none, half of one, or several.
    """
    kinds = [parts for parts in KINDS if any(part in found for part in parts)]
    if not kinds:
        raise InvalidInput(
            "no credentials: set INFOBIP_API_KEY (or INFOBIP_USERNAME and INFOBIP_PASSWORD, "
            "INFOBIP_BASIC, INFOBIP_IBSSO_TOKEN, INFOBIP_BEARER_TOKEN, or INFOBIP_CLIENT_ID and "
            "INFOBIP_CLIENT_SECRET)"
        )
    if len(kinds) > 1:
        places = [found[part].where for parts in kinds for part in parts if part in found]
        raise InvalidInput(f"several kinds of credentials: {', '.join(places)}; keep one of them")
    return _made(kinds[0], found)


def _made(parts: tuple[str, ...], found: Mapping[str, Given]) -> Auth | OAuth2:
    """Return the credentials that are made of ``parts``."""
    there = [found[part] for part in parts if part in found]
    places = " and ".join(given.where for given in there)
    if missing := [VARIABLES[part][0] for part in parts if part not in found]:
        raise InvalidInput(f"{places} is set, but {missing[0]} is missing")
    try:
        return KINDS[parts](*(given.value for given in there))
    except InvalidInput as error:
        why = str(error)
    # Raised out here, so that it does not lead to the frames that hold the value.
    raise InvalidInput(f"{places}: {why}")
