"""Stores as other operators have them: rights that end somewhere, servers that are none of those that are read."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest

from baileys_tools.layouts import StoreSpec
from baileys_tools.stores.cells import StoreTrouble, dangers_of
from baileys_tools.stores.opening import open_store
from baileys_tools.stores.rules.rows import Change
from tests.integration.faults.forked import run_cli
from tests.stores.servers import free_port, redis_server
from tests.stores.shapes import rows_of
from tests.stores.test_settings import check
from tests.support import require_tool

pytestmark = pytest.mark.xdist_group("stores")
HAND_MADE = {"table": "keys", "tenant": "sid", "key": "name", "value": "data", "creds": "creds"}


@pytest.fixture
def keys(postgres_url: str) -> Any:
    """A hand-made table with a session, and a user `tools` who may do anything with it."""
    import psycopg

    with psycopg.connect(postgres_url, autocommit=True) as db:
        db.execute("DROP TABLE IF EXISTS keys; CREATE TABLE keys (sid text, name text, data text)")
        db.execute("INSERT INTO keys VALUES ('1', 'creds', '{}')")
        db.execute("DROP ROLE IF EXISTS tools; CREATE ROLE tools LOGIN; GRANT ALL ON keys TO tools")
        yield db
        db.execute("DROP TABLE keys; DROP ROLE tools")


def as_tools(url: str) -> dict[str, str]:
    return {**HAND_MADE, "store": url.replace("//bot@", "//tools@")}


def test_that_rows_are_hidden_by_row_level_security_is_said(
    tmp_path: Path, postgres_url: str, keys: Any
) -> None:
    assert "row-level" not in check(tmp_path, as_tools(postgres_url), 4)
    keys.execute("ALTER TABLE keys ENABLE ROW LEVEL SECURITY")
    found = check(tmp_path, as_tools(postgres_url), 4)
    assert "no session in it" in found
    assert "table keys has row-level security: this user sees and changes only what its policies let" in found


def test_that_a_server_takes_no_changes_is_said(tmp_path: Path, postgres_url: str, keys: Any) -> None:
    assert "takes no changes" not in check(tmp_path, as_tools(postgres_url), 4)
    keys.execute("ALTER ROLE tools SET default_transaction_read_only = on")
    assert "the server takes no changes (a standby, or" in check(tmp_path, as_tools(postgres_url), 4)


def test_that_values_are_bytes_is_said(tmp_path: Path, postgres_url: str, keys: Any) -> None:
    keys.execute("ALTER TABLE keys ALTER data TYPE bytea USING convert_to(data, 'UTF8')")
    found = check(tmp_path, as_tools(postgres_url), 4)
    assert "column data of table keys is bytea, and only texts and JSON are read" in found


def test_what_cannot_be_opened_is_said_once(tmp_path: Path) -> None:
    found = check(tmp_path, {"store": f"sqlite://{tmp_path}/none.db", "preset": "baileys-sqlite"}, 4)
    assert found.count("no such file, and a database is never made here") == 1


@pytest.fixture
def limited(redis_url: str) -> Any:
    """A Redis with a session, and what gives a user rights."""
    import redis

    with redis.Redis.from_url(redis_url, decode_responses=True) as db:
        db.flushdb()
        db.set("unoapi-auth:1:creds", "{}")
        db.hset("@baileys-api:connections:1:authState", "creds", "{}")

        def allow(*rules: str) -> str:
            db.execute_command("ACL", "SETUSER", "tools", "reset", "on", "nopass", *rules)
            return redis_url.replace("redis://", "redis://tools@")

        yield allow
        db.execute_command("ACL", "DELUSER", "tools")


def test_a_user_of_redis_who_may_read_only_is_enough_to_look(limited: Any, tmp_path: Path) -> None:
    """Neither a name for the connection nor INFO is worth giving up for."""
    store = open_store(StoreSpec(limited("~unoapi-auth:*", "+@read", "+ping"), "unoapi"))
    assert store.tenants() == ["1"]
    server, held, unchanged = store.said()
    assert server == "Redis"
    assert unchanged.startswith("nothing can be changed there, and each session is read at each look")
    assert held.startswith(
        "no session can be held while it is changed, as the keys {unoapi-auth:* are refused"
    )
    (told,) = dangers_of(store)
    assert "what endangers it cannot be asked (this user has no permissions" in told


RIGHTS = "+@read +@write +@scripting +@connection +info -@admin"
PATTERNS = {
    "unoapi": "~unoapi-auth:* ~{unoapi-auth:*",
    "fazer": "~@baileys-api:connections:* ~{@baileys-api:connections:* ~@baileys-api:cluster:*",
}


@pytest.mark.parametrize("preset", PATTERNS)
def test_the_rights_that_the_documentation_names_are_enough_to_clean(limited: Any, preset: str) -> None:
    told = (Path(__file__).parents[2] / "docs" / "stores.md").read_text()
    assert PATTERNS[preset] in told
    assert f"{PATTERNS['unoapi']} {RIGHTS}" in told
    store = open_store(StoreSpec(limited(*PATTERNS[preset].split(), *RIGHTS.split()), preset))
    (server,) = store.said()
    assert server.startswith("Redis ")
    assert not [one for one in dangers_of(store) if "cannot be asked" in one]
    assert [cell.type for cell in store.cells("1")] == ["creds"]
    with store.locked("1"):
        assert store.change("1", [[Change("creds", "", "{}", None)]], whole=False) == [True]


@pytest.mark.parametrize(
    "option, why",
    [
        ("ssl_ca_certs=/none", '"ssl_ca_certs" is no option of it, but of rediss://'),
        ("socket_timout=5", '"socket_timout" is no option of it$'),
    ],
)
def test_a_slip_of_the_pen_in_an_address_is_told(redis_url: str, option: str, why: str) -> None:
    with pytest.raises(StoreTrouble, match=why):
        open_store(StoreSpec(f"{redis_url}?{option}", "unoapi"))


def test_what_is_read_over_tls_comes_from_the_server_that_is_meant(tmp_path: Path) -> None:
    made, key = tmp_path / "ca.pem", tmp_path / "ca.key"
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    words += [
        "-subj",
        "/CN=bots",
        "-addext",
        "subjectAltName=DNS:localhost",
        "-out",
        str(made),
        "-keyout",
        str(key),
    ]
    subprocess.run([require_tool("openssl"), *words], check=True, capture_output=True)
    port = free_port()
    tls = ("--tls-port", str(port), "--tls-cert-file", str(made), "--tls-key-file", str(key))
    no_clients = ("--tls-ca-cert-file", str(made), "--tls-auth-clients", "no")
    with redis_server(tmp_path / "redis", *tls, *no_clients):
        open_store(StoreSpec(f"rediss://localhost:{port}/0?ssl_ca_certs={made}", "unoapi")).close()
        for address, why in {
            f"localhost:{port}/0": "CERTIFICATE_VERIFY_FAILED",
            f"127.0.0.1:{port}/0?ssl_ca_certs={made}": "is not valid for",
            f"localhost:{port}/0?ssl_ca_certs={tmp_path}/none": "ssl_ca_certs: .*/none: No such file",
            f"localhost:{port}/0?ssl_ca_cert={made}": '"ssl_ca_cert" is no option of it$',
        }.items():
            with pytest.raises(StoreTrouble, match=why):
                open_store(StoreSpec(f"rediss://{address}", "unoapi"))


def test_a_database_of_redis_that_is_no_number_is_refused(redis_url: str) -> None:
    """redis-py takes that of the number 0 for it."""
    for address in (redis_url.removesuffix("/0") + "/bots", f"{redis_url}?db=bots"):
        with pytest.raises(StoreTrouble, match='"bots" is no number of a database'):
            open_store(StoreSpec(address, "unoapi"))


def test_a_node_of_a_cluster_is_refused(tmp_path: Path) -> None:
    """It has a third of the records of each session, which would be a snapshot that looks whole."""
    words = ("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    with redis_server(tmp_path / "redis", *words) as url, pytest.raises(StoreTrouble, match="Redis Cluster"):
        open_store(StoreSpec(url, "unoapi"))


@pytest.mark.root
def test_that_a_log_cannot_be_opened_on_a_read_only_file_system_is_said(tmp_path: Path) -> None:
    place = tmp_path / "bots"
    place.mkdir()
    with sqlite3.connect(place / "auth.db") as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE creds (key TEXT, value TEXT)")
    db.close()
    subprocess.run(["mount", "--bind", place, place], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", place], check=True)
        with pytest.raises(StoreTrouble, match=r"which nobody opens on a read-only file system"):
            open_store(StoreSpec(f"sqlite://{place}/auth.db", "baileys-sqlite"))
    finally:
        subprocess.run(["umount", place], check=True)


def test_two_tables_of_one_database_can_have_a_session_of_the_same_id(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "bots.db", isolation_level=None) as db:
        creds, rows = rows_of()
        for table, number in (("sales", 4915), ("help", 4916)):
            db.execute(f"CREATE TABLE {table} (whose TEXT, name TEXT, data TEXT, PRIMARY KEY (whose, name))")
            own = json.loads(creds)
            own["me"]["id"] = f"{number}:1@s.whatsapp.net"
            cells = [("creds", json.dumps(own)), *((f"{row.type}-{row.id}", row.text) for row in rows)]
            db.executemany(f"INSERT INTO {table} VALUES ('1', ?, ?)", cells)
    db.close()
    layout = {"tenant": "whose", "key": "name", "value": "data", "codec": "json"}
    roots = [
        {"store": f"sqlite://{tmp_path}/bots.db", "table": table, **layout} for table in ("sales", "help")
    ]
    config = tmp_path / "config.yaml"
    settings = {"sessions": {"roots": roots}, "backup": {"path": str(tmp_path / "backups")}}
    config.write_text(json.dumps(settings))

    def run(*words: str) -> Any:
        env = {"BAILEYS_TOOLS_STATE_DIR": str(tmp_path / "state")}
        done = run_cli(*words, "--json", "--config", str(config), cwd=tmp_path, env=env)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)["companies"]

    names = sorted(one["company"] for one in run("backup"))
    assert names == ["1@bots.db", "1@help"]
    assert [one["status"] for one in run("backup")] == ["unchanged"] * 2
    assert [one["result"]["removed"] > 0 for one in run("cleanup")] == [True] * 2
    (only,) = run("cleanup", "--dry-run", "--company", names[0])
    assert only["plan"]["remove"] == []


@pytest.mark.parametrize("unit", [1, 1000])
@pytest.mark.parametrize("kind", ["postgres", "sqlite"])
def test_a_time_that_is_a_number_is_read_and_comes_back_as_one(
    kind: str, unit: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    import psycopg

    url = request.getfixturevalue("postgres_url") if kind == "postgres" else f"sqlite://{tmp_path}/bot.db"
    database: Any = (
        psycopg.connect(url, autocommit=True)
        if kind == "postgres"
        else sqlite3.connect(tmp_path / "bot.db", isolation_level=None)
    )
    database.execute("DROP TABLE IF EXISTS keys")
    database.execute("CREATE TABLE keys (sid text, name text, data text, at bigint)")
    written = 1_790_000_000 * unit
    database.execute(
        f"INSERT INTO keys VALUES ('1', 'creds', '{{}}', {written}), ('1', 'pre-key-1', '1', {written})"
    )
    layout = {**HAND_MADE, "codec": "json", "time": "at"}
    store = open_store(StoreSpec(url, options=tuple(layout.items())))
    cells = [*store.cells("1")]
    assert [cell.written_ns for cell in cells] == [1_790_000_000 * 10**9] * 2
    (key,) = (cell for cell in cells if cell.id)
    gone = Change(key.type, key.id, key.text, None)
    back = Change(key.type, key.id, None, key.text, key.written_ns)
    assert store.change("1", [[gone]], whole=False) == store.change("1", [[back]], whole=False) == [True]
    assert database.execute("SELECT at FROM keys").fetchall() == [(written,)] * 2
    store.close()
    database.execute("DROP TABLE keys")
    database.close()


def test_a_time_that_is_a_text_of_postgres_is_refused_with_the_way_out(
    tmp_path: Path, postgres_url: str, keys: Any
) -> None:
    keys.execute("ALTER TABLE keys ADD at text")
    found = check(tmp_path, {**as_tools(postgres_url), "time": "at"}, 4)
    assert "column at of table keys is text, and times are read of timestamps and numbers" in found
