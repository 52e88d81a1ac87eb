"""A bot's user who means harm with its own database, against root who runs the commands (docs/security.md)."""

from __future__ import annotations

import json
import os
import sqlite3
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

import pytest

from baileys_tools.sessions.rollback import write_plain_folder
from baileys_tools.sessions.rules.snapshot import Entry, StoredFile
from baileys_tools.stores import sql, sqlite_bounds
from baileys_tools.stores.cells import StoreTrouble
from baileys_tools.stores.rules.mapping import PRESETS, SqlMap
from baileys_tools.stores.sqlite import SqliteFile, SqliteStore
from tests.hostile import CANARY, Place, give, hostile_place
from tests.integration.faults.forked import run_cli
from tests.stores.shapes import SHAPES, connect, rows_of

pytestmark = [pytest.mark.root, pytest.mark.xdist_group("stores")]
SHAPE = next(one for one in SHAPES if one.preset == "baileys-sqlite")
COMMANDS = ("status", "cleanup", "backup")


@pytest.fixture
def place() -> Iterator[Place]:
    with hostile_place() as made:
        yield made


def database(path: Path) -> Path:
    """A session in a file of SQLite, of the bot's user where it stands among what is theirs."""
    db = connect(SHAPE, str(path))
    try:
        SHAPE.make(db)
        creds, rows = rows_of()
        SHAPE.fill(db, "1", creds, rows[:20])
    finally:
        db.close()
    path.chmod(0o600)
    return path


def sqlite_map() -> SqlMap:
    mapped = PRESETS["baileys-sqlite"]
    assert isinstance(mapped, SqlMap)
    return mapped


def run(place: Place, tmp_path: Path, store: Path, *words: str, env: dict[str, str] | None = None) -> str:
    """Run a command of root's on the store; return what it told."""
    settings = tmp_path / "config.yaml"
    settings.write_text(
        json.dumps(
            {
                "sessions": {"roots": [{"store": f"sqlite://{store}", "preset": "baileys-sqlite"}]},
                "backup": {"path": str(tmp_path / "repository")},
                "state": {"dir": str(tmp_path / "state")},
            }
        )
    )
    settings.chmod(0o600)
    done = run_cli(*words, "--config", settings, env=env)
    assert CANARY not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def hot_journal(database: Path, names: Path) -> None:
    """Leave a journal as of a write that was cut off, of several databases: `names` is the file that lists them all.

    https://www.sqlite.org/fileformat2.html#the_rollback_journal ; whoever plays it back removes that file.
    """
    name = os.fsencode(names)
    sector, pages = 512, database.stat().st_size // 4096
    head = bytes.fromhex("d9d505f920a163d7") + struct.pack(">IIIII", 0, 1, pages, sector, 4096)
    listed = struct.pack(">I", (1 << 30) // 4096 + 1) + name + struct.pack(">II", len(name), sum(name))
    journal = head.ljust(sector, b"\0") + listed + bytes.fromhex("d9d505f920a163d7")
    Path(f"{database}-journal").write_bytes(journal)


@pytest.mark.parametrize("command", COMMANDS)
def test_no_journal_of_the_bots_has_a_file_of_roots_removed(
    place: Place, tmp_path: Path, command: str
) -> None:
    store = database(place.bots / "auth.db")
    hot_journal(store, place.roots / "token")
    give(place.bots)
    before = place.of_root()
    run(place, tmp_path, store, command)
    assert place.of_root() == before
    assert place.not_the_bots() == []


def test_the_journal_is_one_that_sqlite_plays_back(place: Place) -> None:
    """The attack works where nobody is in the way."""
    store, names = database(place.bots / "auth.db"), place.bots / "listed"
    names.write_text("nothing of this is there\n")
    hot_journal(store, names)
    with sqlite3.connect(store) as db:
        db.execute("SELECT * FROM creds")
    assert not names.exists()


@pytest.mark.parametrize("linked", ["auth.db", "auth.db-wal", "auth.db-journal", "folder"])
def test_no_link_of_the_bots_leads_into_a_database_of_roots(
    place: Place, tmp_path: Path, linked: str
) -> None:
    database(place.roots / "auth.db")
    os.mkdir(place.bots / "data")
    store = place.bots / "data" / "auth.db"
    if linked == "folder":
        os.rmdir(place.bots / "data")
        os.symlink(place.roots, place.bots / "data")
    elif linked == "auth.db":
        os.symlink(place.roots / "auth.db", store)
    else:
        database(store)
        os.symlink(place.roots / "state.sqlite3-wal", place.bots / "data" / linked)
    give(place.bots)
    before = place.of_root()
    told = "".join(run(place, tmp_path, store, command) for command in COMMANDS)
    assert place.of_root() == before
    assert place.not_the_bots() == []
    if linked in ("folder", "auth.db"):
        assert "Permission denied with the rights of" in told, told


def test_the_star_of_a_path_finds_nothing_that_the_bot_could_not(place: Place, tmp_path: Path) -> None:
    (place.roots / "1").mkdir()
    database(place.roots / "1" / "auth.db")
    os.symlink(place.roots, place.bots / "linked")
    give(place.bots)
    told = json.loads(run(place, tmp_path, place.bots / "linked" / "*" / "auth.db", "status", "--json"))
    assert [one["creds"] for one in told["companies"]] == ["unknown"], told


def test_no_name_of_a_file_takes_the_place_of_anothers(place: Place, tmp_path: Path) -> None:
    for folder, name in (("1", "2-auth"), ("1-2", "auth")):
        (place.bots / folder).mkdir()
        database(place.bots / folder / f"{name}.db")
    give(place.bots)
    told = json.loads(run(place, tmp_path, place.bots / "*" / "*.db", "status", "--json"))
    assert len({one["company"] for one in told["companies"]}) == 2, told


def test_a_file_that_cannot_be_read_stops_no_other(place: Place, tmp_path: Path) -> None:
    database(place.bots / "1.db")
    (place.bots / "2.db").write_bytes(b"no database" * 1000)
    with sqlite3.connect(database(place.bots / "3.db")) as db:
        db.execute("DROP TABLE creds")
        db.execute(HOSTILE["endless"][1])
    give(place.bots)
    told = json.loads(run(place, tmp_path, place.bots / "*.db", "status", "--json"))
    creds = {one["company"]: one["creds"] for one in told["companies"]}
    assert creds == {"1": "valid", "2": "unknown", "3": "unknown"}


@pytest.mark.parametrize("linked", [False, True], ids=["itself", "by a link"])
@pytest.mark.parametrize("name", ["2.db", "2.db-journal", "2.db-wal", "another journal"])
def test_a_pipe_in_the_place_of_a_file_of_sqlite_holds_nobody(
    place: Place, tmp_path: Path, name: str, linked: bool
) -> None:
    """SQLite would wait there for ever, through every signal."""
    database(place.bots / "1.db")
    if name != "2.db":
        database(place.bots / "2.db")
    if name == "another journal":
        hot_journal(place.bots / "2.db", place.bots / name)
    # No right to write: then SQLite opens it to read.
    os.mkfifo(place.bots / (f"{name}.pipe" if linked else name), 0o400)
    if linked:
        os.symlink(f"{name}.pipe", place.bots / name)
    give(place.bots)
    told = json.loads(run(place, tmp_path, place.bots / "*.db", "status", "--json"))
    creds = {one["company"]: one["creds"] for one in told["companies"]}
    assert creds.get("1") == "valid", told


def test_what_a_command_leaves_beside_a_database_is_the_bots(place: Place, tmp_path: Path) -> None:
    store = database(place.bots / "auth.db")
    with sqlite3.connect(store) as db:
        db.execute("PRAGMA journal_mode=WAL")
    give(place.bots)
    told = json.loads(run(place, tmp_path, store, "status", "--json"))
    assert [one["creds"] for one in told["companies"]] == ["valid"], told
    assert place.not_the_bots() == []
    # And while it is at work: it can be killed at any moment.
    with SqliteStore(f"sqlite://{store}", sqlite_map()).locked(""):
        assert len(list(place.bots.glob("auth.db.*.lock"))) == 1
        assert place.not_the_bots() == []


@pytest.mark.parametrize("linked", ["", "root", "another"])
def test_a_folder_that_root_makes_among_the_bots_is_theirs_and_nowhere_else(
    place: Place, tmp_path: Path, linked: str
) -> None:
    """A move out of a store: the working copy is root's."""
    make = place.bots / "sessions"
    make.mkdir()
    if linked:
        make.rmdir()
        make.symlink_to(place.roots)
    give(place.bots)
    if linked == "another":
        os.chown(place.roots, 65532, 65532)
    before = place.of_root()
    entry = Entry("creds.json", 2, 0o600, 0, 0, 0, "")
    files = [StoredFile(entry, b"{}")]
    if linked:
        with pytest.raises(
            PermissionError,
            match=f"is a link of 65533 to a folder of {'65532' if linked == 'another' else 'root'}",
        ):
            write_plain_folder(str(make / "1001"), files)
    else:
        write_plain_folder(str(make / "1001"), files)
        assert (make / "1001" / "creds.json").read_text() == "{}"
    assert place.of_root() == before
    assert place.not_the_bots() == []


def test_a_lock_of_a_session_that_is_held_for_ever_is_told_with_its_holder(
    place: Place, tmp_path: Path
) -> None:
    store = database(place.bots / "auth.db")
    give(place.bots)
    patient = {"BAILEYS_TOOLS_LOCKS__PATIENCE": "1s"}
    with SqliteStore(f"sqlite://{store}", sqlite_map()).locked(""):
        run(place, tmp_path, store, "cleanup", "--quiet", env=patient)
        time.sleep(1.1)
        for between in ("monitor-once", "backup"):
            run(place, tmp_path, store, between, "--quiet", env=patient)
        told = " ".join(run(place, tmp_path, store, "cleanup", "--quiet", env=patient).split())
    assert f"its lock is held by process {os.getpid()} of root" in told, told


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
AS_CREDS = "DROP TABLE creds"
HOSTILE = {
    "endless": (
        AS_CREDS,
        f"CREATE VIEW creds AS {ENDLESS} SELECT '__creds__' AS key, max(i) AS value FROM n",
    ),
    "huge": (AS_CREDS, "CREATE VIEW creds AS SELECT '__creds__' AS key, hex(zeroblob(400000000)) AS value"),
    "virtual": (AS_CREDS, "CREATE VIRTUAL TABLE creds USING fts5(key, value)"),
    "computed": (
        AS_CREDS,
        "CREATE TABLE creds (key TEXT, value TEXT AS (instr(hex(zeroblob(8000000)), printf('%.*c1', 7000000, 48))))",
        "INSERT INTO creds (key) VALUES ('__creds__')",
    ),
    "indexed": ("CREATE INDEX slow ON signal_keys (replace(id, 'a', hex(id)))",),
}
"""What one takes for its creds, or its keys: programs that are run when they are read or written."""
NO_TABLES = ("endless", "huge", "virtual")


@pytest.mark.parametrize("kind", HOSTILE)
def test_no_database_costs_more_than_its_share(place: Place, tmp_path: Path, kind: str) -> None:
    store = database(place.bots / "auth.db")
    with sqlite3.connect(store) as db:
        for sql in HOSTILE[kind]:
            db.execute(sql)
    give(place.bots)
    before = getrusage(RUSAGE_CHILDREN)
    told = run(place, tmp_path, store, "status")
    after = getrusage(RUSAGE_CHILDREN)
    assert ("only tables are read" if kind in NO_TABLES else "not authorized") in " ".join(told.split()), told
    assert after.ru_utime - before.ru_utime < 5


def test_a_question_that_does_not_end_is_broken_off_and_not_asked_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_bounds, "CPU_SECONDS", 0.1)
    store = database(place.bots / "auth.db")
    give(place.bots)
    there = SqliteFile(str(store), ["creds"])
    spent = []
    for _ in range(2):
        began = time.thread_time()
        with pytest.raises(StoreTrouble, match="broken off"):
            list(there.rows(f"SELECT count(*) FROM {', '.join(f'signal_keys s{n}' for n in range(20))}"))
        spent.append(time.thread_time() - began)
    assert spent[1] < 0.05 < spent[0]
    there.close()


def test_a_session_larger_than_any_is_not_held_in_memory(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "LARGEST_SESSION", 2 << 20)
    store = database(place.bots / "auth.db")
    with sqlite3.connect(store) as db:
        db.execute("INSERT INTO signal_keys VALUES ('session', 'a', hex(zeroblob(800000)))")
    give(place.bots)
    read = SqliteStore(f"sqlite://{store}", sqlite_map())
    assert len(list(read.cells(""))) == 22
    with sqlite3.connect(store) as db:
        db.execute("INSERT INTO signal_keys VALUES ('session', 'b', hex(zeroblob(800000)))")
    with pytest.raises(StoreTrouble, match="no session is that large"):
        list(read.cells(""))
    read.close()


def test_names_larger_than_any_are_not_held_in_memory(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "LARGEST_SESSION", 2 << 20)
    store = database(place.bots / "auth.db")
    with sqlite3.connect(store) as db:
        db.executemany(
            "INSERT INTO signal_keys VALUES ('session', ?, '{}')",
            [(f"{number}{'a' * 800_000}",) for number in range(3)],
        )
    give(place.bots)
    read = SqliteStore(f"sqlite://{store}", sqlite_map())
    with pytest.raises(StoreTrouble, match="no session is that large"):
        list(read.cells(""))
    read.close()


def test_more_records_than_any_session_has_are_not_held_in_memory(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "MOST_RECORDS", 19)
    store = database(place.bots / "auth.db")
    give(place.bots)
    read = SqliteStore(f"sqlite://{store}", sqlite_map())
    with pytest.raises(StoreTrouble, match="no session is that large"):
        list(read.cells(""))
    read.close()


def test_whoever_looks_at_a_record_has_their_own_rights_again(place: Place) -> None:
    store = database(place.bots / "auth.db")
    give(place.bots)
    read = SqliteStore(f"sqlite://{store}", sqlite_map())
    assert {os.geteuid() for _ in read.cells("")} == {0}
    read.close()


def test_a_table_is_looked_at_again_where_it_is_made_otherwise(place: Place) -> None:
    for name in ("good", "bad", "good again"):
        database(place.bots / f"{name}.db")
    with sqlite3.connect(place.bots / "bad.db") as db:
        for sql in HOSTILE["computed"]:
            db.execute(sql)
    give(place.bots)
    for name in ("good", "bad", "good again", "bad"):
        if name == "bad":
            with pytest.raises(StoreTrouble, match="not authorized"):
                SqliteFile(str(place.bots / f"{name}.db"), ["creds", "signal_keys"])
        else:
            SqliteFile(str(place.bots / f"{name}.db"), ["creds", "signal_keys"]).close()
