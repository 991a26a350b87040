"""What an account is called: the same for all that share its limit, and nothing to guess from."""

import itertools

from infobip_email_logs import ApiKey, Basic, Bearer, OAuth2, account_key

PERSONAL = "https://xyz.api.infobip.com"


def test_a_personal_host_is_the_account() -> None:
    """However it is written, and whatever the credentials: the limit is the account's."""
    keys = {
        account_key(PERSONAL, ApiKey("one")),
        account_key("xyz.api.infobip.com/", ApiKey("other")),
        account_key(PERSONAL, Basic("user", "password")),
    }
    assert len(keys) == 1


def test_elsewhere_the_credentials_tell_accounts_apart() -> None:
    """And so do the host, and the version."""
    keys = [
        account_key(None, ApiKey("one")),
        account_key(None, ApiKey("other")),
        account_key(None, Bearer("one")),
        account_key(None, Basic("user", "password")),
        account_key(None, OAuth2("user", "secret")),
        account_key("http://localhost:8000", ApiKey("one")),
        account_key(PERSONAL, ApiKey("one")),
        account_key(PERSONAL, ApiKey("one"), api_version=4),
    ]
    assert all(one != other for one, other in itertools.combinations(keys, 2))


def test_a_password_is_no_part_of_it() -> None:
    """It can be changed, and can't be guessed from what is written to disks."""
    assert account_key(None, Basic("u", "old")) == account_key(None, Basic("u", "new"))
    assert account_key(None, OAuth2("c", "old")) == account_key(None, OAuth2("c", "new"))


def test_the_shared_host_may_be_named() -> None:
    """It is the one that is asked where none is named."""
    named = account_key("https://api.infobip.com", ApiKey("one"))
    assert named == account_key(None, ApiKey("one"))


def test_an_account_may_be_named() -> None:
    """For those whose tokens change."""
    old, new = (account_key(None, Bearer(token), name="mine") for token in ("old", "new"))
    assert old == new
    assert old != account_key(None, Bearer("old"), name="yours")


def test_a_key_tells_the_version_and_has_one_hash_slot() -> None:
    """A cluster of Redis keeps both versions of an account together."""
    key = account_key(PERSONAL, ApiKey("one"), api_version=4)
    head, rest = key.split("{")
    account, version = rest.split("}")
    assert (head, version) == ("infobip-email-logs:", ":v4")
    assert len(account) == 32
    assert "xyz" not in key
