"""Sessions written into databases as the programs of the presets write them, and read back: an oracle of its own.

Nothing here is of the tool. Schemas are the programs' own, with what else their tables hold.
"""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

SESSION = Path(__file__).parents[2] / "fixtures" / "long-lived-v7" / "company_4001"
TYPES = (
    *("app-state-sync-version", "app-state-sync-key", "sender-key-memory", "sender-key", "identity-key"),
    *("lid-mapping", "device-list", "pre-key", "session", "tctoken"),
)


class Row(NamedTuple):
    type: str
    id: str
    text: str


def rows_of(folder: Path = SESSION) -> tuple[str, list[Row]]:
    """The creds of a folder and its records, with the ids that Baileys itself uses."""
    found = []
    for path in sorted(folder.glob("*.json")):
        if path.name == "creds.json":
            continue
        type_ = next((one for one in TYPES if path.name.startswith(one + "-")), None)
        if type_ is None:
            continue
        key_id = path.name[len(type_) + 1 : -5]
        if type_ == "sender-key":
            group, user, device = key_id.rsplit("--", 2)
            key_id = f"{group}::{user}::{device}"
        elif type_ == "app-state-sync-key":
            key_id = key_id.replace("__", "/")
        found.append(Row(type_, key_id, path.read_text()))
    return (folder / "creds.json").read_text(), found


def as_arrays(text: str) -> str:
    """What a plain JSON.stringify makes of a value with Buffers."""

    def written(value: Any) -> Any:
        if isinstance(value, dict):
            if value.get("type") == "Buffer":
                return {"type": "Buffer", "data": [*base64.b64decode(value["data"])]}
            return {key: written(one) for key, one in value.items()}
        return [written(one) for one in value] if isinstance(value, list) else value

    return json.dumps(written(json.loads(text)), separators=(",", ":"), ensure_ascii=False)


def fixed(name: str) -> str:
    return name.replace("/", "__").replace(":", "-")


class Shape(NamedTuple):
    """A preset, how its program makes its tables and writes a session, and how all its cells are read back."""

    preset: str
    kind: str
    make: Callable[[Any], None]
    fill: Callable[[Any, str, str, Iterable[Row]], None]
    cells: Callable[[Any], dict[str, str]]
    in_bytes: bool = True
    exact: bool = False


def _run(db: Any, script: str) -> None:
    for statement in script.split(";\n"):
        if statement.strip():
            db.execute(statement)


def _select(sql: str) -> Callable[[Any], dict[str, str]]:
    def cells(db: Any) -> dict[str, str]:
        return {"|".join(map(str, row[:-1])): str(row[-1]) for row in db.execute(sql).fetchall()}

    return cells


# --- the programs ---------------------------------------------------------------------------------------------


def _make_ai_admin(db: Any) -> None:
    _run(
        db,
        """DROP TABLE IF EXISTS whatsapp_keys, whatsapp_auth;
CREATE TABLE whatsapp_auth (company_id text PRIMARY KEY, creds jsonb NOT NULL,
  created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now());
CREATE TABLE whatsapp_keys (company_id text, key_type text, key_id text, value jsonb NOT NULL,
  created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now(), expires_at timestamptz,
  PRIMARY KEY (company_id, key_type, key_id));
CREATE OR REPLACE FUNCTION touch() RETURNS trigger AS $$ BEGIN NEW.updated_at = now(); RETURN NEW; END $$
  LANGUAGE plpgsql;
CREATE TRIGGER touched BEFORE UPDATE ON whatsapp_keys FOR EACH ROW EXECUTE FUNCTION touch()""",
    )


def _fill_ai_admin(db: Any, sid: str, creds: str, rows: Iterable[Row]) -> None:
    db.execute("INSERT INTO whatsapp_auth (company_id, creds) VALUES (%s, %s)", (sid, as_arrays(creds)))
    for number, row in enumerate(rows):
        # A bot that has heard somebody every day, so that age means something.
        db.execute(
            "INSERT INTO whatsapp_keys (company_id, key_type, key_id, value, updated_at) "
            "VALUES (%s, %s, %s, %s, now() - make_interval(days => %s))",
            (sid, row.type, row.id, as_arrays(row.text), number % 25),
        )


def _make_baileys_sqlite(db: Any) -> None:
    _run(
        db,
        """CREATE TABLE signal_keys (type TEXT, id TEXT, value TEXT, PRIMARY KEY (type, id));
CREATE TABLE creds (key TEXT PRIMARY KEY, value TEXT)""",
    )


def _fill_baileys_sqlite(db: Any, sid: str, creds: str, rows: Iterable[Row]) -> None:
    db.execute("INSERT INTO creds VALUES ('__creds__', ?)", (creds,))
    db.executemany("INSERT INTO signal_keys VALUES (?, ?, ?)", rows)


def _make_postgres_baileys(db: Any) -> None:
    _run(
        db,
        """DROP TABLE IF EXISTS auth_data;
CREATE TABLE auth_data (session_key varchar(255) PRIMARY KEY, data text)""",
    )


def _fill_postgres_baileys(db: Any, sid: str, creds: str, rows: Iterable[Row]) -> None:
    db.execute("INSERT INTO auth_data VALUES (%s, %s)", (f"{sid}:auth_creds", as_arrays(creds)))
    for row in rows:
        values = (f"{sid}:{row.type}-{row.id}", as_arrays(row.text))
        db.execute("INSERT INTO auth_data VALUES (%s, %s)", values)


def _keyv(text: str) -> str:
    return json.dumps({"value": text}, ensure_ascii=False, separators=(",", ":"))


def _make_keyv(db: Any) -> None:
    _run(db, "DROP TABLE IF EXISTS keyv;\nCREATE TABLE keyv (key varchar(255) PRIMARY KEY, value text)")


def _fill_keyv(db: Any, sid: str, creds: str, rows: Iterable[Row]) -> None:
    expiring = json.dumps({"value": creds, "expires": 1_900_000_000_000}, ensure_ascii=False)
    db.execute("INSERT INTO keyv VALUES (%s, %s)", (f"keyv:{sid}:creds", expiring))
    for row in rows:
        db.execute("INSERT INTO keyv VALUES (%s, %s)", (f"keyv:{sid}:{row.type}-{row.id}", _keyv(row.text)))


def _make_prisma(db: Any) -> None:
    _run(
        db,
        """DROP TABLE IF EXISTS "Session";
CREATE TABLE "Session" ("pkId" serial PRIMARY KEY, "sessionId" varchar(128), id varchar(255), data text,
  UNIQUE ("sessionId", id))""",
    )


def _fill_prisma(db: Any, sid: str, creds: str, rows: Iterable[Row]) -> None:
    sql = 'INSERT INTO "Session" ("sessionId", id, data) VALUES (%s, %s, %s)'
    db.execute(sql, (sid, "creds", creds))
    for row in rows:
        db.execute(sql, (sid, fixed(f"{row.type}-{row.id}"), row.text))


def _make_ticketz(db: Any) -> None:
    _run(
        db,
        """DROP TABLE IF EXISTS "BaileysKeys", "Whatsapps";
CREATE TABLE "Whatsapps" (id serial PRIMARY KEY, session text, name varchar(255) NOT NULL);
CREATE TABLE "BaileysKeys" ("whatsappId" int, type varchar(255), key varchar(255), value text,
  PRIMARY KEY ("whatsappId", type, key))""",
    )


def _fill_ticketz(db: Any, sid: str, creds: str, rows: Iterable[Row]) -> None:
    session = f'{{"creds":{creds},"keys":{{}}}}'
    db.execute('INSERT INTO "Whatsapps" (id, session, name) VALUES (%s, %s, %s)', (sid, session, "shop"))
    for row in rows:
        db.execute('INSERT INTO "BaileysKeys" VALUES (%s, %s, %s, %s)', (sid, *row))


def _no_tables(db: Any) -> None:
    db.flushdb()


def _in_hash(template: str, name: Callable[[Row], str], cell: Callable[[str], str] = str) -> Any:
    def fill(db: Any, sid: str, creds: str, rows: Iterable[Row]) -> None:
        values = {"creds": cell(creds), **{name(row): cell(row.text) for row in rows}}
        db.hset(template.format(sid), mapping=values)

    return fill


def _in_keys(template: str, name: Callable[[Row], str], cell: Callable[[str], str] = str) -> Any:
    def fill(db: Any, sid: str, creds: str, rows: Iterable[Row]) -> None:
        db.set(template.format(sid, "creds"), cell(creds))
        for row in rows:
            db.set(template.format(sid, name(row)), cell(row.text))

    return fill


def _redis_cells(db: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for key in db.scan_iter():
        if db.type(key) == "hash":
            found |= {f"{key}|{field}": text for field, text in db.hgetall(key).items()}
        else:
            found[key] = db.get(key)
    return found


def _twice(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


class Both:
    """Two connections of a program that has keys in Redis and creds in Postgres."""

    def __init__(self, keys: Any, creds: Any) -> None:
        self.keys, self.creds = keys, creds

    def close(self) -> None:
        self.keys.close()
        self.creds.close()


def _make_mixed(db: Both) -> None:
    db.keys.flushdb()
    _run(
        db.creds,
        """DROP TABLE IF EXISTS "Session", "Instance";
CREATE TABLE "Instance" (id text PRIMARY KEY, name varchar(255) NOT NULL);
CREATE TABLE "Session" (id text NOT NULL PRIMARY KEY, "sessionId" text NOT NULL UNIQUE
  REFERENCES "Instance"(id) ON DELETE CASCADE, creds text, "createdAt" timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP);
INSERT INTO "Instance" VALUES ('17', 'shop')""",
    )


def _fill_mixed(db: Both, sid: str, creds: str, rows: Iterable[Row]) -> None:
    db.creds.execute("INSERT INTO \"Instance\" VALUES (%s, 'shop') ON CONFLICT DO NOTHING", (sid,))
    sql = 'INSERT INTO "Session" (id, "sessionId", creds) VALUES (%s, %s, %s)'
    db.creds.execute(sql, (f"c-{sid}", sid, _twice(creds)))
    db.keys.hset(f"evolution:instance:{sid}", mapping={_true(row): _twice(row.text) for row in rows})


def _mixed_cells(db: Both) -> dict[str, str]:
    creds = db.creds.execute('SELECT "sessionId", creds FROM "Session" WHERE creds IS NOT NULL').fetchall()
    return _redis_cells(db.keys) | {f"Session|{sid}|creds": text for sid, text in creds}


def _true(row: Row) -> str:
    return f"{row.type}-{row.id}"


def _fixed(row: Row) -> str:
    return fixed(_true(row))


SHAPES = [
    Shape(
        "ai-admin",
        "postgres",
        _make_ai_admin,
        _fill_ai_admin,
        _select("SELECT company_id, key_type, key_id, updated_at, value::text FROM whatsapp_keys"),
        in_bytes=False,
        exact=True,
    ),
    Shape(
        "baileys-sqlite",
        "sqlite",
        _make_baileys_sqlite,
        _fill_baileys_sqlite,
        _select("SELECT type, id, value FROM signal_keys"),
    ),
    Shape(
        "postgres-baileys",
        "postgres",
        _make_postgres_baileys,
        _fill_postgres_baileys,
        _select("SELECT session_key, data FROM auth_data"),
    ),
    Shape("keyv", "postgres", _make_keyv, _fill_keyv, _select("SELECT key, value FROM keyv")),
    Shape(
        "prisma-session",
        "postgres",
        _make_prisma,
        _fill_prisma,
        _select('SELECT "sessionId", id, data FROM "Session"'),
    ),
    Shape(
        "ticketz",
        "postgres",
        _make_ticketz,
        _fill_ticketz,
        _select('SELECT "whatsappId", type, key, value FROM "BaileysKeys"'),
    ),
    Shape("baileys-redis-auth", "redis", _no_tables, _in_hash("{}:auth", _fixed), _redis_cells),
    Shape("baileys-redis-auth-keys", "redis", _no_tables, _in_keys("{}:{}", _fixed), _redis_cells),
    Shape(
        "fazer",
        "redis",
        _no_tables,
        _in_hash("@baileys-api:connections:{}:authState", _true),
        _redis_cells,
    ),
    Shape(
        "evolution",
        "redis",
        _no_tables,
        _in_hash("evolution:instance:{}", _true, _twice),
        _redis_cells,
    ),
    Shape("evolution-mixed", "mixed", _make_mixed, _fill_mixed, _mixed_cells),
    Shape("unoapi", "redis", _no_tables, _in_keys("unoapi-auth:{}:{}", _true), _redis_cells),
    Shape("keyv", "redis", _no_tables, _in_keys("keyv::keyv:{}:{}", _true, _keyv), _redis_cells),
]


def root_of(shape: Shape, address: str, name: str = "bot") -> dict[str, str]:
    """Return what the settings say of a store: `address` is that of the keys and that of the creds, where it is two."""
    store, *creds = address.split()
    root = {"store": store, "preset": shape.preset, "name": name}
    return root | {"creds_store": creds[0]} if creds else root


def connect(shape: Shape, place: str) -> Any:
    """Return a connection as the program has one: what it writes is there at once."""
    if shape.kind == "mixed":
        keys, creds = place.split()
        return Both(
            connect(shape._replace(kind="redis"), keys), connect(shape._replace(kind="postgres"), creds)
        )
    if shape.kind == "sqlite":
        return sqlite3.connect(place, isolation_level=None)
    if shape.kind == "redis":
        import redis

        return redis.Redis.from_url(place, decode_responses=True)
    import psycopg

    return psycopg.connect(place, autocommit=True)
