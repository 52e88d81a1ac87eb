"""Stores that refuse, hang, or have moved on: a clear word, the other companies looked after, nothing half."""

from __future__ import annotations

import json
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from baileys_tools.layouts import StoreSpec
from baileys_tools.stores.cells import StoreLocked
from baileys_tools.stores.opening import open_store
from baileys_tools.stores.rules.rows import Change
from tests.integration.faults.forked import run_cli
from tests.stores.servers import postgres, redis_server
from tests.stores.shapes import SHAPES, Shape
from tests.stores.test_verbs import QUICK, Stored, creds_and_rows, ids, stored
from tests.support import company_folder
from tests.support import run_cli as run_process

SQLITE = next(one for one in SHAPES if one.kind == "sqlite")

pytestmark = pytest.mark.xdist_group("stores")


def run(folder: Path, roots: list[dict[str, str]], *words: str, code: int) -> str:
    config = folder / "config.yaml"
    config.write_text(json.dumps({"sessions": {"roots": roots}}))
    config.chmod(0o600)
    env = {"BAILEYS_TOOLS_STATE_DIR": str(folder / "state")}
    done = run_cli(*words, "--config", str(config), cwd=folder, env=env)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_store_that_is_not_reached_stops_no_other_company_and_is_never_passed_over(tmp_path: Path) -> None:
    company_folder(tmp_path / "sessions")
    roots = [
        {"store": "postgres://bot@127.0.0.1:1/bots", "preset": "ai-admin", "name": "shop"},
        {"path": str(tmp_path / "sessions")},
    ]
    for words, code in ((("status",), 3), (("cleanup",), 3), (("sessions",), 3), (("doctor",), 5)):
        said = run(tmp_path, roots, *words, code=code)
        assert "1001" in said or words == ("doctor",)
    said = run(tmp_path, roots, "monitor-once", code=5)
    assert "company shop: critical: " in said
    assert "Connection refused" in said


def test_doctor_tells_what_a_store_holds_and_what_endangers_it(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "auth.db") as db:
        SQLITE.make(db)
        SQLITE.fill(db, "", *creds_and_rows())
    root = {"store": f"sqlite://{tmp_path}/auth.db", "preset": "baileys-sqlite"}
    (tmp_path / "auth.db").chmod(0o644)
    assert "can be read by others" in run(tmp_path, [root], "doctor", code=5)
    (tmp_path / "auth.db").chmod(0o600)
    said = run(tmp_path, [root], "doctor", code=5)
    assert f"auth.db: SQLite {sqlite3.sqlite_version}, 1 session" in " ".join(said.split())
    assert "can be read by others" not in said


def test_a_wrong_password_is_said_without_either(tmp_path: Path) -> None:
    with redis_server(tmp_path / "redis", "--requirepass", "the-right-secret") as url:
        root = {"store": url, "preset": "fazer"}
        secret = tmp_path / "password"
        said = run(tmp_path, [root], "status", code=1)
        assert "Authentication required" in said
        secret.write_text("the-wrong-secret\n")
        secret.chmod(0o600)
        said = run(tmp_path, [root | {"password_file": str(secret)}], "status", code=1)
        assert "invalid username-password pair" in said
        assert "secret" not in said.replace(str(secret), "")
        company_folder(tmp_path / "sessions")
        both = [root | {"password_file": str(secret)}, {"path": str(tmp_path / "sessions")}]
        said = run(tmp_path, both, "config", "check", code=4)
        assert "invalid username-password pair" in said
        assert "is not there" not in said
        secret.write_text("the-right-secret\n")
        said = run(tmp_path, [root | {"password_file": str(secret)}], "status", code=10)
        assert "no session folder" in said


@pytest.mark.faults
def test_a_wrong_password_of_postgres_is_said_without_either(tmp_path: Path) -> None:
    with postgres("the-right-secret") as url:
        root = {"store": url, "preset": "keyv"}
        secret = tmp_path / "password"
        assert "no password supplied" in run(tmp_path, [root], "status", code=1)
        secret.write_text("the-wrong-secret\n")
        secret.chmod(0o600)
        for words in (("status",), ("cleanup",), ("monitor-once",), ("sessions",)):
            said = run(tmp_path, [root | {"password_file": str(secret)}], *words, code=1)
            assert "password authentication failed" in said
            assert "secret" not in said
        whole = tmp_path / "url"
        whole.write_text(url.replace("bot@", "bot:the-wrong-secret@"))
        whole.chmod(0o600)
        said = run(tmp_path, [root | {"url_file": str(whole)}], "status", code=1)
        assert "password authentication failed" in said
        assert "secret" not in said
        whole.write_text(url.replace("bot@", "bot:the-right-secret@"))
        assert 'relation "keyv" does not exist' in run(
            tmp_path, [root | {"url_file": str(whole)}], "status", code=1
        )


def test_a_role_that_may_only_read_reads_and_a_cleanup_there_fails_whole(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with stored(SHAPES[0], request, tmp_path) as store:
        store.db.execute("DROP ROLE IF EXISTS reader")
        store.db.execute("CREATE ROLE reader LOGIN")
        store.db.execute("GRANT SELECT ON whatsapp_keys, whatsapp_auth TO reader")
        before = store.cells()
        url = request.getfixturevalue("postgres_url").replace("bot@", "reader@")
        root = {"store": url, "preset": "ai-admin"}
        try:
            run(tmp_path, [root], "status", code=0)
            assert "permission denied for table whatsapp_keys" in run(tmp_path, [root], "cleanup", code=1)
            # As a process of its own: pytest takes what libraries log.
            env = {"BAILEYS_TOOLS_STATE_DIR": str(tmp_path / "state")}
            done = run_process("cleanup", "--config", str(tmp_path / "config.yaml"), env=env)
            assert (done.returncode, done.stderr) == (1, "")
            assert store.cells() == before
        finally:
            store.db.execute("DROP OWNED BY reader; DROP ROLE reader")


@pytest.mark.faults
def test_a_server_that_hangs_ends_the_command_in_time(tmp_path: Path) -> None:
    with silent_server() as port:
        for url, preset in (
            (f"redis://127.0.0.1:{port}/0", "fazer"),
            (f"postgres://b@127.0.0.1:{port}/b", "keyv"),
        ):
            said = run(tmp_path, [{"store": url, "preset": preset}], "status", code=1)
            assert "timeout expired" in said or "the server has not answered for 10 seconds" in said


@contextmanager
def silent_server() -> Iterator[int]:
    held: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            try:
                while True:
                    held.append(server.accept()[0])
            except OSError:
                return

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]
        for one in held:
            one.close()


# --- what every store promises --------------------------------------------------------------------------------


def opened(store: Stored, shape: Shape) -> Any:
    address = json.loads(store.config.read_text())["sessions"]["roots"][0]["store"]
    return open_store(StoreSpec(address, shape.preset))


@pytest.mark.parametrize("shape", [one for one in SHAPES if one.preset in QUICK], ids=ids)
def test_a_record_changes_only_as_it_was_read_a_unit_whole_and_one_holder_at_a_time(
    shape: Shape, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with stored(shape, request, tmp_path) as kept:
        store, other = opened(kept, shape), opened(kept, shape)
        (tenant,) = store.tenants()
        cells = [cell for cell in store.cells(tenant) if cell.type != "creds"][:6]
        before = kept.cells()
        gone = [Change(cell.type, cell.id, cell.text, None) for cell in cells]
        stale = gone[1]._replace(before=cells[0].text)
        assert store.change(tenant, [[gone[0], stale], [gone[2]], [gone[3], gone[4]]], whole=False) == [
            False,
            True,
            True,
        ]
        assert len(kept.cells()) == len(before) - 3, "the unit with the stale record is whole"
        assert store.change(tenant, [[gone[0]], [stale]], whole=True) == [False, False]
        assert len(kept.cells()) == len(before) - 3
        back = [Change(cell.type, cell.id, None, cell.text, cell.written_ns) for cell in cells]
        assert store.change(tenant, [[one] for one in back], whole=False) == [
            *(False, False),
            *(True, True, True),
            False,
        ]
        assert kept.cells() == before, "what stands is never written over, and the rest is back with its time"
        with store.locked(tenant):
            with pytest.raises(StoreLocked), other.locked(tenant):
                pass
            assert store.change(tenant, [[gone[5]]], whole=False) == [True]
        with other.locked(tenant):
            assert other.change(tenant, [[back[5]]], whole=False) == [True]
        store.close()
        other.close()


def test_a_store_that_is_all_and_can_no_longer_be_listed_is_an_alert_with_what_it_said(
    tmp_path: Path, redis_url: str
) -> None:
    import redis

    with redis.Redis.from_url(redis_url) as db:
        db.flushdb()
        db.hset("@baileys-api:connections:1:authState", "creds", creds_and_rows()[0])
        db.execute_command("ACL", "SETUSER", "watcher", "on", "nopass", "~*", "+@all")
        roots = [{"store": redis_url.replace("//", "//watcher@"), "preset": "fazer"}]
        try:
            run(tmp_path, roots, "monitor-once", code=4)
            db.execute_command("ACL", "SETUSER", "watcher", "-scan")
            told = run(tmp_path, roots, "monitor-once", code=5)
            assert "where there were 1: cannot list the sessions" in told
            assert "no permissions to run the 'scan' command. What the answers of a store mean" in told
        finally:
            db.execute_command("ACL", "DELUSER", "watcher")
