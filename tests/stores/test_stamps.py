"""What tells that a session in a store stands still: the store says it of all at once, and nobody reads them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from baileys_tools.layouts import StoreSpec
from baileys_tools.sessions.stored.working import WorkingCopy
from baileys_tools.stores.cells import Store
from baileys_tools.stores.opening import open_store
from tests.stores.shapes import SHAPES, Row, Shape, connect
from tests.stores.test_verbs import creds_and_rows, ids, stored

pytestmark = pytest.mark.xdist_group("stores")
MANY = [str(number) for number in range(11, 23)]
ROWS = [Row("session", f"{number}.0", '{"_sessions":{}}') for number in (1, 2)]


class Writes(NamedTuple):
    """How its program rewrites a record with as many bytes, adds one, removes one, and saves creds; of tenant 17."""

    rewrite: Callable[[Any], object]
    add: Callable[[Any], object]
    remove: Callable[[Any], object]
    save: Callable[[Any], object]


def sql(*texts: str) -> Writes:
    return Writes(*[lambda db, text=text: db.execute(text) for text in texts])


FAZER = "@baileys-api:connections:17:authState"
WRITES = {
    "ai-admin-postgres": sql(
        "UPDATE whatsapp_keys SET value = value WHERE company_id = '17' AND key_id = '1.0'",
        "INSERT INTO whatsapp_keys VALUES ('17', 'session', '9.0', '{}')",
        "DELETE FROM whatsapp_keys WHERE company_id = '17' AND key_id = '9.0'",
        "UPDATE whatsapp_auth SET creds = jsonb_set(creds, '{nextPreKeyId}', '7') WHERE company_id = '17'",
    ),
    "keyv-postgres": sql(
        """UPDATE keyv SET value = '{"value":"{}"}' WHERE key = 'keyv:17:session-1.0'""",
        """INSERT INTO keyv VALUES ('keyv:17:session-9.0', '{"value":"{}"}')""",
        "DELETE FROM keyv WHERE key = 'keyv:17:session-9.0'",
        """UPDATE keyv SET value = '{"value":"{}"}' WHERE key = 'keyv:17:creds'""",
    ),
    "fazer-redis": Writes(
        lambda db: db.hset(FAZER, "session-1.0", '{"_sessionS":{}}'),
        lambda db: db.hset(FAZER, "session-9.0", "{}"),
        lambda db: db.hdel(FAZER, "session-9.0"),
        lambda db: db.hset(FAZER, "creds", "{}"),
    ),
    "unoapi-redis": Writes(
        lambda db: db.set("unoapi-auth:17:session-1.0", '{"_sessionS":{}}'),
        lambda db: db.set("unoapi-auth:17:session-9.0", "{}"),
        lambda db: db.delete("unoapi-auth:17:session-9.0"),
        lambda db: db.set("unoapi-auth:17:creds", "{}"),
    ),
}
shapes = pytest.mark.parametrize(
    "shape", [pytest.param(one, id=ids(one)) for one in SHAPES if ids(one) in WRITES]
)


@pytest.fixture
def opened(shape: Shape, request: pytest.FixtureRequest) -> Iterator[tuple[Any, Store]]:
    """The program's own connection to a store of a dozen sessions, and ours."""
    url = request.getfixturevalue(f"{shape.kind}_url")
    db = connect(shape, url)
    shape.make(db)
    for tenant in MANY:
        shape.fill(db, tenant, creds_and_rows()[0], ROWS)
    store = open_store(StoreSpec(url, shape.preset))
    yield db, store
    store.close()
    db.close()


@shapes
@pytest.mark.parametrize("asked", [MANY, ["17", "18"]], ids=["all", "two"])
def test_a_stamp_stays_with_its_session_and_moves_with_each_write(
    shape: Shape, asked: list[str], opened: tuple[Any, Store]
) -> None:
    db, store = opened
    assert store.tenants() == MANY
    before = store.stamps(asked)
    assert list(before) == asked
    assert store.stamps(asked) == before, "to look changes nothing"
    for write in WRITES[ids(shape)]:
        write(db)
        store.tenants()
        now = store.stamps(asked)
        assert [one for one in asked if now[one] != before[one]] == ["17"]
        assert now["17"] not in before.values()
        before = now


@pytest.mark.parametrize("shape", [one for one in SHAPES if ids(one) == "unoapi-redis"], ids=ids)
def test_a_time_to_live_is_a_change_of_the_store(shape: Shape, opened: tuple[Any, Store]) -> None:
    db, store = opened
    before = store.stamps(store.tenants())
    db.expire("unoapi-auth:17:session-1.0", 1000)
    now = store.stamps(store.tenants())
    assert [one for one in MANY if now[one] != before[one]] == ["17"]


@pytest.mark.parametrize("shape", [one for one in SHAPES if ids(one) == "keyv-postgres"], ids=ids)
def test_names_that_begin_alike_share_what_tells_of_them(shape: Shape, opened: tuple[Any, Store]) -> None:
    db, store = opened
    shape.fill(db, "17:b", creds_and_rows()[0], ROWS)
    tenants = store.tenants()
    before = store.stamps(tenants)
    db.execute("""UPDATE keyv SET value = '{"value":"{}"}' WHERE key = 'keyv:17:b:session-1.0'""")
    now = store.stamps(tenants)
    assert [one for one in tenants if now[one] != before[one]] == ["17:b", "17"]


@pytest.mark.parametrize("shape", [one for one in SHAPES if ids(one) == "prisma-session-postgres"], ids=ids)
def test_a_view_tells_nothing(shape: Shape, opened: tuple[Any, Store]) -> None:
    db, store = opened
    assert len(store.stamps(MANY)) == len(MANY)
    db.execute('ALTER TABLE "Session" RENAME TO hidden; CREATE VIEW "Session" AS SELECT * FROM hidden')
    try:
        assert store.stamps(MANY) == {}
        assert store.tenants() == MANY
    finally:
        db.execute('DROP VIEW "Session"; DROP TABLE hidden')


ADDS: dict[str, Callable[[Any], object]] = {
    "ai-admin-postgres": WRITES["ai-admin-postgres"].add,
    "fazer-redis": WRITES["fazer-redis"].add,
    "baileys-sqlite-sqlite": lambda db: db.execute("INSERT INTO signal_keys VALUES ('session', '9.0', '{}')"),
}


class Read(Exception):
    pass


def never(*_: object, **__: object) -> None:
    raise Read


@pytest.mark.parametrize("name", ["ai-admin-postgres", "fazer-redis", "baileys-sqlite-sqlite"])
def test_what_stands_still_is_not_read_again(
    name: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shape,) = [one for one in SHAPES if ids(one) == name]
    with stored(shape, request, tmp_path) as store:
        if shape.kind == "sqlite":
            os.utime(tmp_path / "auth.db", (1, 1))
            # Its change of state has a time of its own, which nobody can set.
            monkeypatch.setattr("baileys_tools.stores.sqlite_files._CLOCK_STEP_NS", 0)
        first = store.done("monitor-once", "--json")
        store.run("backup")
        with monkeypatch.context() as patch:
            patch.setattr(WorkingCopy, "fill", never)
            assert store.done("cleanup", "--dry-run").returncode != 0, "what reads a session fails here"
            again = store.done("monitor-once", "--json")
            assert again.returncode == first.returncode, again.stderr
            seen = [json.loads(one.stdout)["companies"][0] for one in (first, again)]
            assert [one["files"] for one in seen] == [len(creds_and_rows()[1]) + 1] * 2
            told = [[one | {"new": False} for one in company["findings"]] for company in seen]
            assert told[1] == told[0]
            assert [one["files"] for one in store.json("status")["companies"]] == [seen[0]["files"]]
            assert store.json("backup")["companies"][0]["status"] == "unchanged"
        ADDS[name](store.db)
        (now,) = json.loads(store.done("monitor-once", "--json").stdout)["companies"]
        assert now["files"] == seen[0]["files"] + 1
        assert store.json("backup")["companies"][0]["status"] == "taken"
