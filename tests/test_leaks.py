"""A leak that somebody plants, anywhere, is found: what looks for them can fail."""

import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent

PREFACE = """
import asyncio, base64, logging, subprocess, sys, warnings
from urllib.parse import quote, urlencode
import pytest
from credentials import *
from infobip_email_logs import *

def b64(text):
    return base64.b64encode(text.encode()).decode()"""

PLANTED = {
    "a print": "print(KEY)",
    "standard error": "sys.stderr.write(PASSWORD)",
    "what a test reads itself": "print(KEY); capfd.readouterr()",
    "a log line": "logging.getLogger('infobip_email_logs').debug('key: %s', KEY)",
    "a log line of a child": "logging.getLogger('infobip_email_logs.x').debug(CLIENT_SECRET)",
    "a log line of aiohttp": "logging.getLogger('aiohttp.client').debug({'App': KEY})",
    "a log line of asyncio": "logging.getLogger('asyncio').info(ACCESS_TOKEN)",
    "its traceback": "try: raise ValueError(KEY)\n"
    "except ValueError: logging.getLogger('infobip_email_logs').exception('')",
    "a warning that is an error": "warnings.warn(KEY, DeprecationWarning)",
    "an error": "str(InvalidInput(f'no {KEY}'))",
    "an error that is caught": "with pytest.raises(InvalidState): raise InvalidState(KEY)",
    "a field of an error": "ServerError('', text=SESSION_TOKEN)",
    "a hidden field of an error": "InvalidInput('').__dict__['x'] = ApiKey(KEY)",
    "a cause": "try: raise TransportError('') from OSError(PROXY_PASSWORD)\n"
    "except EmailLogsError: ...",
    "another process": "subprocess.run([sys.executable, '-c', f'print({KEY!r})'],"
    " stdout=subprocess.PIPE)",
    "base64": "print(b64(KEY))",
    "base64, in the middle": "print(b64('a:' + KEY + 'x'))",
    "base64 of user and password": "print(b64(f'{USER}:{PASSWORD}'))",
    "percent-encoded": "print(quote(PASSWORD, safe=''))",
    "an OAuth2 body": "print(urlencode(OAuth2(CLIENT_ID, CLIENT_SECRET).form()))",
    "a repr": "print([PASSWORD], PASSWORD.encode())",
}

WARNING = "warnings.warn(KEY)"
"""This is told when the report of its test is written already."""

KEPT = {
    "reprs": "print(ApiKey(KEY), [Basic(USER, PASSWORD)], {'a': Bearer(ACCESS_TOKEN).token},"
    " OAuth2(CLIENT_ID, CLIENT_SECRET).form(), [IbssoToken(SESSION_TOKEN).header()])",
    "lower levels": "logging.getLogger('infobip_email_logs').debug('nothing')",
}


def module(bodies: list[str]) -> str:
    """Return a module with a test of each body, numbered."""
    indented = ("\n    ".join(body.strip().splitlines()) for body in bodies)
    tests = (f"def test_{number}(capfd):\n    {body}" for number, body in enumerate(indented))
    return "\n\n".join([PREFACE, *tests, ""])


def test_a_planted_leak_is_found(tmp_path: Path) -> None:
    """Each, in whatever form, fails the test that it happens in; what is no leak fails none."""
    (tmp_path / "test_planted.py").write_text(module([*PLANTED.values(), *KEPT.values(), WARNING]))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")  # the settings above it are not meant
    plugins = ("-p", "leaks", "-p", "no:asyncio", "-p", "no:cacheprovider")
    with (tmp_path / "told").open("wb") as file:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                *plugins,
                "-q",
                "--tb=no",
                "-rE",
                "-Werror::DeprecationWarning",
            ],
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent)])},
            cwd=tmp_path,
            stdout=file,
            check=False,
        )
    told = (tmp_path / "told").read_text()
    failed = {int(number) for number in re.findall(r"^ERROR .*::test_(\d+)", told, re.MULTILINE)}
    names = [*PLANTED, *KEPT]
    assert {names[number] for number in failed} == set(PLANTED), told
    assert "by no test alone: the key is in a warning" in told
    assert done.returncode == 1
