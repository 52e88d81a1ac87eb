"""A file of SQLite for each session: one that has not changed is not opened again to be listed."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from baileys_tools.layouts import RootSpec, StoreSpec
from baileys_tools.sessions.stored.roots import StoredRoot, open_stored
from baileys_tools.stores import sqlite_files
from baileys_tools.stores.sqlite import SqliteFile
from tests.stores.shapes import SHAPES, connect

SHAPE = next(one for one in SHAPES if one.preset == "baileys-sqlite")


@pytest.fixture(autouse=True)
def _long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was written a moment ago: what has changed shows at once."""
    monkeypatch.setattr(sqlite_files, "_CLOCK_STEP_NS", -1)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were opened."""
    names: list[str] = []
    begin = SqliteFile.__init__

    def noted(self: SqliteFile, path: str, tables: object) -> None:
        names.append(Path(path).stem)
        begin(self, path, tables)  # type: ignore[arg-type]

    monkeypatch.setattr(SqliteFile, "__init__", noted)
    return names


def listed(tmp_path: Path) -> list[str]:
    """What a command lists, which begins anew."""
    spec = RootSpec(str(tmp_path / "home"), store=StoreSpec(f"sqlite://{tmp_path}/bots/*.db", SHAPE.preset))
    fd, root = open_stored(spec)
    try:
        found, _ = root.companies(0)
        return [one.id for one in found]
    finally:
        root.close()
        os.close(fd)


def make(tmp_path: Path, name: str, *, creds: bool = True) -> Path:
    path = tmp_path / "bots" / f"{name}.db"
    path.parent.mkdir(exist_ok=True)
    with closing(connect(SHAPE, str(path))) as db:
        SHAPE.make(db)
        SHAPE.fill(db, "", "{}", [])
        if not creds:
            db.execute("DELETE FROM creds")
    return path


def wrote(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for sql in statements:
            db.execute(sql)


def test_what_stands_still_is_opened_once(tmp_path: Path, opened: list[str]) -> None:
    for name in "abc":
        make(tmp_path, name, creds=name != "b")
    assert listed(tmp_path) == ["a", "c"]
    assert opened == ["a", "b", "c"]
    opened.clear()
    assert listed(tmp_path) == ["a", "c"]
    assert opened == []


def with_its_old_time(path: Path) -> None:
    wrote(path, "DELETE FROM creds")
    os.utime(path, (1, 1))


CHANGES: dict[str, Callable[[Path], object]] = {
    "login": lambda path: wrote(path, "INSERT INTO creds VALUES ('__creds__', '{}')"),
    "logout": lambda path: wrote(path, "DELETE FROM creds"),
    "in its log": lambda path: wrote(path, "PRAGMA journal_mode=WAL", "DELETE FROM creds"),
    "another file": lambda path: os.replace(make(path.parents[1] / "other", "b", creds=False), path),
    "with its old time": with_its_old_time,
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_has_changed_is_asked_again(tmp_path: Path, opened: list[str], change: str) -> None:
    (tmp_path / "other").mkdir()
    for name in "ab":
        path = make(tmp_path, name, creds=(name, change) != ("b", "login"))
    os.utime(path, (1, 1))
    before = listed(tmp_path)
    opened.clear()
    CHANGES[change](path)
    assert sorted({*before} ^ {*listed(tmp_path)}) == ["b"]
    assert opened == ["b"]


def test_what_cannot_be_asked_is_asked_each_time(tmp_path: Path, opened: list[str]) -> None:
    path = make(tmp_path, "a")
    path.write_bytes(b"no database" * 1000)
    for _ in range(2):
        opened.clear()
        assert listed(tmp_path) == ["a"], "whoever reads it says why"
        assert opened == ["a"]


def test_a_file_that_was_written_a_moment_ago_is_asked_again(
    tmp_path: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_files, "_CLOCK_STEP_NS", 1 << 62)
    make(tmp_path, "a")
    assert listed(tmp_path) == listed(tmp_path) == ["a"]
    assert opened == ["a", "a"]


@pytest.mark.parametrize(
    "kept", ["", "[]", "{", '{"version":"0","found":{}}', '{"version":"0.1.0","found":7}']
)
def test_a_memory_that_says_nothing_costs_one_more_look(tmp_path: Path, opened: list[str], kept: str) -> None:
    make(tmp_path, "a")
    listed(tmp_path)
    (tmp_path / "home" / "listed").write_text(kept)
    opened.clear()
    assert listed(tmp_path) == ["a"]
    assert opened == ["a"]


def test_what_tells_of_a_file_is_asked_again_for_each_reading(tmp_path: Path) -> None:
    path = make(tmp_path, "a")
    spec = RootSpec(str(tmp_path / "home"), store=StoreSpec(f"sqlite://{tmp_path}/bots/*.db", SHAPE.preset))
    fd, root = open_stored(spec)
    assert isinstance(root, StoredRoot)
    (company,), _ = root.companies(0)
    (before,) = root.stamps([company]).values()
    assert [*root.stamps([company]).values()] == [before]
    wrote(path, "DELETE FROM creds")
    assert [*root.stamps([company]).values()] != [before]
    root.close()
    os.close(fd)
