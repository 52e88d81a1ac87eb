"""A move whose source moves, whose disk is full, or whose connection is lost: told, nothing lost, and run again."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from baileys_tools.recovery.moving_places import StoreTarget
from tests.integration.faults.places import NOBODY, small_disk
from tests.stores.shapes import SHAPES, Shape, connect
from tests.stores.test_migrate import (
    FOLDER,
    LONG_AGO,
    TENANT,
    Place,
    first_seen_long_ago,
    place,
    run,
    stopped_since_yesterday,
)
from tests.stores.test_verbs import files_in

pytestmark = [pytest.mark.xdist_group("stores"), pytest.mark.faults]
SQLITE = next(one for one in SHAPES if one.kind == "sqlite")
KEYV = next(one for one in SHAPES if one.preset == "keyv" and one.kind == "postgres")
UNOAPI = next(one for one in SHAPES if one.preset == "unoapi")
FAZER = next(one for one in SHAPES if one.preset == "fazer")


def when_filled(patch: pytest.MonkeyPatch, then: Callable[[], None], *, before: bool = False) -> None:
    """Have something happen right before a target is filled, or right after it."""
    fill = StoreTarget.fill

    def filled(target: StoreTarget, files: Any) -> None:
        if before:
            then()
        fill(target, files)
        if not before:
            then()

    patch.setattr(StoreTarget, "fill", filled)


def records_at(of: Place) -> int:
    db = connect(of.shape, of.place)
    try:
        # How often a lease was held is counted beside the sessions.
        return sum("cluster:" not in one for one in of.shape.cells(db))
    finally:
        db.close()


# --- the source moves -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("target_shape", [SQLITE, KEYV, FAZER], ids=lambda shape: shape.preset)
def test_a_folder_that_moved_meanwhile_is_told_and_the_copy_taken_back(
    target_shape: Shape, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        place(FOLDER, request, tmp_path, "source", fill=True) as source,
        place(target_shape, request, tmp_path, "target", fill=False) as target,
    ):
        one = next(Path(source.place).glob("session-*.json"))

        def moved() -> None:
            one.write_text('{"_sessions":{},"version":"v2"}')

        with monkeypatch.context() as patch:
            when_filled(patch, moved)
            told = run(source, "migrate", *target.to, "--yes", code=1).stderr
        assert "not proven: the source" in told, told
        assert records_at(target) == 0
        os.utime(one, (LONG_AGO, LONG_AGO))
        expected = files_in(Path(source.place))
        assert "creds.json" in expected
        run(source, "migrate", *target.to, "--yes")
        assert not (Path(source.place) / "creds.json").exists()


@pytest.mark.parametrize("what", ["a key", "creds"])
def test_a_store_that_moved_meanwhile_is_told_and_the_copy_taken_back(
    what: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        place(FAZER, request, tmp_path, "source", fill=True) as source,
        place(KEYV, request, tmp_path, "target", fill=False) as target,
    ):
        db = connect(FAZER, source.place)
        key = f"@baileys-api:connections:{TENANT}:authState"
        field = (
            "creds" if what == "creds" else next(one for one in db.hkeys(key) if one.startswith("session-"))
        )
        text = db.hget(key, field)
        stopped_since_yesterday(source)
        with monkeypatch.context() as patch:
            when_filled(patch, lambda: db.hset(key, field, text.replace("{", '{"moved":1,', 1)))
            told = run(source, "migrate", *target.to, "--yes", code=1).stderr
        assert "have changed since" in told, told
        assert records_at(target) == 0, "or a second run would find two of one login"
        assert db.hexists(key, "creds")
        run(source, "sessions")
        run(source, "status")
        first_seen_long_ago(source.folder)
        run(source, "migrate", *target.to, "--yes")
        assert not db.hexists(key, "creds")
        db.close()


def test_a_key_that_has_come_meanwhile_is_no_less_a_move(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session whose records are keys of their own is listed once a run, and once more for the proof."""
    with (
        place(UNOAPI, request, tmp_path, "source", fill=True) as source,
        place(KEYV, request, tmp_path, "target", fill=False) as target,
    ):
        db = connect(UNOAPI, source.place)
        stopped_since_yesterday(source)
        with monkeypatch.context() as patch:
            when_filled(patch, lambda: db.set(f"unoapi-auth:{TENANT}:pre-key-9999", "{}"))
            told = run(source, "migrate", *target.to, "--yes", code=1).stderr
        assert "have changed since" in told, told
        assert records_at(target) == 0
        assert db.exists(f"unoapi-auth:{TENANT}:creds")
        db.close()


# --- a lost connection ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [True, False], ids=["before the copy", "after it"])
@pytest.mark.parametrize("target_shape", [KEYV, FAZER], ids=lambda shape: shape.preset)
def test_a_connection_lost_in_the_middle_leaves_all_or_nothing_and_the_next_run_ends_it(
    target_shape: Shape,
    before: bool,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with (
        place(FOLDER, request, tmp_path, "source", fill=True) as source,
        place(target_shape, request, tmp_path, "target", fill=False) as target,
    ):
        files = files_in(Path(source.place))

        def cut() -> None:
            db = connect(target_shape, target.place)
            if target_shape is KEYV:
                db.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'baileys-tools'"
                )
            else:
                for client in db.client_list():
                    if client["name"] == "baileys-tools":
                        db.client_kill_filter(_id=client["id"])
            db.close()

        with monkeypatch.context() as patch:
            when_filled(patch, cut, before=before)
            done = run(source, "migrate", *target.to, "--yes", code=1 if target_shape is KEYV else None)
        there = records_at(target)
        assert there in (0, len(files)), "all or nothing"
        if done.returncode:
            assert files_in(Path(source.place)) == files
            assert "Traceback" not in done.stderr
            run(source, "migrate", *target.to, "--yes")
        assert records_at(target) == len(files)
        assert not (Path(source.place) / "creds.json").exists()


# --- a full disk ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kilobytes", [32, 48, 64])
def test_a_disk_that_fills_under_sqlite_leaves_nothing_half(
    kilobytes: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    options = f"size={kilobytes}k,mode=0700"
    with (
        place(FOLDER, request, tmp_path, "source", fill=True) as source,
        small_disk(disk, options),
    ):
        files = files_in(Path(source.place))
        db = sqlite3.connect(disk / "auth.db", isolation_level=None)
        SQLITE.make(db)
        db.close()
        target = Place(SQLITE, str(disk / "auth.db"), tmp_path)
        told = run(source, "migrate", *target.to, "--yes", code=1).stderr
        assert "full" in told or "I/O" in told or "space" in told, told
        assert "Traceback" not in told
        assert records_at(target) == 0
        assert files_in(Path(source.place)) == files
        subprocess.run(["mount", "-o", "remount,size=16m", disk], check=True)
        run(source, "migrate", *target.to, "--yes")
        assert records_at(target) == len(files) - 1, "creds are in a table of their own"


def test_a_disk_that_fills_under_postgres_leaves_nothing_half(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    # Not below pytest's own folder, which the server's user may not enter.
    disk = Path("/tmp") / f"baileys-tools-disk-{os.getpid()}"
    try:
        with (
            place(FOLDER, request, tmp_path, "source", fill=True) as source,
            place(KEYV, request, tmp_path, "target", fill=False) as target,
            small_disk(disk, f"size=32k,mode=0700,uid={NOBODY}"),
        ):
            files = files_in(Path(source.place))
            db = connect(KEYV, target.place)
            db.execute(f"CREATE TABLESPACE tiny LOCATION '{disk}'")
            db.execute("ALTER TABLE keyv SET TABLESPACE tiny")
            try:
                told = run(source, "migrate", *target.to, "--yes", code=1).stderr
                assert "No space left" in told, told
                assert records_at(target) == 0
                assert files_in(Path(source.place)) == files
                subprocess.run(["mount", "-o", "remount,size=16m", disk], check=True)
                run(source, "migrate", *target.to, "--yes")
                assert records_at(target) == len(files)
            finally:
                db.execute("DROP TABLE keyv")
                db.execute("DROP TABLESPACE tiny")
                db.close()
    finally:
        shutil.rmtree(disk, ignore_errors=True)
