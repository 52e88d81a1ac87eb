"""What holds for every test: nobody's real home, settings or state is touched, and time stands still."""

from __future__ import annotations

import compileall
import os
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# No deadline: the machine is shared and a slow example is not a wrong one. Under CI the examples are the same
# at each run, so that a red run is about the change at hand; everywhere else each run looks somewhere new.
settings.register_profile("dev", deadline=None, print_blob=True)
settings.register_profile("ci", deadline=None, print_blob=True, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "dev")

# Started in the background by a shell, a process ignores Ctrl-C and so do its children; some tests press it.
signal.signal(signal.SIGINT, signal.default_int_handler)

PACKAGE = Path(__file__).parents[1] / "baileys_tools"


def pytest_configure(config: pytest.Config) -> None:
    """Compile the package once, as an installation does.

    Else each of the thousand commands that the tests start would, where PYTHONDONTWRITEBYTECODE is set, and where it
    is not, the first would write files into the traces of those that must write none.
    """
    if not hasattr(config, "workerinput"):
        compileall.compile_dir(PACKAGE, quiet=1)


REAL_HOME = os.path.expanduser("~")
FORBIDDEN = (
    "/etc/baileys-tools",
    "/var/lib/baileys-tools",
    "/etc/cron.d/baileys-tools",
    f"{REAL_HOME}/.config/baileys-tools",
    f"{REAL_HOME}/.local/state/baileys-tools",
    f"{REAL_HOME}/.local/share/baileys-tools",
    f"{REAL_HOME}/.cache/baileys-tools",
)
CLEARED_PREFIXES = ("BAILEYS_", "SESSION_", "XDG_", "RAILWAY_", "NOTIFICATION_", "TELEGRAM_")
CLEARED = (
    "API_URL",
    "ENABLE_MULTITENANCY",
    "COMPANY_ID",
    "DRY_RUN",
    "NO_COLOR",
    "FORCE_COLOR",
    "COLUMNS",
    "TZ",
)


class RealHomeTouched(BaseException):
    """A test went for the operator's own files. No Exception, so that no `except` in the tool hides it."""


@pytest.fixture(scope="session")
def no_crontab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the front of PATH, with a crontab program that refuses: the real one is the developer's own."""
    folder = tmp_path_factory.mktemp("no-crontab")
    program = folder / "crontab"
    program.write_text("#!/bin/sh\necho 'a test went for the real crontab' >&2\nexit 1\n")
    program.chmod(0o755)
    return folder


@pytest.fixture(autouse=True)
def own_home(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, no_crontab: Path
) -> Path:
    """Give each test a home of its own, an environment without the developer's settings, and no crontab."""
    monkeypatch.setenv("PATH", f"{no_crontab}:{os.environ['PATH']}")
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(CLEARED_PREFIXES) or name in CLEARED:
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    # Root's default is /var/lib, whatever HOME says.
    monkeypatch.setenv("BAILEYS_TOOLS_STATE_DIR", str(home / "state"))
    return home


@pytest.fixture
def now() -> datetime:
    """The moment at which tests that pass a clock down stand."""
    return datetime(2026, 1, 15, 12, tzinfo=UTC)


# --- the guard ----------------------------------------------------------------------------------------------
# An audit hook sees each open, mkdir, rename, unlink and sqlite3.connect of this process before it happens.
# To look for a file that is not there is harmless and allowed: the search for settings ends at /etc.

_armed = False


def _refuse_real_home(event: str, arguments: tuple[Any, ...]) -> None:
    if not _armed or not event.startswith(("open", "os.", "sqlite3.connect")):
        return
    for argument in arguments[:2]:
        path = _as_path(argument)
        if path is not None and _is_forbidden(path) and not _only_looks(event, arguments, path):
            raise RealHomeTouched(f"{event} {path}: a test must stay in its own home")


def _as_path(argument: Any) -> str | None:
    return os.fsdecode(argument) if isinstance(argument, str | bytes | os.PathLike) else None


def _is_forbidden(path: str) -> bool:
    return any(path == root or path.startswith(root + "/") for root in FORBIDDEN)


def _only_looks(event: str, arguments: tuple[Any, ...], path: str) -> bool:
    if event == "open":
        flags = arguments[2] if len(arguments) > 2 and isinstance(arguments[2], int) else 0
        return not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and not os.path.exists(path)
    return event in ("os.listdir", "os.scandir") and not os.path.exists(path)


@pytest.fixture(autouse=True, scope="session")
def guard() -> Iterator[None]:
    """Refuse every access of the tests' own process to the files of a real installation."""
    global _armed
    sys.addaudithook(_refuse_real_home)  # for ever: Python cannot take one out again, so a switch disarms it
    _armed = True
    yield
    _armed = False
