"""The address and the credentials from environment variables."""

import pytest
from credentials import KEY

from infobip_email_logs import ApiKey, Basic, Bearer, IbssoToken, InvalidInput, OAuth2
from infobip_email_logs.auth import Auth
from infobip_email_logs.settings import Given, credentials, from_environment, variables

SECRET = KEY


@pytest.mark.parametrize(
    ("environ", "auth"),
    [
        ({"INFOBIP_API_KEY": "k"}, ApiKey("k")),
        ({"INFOBIP_API_KEY": " App k\n"}, ApiKey("k")),
        ({"IB_API_KEY": "k"}, ApiKey("k")),
        ({"INFOBIP_API_KEY": "k", "IB_API_KEY": "other"}, ApiKey("k")),
        ({"INFOBIP_API_KEY": "", "IB_API_KEY": "k"}, ApiKey("k")),
        ({"INFOBIP_USERNAME": "u", "INFOBIP_PASSWORD": "p"}, Basic("u", "p")),
        ({"INFOBIP_BASIC": "dTpw"}, Basic("u", "p")),
        ({"INFOBIP_IBSSO_TOKEN": "t"}, IbssoToken("t")),
        ({"INFOBIP_CLIENT_ID": "i", "INFOBIP_CLIENT_SECRET": "s"}, OAuth2("i", "s")),
        ({"INFOBIP_BEARER_TOKEN": "t", "INFOBIP_API_KEY": " "}, Bearer("t")),
    ],
)
def test_kinds(environ: dict[str, str], auth: Auth | OAuth2) -> None:
    """Every kind of credentials is found, and an empty variable counts as not set."""
    assert from_environment(environ) == (None, auth)


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({"INFOBIP_BASE_URL": "a.example"}, "a.example"),
        ({"IB_BASE_URL": "b.example"}, "b.example"),
        ({"INFOBIP_BASE_URL": "a.example", "IB_BASE_URL": "b.example"}, "a.example"),
        ({"INFOBIP_BASE_URL": ""}, None),
    ],
)
def test_base_url(environ: dict[str, str], url: str | None) -> None:
    """The address has a fallback, and none is the shared host."""
    assert from_environment({"INFOBIP_API_KEY": "k", **environ})[0] == url


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({}, "no credentials: set INFOBIP_API_KEY"),
        ({"INFOBIP_USERNAME": SECRET}, "INFOBIP_USERNAME is set, but INFOBIP_PASSWORD is missing"),
        ({"INFOBIP_PASSWORD": SECRET}, "INFOBIP_PASSWORD is set, but INFOBIP_USERNAME is missing"),
        (
            {"INFOBIP_CLIENT_SECRET": SECRET},
            "INFOBIP_CLIENT_SECRET is set, but INFOBIP_CLIENT_ID is missing",
        ),
        (
            {"IB_API_KEY": SECRET, "INFOBIP_BEARER_TOKEN": SECRET},
            "several kinds of credentials: IB_API_KEY, INFOBIP_BEARER_TOKEN; keep one",
        ),
        (
            {"INFOBIP_API_KEY": SECRET, "INFOBIP_PASSWORD": SECRET},
            "several kinds of credentials: INFOBIP_API_KEY, INFOBIP_PASSWORD; keep one",
        ),
        ({"INFOBIP_BASIC": SECRET}, "INFOBIP_BASIC: "),
        ({"INFOBIP_API_KEY": f"{SECRET} two"}, "INFOBIP_API_KEY: "),
    ],
)
def test_refused(environ: dict[str, str], message: str) -> None:
    """What can't be used is told by the variables' names, never by their values."""
    with pytest.raises(InvalidInput) as caught:
        from_environment(environ)
    assert str(caught.value).startswith(message)
    assert SECRET not in str(caught.value)


def test_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an argument, the variables are those of this process."""
    for name in ("INFOBIP_USERNAME", "INFOBIP_PASSWORD", "INFOBIP_BASIC", "INFOBIP_IBSSO_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("INFOBIP_BEARER_TOKEN", raising=False)
    monkeypatch.setenv("INFOBIP_API_KEY", "k")
    assert from_environment()[1] == ApiKey("k")


def test_no_secret_shown() -> None:
    """What was found can be printed without its values."""
    assert SECRET not in repr(variables({"INFOBIP_API_KEY": SECRET}))


def test_places_of_ones_own() -> None:
    """An error calls a value by the place that it was given at."""
    with pytest.raises(InvalidInput, match=r"^--username is set, but INFOBIP_PASSWORD is missing"):
        credentials({"username": Given("--username", "u")})
