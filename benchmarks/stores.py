"""What sessions in databases cost: the same passes as on folders, beside a plain read of the same rows.

The rows are those of a long-lived session of the real Baileys, once a tenant, on real servers that this starts.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.measure import COMMAND, Bench, Row, Run, memory_row, note, ratio_row, say
from tests.stores.servers import postgres, redis_server
from tests.stores.shapes import SHAPES, Shape, connect, rows_of

ROWS = 200
"""Records of a tenant, creds among them."""
SHARE = 5
"""A session in a store for so many companies of the tree: a thousand companies, 200 sessions, 40,000 records."""
SHARE_OF_FILES = 1
"""The same of SQLite, where five times as many are read in the time that a command takes to start."""
MOST_RUNS = 3
FIRST = ("first monitor-once", "first backup")
"""What reads all of it, once."""
DOUBLED = 2.3
GOALS = {"monitor-once": 1.5, "status": 1.5, "dry run": 3, "backup of 1 %": 3}
OF_FILES = GOALS | {"dry run": 8}
"""Of SQLite, which reads a row in a microsecond and a half, its file's opening among it: what this tool makes of one
takes seven."""

_SELECT = """
import sys, psycopg
with psycopg.connect(sys.argv[1]) as db, db.cursor("rows") as rows:
    rows.itersize = 1000
    for table in sys.argv[2:]:
        for row in rows.execute(f"SELECT * FROM {table}"): pass
        rows.close(); rows = db.cursor("rows")
"""
_READ = """
import sys, glob, sqlite3
for path in glob.iglob(sys.argv[1].removeprefix("sqlite://")):
    db = sqlite3.connect(path)
    for table in sys.argv[2:]:
        for row in db.execute(f"SELECT * FROM {table}"): pass
    db.close()
"""
_SCAN = """
import sys, redis
db = redis.Redis.from_url(sys.argv[1], decode_responses=True)
keys = []
def read():
    pipe = db.pipeline(transaction=False)
    for key in keys: pipe.hgetall(key) if sys.argv[2] == "hash" else pipe.get(key)
    pipe.execute(); keys.clear()
for key in db.scan_iter(count=500):
    keys.append(key)
    if len(keys) >= (50 if sys.argv[2] == "hash" else 500): read()
read()
"""


class Kind(NamedTuple):
    """A preset, how one tenant becomes many, and how all rows are read plainly."""

    preset: str
    kind: str
    multiply: Callable[[Any, int], None]
    plain: tuple[str, ...]
    change: Callable[[Any, int], None]


def _of(number: int, creds: str) -> str:
    found = json.loads(creds)
    found["me"]["id"] = f"{4915_000_000 + number}:1@s.whatsapp.net"
    return json.dumps(found, separators=(",", ":"), ensure_ascii=False)


def _many_in_postgres(db: Any, count: int) -> None:
    db.execute(
        "INSERT INTO whatsapp_keys (company_id, key_type, key_id, value, updated_at) SELECT 't' || n, key_type, "
        "key_id, value, updated_at FROM whatsapp_keys, generate_series(1, %s) n",
        (count - 1,),
    )
    db.execute(
        "INSERT INTO whatsapp_auth (company_id, creds) SELECT 't' || n, jsonb_set(creds, '{me,id}', "
        "to_jsonb((4915000000 + n)::text || ':1@s.whatsapp.net')) FROM whatsapp_auth, generate_series(1, %s) n",
        (count - 1,),
    )
    db.execute("ANALYZE")


def _change_in_postgres(db: Any, count: int) -> None:
    db.execute(
        "UPDATE whatsapp_keys SET value = jsonb_set(value, '{changed}', to_jsonb(clock_timestamp()::text)) "
        "WHERE company_id IN (SELECT 't' || n * 100 FROM generate_series(0, %s) n) AND key_type = 'session'",
        (count // 100,),
    )


def _many_in_redis(db: Any, count: int) -> None:
    for key in [*db.scan_iter()]:
        values = db.hgetall(key)
        for number in range(1, count):
            own = values | {"creds": _of(number, values["creds"])}
            db.hset(key.replace(":t0:", f":t{number}:"), mapping=own)


def _change_in_redis(db: Any, count: int) -> None:
    for number in range(0, count, 100):
        key = f"@baileys-api:connections:t{number}:authState"
        name = next(one for one in db.hkeys(key) if one.startswith("session-"))
        db.hset(key, name, db.hget(key, name).replace("{", '{"changed":1,', 1))


def _many_keys(db: Any, count: int) -> None:
    found = {key: db.get(key) for key in [*db.scan_iter()]}
    for number in range(1, count):
        pipe = db.pipeline(transaction=False)
        for key, text in found.items():
            pipe.set(
                key.replace(":t0:", f":t{number}:"), _of(number, text) if key.endswith(":creds") else text
            )
        pipe.execute()


def _change_keys(db: Any, count: int) -> None:
    for number in range(0, count, 100):
        name = next(db.scan_iter(match=f"unoapi-auth:t{number}:session-*", count=10_000))
        db.set(name, db.get(name).replace("{", '{"changed":1,', 1))


def _many_files(db: Any, count: int) -> None:
    creds, first = db.execute("SELECT value FROM creds").fetchone()[0], _file_of(db)
    for number in range(1, count):
        path = first.parents[1] / f"t{number}" / first.name
        path.parent.mkdir()
        shutil.copyfile(first, path)
        own = sqlite3.connect(path)
        own.execute("UPDATE creds SET value = ?", (_of(number, creds),))
        own.commit()
        own.close()


def _change_files(db: Any, count: int) -> None:
    for number in range(0, count, 100):
        own = sqlite3.connect(_file_of(db).parents[1] / f"t{number}" / _file_of(db).name)
        own.execute(
            "UPDATE signal_keys SET value = replace(value, '{', '{\"changed\":1,') "
            "WHERE rowid = (SELECT min(rowid) FROM signal_keys WHERE type = 'session')"
        )
        own.commit()
        own.close()


def _file_of(db: Any) -> Path:
    return Path(db.execute("PRAGMA database_list").fetchone()[2])


KINDS = (
    Kind(
        "ai-admin",
        "postgres",
        _many_in_postgres,
        (_SELECT, "whatsapp_auth", "whatsapp_keys"),
        _change_in_postgres,
    ),
    Kind("fazer", "redis", _many_in_redis, (_SCAN, "hash"), _change_in_redis),
    Kind("unoapi", "redis", _many_keys, (_SCAN, "key"), _change_keys),
    Kind("baileys-sqlite", "sqlite", _many_files, (_READ, "creds", "signal_keys"), _change_files),
)


class Filled(NamedTuple):
    """A server with sessions, and the settings for it."""

    bench: Bench
    kind: Kind
    url: str
    config: Path
    db: Any
    sessions: int

    def run(self, *words: str, exits: tuple[int, ...] = (0, 4, 5)) -> Run:
        state = self.config.with_suffix(".state")
        return self.bench.run(
            [COMMAND, *words, "--config", self.config], exits=exits, BAILEYS_TOOLS_STATE_DIR=str(state)
        )

    def plain(self) -> Run:
        script, *words = self.kind.plain
        return self.bench.run([sys.executable, "-c", script, self.url, *words])


def _filled(bench: Bench, kind: Kind, url: str, count: int) -> Filled:
    shape: Shape = next(one for one in SHAPES if (one.preset, one.kind) == (kind.preset, kind.kind))
    if kind.kind == "sqlite":
        first = Path(url.removeprefix("sqlite://").replace("*", "t0"))
        first.parent.mkdir(parents=True)
    db = connect(shape, str(first) if kind.kind == "sqlite" else url)
    shape.make(db)
    creds, rows = rows_of()
    shape.fill(db, "t0", creds, [rows[number * len(rows) // (ROWS - 1)] for number in range(ROWS - 1)])
    kind.multiply(db, count)
    config = bench.place / f"{kind.preset}-{count}.yaml"
    roots = [{"store": url, "preset": kind.preset}]
    settings = {"sessions": {"roots": roots}, "backup": {"path": str(config.with_suffix(".backups"))}}
    config.write_text(json.dumps(settings))
    config.chmod(0o600)
    return Filled(bench, kind, url, config, db, count)


@contextmanager
def _server(bench: Bench, kind: Kind, count: int) -> Iterator[str]:
    folder = bench.place / f"server-{kind.preset}-{count}"
    if kind.kind == "sqlite":
        yield f"sqlite://{folder}/*/auth.db"
        shutil.rmtree(folder)
        return
    with postgres() if kind.kind == "postgres" else redis_server(folder) as url:
        yield url


def rows(bench: Bench, kind: Kind) -> Iterator[Row]:
    """Measure a kind at two sizes: the time may double with the rows, and memory may not grow with them."""
    share = SHARE_OF_FILES if kind.kind == "sqlite" else SHARE
    half, whole = sizes = (bench.companies // share // 2, bench.companies // share)
    spent: dict[tuple[str, int], list[Run]] = {}
    for count in sizes:
        with _server(bench, kind, count) as url:
            say(f"{kind.preset}: {count} sessions of {ROWS} records")
            store = _filled(bench, kind, url, count)
            _measure(store, spent)
            store.db.close()
    for what, goal in (OF_FILES if kind.kind == "sqlite" else GOALS).items():
        ours = spent[what, whole]
        yield ratio_row(f"{kind.preset}, {what} / plain read", goal, ours, spent["plain", whole])
        yield ratio_row(f"{kind.preset}, {what}: twice the rows", DOUBLED, ours, spent[what, half])
    ours = [run for (what, _), runs in spent.items() if what != "plain" for run in runs]
    yield memory_row(f"{kind.preset}, all passes", ours)
    for what in FIRST:
        (first,) = spent[what, whole]
        note(
            f"{kind.preset}, {what}: {first.seconds:.1f} s, {1000 * first.seconds / whole:.0f} ms a session, "
            f"{first.peak_mib:.0f} MiB"
        )


def _measure(store: Filled, spent: dict[tuple[str, int], list[Run]]) -> None:
    def keep(what: str, run: Run) -> None:
        spent.setdefault((what, store.sessions), []).append(run)

    for what in FIRST:
        keep(what, store.run(what.removeprefix("first "), "--quiet"))
    for _ in range(min(store.bench.runs, MOST_RUNS)):
        keep("plain", store.plain())
        keep("monitor-once", store.run("monitor-once"))
        keep("status", store.run("status"))
        keep("dry run", store.run("cleanup", "--dry-run", "--quiet"))
        store.kind.change(store.db, store.sessions)
        keep("backup of 1 %", store.run("backup", "--quiet"))
