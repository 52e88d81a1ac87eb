"""Whose a row is, and that it goes only where it can come back as it was: tables as operators make them themselves."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from baileys_tools.layouts import StoreSpec
from baileys_tools.stores.cells import Store, StoreTrouble
from baileys_tools.stores.opening import open_store
from baileys_tools.stores.rules.rows import Change
from tests.integration.faults.forked import run_cli
from tests.stores.shapes import rows_of

pytestmark = pytest.mark.xdist_group("stores")
LAYOUT = {"table": "rooms", "tenant": "sid", "key": "name", "value": "data", "codec": "json"}
GONE = Change("", "pre-key-1", "one", None)
ROWS = "INSERT INTO rooms (sid, name, data) VALUES ('bot', 'creds', '{}'), ('bot', 'pre-key-1', 'one')"


@pytest.fixture
def bots(postgres_url: str) -> Iterator[Any]:
    """A database of Postgres in which `rooms` may stand, and a user `tools`."""
    import psycopg

    with psycopg.connect(postgres_url, autocommit=True) as db:
        db.execute("DROP TABLE IF EXISTS rooms; DROP ROLE IF EXISTS tools; CREATE ROLE tools LOGIN")
        yield db
        db.execute("DROP TABLE rooms; DROP ROLE tools")


def opened(url: str, **more: str) -> Store:
    return open_store(StoreSpec(url, options=tuple({**LAYOUT, **more}.items())))


NOT_FILLED = "CREATE TABLE rooms (sid text, name text, data text, pk text {} NOT NULL)"
REFUSING = """CREATE TABLE rooms (sid text, name text, data text);
CREATE OR REPLACE FUNCTION refuse() RETURNS trigger AS $$ BEGIN {} END $$ LANGUAGE plpgsql;
CREATE TRIGGER refuses BEFORE INSERT ON rooms FOR EACH ROW EXECUTE FUNCTION refuse()"""
READY = "ALTER TABLE rooms DISABLE TRIGGER ALL"


@pytest.mark.parametrize(
    ("made", "then", "why"),
    [
        (NOT_FILLED.format("DEFAULT 'x'"), "ALTER TABLE rooms ALTER pk DROP DEFAULT", 'in column "pk"'),
        (REFUSING.format("IF NEW.name <> 'x' THEN RETURN NULL; END IF; RETURN NEW;"), "", "takes no row in"),
        (REFUSING.format("RAISE EXCEPTION 'full';"), "", "full"),
        (
            "CREATE TABLE rooms (sid text, name text, data text)",
            "GRANT SELECT, DELETE ON rooms TO tools",
            "denied",
        ),
    ],
    ids=["not filled", "passed over", "refused", "no right"],
)
def test_what_could_not_come_back_does_not_go(
    made: str, then: str, why: str, bots: Any, postgres_url: str
) -> None:
    bots.execute(made)
    bots.execute(f"{READY if 'TRIGGER' in made else ''}; {ROWS}")
    bots.execute(then or "ALTER TABLE rooms ENABLE TRIGGER ALL")
    url = postgres_url.replace("//bot@", "//tools@") if "GRANT" in then else postgres_url
    store = opened(url)
    with pytest.raises(StoreTrouble, match=f"^nothing is removed, as it could not be put back .*{why}"):
        store.change("bot", [[GONE]], whole=False)
    store.close()
    assert bots.execute("SELECT count(*) FROM rooms").fetchall() == [(2,)]


def test_a_column_that_only_the_program_fills_is_told_before_the_first_run(
    bots: Any, postgres_url: str
) -> None:
    bots.execute(
        'CREATE TABLE rooms (sid text, name text, data text, at timestamp NOT NULL, "Pk" text NOT NULL)'
    )
    store = opened(postgres_url, time="at")
    (told,) = (one for one in store.said() if "could not be put back" in one)
    assert 'only the bot\'s program fills "Pk".' in told
    bots.execute('ALTER TABLE "rooms" ALTER "Pk" SET DEFAULT gen_random_uuid()')
    assert not [one for one in store.said() if "put back" in one]
    store.close()


def test_what_could_not_come_back_does_not_go_from_a_file_either(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "bot.db") as db:
        db.execute("CREATE TABLE rooms (sid TEXT, name TEXT, data TEXT, pk TEXT NOT NULL)")
        db.execute("INSERT INTO rooms VALUES ('bot', 'creds', '{}', 'a'), ('bot', 'pre-key-1', 'one', 'b')")
    store = opened(f"sqlite://{tmp_path}/bot.db")
    with pytest.raises(StoreTrouble, match=r"could not be put back .* rooms\.pk"):
        store.change("bot", [[GONE]], whole=False)
    assert db.execute("SELECT count(*) FROM rooms").fetchall() == [(2,)]
    with db:
        db.execute("ALTER TABLE rooms RENAME TO old")
        db.execute("CREATE TABLE rooms (sid TEXT, name TEXT, data TEXT, pk TEXT NOT NULL DEFAULT '')")
        db.execute("INSERT INTO rooms SELECT * FROM old")
    assert store.change("bot", [[GONE]], whole=False) == [True]
    assert db.execute("SELECT name FROM rooms").fetchall() == [("creds",)]
    store.close()
    db.close()


@pytest.mark.parametrize("kind", ["postgres", "sqlite"])
def test_ids_that_a_column_takes_for_one_are_two_sessions(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A cleanup went by the creds of one, and took the keys of the other."""
    if kind == "postgres":
        db, url = request.getfixturevalue("bots"), request.getfixturevalue("postgres_url")
        db.execute(
            "CREATE COLLATION IF NOT EXISTS alike (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
        )
        db.execute("CREATE TABLE rooms (sid text COLLATE alike, name text, data text)")
    else:
        db, url = sqlite3.connect(tmp_path / "bot.db", isolation_level=None), f"sqlite://{tmp_path}/bot.db"
        db.execute("CREATE TABLE rooms (sid TEXT COLLATE NOCASE, name TEXT, data TEXT)")
    db.execute(ROWS)
    db.execute(ROWS.replace("bot", "BOT").replace("pre-key-1", "pre-key-2"))
    store = opened(url)
    assert sorted(store.tenants()) == ["BOT", "bot"]
    for tenant, own in (("bot", "pre-key-1"), ("BOT", "pre-key-2")):
        assert sorted(cell.id for cell in store.cells(tenant)) == ["", own]
    assert store.change("BOT", [[GONE]], whole=False) == [False]
    assert store.change("bot", [[GONE]], whole=False) == [True]
    store.close()
    if kind == "sqlite":
        db.close()


@pytest.mark.parametrize("column", ["timestamp", "timestamptz"])
def test_a_time_comes_back_as_it_was_whatever_the_zone_of_the_server(
    column: str, bots: Any, postgres_url: str
) -> None:
    written = datetime(2026, 3, 1, 12, 30)
    bots.execute(f"CREATE TABLE rooms (sid text, name text, data text, at {column})")
    bots.execute(ROWS)
    bots.execute("UPDATE rooms SET at = '2026-03-01 12:30Z'::timestamptz AT TIME ZONE %s", ("UTC",))
    before = bots.execute("SELECT at FROM rooms WHERE name = 'pre-key-1'").fetchall()
    store = opened(f"{postgres_url}?options=-ctimezone%3DAsia/Kolkata", time="at")
    (cell,) = (one for one in store.cells("bot") if one.id)
    if column == "timestamp":
        assert before == [(written,)]
    assert store.change("bot", [[GONE]], whole=False) == [True]
    back = Change("", "pre-key-1", None, "one", cell.written_ns)
    assert store.change("bot", [[back]], whole=False) == [True]
    assert bots.execute("SELECT at FROM rooms WHERE name = 'pre-key-1'").fetchall() == before
    store.close()


def test_a_session_that_is_listed_and_cannot_be_read_is_not_called_healthy(tmp_path: Path) -> None:
    """To a column without a type, the number 17 is not the text that the session is called by."""
    creds, rows = rows_of()
    with sqlite3.connect(tmp_path / "bot.db") as db:
        db.execute("CREATE TABLE rooms (sid, name TEXT, data TEXT)")
        db.execute("INSERT INTO rooms VALUES (17, 'creds', ?)", (creds,))
        cells = [(f"{row.type}-{row.id}", row.text) for row in rows[:5]]
        db.executemany("INSERT INTO rooms VALUES (17, ?, ?)", cells)
    db.close()
    config = tmp_path / "config.yaml"
    config.write_text(
        json.dumps({"sessions": {"roots": [{"store": f"sqlite://{tmp_path}/bot.db", **LAYOUT}]}})
    )
    env = {"BAILEYS_TOOLS_STATE_DIR": str(tmp_path / "state")}
    done = run_cli("status", "--json", "--config", str(config), cwd=tmp_path, env=env)
    assert done.returncode == 1, done.stdout + done.stderr
    (only,) = json.loads(done.stdout)["companies"]
    assert (only["company"], only["state"]) == ("17", "unreadable")


def test_what_a_run_was_refused_is_no_removal_to_be_undone(tmp_path: Path) -> None:
    creds, rows = rows_of()
    with sqlite3.connect(tmp_path / "bot.db") as db:
        db.execute("CREATE TABLE rooms (sid TEXT, name TEXT, data TEXT, pk TEXT NOT NULL)")
        cells = [("creds", creds), *((f"{row.type}-{row.id}", row.text) for row in rows)]
        db.executemany("INSERT INTO rooms VALUES ('bot', ?, ?, '')", cells)
    config = tmp_path / "config.yaml"
    config.write_text(
        json.dumps({"sessions": {"roots": [{"store": f"sqlite://{tmp_path}/bot.db", **LAYOUT}]}})
    )
    env = {"BAILEYS_TOOLS_STATE_DIR": str(tmp_path / "state")}

    def run(*words: str, code: int = 0) -> str:
        done = run_cli(*words, "--config", str(config), cwd=tmp_path, env=env)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    with db:
        db.execute("CREATE TRIGGER kept BEFORE DELETE ON rooms BEGIN SELECT RAISE(ABORT, 'kept'); END")
    assert "kept" in run("cleanup", code=1)
    assert [*tmp_path.rglob("pre-key-*.json")], "set aside before the store was asked"
    assert "nothing to undo" in run("undo", "--list")
    assert not [*tmp_path.rglob("pre-key-*.json")]
    with db:
        db.execute("DROP TRIGGER kept")
        db.execute("DROP TABLE rooms")
        db.execute("CREATE TABLE rooms (sid TEXT, name TEXT, data TEXT)")
        db.executemany("INSERT INTO rooms VALUES ('bot', ?, ?)", cells)
    run("cleanup")
    gone = len(cells) - db.execute("SELECT count(*) FROM rooms").fetchone()[0]
    assert ["bot", str(gone)] in [line.split()[:2] for line in run("undo", "--list").splitlines()]
    assert f"{gone} files put back" in run("undo")
    db.close()
