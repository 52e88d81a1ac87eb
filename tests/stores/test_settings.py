"""A root that is a store: what its settings may say, and what `config check` finds behind it."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from baileys_tools.config.root_kinds import ROOTS, plain_root
from tests.integration.faults.forked import run_cli
from tests.stores.shapes import SHAPES, as_arrays, rows_of
from tests.support import company_folder, scrubbed_environment

HERE = {"absolute": lambda path: path if path.startswith("/") else f"/here/{path}"}


def read(**root: object) -> object:
    (found,) = ROOTS.read([root], HERE["absolute"])
    return found


@pytest.mark.parametrize(
    ("root", "why"),
    [
        ({"store": "postgres://bot:hidden@db/bots", "preset": "keyv"}, "the address has a secret in it"),
        ({"store": "postgres://db/bots?password=hidden", "preset": "keyv"}, "the address has a secret in it"),
        ({"store": "mysql://db/bots", "preset": "keyv"}, "an address begins with one of"),
        ({"store": "postgres://db/bots", "preset": "ai-admim"}, "did you mean ai-admin"),
        ({"store": "postgres://db/bots", "preset": "fazer"}, "the preset fazer is of a store in Redis"),
        ({"store": "postgres://db/bots"}, "neither a preset nor a table is named"),
        ({"store": "postgres://db/bots", "table": "auth"}, "value is missing"),
        ({"store": "postgres://db/bots", "table": "a", "value": "v"}, "give key"),
        ({"store": "postgres://db/bots", "table": "a", "value": "v", "type": "t"}, "give key"),
        (
            {"store": "postgres://db/bots", "table": "a", "value": "v", "key": "k", "codec": "xml"},
            "invalid codec",
        ),
        ({"store": "postgres://db/bots", "table": 'a"b', "value": "v", "key": "k"}, "no name of a table"),
        (
            {"store": "postgres://db/b", "table": "a", "value": "v%", "key": "k"},
            "no name of a table or a column",
        ),
        ({"store": "redis://db/0", "key": "auth:{name}"}, "tells no session from another"),
        ({"store": "redis://db/0", "key": "auth:{tenant}{name}"}, "nothing tells where {tenant} ends"),
        ({"store": "redis://db/0", "hash": "{tenant}:auth", "table": "x"}, "has no such thing"),
        ({"store": "sqlite://", "preset": "baileys-sqlite"}, "needs the path of the file"),
        ({"url_env": "DATABASE_URL", "preset": "keyv"}, "store is missing"),
        ({"store": "redis://db/0", "preset": "fazer", "pasword_file": "x"}, "did you mean password_file"),
        ({"store": "redis://db/0", "preset": "evolution-mixed"}, r"creds_store \(--creds-to\) is missing"),
        (
            {"store": "redis://db/0", "preset": "fazer", "creds_store": "postgres://db/bots"},
            "creds_store goes with a layout",
        ),
        ({"store": "redis://db/0", "creds_url_env": "URL"}, "creds_url_env goes with creds_store"),
        (
            {"store": "redis://db/0", "preset": "evolution-mixed", "creds_store": "postgres://b:hidden@db/x"},
            "the address has a secret in it",
        ),
        (
            {"store": "redis://db/0", "preset": "evolution-mixed", "creds_store": "redis://db/1"},
            "the address of a Postgres",
        ),
        ({"store": "redis://db/0", "hash": "{tenant}", "creds_table": "x"}, "creds in another store"),
    ],
)
def test_what_cannot_be_meant_is_refused_without_its_secret(root: dict[str, str], why: str) -> None:
    with pytest.raises(ValueError, match=why) as told:
        read(**root)
    assert "hidden" not in str(told.value)


def test_a_store_is_shown_as_it_was_given() -> None:
    given = {"store": "sqlite://auth.db", "preset": "baileys-sqlite", "name": "bot", "codec": "json"}
    assert plain_root(read(**given)) == {**given, "store": "sqlite:///here/auth.db"}  # type: ignore[arg-type]
    given = {"store": "redis://db/0", "preset": "evolution-mixed", "creds_store": "postgres://bot@db/x"}
    given |= {"password_file": "/a", "creds_password_file": "/b"}
    assert plain_root(read(**given)) == given  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "words", [("status",), ("cleanup",), ("backup", "--backup-path", "backups"), ("monitor-once",)]
)
def test_nothing_of_stores_is_loaded_for_folders(tmp_path: Path, words: tuple[str, ...]) -> None:
    company_folder(tmp_path / "sessions")
    program = (
        "import sys; from baileys_tools.cli import main; sys.argv[0] = 'baileys-tools'\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([name for name in sys.modules if name.startswith(('baileys_tools.stores', 'psycopg', 'redis'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *words, "--sessions", tmp_path / "sessions"],
        env=scrubbed_environment({"BAILEYS_TOOLS_STATE_DIR": str(tmp_path / "state")}),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def check(folder: Path, root: dict[str, str], code: int) -> str:
    config = folder / "config.yaml"
    config.write_text(json.dumps({"sessions": {"roots": [root]}, "state": {"dir": str(folder / "state")}}))
    config.chmod(0o600)
    done = run_cli("config", "check", "--config", str(config), cwd=folder)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def test_a_store_is_tried_and_what_is_wrong_with_its_rows_is_said(tmp_path: Path) -> None:
    place = tmp_path / "auth.db"
    shape = next(one for one in SHAPES if one.kind == "sqlite")
    root = {"store": f"sqlite://{place}", "preset": "baileys-sqlite"}
    assert "no such file, and a database is never made here" in check(tmp_path, root, 4)
    assert not place.exists()
    with sqlite3.connect(place) as db:
        assert "table signal_keys: " in check(tmp_path, root, 4)
        shape.make(db)
        db.commit()
        assert "no session in it" in check(tmp_path, root, 4)
        creds, rows = rows_of()
        shape.fill(db, "", creds, rows[:40])
        db.commit()
        place.chmod(0o600)
        assert "1 session" in check(tmp_path, root, 0)
        db.execute("INSERT INTO signal_keys VALUES ('pre', 'key-5', '{}')")
        db.execute("INSERT INTO signal_keys VALUES ('session', '1.0', 'AES:xyz')")
        db.execute("INSERT INTO signal_keys VALUES ('notes', 'x', '1')")
        db.execute("UPDATE creds SET value = ?", (json.dumps({"wrapped": as_arrays(creds)}),))
        db.commit()
    found = check(tmp_path, root, 4)
    assert "1 row filed under half a type, such as pre|key-5" in found
    assert "1 value cannot be read with this codec, such as session-1.0.json" in found
    assert "1 row left alone, such as notes|x" in found
    assert "its creds are" in found
