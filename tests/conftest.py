"""What holds for every test: nobody's real home, settings, state or network is touched, and time stands still."""

from __future__ import annotations

import compileall
import gc
import itertools
import os
import re
import shutil
import signal
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import settings

from tests import cost, guard
from tests.rewriting import rewrite_once
from tests.support import require_root

guard.enter()

# No deadline: the machine is shared and a slow example is not a wrong one. Under CI the examples are the same
# at each run, so that a red run is about the change at hand; everywhere else each run looks somewhere new.
settings.register_profile("dev", deadline=None, print_blob=True)
settings.register_profile("ci", deadline=None, print_blob=True, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "dev")

# Started in the background by a shell, a process ignores Ctrl-C and so do its children; some tests press it.
signal.signal(signal.SIGINT, signal.default_int_handler)
# The same of SIGHUP under nohup.
signal.signal(signal.SIGHUP, signal.SIG_DFL)

PACKAGE = Path(__file__).parents[1] / "baileys_tools"


def pytest_configure(config: pytest.Config) -> None:
    """Compile the package once, as an installation does.

    Else each of the thousand commands that the tests start would, where PYTHONDONTWRITEBYTECODE is set, and where it
    is not, the first would write files into the traces of those that must write none.
    """
    config.pluginmanager.register(cost)
    if not hasattr(config, "workerinput"):
        compileall.compile_dir(PACKAGE, quiet=1)
        rewrite_once(config)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected stays to the end: to look for garbage in seven thousand tests, now and again and again, took a
    tenth of the time of what a worker does itself."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests together that share what their file makes once: else each worker would make its own."""
    if not config.pluginmanager.hasplugin("xdist"):
        return
    for item in items:
        if not isinstance(item, pytest.Function) or item.get_closest_marker("xdist_group") is not None:
            continue
        file = item.nodeid.partition("::")[0]
        made = [one for found in item._fixtureinfo.name2fixturedefs.values() for one in found]
        shared = [one.argname for one in made if one.scope in ("module", "session") and one.baseid == file]
        if shared:
            given = item.callspec.params if hasattr(item, "callspec") else {}
            which = [str(given[name]) for name in shared if name in given]
            item.add_marker(pytest.mark.xdist_group(" ".join([file, *which])))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what is marked `root` for anybody else, before any fixture of it is made."""
    if item.get_closest_marker("root") is not None:
        require_root()


def pytest_report_header() -> str:
    kernel = os.environ["TESTS_GUARD_KERNEL"]
    return "guard: audit hooks" + (
        " and the kernel" if guard.has_kernel() else f", not the kernel ({kernel})"
    )


def pytest_unconfigure() -> None:
    shutil.rmtree(guard.scratch(), ignore_errors=True)


_number = itertools.count()


def _folder(factory: pytest.TempPathFactory, name: str) -> Path:
    """Make a folder of one test. pytest's own way looks through those of all tests before it for a free number: of
    three thousand tests a worker that was half a minute."""
    path = factory.getbasetemp() / "t" / f"{name}{next(_number)}"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As pytest's own: a folder of the test, named after it."""
    return _folder(tmp_path_factory, re.sub(r"\W", "_", request.node.name)[:24])


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give each test a home of its own inside of what the guard allows, and fail it if it went beyond that."""
    home = _folder(tmp_path_factory, "home")
    from baileys_tools.pasted import came_with

    came_with({}, None)  # what an earlier run of this process was told
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("BAILEYS_TOOLS_STATE_DIR", str(home / "state"))
    yield home
    refused = [*guard.bites()]
    assert not refused, refused


@pytest.fixture
def now() -> datetime:
    """The moment at which tests that pass a clock down stand."""
    return datetime(2026, 1, 15, 12, tzinfo=UTC)
