"""What a cleanup asks of a server and of the disk, beside a bot that waits for both."""

from __future__ import annotations

import os
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from baileys_tools.layouts import StoreSpec
from baileys_tools.sessions.names import OWN_FOLDER
from baileys_tools.sessions.quarantine import make_run_folder, new_run_id
from baileys_tools.sessions.rules.removals import Removals
from baileys_tools.sessions.stored.settling import settle_removals
from baileys_tools.stores import aside, sqlite
from baileys_tools.stores.cells import StoreTrouble
from baileys_tools.stores.opening import open_store
from baileys_tools.stores.rules.rows import Change

pytestmark = pytest.mark.xdist_group("stores")
HAND_MADE = (("table", "keys"), ("key", "name"), ("value", "data"), ("codec", "json"), ("creds", "creds"))


def removals(count: int) -> list[list[Change]]:
    return [[Change("", f"pre-key-{number}", str(number), None)] for number in range(count)]


def hand_made(path: Path, count: int) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("CREATE TABLE keys (name TEXT, data TEXT)")
    db.execute("INSERT INTO keys VALUES ('creds', '{}')")
    db.executemany("INSERT INTO keys VALUES (?, ?)", [(f"pre-key-{n}", str(n)) for n in range(count)])
    return db


def statements(store: Any) -> list[str]:
    """The statements that a store of one file makes from now on."""
    found: list[str] = []
    store._tables("").db._db.set_trace_callback(found.append)
    return found


def test_records_that_are_as_they_were_cost_one_transaction_for_a_hundred(tmp_path: Path) -> None:
    with hand_made(tmp_path / "auth.db", 100) as db:
        store: Any = open_store(StoreSpec(f"sqlite://{tmp_path}/auth.db", options=HAND_MADE))
        asked = statements(store)
        assert store.change("", removals(100), whole=False) == [True] * 100
        made = [one.split()[0] for one in asked if not one.startswith("PRAGMA")]
        tried = ["SAVEPOINT", "DELETE", "INSERT", "ROLLBACK"]
        assert made == ["BEGIN", *tried, *["DELETE"] * 100, "COMMIT"], "one row could come back"
        assert db.execute("SELECT count(*) FROM keys").fetchone() == (1,)
    db.close()


@pytest.mark.parametrize(
    ("mode", "is_back", "level"),
    [("wal", False, "NORMAL"), ("wal", True, "FULL"), ("delete", False, "FULL"), ("delete", True, "FULL")],
)
def test_only_a_removal_from_a_file_with_a_log_does_not_wait_for_the_disk(
    tmp_path: Path, mode: str, is_back: bool, level: str
) -> None:
    with hand_made(tmp_path / "auth.db", 3) as db:
        db.execute(f"PRAGMA journal_mode = {mode}")
        store: Any = open_store(StoreSpec(f"sqlite://{tmp_path}/auth.db", options=HAND_MADE))
        store.change("", removals(3), whole=True)
        asked = statements(store)
        back = [[Change("", f"pre-key-{number}", None, str(number))] for number in range(3)]
        db.executemany("INSERT INTO keys VALUES (?, ?)", [] if is_back else [("pre-key-0", "0")])
        assert all(store.change("", back if is_back else removals(1), whole=False))
        levels = [one.rpartition(" ")[2] for one in asked if one.startswith("PRAGMA synchronous")]
        assert levels == [level]
        (in_use,) = store._tables("").db._db.execute("PRAGMA synchronous").fetchone()
        assert in_use == {"NORMAL": 1, "FULL": 2}[level]
    db.close()


@pytest.mark.parametrize(
    ("writes_at", "looks"), [(0, 2), (2, 4), (None, 10)], ids=["at once", "later", "never"]
)
def test_a_removal_from_a_file_begins_right_after_a_write_of_the_bot_or_where_it_is_quiet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes_at: int | None, looks: int
) -> None:
    clock, naps = [0.0], list[float]()

    with hand_made(tmp_path / "auth.db", 1) as db:

        def nap(seconds: float) -> None:
            if len(naps) == writes_at:
                db.execute("UPDATE keys SET data = '{1}' WHERE name = 'creds'")
            naps.append(seconds)
            clock[0] += 0.0005

        store: Any = open_store(StoreSpec(f"sqlite://{tmp_path}/auth.db", options=HAND_MADE))
        asked = statements(store)
        now = SimpleNamespace(monotonic=lambda: clock[0], sleep=nap, thread_time=time.thread_time)
        monkeypatch.setattr(sqlite, "time", now)
        assert store.change("", removals(1), whole=False) == [True]
        begins = asked.index("BEGIN IMMEDIATE")
        assert asked[:begins].count("PRAGMA data_version") == looks == asked.count("PRAGMA data_version")
        store.change("", [[Change("", "pre-key-0", None, "0")]], whole=False)
        assert asked.count("PRAGMA data_version") == looks, "what comes back waits for nothing"
    db.close()


@pytest.mark.parametrize(("is_back", "waits"), [(False, "off"), (True, "on")])
def test_postgres_waits_for_its_disk_where_keys_come_back(
    postgres_url: str, is_back: bool, waits: str
) -> None:
    import psycopg

    told = """
        DROP TABLE IF EXISTS auth_data, seen; CREATE TABLE seen (level text);
        CREATE TABLE auth_data (session_key varchar(255) PRIMARY KEY, data text);
        CREATE OR REPLACE FUNCTION tell() RETURNS trigger AS $$
          BEGIN INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$ LANGUAGE plpgsql;
        CREATE TRIGGER told AFTER INSERT OR DELETE ON auth_data EXECUTE FUNCTION tell()"""
    with psycopg.connect(postgres_url, autocommit=True) as db:
        db.execute("DROP TABLE IF EXISTS auth_data")
        db.execute(told)
        if not is_back:
            db.execute("INSERT INTO auth_data VALUES ('1:pre-key-1', '1')")
            db.execute("DELETE FROM seen")
        store = open_store(StoreSpec(postgres_url, "postgres-baileys"))
        change = Change("", "pre-key-1", *((None, "1") if is_back else ("1", None)))
        assert store.change("1", [[change]], whole=False) == [True]
        store.close()
        assert db.execute("SELECT DISTINCT level FROM seen").fetchall() == [(waits,)]


def test_what_changed_meanwhile_or_is_there_twice_stays_and_the_rest_goes(tmp_path: Path) -> None:
    with hand_made(tmp_path / "auth.db", 10) as db:
        store = open_store(StoreSpec(f"sqlite://{tmp_path}/auth.db", options=HAND_MADE))
        db.execute("UPDATE keys SET data = 'written' WHERE name = 'pre-key-3'")
        db.execute("INSERT INTO keys VALUES ('pre-key-7', '7')")
        pair = [Change("", "pre-key-8", "8", None), Change("", "pre-key-9", "another", None)]
        made = store.change("", [*removals(8), pair], whole=False)
        assert made == [number not in (3, 7) for number in range(8)] + [False]
        left = [name for (name,) in db.execute("SELECT name FROM keys ORDER BY name")]
        assert left == ["creds", *(f"pre-key-{n}" for n in (3, 7, 7, 8, 9))]
    db.close()


def test_one_that_stands_twice_does_not_make_up_for_one_that_was_written_anew(tmp_path: Path) -> None:
    with hand_made(tmp_path / "auth.db", 5) as db:
        store = open_store(StoreSpec(f"sqlite://{tmp_path}/auth.db", options=HAND_MADE))
        db.execute("UPDATE keys SET data = 'written' WHERE name = 'pre-key-1'")
        db.execute("INSERT INTO keys VALUES ('pre-key-2', '2')")
        made = store.change("", removals(5), whole=False)
        assert made == [True, False, False, True, True]
        left = [name for (name,) in db.execute("SELECT name FROM keys ORDER BY name")]
        assert left == ["creds", "pre-key-1", "pre-key-2", "pre-key-2"]
    db.close()


def test_between_a_hundred_records_and_the_next_a_bot_has_the_server_for_four_times_as_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, pauses = iter((0.0, 0.5, 10.0, 10.25, 20.0, 20.1)), list[float]()
    monkeypatch.setattr(aside, "time", SimpleNamespace(monotonic=lambda: next(clock), sleep=pauses.append))
    with hand_made(tmp_path / "auth.db", 300):
        store = open_store(StoreSpec(f"sqlite://{tmp_path}/auth.db", options=HAND_MADE))
        assert store.change("", removals(300), whole=False) == [True] * 300
    assert pauses == [0.0, 2.0, 1.0]


def test_a_type_of_the_database_s_own_is_no_hindrance(postgres_url: str) -> None:
    import psycopg

    options = (("table", "typed"), ("tenant", "whose"), ("type", "kind"), ("id", "id"), ("value", "data"))
    with psycopg.connect(postgres_url, autocommit=True) as db:
        db.execute("DROP TABLE IF EXISTS typed; DROP TYPE IF EXISTS kinds")
        db.execute("CREATE TYPE kinds AS ENUM ('creds', 'pre-key', 'session')")
        db.execute(
            "CREATE TABLE typed (whose int, kind kinds, id text, data json, PRIMARY KEY (whose, kind, id))"
        )
        db.execute("INSERT INTO typed SELECT 7, 'pre-key', n, to_json(n) FROM generate_series(0, 99) n")
        store = open_store(StoreSpec(postgres_url, options=(*options, ("codec", "json"))))
        units = [[Change("pre-key", str(number), str(number), None)] for number in range(100)]
        assert store.change("7", units, whole=False) == [True] * 100
        assert db.execute("SELECT count(*) FROM typed").fetchone() == (0,)
        store.close()


def test_a_bot_that_waits_for_a_row_of_ours_while_we_wait_for_its_goes_on(postgres_url: str) -> None:
    import psycopg

    rows = """
        DROP TABLE IF EXISTS auth_data; CREATE TABLE auth_data (session_key varchar(255) PRIMARY KEY, data text);
        INSERT INTO auth_data VALUES ('1:pre-key-0', '0'), ('1:pre-key-1', '1'), ('1:pre-key-2', '2')"""
    slow = """
        CREATE OR REPLACE FUNCTION slowly() RETURNS trigger AS $$ BEGIN PERFORM pg_sleep(0.3); RETURN OLD; END $$
          LANGUAGE plpgsql;
        CREATE TRIGGER slow BEFORE DELETE ON auth_data FOR EACH ROW EXECUTE FUNCTION slowly()"""
    is_slow = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    with (
        psycopg.connect(postgres_url, autocommit=True) as db,
        psycopg.connect(postgres_url, autocommit=True) as other,
        ThreadPoolExecutor() as beside,
    ):
        db.execute(rows)
        store = open_store(StoreSpec(postgres_url, "postgres-baileys"))
        # The first removal from a table begins with one that is taken back, where the bot gets its row in between.
        assert store.change("1", [[Change("", "pre-key-0", "0", None)]], whole=False) == [True]
        db.execute(slow)
        with db.transaction():
            db.execute("UPDATE auth_data SET data = 'new' WHERE session_key = '1:pre-key-2'")
            units = [[Change("", f"pre-key-{number}", str(number), None)] for number in (1, 2)]
            ours = beside.submit(store.change, "1", units, whole=False)
            while not other.execute(is_slow).fetchone():
                time.sleep(0.01)
            db.execute("UPDATE auth_data SET data = 'new' WHERE session_key = '1:pre-key-1'")
        with pytest.raises(StoreTrouble, match="lock timeout"):
            ours.result()
        assert db.execute("SELECT data FROM auth_data").fetchall() == [("new",), ("new",)]
        store.close()


def test_redis_serves_others_after_twenty_records(redis_url: str) -> None:
    import redis

    with redis.Redis.from_url(redis_url, decode_responses=True) as db:
        db.flushdb()
        db.mset({f"unoapi-auth:1:pre-key-{number}": number for number in range(100)})
        store = open_store(StoreSpec(redis_url, "unoapi"))
        db.config_resetstat()
        units = [[Change("", f"pre-key-{number}", str(number), None)] for number in range(100)]
        assert store.change("1", units, whole=False) == [True] * 100
        assert db.info("commandstats")["cmdstat_eval"]["calls"] == 5
        assert db.dbsize() == 0


def test_all_that_was_removed_is_on_its_way_to_the_disk_before_any_of_it_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    run = new_run_id(datetime.now(UTC))
    waiting = make_run_folder(folder, run)
    for number in range(3):
        os.close(os.open(f"pre-key-{number}.json", os.O_CREAT | os.O_WRONLY, 0o600, dir_fd=waiting))
    told: list[str] = []
    place = str(tmp_path / OWN_FOLDER)

    def tell(what: str, fd: int) -> None:
        name = os.readlink(f"/proc/self/fd/{fd}")
        assert name.startswith(place)
        told.append(f"{what} {'file' if name.endswith('.json') else 'folder'}")

    monkeypatch.setattr(os, "posix_fadvise", lambda fd, *_: tell("begin", fd))
    monkeypatch.setattr(os, "fsync", lambda fd: tell("wait", fd))
    nothing_went: Any = None
    settle_removals(nothing_went, folder, run, (), Removals())
    os.close(waiting)
    os.close(folder)
    assert told == ["begin file"] * 3 + ["wait file"] * 3 + ["wait folder"] * 2
