"""What is wrong with sessions in databases is told by every command that says how they are."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from baileys_tools.sessions.stored.rules.tenants import told_of_twins, twins
from tests.stores.servers import redis_server
from tests.stores.shapes import SHAPES, connect, rows_of
from tests.stores.test_verbs import Stored, stored

pytestmark = pytest.mark.xdist_group("stores")
CODES = "store-"


def told(store: Stored, *words: str) -> dict[str, str]:
    """The findings of stores that a command tells, by code, each with its severity."""
    from tests.integration.faults.forked import run_cli

    done = run_cli(*words, "--json", "--config", str(store.config), cwd=store.folder)
    assert done.returncode in (0, 4, 5), done.stdout + done.stderr
    found: dict[str, str] = {}

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if str(value.get("code", "")).startswith(CODES):
                found[value["code"]] = value["severity"]
                assert "4915" not in value["message"], "a row's name is a number of a person"
            for one in value.values():
                walk(one)
        elif isinstance(value, list):
            for one in value:
                walk(one)

    walk(json.loads(done.stdout))
    return found


def test_rows_that_are_not_understood_are_told_by_every_command(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    shape = next(one for one in SHAPES if one.kind == "sqlite")
    with stored(shape, request, tmp_path) as store:
        place = tmp_path / "auth.db"
        place.chmod(0o600)
        assert told(store, "monitor-once") == {}
        with sqlite3.connect(place) as db:
            db.execute("INSERT INTO signal_keys VALUES ('pre', 'key-5', '{}')")
            db.execute("INSERT INTO signal_keys VALUES ('session', '4915550001.0', 'AES:xyz')")
            db.execute("INSERT INTO signal_keys VALUES ('notes', '4915550001', '1')")
        place.chmod(0o644)
        expected = {
            "store-rows-misfiled": "warning",
            "store-values-unread": "warning",
            "store-rows-unknown": "notice",
            "store-unsafe": "warning",
        }
        assert told(store, "monitor-once") == expected
        assert told(store, "inspect", "--company", "bot") == expected
        (bot,) = store.json("status")["companies"]
        assert bot["state"] != "healthy"
        with sqlite3.connect(place) as db:
            db.execute("UPDATE signal_keys SET type = 'x-' || type")
        assert told(store, "monitor-once")["store-rows-unknown"] == "warning", "a preset that does not fit"


def test_a_redis_that_can_lose_keys_and_keys_that_expire_are_told(tmp_path: Path) -> None:
    shape = next(one for one in SHAPES if one.preset == "unoapi")
    with redis_server(tmp_path / "redis", "--appendonly", "yes") as url:
        db = connect(shape, url)
        shape.fill(db, "17", rows_of()[0], rows_of()[1][:30])
        store = Stored(shape, url, tmp_path, db)
        assert told(store, "monitor-once") == {}
        db.config_set("maxmemory-policy", "allkeys-lru")
        assert told(store, "monitor-once") == {"store-unsafe": "warning"}
        db.config_set("maxmemory-policy", "noeviction")
        db.config_set("appendonly", "no")
        db.expire("unoapi-auth:17:creds", 7 * 86_400)
        assert told(store, "monitor-once") == {"store-unsafe": "warning", "store-keys-expire": "warning"}
        db.expire("unoapi-auth:17:creds", 730 * 86_400)
        assert told(store, "monitor-once") == {"store-unsafe": "warning"}, "as Keyv renews it at each write"
        db.close()


def test_an_expiry_of_what_is_written_once_and_doubled_tenants_are_told(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with stored(SHAPES[0], request, tmp_path) as store:
        assert told(store, "monitor-once") == {}
        store.db.execute("UPDATE whatsapp_keys SET expires_at = now() WHERE key_type = 'pre-key'")
        assert told(store, "monitor-once") == {}
        store.db.execute("UPDATE whatsapp_keys SET expires_at = now() WHERE key_type = 'app-state-sync-key'")
        assert told(store, "monitor-once") == {"store-keys-expire": "warning"}
        store.db.execute(
            "INSERT INTO whatsapp_auth (company_id, creds) SELECT 'company_17', creds FROM whatsapp_auth"
        )
        settings = json.loads(store.config.read_text())
        settings["sessions"]["roots"][0]["name"] = "bot-{1}"
        store.config.write_text(json.dumps(settings))
        assert "store-tenants-twice" in told(store, "monitor-once")


def test_a_tenant_that_no_company_can_be_is_told(redis_url: str, tmp_path: Path) -> None:
    shape = next(one for one in SHAPES if one.preset == "fazer")
    db = connect(shape, redis_url)
    shape.make(db)
    for tenant in ("17", "shop/2"):
        shape.fill(db, tenant, rows_of()[0], rows_of()[1][:30])
    store = Stored(shape, redis_url, tmp_path, db)
    store.config.write_text(store.config.read_text().replace('"bot"', '"bot-{1}"'))
    assert told(store, "monitor-once")["store-tenants-passed-by"] == "warning"
    shape.make(db)
    shape.fill(db, "17", rows_of()[0], rows_of()[1][:30])
    assert "store-tenants-passed-by" not in told(store, "monitor-once")
    db.close()


def test_tenants_that_are_there_twice() -> None:
    assert twins(["7", "8", "company_8", "company_9"]) == ["8"]
    assert told_of_twins([]) == ""
    assert "company_" in told_of_twins(["8"])
