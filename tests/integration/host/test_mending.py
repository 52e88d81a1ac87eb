"""`doctor --fix` on real folders: what it mends, how that is taken back, and what a hostile owner gets out of it."""

from __future__ import annotations

import json
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from baileys_tools.config import load_settings
from baileys_tools.host import mending
from baileys_tools.host.mending import mend_all, plan_mending
from baileys_tools.host.rules.mending import (
    EntryStat,
    Mend,
    MendKind,
    MendOutcome,
    among_others,
    may_be_given,
)
from baileys_tools.sessions.roots import Company, Root
from tests.hostile import BOT, CANARY, Place, hostile_place
from tests.integration.faults.forked import run_cli
from tests.integration.host.test_doctor import ROOT, tab
from tests.support import company_folder, snapshot_tree

__all__ = ["tab"]
NOW = datetime.now(UTC)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def host(tmp_path: Path, tab: Path) -> dict[str, str]:
    folder = company_folder(tmp_path / "sessions")
    (tmp_path / "state").mkdir(mode=0o755)
    (tmp_path / "state").chmod(0o755)
    folder.chmod(0o755)
    (folder / "creds.json").chmod(0o666)
    return {
        "BAILEYS_SESSIONS_PATH": str(tmp_path / "sessions"),
        "BAILEYS_TOOLS_STATE_DIR": str(tmp_path / "state"),
        "BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "backups"),
        "PATH": os.environ["PATH"],
    }


def fixed(env: dict[str, str], *options: str) -> dict[str, Any]:
    run = run_cli("doctor", "--fix", "--json", *options, env=env)
    document: dict[str, Any] = json.loads(run.stdout)
    jsonschema.Draft202012Validator(json.loads((ROOT / "docs/json/doctor.schema.json").read_text())).validate(
        document
    )
    return document


def test_a_dry_run_says_exactly_what_a_run_does_and_a_second_run_has_nothing_to_do(
    host: dict[str, str], tmp_path: Path, tab: Path
) -> None:
    assert run_cli("backup", "--quiet", env=host).returncode == 0
    (tmp_path / "backups").chmod(0o750)
    left = tmp_path / "backups/company_1001/.partial-00"
    left.write_bytes(b"x")
    os.utime(left, (1, 1))
    folder = tmp_path / "sessions/company_1001"
    before = snapshot_tree(folder)

    planned = fixed(host, "--dry-run")["mended"]
    assert (mode(folder), mode(folder / "creds.json"), left.exists()) == (0o755, 0o666, True)
    done = fixed(host)["mended"]
    assert {one["outcome"] for one in planned} == {"planned"}
    assert {one["outcome"] for one in done} == {"done"}
    assert [one | {"outcome": ""} for one in planned] == [one | {"outcome": ""} for one in done]
    assert [one["kind"] for one in done] == ["mode", "mode", "mode", "mode", "leftover", "jobs"]
    assert (mode(folder), mode(folder / "creds.json")) == (0o750, 0o664)
    assert (mode(tmp_path / "state"), mode(tmp_path / "backups")) == (0o700, 0o700)
    assert not left.exists()
    assert "baileys-tools" in tab.read_text()
    assert {name: one[-1] for name, one in snapshot_tree(folder).items()} == {
        name: one[-1] for name, one in before.items()
    }, "content and times are as they were"
    assert fixed(host)["mended"] == []

    for one in done:
        if one["kind"] == "mode":
            assert os.system(one["back"]) == 0
    assert (mode(folder), mode(folder / "creds.json")) == (0o755, 0o666)


def test_in_the_terminal_and_what_goes_with_what(host: dict[str, str]) -> None:
    run = run_cli("doctor", "--fix", "--dry-run", env=host)
    assert "would mend" in run.stdout and "Dry run: nothing was changed." in run.stdout
    assert "/backups: made, mode 700" in " ".join(run.stdout.split())
    run = run_cli("doctor", "--fix", env=host)
    assert "back: chmod 755 " in run.stdout
    assert run_cli("doctor", "--dry-run", env=host).returncode == 2


def test_where_others_write_the_folder_stays_open_to_them() -> None:
    folder = EntryStat(stat.S_IFDIR | 0o755, 1000, 1000, 2, 1, 1)
    from baileys_tools.host.rules.mending import folder_mends

    key = EntryStat(stat.S_IFREG | 0o644, 1001, 1001, 1, 1, 2)
    assert list(folder_mends("1", "/s/1", folder, {"creds.json": key}, is_root=True)) == []


@pytest.mark.parametrize(
    ("change", "given"),
    [
        ({}, True),
        ({"st_mode": stat.S_IFREG | 0o600}, False),
        ({"st_mode": stat.S_IFREG | 0o640}, False),
        ({"st_mode": stat.S_IFREG | 0o640, "st_gid": 1000}, True),
        ({"st_mode": stat.S_IFREG | 0o4755}, False),
        ({"st_mode": stat.S_IFLNK | 0o777}, False),
        ({"st_nlink": 2}, False),
        ({"st_dev": 2}, False),
        ({"st_uid": 1001}, False),
    ],
)
def test_only_what_its_new_owner_can_read_is_given_away(change: dict[str, int], given: bool) -> None:
    file = EntryStat(stat.S_IFREG | 0o644, 0, 0, 1, 1, 2)._replace(**change)
    assert may_be_given(file, EntryStat(stat.S_IFDIR | 0o700, 1000, 1000, 2, 1, 1)) is given


def test_roots_folder_is_told_where_the_others_are_of_one_user() -> None:
    bots = {f"/s/{number}": (1000, 1000) for number in range(3)}
    assert among_others(bots | {"/s/x": (0, 0)}) == (["/s/x"], (1000, 1000))
    assert among_others(bots) is None
    assert among_others({"/s/x": (0, 0), "/s/y": (0, 0), "/s/1": (1000, 1000)}) is None
    assert among_others({}) is None


# --- beside a user who means no good --------------------------------------------------------------------------


@pytest.fixture
def place() -> Iterator[Place]:
    with hostile_place() as made:
        yield made


def bots_company(place: Place, name: str = "1001") -> Path:
    folder = company_folder(place.bots / "sessions", name)
    for path in (place.bots, place.bots / "sessions", folder, *folder.iterdir()):
        os.chown(path, BOT, BOT)
    return folder


def settings_of(place: Place) -> Any:
    return load_settings(
        {"sessions.path": str(place.bots / "sessions"), "state.dir": str(place.roots / "state")},
        {},
        cwd="/",
        home=str(place.roots),
        system_config="/none",
    )


@pytest.mark.root
def test_what_root_left_in_a_bots_folder_is_given_back_and_a_secret_is_not(place: Place, tab: Path) -> None:
    folder = bots_company(place)
    left, secret = folder / "session-1.0.json", folder / "session-2.0.json"
    left.write_text("{}")
    secret.write_text(CANARY)
    left.chmod(0o644)
    secret.chmod(0o600)
    loaded = settings_of(place)
    plan = plan_mending(loaded, NOW)
    assert [one.path for one in plan.mends if one.kind is MendKind.OWNER] == [str(left)]
    assert [(one.path, one.action) for one in plan.left] == [(str(secret), f"chown -h {BOT}:{BOT} {secret}")]
    done = mend_all(loaded, plan, NOW, lambda: None)
    assert {one.outcome for one in done} == {MendOutcome.DONE}
    assert (left.stat().st_uid, secret.stat().st_uid) == (BOT, 0)


def careless(root: Root, company: Company, mend: Mend) -> None:
    """What a script would do."""
    if mend.kind is MendKind.OWNER:
        os.chown(mend.path, *mend.owner)
    else:
        os.chmod(mend.path, mend.mode)


@pytest.mark.root
@pytest.mark.parametrize("is_careless", [False, True])
def test_links_and_names_that_change_all_the_time_give_nothing_of_roots_away(
    place: Place, tab: Path, monkeypatch: pytest.MonkeyPatch, is_careless: bool
) -> None:
    """The owner swaps a key file for a link to root's, for root's file itself and back, while root mends."""
    if is_careless:
        monkeypatch.setattr(mending, "_in_session", careless)
    folder = bots_company(place)
    of_root = place.roots / "secret.json"
    of_root.write_text(CANARY)
    of_root.chmod(0o600)
    before = place.of_root()
    key = folder / "session-1.0.json"
    ends = threading.Event()

    def write(its_mode: int, owner: int) -> None:
        key.write_text("{}")
        key.chmod(its_mode)
        os.chown(key, owner, owner)

    def swap() -> None:
        while not ends.is_set():
            makes: tuple[Callable[[], None], ...] = (
                lambda: os.symlink(of_root, key),
                lambda: os.symlink("creds.json", key),
                lambda: write(0o666, BOT),
                lambda: write(0o644, 0),
            )
            for make in makes:
                try:
                    key.unlink(missing_ok=True)
                    make()
                except OSError:
                    continue

    thread = threading.Thread(target=swap)
    thread.start()
    steps = 0
    try:
        loaded = settings_of(place)
        deadline = time.monotonic() + (20 if is_careless else 2)
        while time.monotonic() < deadline and not (is_careless and place.of_root() != before):
            plan = plan_mending(loaded, NOW)
            steps += len(
                mend_all(
                    loaded, plan._replace(mends=[one for one in plan.mends if one.company]), NOW, lambda: None
                )
            )
    finally:
        ends.set()
        thread.join()
    assert steps, "something was tried"
    assert (place.of_root() != before) is is_careless, "and the careless one is caught"


@pytest.mark.root
def test_a_folder_of_roots_among_others_is_named_with_what_to_paste(place: Place, tab: Path) -> None:
    for name in ("1001", "1002", "1003"):
        bots_company(place, name)
    made = company_folder(place.bots / "sessions", "2001")
    os.chown(made, 0, 0)
    plan = plan_mending(settings_of(place), NOW)
    assert (str(made), f"chown -R {BOT}:{BOT} {made}") in [(one.path, one.action) for one in plan.left]
    run = run_cli("doctor", "--sessions", place.bots / "sessions")
    assert f"chown -R {BOT}:{BOT}" in run.stdout
