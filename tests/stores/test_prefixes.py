"""Tables whose tenants stand in a prefix of the key: each session is one range of an index, with nobody else's row."""

from __future__ import annotations

import glob
import os
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baileys_tools.layouts import StoreSpec
from baileys_tools.stores.cells import Store
from baileys_tools.stores.opening import open_store
from baileys_tools.stores.redis_names import by_session
from baileys_tools.stores.rules.mapping import after_prefix
from baileys_tools.stores.rules.rows import Change
from tests.stores.shapes import SHAPES, Row, connect

pytestmark = pytest.mark.xdist_group("stores")
ODD = ("17", "117", "1_7", "1%7", "1\\7", "17;", "17é", "é", "A", "a", "keyv", "1 7")
SHAPE = next(one for one in SHAPES if one.preset == "keyv" and one.kind == "postgres")


@given(prefix=st.text(min_size=1), text=st.text())
def test_a_text_is_in_the_range_of_a_prefix_or_does_not_begin_with_it(prefix: str, text: str) -> None:
    end = after_prefix(prefix)
    for one in (prefix + text, text):
        assert (prefix <= one and (not end or one < end)) == one.startswith(prefix)


def held(store: Store) -> dict[str, list[str]]:
    return {
        tenant: sorted(cell.id or cell.type for cell in store.cells(tenant)) for tenant in store.tenants()
    }


EXPECTED = {one: ["creds", f"pre-key-{one}"] for one in ODD}


@pytest.mark.parametrize("collation", ["", 'COLLATE "C"', 'COLLATE "en-x-icu"', 'COLLATE "de-x-icu"'])
def test_a_session_is_found_whole_and_alone_whatever_the_order_of_texts(
    postgres_url: str, collation: str
) -> None:
    db = connect(SHAPE, postgres_url)
    db.execute("DROP TABLE IF EXISTS keyv")
    db.execute(f"CREATE TABLE keyv (key varchar(255) {collation} PRIMARY KEY, value text)")
    for one in ODD:
        for name in ("creds", f"pre-key-{one}"):
            db.execute("INSERT INTO keyv VALUES (%s, '{}')", (f"keyv:{one}:{name}",))
    store = open_store(StoreSpec(postgres_url, "keyv"))
    assert held(store) == EXPECTED
    store.close()
    db.close()


def test_an_index_answers(postgres_url: str, tmp_path: Path) -> None:
    from baileys_tools.stores.postgres import PostgresConnection
    from baileys_tools.stores.sqlite import SqliteFile

    db = connect(SHAPE, postgres_url)
    SHAPE.make(db)
    rows = "SELECT 'keyv:' || t || ':session-' || n, '{}' FROM generate_series(1, 200) t, generate_series(1, 50) n"
    db.execute(f"INSERT INTO keyv {rows}")
    db.execute("ANALYZE keyv")
    asked = PostgresConnection(postgres_url, "", None)
    where, values = asked.near("keyv", "key", "keyv:17:")
    plan = str([*asked.rows(f"EXPLAIN SELECT value FROM keyv WHERE {where}", values)])
    assert "Index" in plan and "Seq Scan" not in plan
    asked.close()
    db.close()

    with sqlite3.connect(tmp_path / "keyv.db") as file:
        file.execute("CREATE TABLE keyv (key VARCHAR(255) PRIMARY KEY, value TEXT)")
        for one in ODD:
            file.executemany(
                "INSERT INTO keyv VALUES (?, '{}')", [(f"keyv:{one}:creds",), (f"keyv:{one}:pre-key-{one}",)]
            )
    there = SqliteFile(str(tmp_path / "keyv.db"), ["keyv"])
    where, values = there.near("keyv", "key", "keyv:17:")
    plan = str([*there.rows(f"EXPLAIN QUERY PLAN SELECT value FROM keyv WHERE {where}", values)])
    assert "SEARCH" in plan and "key>? AND key<?" in plan
    there.close()
    store = open_store(StoreSpec(f"sqlite://{tmp_path / 'keyv.db'}", "keyv"))
    assert held(store) == EXPECTED
    store.close()


def test_all_keys_of_redis_are_walked_through_once_for_all_sessions(redis_url: str) -> None:
    shape = next(one for one in SHAPES if one.preset == "unoapi")
    db = connect(shape, redis_url)
    shape.make(db)
    for one in ODD:
        for name in ("creds", "pre-key-1", "pre-key-2"):
            db.set(f"unoapi-auth:{one}:{name}", "{}")
    store = open_store(StoreSpec(redis_url, "unoapi"))
    db.config_resetstat()
    for tenant in store.tenants():
        first, second = Change("", "pre-key-1", "{}", None), Change("", "pre-key-3", None, "{}")
        assert store.change(tenant, [[first], [second]], whole=False) == [True, True]
        assert {cell.id or cell.type for cell in store.cells(tenant)} == {"creds", "pre-key-2", "pre-key-3"}
        assert store.expiring(tenant) == 0
    assert db.info("commandstats")["cmdstat_scan"]["calls"] == 1, "who has creds, and what is whose"
    db.set("unoapi-auth:a:pre-key-4", "{}")
    assert "pre-key-4" not in {cell.id for cell in store.cells("a")}
    assert "pre-key-4" in {cell.id for cell in store.cells("a", afresh=True)}, "a proof of a move asks again"
    store.close()
    db.close()


@given(
    keys=st.lists(st.text("ab:\udcff", min_size=1, max_size=9)),
    sessions=st.lists(st.text("ab:\udcff", min_size=1, max_size=4), max_size=4),
    after=st.sampled_from([":", "::", "a:"]),
)
def test_each_key_is_of_the_longest_session_that_it_begins_with(
    keys: list[str], sessions: list[str], after: str
) -> None:
    keys += [f"{session}{after}creds" for session in sessions]
    with_creds = [key[: -len(f"{after}creds")] for key in keys if key.endswith(f"{after}creds")]
    expected: dict[str, dict[str, None]] = {one: {} for one in with_creds if one}
    for key in keys:
        whose = max((one for one in expected if key.startswith(one + after)), key=len, default=None)
        if whose is not None:
            expected[whose][key[len(whose + after) :]] = None
    found = by_session(keys, after, "creds")
    assert {one: {*names} for one, names in found.items()} == {one: {*own} for one, own in expected.items()}


def test_names_that_are_packed_come_back() -> None:
    names = [f"session-{number}é\udcff_1.0" for number in range(1_000)]
    found = by_session([f"1:{name}" for name in ["creds", *names, *names]], ":", "creds")
    assert [*found["1"]] == ["creds", *names]


def test_whose_a_key_is_is_told_by_the_longest_name_that_has_creds(redis_url: str) -> None:
    shape = next(one for one in SHAPES if one.preset == "unoapi")
    db = connect(shape, redis_url)
    shape.make(db)
    own = {
        "17": ["c:pre-key-2", "creds", "pre-key-1"],
        "17:b": ["creds", "pre-key-1"],
        "17:b:c": ["creds", "pre-key-1"],
        "18:b": ["creds", "pre-key-1"],
        ":x": ["creds", "pre-key-1"],
        "é::y": ["creds", "pre-key-1"],
        "z": ["creds", "creds:", "pre-key-1", "x:creds:1"],
    }
    for tenant, names in own.items():
        for name in names:
            db.set(f"unoapi-auth:{tenant}:{name}", "{}")
    for nobodys in ("18:pre-key-1", "19:pre-key-1", "pre-key-1", ":pre-key-1", ":creds"):
        db.set(f"unoapi-auth:{nobodys}", "{}")
    store = open_store(StoreSpec(redis_url, "unoapi"))
    assert held(store) == own
    store.close()
    db.close()


def test_a_file_a_session_is_listed_once_and_few_are_open_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = next(one for one in SHAPES if one.kind == "sqlite")
    expected = {f"bot-{number}": ["creds", str(number)] for number in range(40)}
    for name, (_, key_id) in expected.items():
        with sqlite3.connect(tmp_path / f"{name}.db", isolation_level=None) as db:
            shape.make(db)
            shape.fill(db, "", "{}", [Row("pre-key", key_id, "{}")])
        db.close()
    walks, walk = [], glob.glob

    def counted(path: str) -> list[str]:
        walks.append(path)
        return walk(path)

    monkeypatch.setattr(glob, "glob", counted)
    store = open_store(StoreSpec(f"sqlite://{tmp_path}/*.db", "baileys-sqlite"))
    before = len(os.listdir("/proc/self/fd"))
    found = {tenant: [cell.id or cell.type for cell in store.cells(tenant)] for tenant in store.tenants()}
    assert found == expected
    assert len(walks) == 1
    assert len(os.listdir("/proc/self/fd")) - before <= 24, "there can be more bots than handles"
    store.close()


def test_a_table_that_no_index_can_be_asked_of_is_told_with_the_way_out(postgres_url: str) -> None:
    db = connect(SHAPE, postgres_url)
    db.execute("DROP TABLE IF EXISTS keyv")
    db.execute('CREATE TABLE keyv (key varchar(255) COLLATE "en-x-icu" PRIMARY KEY, value text)')
    store = open_store(StoreSpec(postgres_url, "keyv"))
    (told,) = [one for one in store.said() if "searched whole" in one]
    # What it says to paste is what ends it; and the index is asked.
    db.execute(told.partition("may help it: ")[2])
    assert not [one for one in store.said() if "searched whole" in one]
    rows = "SELECT 'keyv:' || t || ':session-' || n, '{}' FROM generate_series(1, 200) t, generate_series(1, 50) n"
    db.execute(f"INSERT INTO keyv {rows}")
    db.execute("ANALYZE keyv")
    plan = str(db.execute("EXPLAIN SELECT value FROM keyv WHERE key LIKE 'keyv:17:%'").fetchall())
    assert "Index" in plan and "Seq Scan" not in plan
    store.close()
    SHAPE.make(db)
    assert not [one for one in open_store(StoreSpec(postgres_url, "keyv")).said() if "searched whole" in one]
    db.close()
