"""Repair, rollback and reset on sessions in real databases: all in one step or nothing, and undone to the last cell."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from baileys_tools.sessions.stored.rules.ages import FirstSeen
from baileys_tools.sessions.stored.working import WorkingCopy
from tests.stores.shapes import SHAPES, Shape
from tests.stores.test_verbs import QUICK, Stored, ids, stored

pytestmark = pytest.mark.xdist_group("stores")

shapes = pytest.mark.parametrize(
    "shape",
    [
        pytest.param(one, id=ids(one), marks=() if one.preset in QUICK[::2] else pytest.mark.faults)
        for one in SHAPES
    ],
)


def untouched_for_an_hour(store: Stored) -> None:
    """Have the bot been off for an hour, as far as the store's times tell, or this host's memory."""
    if store.shape.exact:
        for table in ("whatsapp_keys", "whatsapp_auth"):
            store.db.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            store.db.execute(f"UPDATE {table} SET updated_at = updated_at - interval '1 hour'")
            store.db.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    store.done("status")
    for path in store.folder.rglob("*.seen"):
        memory = FirstSeen.of_text(path.read_text())
        hour = 3600 * 1_000_000_000
        seen = {name: (what, since - hour) for name, (what, since) in memory.seen.items()}
        path.write_text(memory.with_seen(seen).text())


def lose(store: Stored, kinds: Iterable[str]) -> list[str]:
    """Remove the records of some kinds from a store, as an accident does; return which."""
    gone = [name for name in store.cells() if any(f"{kind}{end}" in name for kind in kinds for end in "-|")]
    for name in gone:
        remove(store, name)
    return gone


def remove(store: Stored, name: str) -> None:
    db, preset, parts = store.db, store.shape.preset, name.split("|")
    if store.shape.kind == "mixed":
        db = db.keys
    if store.shape.kind in ("redis", "mixed"):
        key, *field = parts
        db.hdel(key, field[0]) if field else db.delete(key)
        return
    where = {
        "ai-admin": ("whatsapp_keys", ("company_id", "key_type", "key_id")),
        "baileys-sqlite": ("signal_keys", ("type", "id")),
        "postgres-baileys": ("auth_data", ("session_key",)),
        "keyv": ("keyv", ("key",)),
        "prisma-session": ('"Session"', ('"sessionId"', "id")),
        "ticketz": ('"BaileysKeys"', ('"whatsappId"', "type", "key")),
    }
    table, columns = where[preset]
    mark = "?" if store.shape.kind == "sqlite" else "%s"
    sql = f"DELETE FROM {table} WHERE " + " AND ".join(
        f"CAST({column} AS TEXT) = {mark}" for column in columns
    )
    assert db.execute(sql, parts[: len(columns)]).rowcount == 1


def without_times(cells: dict[str, str], shape: Shape) -> dict[str, str]:
    """A row that a repair replaced is as old as that; and fazer's count of owners has risen."""
    if not shape.exact:
        return {name: text for name, text in cells.items() if "lease-epoch" not in name}
    return {"|".join(name.split("|")[:3]): text for name, text in cells.items()}


def restored(store: Stored, *words: str) -> Any:
    return store.json("restore", "--company", "bot", "--yes", *words)


@shapes
def test_a_repair_brings_back_what_was_lost_and_a_rollback_what_stood(
    shape: Shape, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with stored(shape, request, tmp_path) as store:
        untouched_for_an_hour(store)
        store.run("backup")
        before = store.cells()
        gone = lose(store, ["lid-mapping", "device-list"])
        assert len(gone) > 6
        planned = restored(store, "--dry-run")
        assert len([one for one in planned["plan"]["files"] if one["action"] == "bring-back"]) == len(gone)
        assert len(store.cells()) == len(before) - len(gone), "a dry run writes nothing"
        report = restored(store)
        assert len(report["result"]["brought_back"]) == len(gone)
        after = store.cells()
        aside = before.keys() - {
            name for name in before if name.split("|")[:3] in [one.split("|")[:3] for one in after]
        }
        assert len(aside) == len(report["result"]["set_aside"]) > 0
        assert all("memory" in name for name in aside), (
            "the bot's own keys of these groups are not in the sample"
        )
        assert restored(store)["status"] == "nothing-to-do"
        undone = store.run("undo")
        assert f"{len(aside)} stayed in quarantine: the own key that it speaks of is gone" in undone
        kept = {name: text for name, text in before.items() if name not in aside}
        assert without_times(store.cells(), shape) == without_times(kept, shape)

        lose(store, ["app-state-sync-version"])
        report = restored(store, "--mode", "rollback")
        after = without_times(store.cells(), shape)
        assert report["result"]["before"], "what stood is kept"
        # A rollback leaves out what the protocol would refuse: the bot's own sender-keys, sessions since.
        assert {name: text for name, text in after.items() if "lid-mapping" in name} == {
            name: text for name, text in without_times(before, shape).items() if "lid-mapping" in name
        }
        assert any("app-state-sync-version" in name for name in after)
        assert not [*tmp_path.rglob("creds.json")], "no working copy stays in the clear"


@contextmanager
def backed_up(preset: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stored]:
    with stored(next(one for one in SHAPES if one.preset == preset), request, tmp_path) as store:
        untouched_for_an_hour(store)
        store.run("backup")
        yield store


@pytest.fixture
def fazer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stored]:
    with backed_up("fazer", request, tmp_path) as store:
        yield store


@pytest.fixture
def sqlite(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stored]:
    with backed_up("baileys-sqlite", request, tmp_path) as store:
        yield store


KEY = "@baileys-api:connections:17:authState"


def test_lost_creds_come_back_though_the_store_no_longer_lists_the_session(fazer: Stored) -> None:
    before = fazer.cells()
    fazer.db.hdel(KEY, "creds")
    report = restored(fazer)
    assert report["result"]["brought_back"] == ["creds.json"]
    was, now = (json.loads(cells[f"{KEY}|creds"]) for cells in (before, fazer.cells()))
    assert now["noiseKey"] == was["noiseKey"]
    assert now["nextPreKeyId"] > was["nextPreKeyId"], "past each pre-key that may have been made since"


def test_a_session_that_is_gone_altogether_comes_back(fazer: Stored) -> None:
    before = fazer.cells()
    fazer.db.flushall()
    restored(fazer)
    assert restored(fazer)["status"] == "nothing-to-do"
    kept = {
        name for name in before if any(kind in name for kind in ("creds", "app-state-sync", "lid-mapping"))
    }
    assert len(kept) > 15
    assert kept <= fazer.cells().keys()


def test_what_a_bot_writes_between_look_and_change_stops_a_restore_and_nothing_is_written(
    fazer: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose(fazer, ["lid-mapping"])
    whole = WorkingCopy.require_unmoved

    def meanwhile(copy: WorkingCopy) -> None:
        fazer.db.hset(KEY, "session-1.0", '{"a":1}')
        whole(copy)

    monkeypatch.setattr(WorkingCopy, "require_unmoved", meanwhile)
    before = fazer.cells()
    for mode in ("repair", "rollback"):
        done = fazer.done("restore", "--company", "bot", "--yes", "--mode", mode)
        assert done.returncode == 13, done.stdout + done.stderr
        assert "Nothing was changed" in done.stderr
        assert fazer.cells() == {**before, f"{KEY}|session-1.0": '{"a":1}'} | epoch(fazer)
        fazer.db.hdel(KEY, "session-1.0")
    assert fazer.json("undo", "--list")["companies"][0]["runs"] == [], (
        "what was not removed is not to be undone"
    )


def epoch(store: Stored) -> dict[str, str]:
    return {name: text for name, text in store.cells().items() if "lease-epoch" in name}


def test_a_living_worker_is_never_robbed_of_its_session(fazer: Stored) -> None:
    lose(fazer, ["lid-mapping"])
    fazer.db.set("@baileys-api:cluster:lease:17", '{"owner":"worker","epoch":1}')
    before = fazer.cells()
    done = fazer.done("restore", "--company", "bot", "--yes")
    assert done.returncode == 13
    assert "a worker holds the lease" in done.stderr
    assert fazer.done("restore", "--company", "bot", "--yes", "--force").returncode == 75
    assert fazer.done("reset", "--company", "bot", "--yes", "--no-pair", "--force").returncode == 75
    assert fazer.cells() == before


def test_a_reset_empties_the_session_and_its_undo_brings_all_of_it_back(sqlite: Stored) -> None:
    before = sqlite.cells()
    creds = sqlite.db.execute("SELECT * FROM creds").fetchall()
    run = sqlite.json("reset", "--company", "bot", "--yes", "--no-pair")["run"]
    assert sqlite.cells() == {}
    assert sqlite.db.execute("SELECT * FROM creds").fetchall() == []
    sqlite.run("undo", "--company", "bot", "--run", run)
    assert sqlite.cells() == before
    assert sqlite.db.execute("SELECT * FROM creds").fetchall() == creds
    assert not [*sqlite.folder.rglob("creds.json")]


def test_creds_that_were_lost_come_back_by_recover_with_all_that_a_repair_keeps(sqlite: Stored) -> None:
    def login() -> tuple[object, object]:
        ((text,),) = sqlite.db.execute("SELECT value FROM creds").fetchall()
        creds = json.loads(text)
        return creds["noiseKey"], creds["me"]

    before, was = sqlite.cells(), login()
    sqlite.run("backup")
    sqlite.db.execute("UPDATE creds SET value = ''")
    untouched_for_an_hour(sqlite)
    settings = json.loads(sqlite.config.read_text()) | {"recover": {"wait": "1s", "first_delay": "0"}}
    sqlite.config.write_text(json.dumps(settings))
    done = sqlite.done("recover", "--company", "bot", "--yes", "--json")
    (found,) = json.loads(done.stdout)["companies"]
    assert found["cause"]["cause"] == "creds-lost"
    assert [one["step"] for one in found["tried"]] == ["restore"]
    assert login() == was
    memories = {name for name in before if name.startswith("sender-key-memory|")}
    assert sqlite.cells() == {name: text for name, text in before.items() if name not in memories}


@pytest.mark.parametrize("words", [("contact", "--renew"), ("renew-sessions", "--broken")], ids=" ".join)
def test_a_session_that_no_bot_can_read_is_set_aside_and_comes_back(
    words: tuple[str, str], sqlite: Stored
) -> None:
    (name,) = sqlite.db.execute(
        "SELECT id FROM signal_keys WHERE type = 'session' ORDER BY id LIMIT 1"
    ).fetchone()
    sqlite.db.execute("UPDATE signal_keys SET value = '{' WHERE type = 'session' AND id = ?", (name,))
    untouched_for_an_hour(sqlite)
    before = sqlite.cells()
    who = [name.split("_")[0].split(".")[0]] if words[0] == "contact" else []
    sqlite.run(words[0], "--company", "bot", *who, words[1], "--yes")
    assert before.keys() - sqlite.cells().keys() == {f"session|{name}"}
    sqlite.run("undo")
    assert sqlite.cells() == before


def test_the_group_keys_are_sent_anew(sqlite: Stored) -> None:
    before = sqlite.cells()
    report = sqlite.json("resend-group-keys", "--company", "bot", "--all", "--yes")
    gone = before.keys() - sqlite.cells().keys()
    assert report["exit_code"] == 0
    assert gone
    assert all(name.startswith("sender-key-memory|") for name in gone)
    sqlite.run("undo")
    assert sqlite.cells() == before


def test_a_restore_that_was_killed_leaves_the_store_as_it_was_and_the_next_command_works(
    sqlite: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each point from the first byte of the stage to the answer of the store."""
    lose(sqlite, ["lid-mapping"])
    before = sqlite.cells()

    def dies(*_: object) -> None:
        os._exit(137)

    for place, name in (
        ("baileys_tools.sessions.repair", "write_journal"),
        ("baileys_tools.sessions.repair", "remove_stage"),
        ("baileys_tools.sessions.stored.whole", "_sync"),
        ("baileys_tools.sessions.rollback", "_swap"),
        ("baileys_tools.sessions.rollback", "finish_rollback"),
    ):
        mode = "rollback" if place.endswith("rollback") else "repair"
        with monkeypatch.context() as patched:
            patched.setattr(f"{place}.{name}", dies)
            assert sqlite.done("restore", "--company", "bot", "--yes", "--mode", mode).returncode == 137, name
        assert sqlite.cells() == before, name
        status = sqlite.json("status", code=0)
        assert [one["company"] for one in status["companies"]] == ["bot"], name
        sqlite.run("cleanup", "--dry-run")
    sqlite.run("cleanup")
    assert restored(sqlite)["status"] == "restored"
    assert sqlite.cells().keys() >= {name for name in sqlite.cells() if name.startswith("lid-mapping")}
    assert not [*sqlite.folder.rglob("creds.json")], "no working copy stays in the clear"
