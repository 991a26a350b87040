"""Credentials: what they send, and that they tell nobody else."""

import base64
from typing import Any

import pytest
from credentials import KEY

from infobip_email_logs import ApiKey, Auth, Basic, Bearer, IbssoToken, InvalidInput

SECRET = KEY


@pytest.mark.parametrize(
    ("auth", "header"),
    [
        (ApiKey(SECRET), f"App {SECRET}"),
        (ApiKey(f"App {SECRET}"), f"App {SECRET}"),
        (ApiKey(f" app  {SECRET}\n"), f"App {SECRET}"),
        (Basic("Aladdin", "open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        (Basic.encoded("QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        (Basic.encoded("Basic QWxhZGRpbjpvcGVu"), "Basic QWxhZGRpbjpvcGVu"),
        (IbssoToken(SECRET), f"IBSSO {SECRET}"),
        (Bearer(SECRET), f"Bearer {SECRET}"),
    ],
)
def test_each_way_makes_its_header(auth: Auth, header: str) -> None:
    """The header is what the reference says, whether or not its scheme was stored with it."""
    assert auth.header() == header


def test_user_and_password_travel_as_utf_8() -> None:
    """Letters beyond ASCII and colons in the password are kept."""
    header = Basic("jürgen", "pa:ß").header()
    assert base64.b64decode(header.removeprefix("Basic ")).decode() == "jürgen:pa:ß"


@pytest.mark.parametrize(
    "auth",
    [
        ApiKey(SECRET),
        Basic("user", SECRET),
        Basic.encoded(base64.b64encode(b"u:" + SECRET.encode()).decode()),
        IbssoToken(SECRET),
        Bearer(SECRET),
    ],
)
def test_no_secret_is_in_a_repr(auth: Auth) -> None:
    """What is printed of credentials is their kind."""
    assert repr(auth) == f"{type(auth).__name__}()" == str(auth)


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (ApiKey, ("",)),
        (ApiKey, ("App ",)),
        (ApiKey, (f"{SECRET} x",)),
        (ApiKey, (f"{SECRET}\r\nX: y",)),
        (ApiKey, (f"{SECRET}é",)),
        (ApiKey, (None,)),
        (Bearer, ("",)),
        (Basic, ("", SECRET)),
        (Basic, ("a:b", SECRET)),
        (Basic, (None, SECRET)),
        (Basic, ("user", None)),
        (Basic, ("user", f"{SECRET}\ud800")),
        (Basic.encoded, (SECRET,)),
        (Basic.encoded, (base64.b64encode(SECRET.encode()).decode(),)),
        (Basic.encoded, (base64.b64encode(b"\xff:" + SECRET.encode()).decode(),)),
    ],
)
def test_credentials_that_cannot_be_sent_are_refused_without_telling_them(
    kind: Any, arguments: tuple[Any, ...]
) -> None:
    """The error says what is wrong, and never what the secret is."""
    with pytest.raises(InvalidInput) as caught:
        kind(*arguments)
    assert SECRET not in str(caught.value)
    assert caught.value.__context__ is None
