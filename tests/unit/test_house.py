"""What holds for the repository as a whole, and for a test run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

import baileys_tools
from tests.support import company_folder, require_tool, run_cli, scrubbed_environment, snapshot_tree

ROOT = Path(__file__).parents[2]

# In two halves, or this file would be the first offender.
REGISTRY_HOSTS = [
    "registry.npm" + "js",
    "registry.yarn" + "pkg",
    "pypi" + ".org",
    "pythonhosted" + ".org",
    "deb.deb" + "ian.org",
    "static.crates" + ".io",
    "proxy.golang" + ".org",
]


def committed_files() -> list[Path]:
    git = require_tool("git")
    listing = subprocess.run([git, "-C", str(ROOT), "ls-files", "-z"], capture_output=True, check=False)
    if listing.returncode != 0:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in os.fsdecode(listing.stdout).split("\0") if name]


def test_no_committed_file_names_a_registry() -> None:
    offenders = [
        f"{path.relative_to(ROOT)}: {host}"
        for path in committed_files()
        if path.is_file()
        for host in REGISTRY_HOSTS
        if host.encode() in path.read_bytes()
    ]
    assert offenders == []


def test_the_licence_and_the_changelog_match_the_package() -> None:
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")
    assert f"## [{baileys_tools.__version__}]" in (ROOT / "CHANGELOG.md").read_text()


# --- cold start: cron pays it every minute ------------------------------------------------------------------

HEAVY = {"rich", "httpx", "crontab", "pydantic", "asyncio", "apprise", "fsspec", "jsonschema"} | {
    "httpcore",
    "jmespath",
    "segno",
}

SHOW_MODULES = """
import sys
from baileys_tools.cli import main
try:
    main()
finally:
    print("\\n".join(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def test_a_quiet_cleanup_imports_nothing_heavy(tmp_path: Path) -> None:
    company_folder(tmp_path, keys={"session-4917000000001.0.json": timedelta(days=15)})
    run = subprocess.run(
        [sys.executable, "-c", SHOW_MODULES, "cleanup", "--quiet"],
        env=scrubbed_environment({"BAILEYS_SESSIONS_PATH": str(tmp_path)}),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert not (tmp_path / "company_1001" / "session-4917000000001.0.json").exists(), "the cleanup did run"
    imported = set(run.stdout.split())
    assert imported & (HEAVY | {"typer", "click", "subprocess"}) == set()


# Loading `dataclasses` brings `inspect` and what that needs: a fifth of all that a pass over ten folders costs.
# `hashlib` brings all of OpenSSL.
NOT_EVERY_MINUTE = HEAVY | {
    *("typer", "click", "dataclasses", "inspect", "hashlib", "base64", "yaml", "filelock", "subprocess")
}


def test_a_quiet_dry_run_imports_next_to_nothing(tmp_path: Path) -> None:
    company_folder(tmp_path, keys={"session-4917000000001.0.json": timedelta(days=15)})
    run = subprocess.run(
        [sys.executable, "-c", SHOW_MODULES, "cleanup", "--dry-run", "--quiet"],
        env=scrubbed_environment({"BAILEYS_SESSIONS_PATH": str(tmp_path)}),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = set(run.stdout.split())
    assert "baileys_tools" in imported
    assert imported & NOT_EVERY_MINUTE == set()


def test_a_quiet_minute_imports_next_to_nothing(tmp_path: Path) -> None:
    company_folder(tmp_path, keys={"pre-key-30.json": timedelta(days=1)})
    environment = scrubbed_environment({"BAILEYS_SESSIONS_PATH": str(tmp_path)})
    words = [sys.executable, "-c", SHOW_MODULES, "monitor-once", "--quiet"]
    for moment in ("the first pass", "a pass in which nothing has moved"):
        run = subprocess.run(
            words, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        imported = set(run.stdout.split())
        assert run.returncode == 0, run.stdout + run.stderr
        assert "sqlite3" in imported, "it did remember"
        assert imported & NOT_EVERY_MINUTE == set(), moment


END = """
import atexit, sys, threading, time
from baileys_tools.cli import run
atexit.register(lambda: print("registered", end=""))
if sys.argv[1] == "thread":
    threading.Thread(target=lambda: (time.sleep(0.2), print("waited for"))).start()
sys.argv[1:] = ["no-such-command"]
run()
"""


@pytest.mark.parametrize("what", ["nothing", "thread"])
def test_what_waits_for_the_end_of_the_process_is_done_before_it_is_left(what: str) -> None:
    """The process is left without taking apart what it loaded; see `run`."""
    done = subprocess.run(
        [sys.executable, "-c", END, what],
        env=scrubbed_environment({}),
        capture_output=True,
        text=True,
        check=False,
    )
    waited = "waited for\n" if what == "thread" else ""
    assert (done.returncode, done.stdout) == (2, f"{waited}registered")
    assert "no-such-command" in done.stderr


SHOW_TEXT_ANNOTATIONS = """
import sys, typing
from baileys_tools.cli import main
try:
    main()
finally:
    for name, module in list(sys.modules.items()):
        if name.startswith("baileys_tools"):
            for kind in vars(module).values():
                if isinstance(kind, type) and issubclass(kind, tuple) and kind.__module__ == name:
                    if any(isinstance(one, typing.ForwardRef) for one in kind.__annotations__.values()):
                        print(kind)
"""


@pytest.mark.parametrize("command", ["cleanup", "monitor-once"])
def test_no_record_of_a_quick_start_has_annotations_that_python_compiles(
    tmp_path: Path, command: str
) -> None:
    """`from __future__ import annotations` doubles what a NamedTuple costs: `typing` compiles each field's text."""
    company_folder(tmp_path, keys={"pre-key-30.json": timedelta(days=1)})
    run = subprocess.run(
        [sys.executable, "-c", SHOW_TEXT_ANNOTATIONS, command, "--quiet"],
        env=scrubbed_environment({"BAILEYS_SESSIONS_PATH": str(tmp_path)}),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == ""


# --- what the tests stand on -----------------------------------------------------------------------------------


def test_the_command_runs_without_the_settings_of_the_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAILEYS_SESSIONS_PATH", "/somewhere/real")
    environment = scrubbed_environment({"DRY_RUN": "1"})
    assert "BAILEYS_SESSIONS_PATH" not in environment
    assert environment["DRY_RUN"] == "1"
    assert environment["HOME"] == os.environ["HOME"]


def rewrite_at_the_same_age(key: Path) -> None:
    modified = key.stat().st_mtime_ns
    key.write_text("[]")  # as long as before
    os.utime(key, ns=(0, modified))


@pytest.mark.parametrize(
    "change",
    [
        rewrite_at_the_same_age,
        lambda key: key.chmod(0o644 if key.stat().st_mode & 0o077 == 0 else 0o600),
        lambda key: os.utime(key, ns=(0, key.stat().st_mtime_ns + 1)),
        lambda key: key.rename(key.with_name("session-2.0.json")),
        lambda key: key.with_name("new.json").symlink_to("session-1.0.json"),
    ],
    ids=["content", "mode", "mtime", "name", "link"],
)
def test_two_trees_that_differ_in_one_thing_are_not_equal(
    tmp_path: Path, change: Callable[[Path], object]
) -> None:
    key = company_folder(tmp_path, keys={"session-1.0.json": timedelta(days=15)}) / "session-1.0.json"
    (key.parent / ".cleanup.lock").touch()
    before = snapshot_tree(tmp_path)
    assert snapshot_tree(tmp_path) == before
    assert set(before) == {b"company_1001", b"company_1001/creds.json", b"company_1001/session-1.0.json"}
    change(key)
    assert snapshot_tree(tmp_path) != before


@pytest.mark.xdist_group("house")
def test_workers_keep_a_group_together(request: pytest.FixtureRequest) -> None:
    """Else each of them measures anew what the tests of a group share: minutes of the whole run."""
    if not request.config.getoption("loadgroup", False):
        pytest.skip("one process has nothing to keep together")
    assert request.node.nodeid.endswith("@house")


def test_the_version_is_printed_by_the_installed_command() -> None:
    assert run_cli("--version").stdout.split()[-1] == baileys_tools.__version__


def test_every_long_proof_is_in_a_part_of_make_faults_that_has_a_name() -> None:
    table = (ROOT / "CONTRIBUTING.md").read_text().partition("| part |")[2].partition("\n\n")[0]
    parts = [part.replace("'", "") for part in re.findall(r'`"(.*?)"`', table)]
    words = [word for part in parts if part.startswith("-k ") for word in part[3:].split(" or ")]
    folders = [part for part in parts if part.startswith("tests/")]
    long = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests").rglob("test_*.py")
        if path != Path(__file__)
        and "mark.faults" in (text := path.read_text())
        and "mark.contract" not in text
    ]
    assert len(long) > 20
    missing = [
        path
        for path in long
        if not any(word in path.rpartition("/")[2] for word in words)
        and not any(path.startswith(folder) for folder in folders)
    ]
    assert missing == []
