"""The verbs on sessions in real databases: read as a folder is, cleaned and undone to the last cell."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from baileys_tools.sessions.rules.records import meanings, session_digest
from baileys_tools.sessions.stored import working
from baileys_tools.stores import sqlite
from tests.integration.faults.forked import run_cli
from tests.stores.shapes import SESSION, SHAPES, Row, Shape, connect, root_of, rows_of

pytestmark = pytest.mark.xdist_group("stores")
TENANT = "17"


class Stored:
    """A store that a program has filled, and the tool's settings for it."""

    def __init__(self, shape: Shape, address: str, folder: Path, db: Any) -> None:
        self.shape, self.folder, self.db = shape, folder, db
        self.config = folder / "config.yaml"
        settings = {
            "sessions": {"roots": [root_of(shape, address)]},
            "backup": {"path": str(folder / "backups")},
        }
        self.env = {"BAILEYS_TOOLS_STATE_DIR": str(folder / "state")}
        self.config.write_text(json.dumps(settings))
        self.config.chmod(0o600)

    def done(self, *words: str) -> CompletedProcess[str]:
        """Run the tool, and return what came of it."""
        return run_cli(*words, "--config", str(self.config), cwd=self.folder, env=self.env, patched=True)

    def run(self, *words: str, code: int = 0) -> str:
        done = self.done(*words)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def failed(self, *words: str) -> str:
        """Run what is to fail, and return what it told."""
        done = self.done(*words)
        assert done.returncode == 1, done.stdout + done.stderr
        return done.stdout + done.stderr

    def json(self, *words: str, code: int = 0) -> Any:
        return json.loads(self.run(*words, "--json", code=code))

    def cells(self) -> dict[str, str]:
        return self.shape.cells(self.db)


@contextmanager
def stored(shape: Shape, request: pytest.FixtureRequest, folder: Path) -> Iterator[Stored]:
    if shape.kind == "sqlite":
        place = str(folder / "auth.db")
        address = f"sqlite://{place}"
    else:
        place = address = request.getfixturevalue(f"{shape.kind}_url")
    db = connect(shape, place)
    try:
        shape.make(db)
        shape.fill(db, TENANT, *creds_and_rows())
        yield Stored(shape, address, folder, db)
    finally:
        db.close()


def creds_and_rows() -> tuple[str, list[Row]]:
    """A part of the session that has every type, and pre-keys that go."""
    creds, rows = rows_of()
    kept: Counter[str] = Counter()
    some = []
    for row in reversed(rows):
        kept[row.type] += 1
        if kept[row.type] <= (90 if row.type == "pre-key" else 8):
            some.append(row)
    return creds, some


def ids(shape: Shape) -> str:
    return f"{shape.preset}-{shape.kind}"


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.json")}


QUICK = ("ai-admin", "baileys-sqlite", "fazer")
"""One of each database in every run; all of them behind faults."""


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param(one, id=ids(one), marks=() if one.preset in QUICK[::2] else pytest.mark.faults)
        for one in SHAPES
    ],
)
def test_a_session_in_a_store_is_cleaned_undone_and_backed_up_as_a_folder(
    shape: Shape, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with stored(shape, request, tmp_path) as store:
        before = store.cells()
        files = len(creds_and_rows()[1]) + 1
        assert files > 120
        listed = store.run("sessions")
        assert f"time: {'exact' if shape.exact else 'observed'}" in listed
        assert f"atomic: {'no' if shape.kind == 'mixed' else 'yes'}" in listed
        (status,) = store.json("status")["companies"]
        assert (status["company"], status["files"]) == ("bot", files)

        store.run("backup")
        store.run("restore", "--company", "bot", "--target", str(tmp_path / "out"))
        out, folder = files_in(tmp_path / "out"), files_in(SESSION)
        folder = {name: content for name, content in folder.items() if name in out}
        assert len(out) == files
        assert meanings(out) == meanings(folder), "a snapshot of the store is one of the folder"
        assert session_digest(meanings(out)) == session_digest(meanings(folder))
        if shape.in_bytes:
            assert out == folder, "byte for byte, as the store keeps texts"

        plan = store.json("cleanup", "--dry-run")["companies"][0]["plan"]
        planned = plan["remove"]
        kinds = {one["kind"] for one in planned}
        assert "session" in kinds if shape.exact else kinds == {"pre-key"}, (
            "what was just seen first is young"
        )
        (done,) = store.json("cleanup")["companies"]
        assert done["plan"]["cost"] == plan["cost"], "of files as of what is in memory"
        assert len(store.cells()) == len(before) - len(planned)
        assert not [*tmp_path.rglob("creds.json")][1:], "no working copy stays in the clear"
        assert store.json("status")["not_looked_after"] == 0, "a quarantine of ours is no session"
        store.run("undo")
        assert store.cells() == before, "every cell is back as it was, with its time"


SQLITE = next(one for one in SHAPES if one.preset == "baileys-sqlite")


def test_a_dry_run_tells_what_its_cleanup_would_purge(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    with stored(SQLITE, request, tmp_path) as store:
        (done,) = store.json("cleanup")["companies"]
        removed = done["result"]["removed"]
        assert removed > 0
        later = (datetime.now(UTC) + timedelta(days=3)).isoformat()
        (planned,) = store.json("cleanup", "--dry-run", "--now", later)["companies"]
        assert planned["purged"]["files"] == removed


def test_a_backup_and_a_look_make_no_file_of_a_record(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(folder: int, name: str, *_: object) -> None:
        raise OSError(f"{name} is in the clear")

    monkeypatch.setattr(working, "_write", write)
    with stored(SQLITE, request, tmp_path) as store:
        store.run("backup")
        store.run("trigger", "--dry-run", code=0)
        monkeypatch.undo()
        store.run("restore", "--company", "bot", "--target", str(tmp_path / "out"))
        assert len(files_in(tmp_path / "out")) == len(creds_and_rows()[1]) + 1


def test_a_backup_of_a_store_that_tells_of_no_change_takes_what_has_changed(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite.SqliteStore, "stamps", lambda *_: {})
    with stored(SQLITE, request, tmp_path) as store:
        assert [one["status"] for one in store.json("backup")["companies"]] == ["taken"]
        assert [one["status"] for one in store.json("backup")["companies"]] == ["unchanged"]
        store.db.execute("UPDATE signal_keys SET value = '{\"of\":\"today\"}' WHERE type = 'pre-key'")
        assert [one["status"] for one in store.json("backup")["companies"]] == ["taken"]


@pytest.mark.parametrize("words", [("cleanup",), ("trigger",)])
def test_what_cleans_a_store_gives_way_before_it_opens_it(
    words: tuple[str, ...], request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = sqlite.SqliteStore.__init__

    def tell(store: sqlite.SqliteStore, *given: Any) -> None:
        (tmp_path / "nice").write_text(str(os.getpriority(os.PRIO_PROCESS, 0)))
        opened(store, *given)

    monkeypatch.setattr(sqlite.SqliteStore, "__init__", tell)
    before = os.getpriority(os.PRIO_PROCESS, 0)
    with stored(SQLITE, request, tmp_path) as store:
        store.run(*words)
        assert int((tmp_path / "nice").read_text()) == max(10, before)
        store.run(*words, "--dry-run")
        assert int((tmp_path / "nice").read_text()) == before
