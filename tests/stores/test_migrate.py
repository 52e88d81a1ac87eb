"""A session moves between folders and real databases: all of it, proven, or none of it."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from baileys_tools.sessions.rules.records import meanings
from baileys_tools.sessions.stored.rules.ages import FirstSeen
from tests.integration.faults.forked import run_cli
from tests.stores.shapes import SHAPES, Shape, connect, root_of
from tests.stores.test_verbs import creds_and_rows, files_in, ids

pytestmark = pytest.mark.xdist_group("stores")
TENANT = "17"
FOLDER = Shape("folder", "folder", lambda db: None, lambda *_: None, lambda db: {})
PLACES = [FOLDER, *SHAPES]
LONG_AGO = 1_790_000_000


class Place:
    """A folder or a store: what the tool is told of it, and whether a login stands there."""

    def __init__(self, shape: Shape, place: str, folder: Path) -> None:
        self.shape, self.place, self.folder = shape, place, folder

    @property
    def address(self) -> str:
        return f"sqlite://{self.place}" if self.shape.kind == "sqlite" else self.place

    @property
    def root(self) -> dict[str, str]:
        if self.shape is FOLDER:
            return {"path": self.place}
        return root_of(self.shape, self.address)

    @property
    def to(self) -> list[str]:
        if self.shape is FOLDER:
            return ["--to", self.place]
        address, *creds = self.address.split()
        apart = ["--creds-to", creds[0]] if creds else []
        return ["--to", address, *apart, "--preset", self.shape.preset, "--tenant", TENANT]


@contextmanager
def place(
    shape: Shape, request: pytest.FixtureRequest, folder: Path, name: str, *, fill: bool
) -> Iterator[Place]:
    if shape is FOLDER:
        there = folder / name / "company_bot"
        there.parent.mkdir()
        if fill:
            lay(there)
        yield Place(shape, str(there), folder)
        return
    where = (
        str(folder / f"{name}.db") if shape.kind == "sqlite" else request.getfixturevalue(f"{shape.kind}_url")
    )
    if shape.kind in ("redis", "mixed"):
        # Two ends of one server are two databases of it.
        where = where.replace("/0", "/1" if fill else "/2")
    db = connect(shape, where)
    try:
        lay_out(shape, db, fill=fill)
        yield Place(shape, where, folder)
    finally:
        db.close()


def lay_out(shape: Shape, db: Any, *, fill: bool) -> None:
    """Make a program's tables anew, empty or with a session that was stopped yesterday."""
    shape.make(db)
    if shape.preset == "ticketz" and not fill:
        db.execute("INSERT INTO \"Whatsapps\" (id, name) VALUES (%s, 'shop')", (TENANT,))
    if fill:
        shape.fill(db, TENANT, *creds_and_rows())
        if shape.exact:
            db.execute("UPDATE whatsapp_auth SET updated_at = now() - interval '1 day'")
            db.execute("DROP TRIGGER touched ON whatsapp_keys")
            db.execute("UPDATE whatsapp_keys SET updated_at = now() - interval '1 day'")


def lay(folder: Path) -> None:
    """A session folder of a bot that was stopped long ago."""
    folder.mkdir()
    creds, rows = creds_and_rows()
    (folder / "creds.json").write_text(creds)
    for row in rows:
        name = f"{row.type}-{row.id}.json".replace("/", "__").replace(":", "-")
        (folder / name).write_text(row.text)
    for path in folder.iterdir():
        os.utime(path, (LONG_AGO, LONG_AGO))


def run(source: Place, *words: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
    config = source.folder / "config.yaml"
    config.write_text(
        json.dumps(
            {
                "sessions": {"roots": [source.root]},
                "state": {"dir": str(source.folder / "state")},
            }
        )
    )
    config.chmod(0o600)
    env = {"BAILEYS_TOOLS_STATE_DIR": str(source.folder / "state")}
    done = run_cli(*words, "--config", str(config), cwd=source.folder, env=env, patched=True)
    assert done.returncode in ((0, 1) if code is None else (code,)), done.stdout + done.stderr
    return done


def first_seen_long_ago(folder: Path) -> None:
    """As if this host had looked at the store yesterday, and nothing had moved since."""
    for path in (folder / "state" / "stores").rglob("*.seen"):
        known = FirstSeen.of_text(path.read_text())
        seen = {name: (what, LONG_AGO * 10**9) for name, (what, _) in known.seen.items()}
        path.write_text(known.with_seen(seen).text())


def stopped_since_yesterday(source: Place) -> None:
    if source.shape is not FOLDER and not source.shape.exact:
        run(source, "sessions")
        first_seen_long_ago(source.folder)


def as_folder(of: Place, out: Path) -> dict[str, bytes]:
    """What a store or folder holds, by way of a folder: read by a second move that leaves the source."""
    if of.shape is FOLDER:
        return files_in(Path(of.place))
    stopped_since_yesterday(of)
    run(of, "migrate", "--to", str(out), "--yes", "--leave-source")
    return files_in(out)


def ways() -> Iterator[Any]:
    quick = {("folder", "ai-admin"), ("fazer", "folder")}
    for one in PLACES:
        for other in PLACES:
            if one is other and one is not FOLDER and one.kind != "sqlite":
                continue
            if one.kind == other.kind == "postgres" and one is other:
                continue
            is_quick = (one.preset, other.preset) in quick
            marks = () if is_quick else pytest.mark.faults
            yield pytest.param(one, other, id=f"{ids(one)}-to-{ids(other)}", marks=marks)


@pytest.mark.parametrize(("one", "other"), [*ways()])
def test_a_session_moves_with_every_record_and_the_old_place_no_longer_logs_in(
    one: Shape, other: Shape, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with ExitStack() as places:
        source = places.enter_context(place(one, request, tmp_path, "source", fill=True))
        target = places.enter_context(place(other, request, tmp_path, "target", fill=False))
        stopped_since_yesterday(source)
        planned = json.loads(run(source, "migrate", *target.to, "--dry-run", "--json").stdout)
        assert (planned["target_holds"], planned["left"], planned["refusals"]) == ("nothing", {}, [])
        moved = json.loads(run(source, "migrate", *target.to, "--yes", "--json").stdout)
        rows = creds_and_rows()[1]
        assert moved["records"] == len(rows) + 1
        assert moved["digest"] == planned["digest"] == DIGEST, "one digest, wherever the session stands"

        got = (
            as_folder(Place(other, target.place, tmp_path / "second"), tmp_path / "out")
            if _mkdir(tmp_path)
            else {}
        )
        lay(tmp_path / "expected")
        assert meanings(got) == meanings(files_in(tmp_path / "expected"))

        assert "creds.json is missing" in run(source, "migrate", *target.to, "--yes", code=13).stderr
        run(source, "undo")
        stopped_since_yesterday(source)
        if other.kind != "sqlite" or one.kind != "sqlite":
            again = json.loads(run(source, "migrate", *target.to, "--dry-run", "--json").stdout)
            assert again["target_holds"] == "the-same"


def _mkdir(folder: Path) -> bool:
    (folder / "second").mkdir()
    return True


def _digest() -> str:
    from baileys_tools.sessions.rules.records import session_digest

    creds, rows = creds_and_rows()
    files = {"creds.json": creds.encode()}
    for row in rows:
        files[f"{row.type}-{row.id}.json".replace("/", "__").replace(":", "-")] = row.text.encode()
    return session_digest(meanings(files))


DIGEST = _digest()


# --- what goes wrong ------------------------------------------------------------------------------------------


@pytest.fixture
def into_sqlite(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Place, Place]]:
    shape = next(one for one in SHAPES if one.kind == "sqlite")
    with (
        place(FOLDER, request, tmp_path, "source", fill=True) as source,
        place(shape, request, tmp_path, "target", fill=False) as target,
    ):
        yield source, target


def counted(target: Place) -> tuple[int, int]:
    with sqlite3.connect(target.place) as db:
        (keys,) = db.execute("SELECT count(*) FROM signal_keys").fetchone()
        (creds,) = db.execute("SELECT count(*) FROM creds").fetchone()
    return keys, creds


@pytest.mark.parametrize(
    ("trigger", "told"),
    [
        ("DELETE FROM signal_keys WHERE type = 'lid-mapping' AND id = NEW.id", "missing (lid-mapping-"),
        (
            "UPDATE signal_keys SET value = '{}' WHERE type = 'session' AND id = NEW.id",
            "of another content (session-",
        ),
        (
            "INSERT OR IGNORE INTO signal_keys VALUES ('pre-key', '77777', '{}')",
            "too many (pre-key-77777.json)",
        ),
    ],
)
def test_one_record_dropped_or_altered_on_its_way_is_told_and_taken_back(
    into_sqlite: tuple[Place, Place], trigger: str, told: str
) -> None:
    source, target = into_sqlite
    before = files_in(Path(source.place))
    with sqlite3.connect(target.place) as db:
        db.execute(f"CREATE TRIGGER odd AFTER INSERT ON signal_keys BEGIN {trigger}; END")
    done = run(source, "migrate", *target.to, "--yes", code=1)
    assert "not proven: the copy is not the source" in done.stderr
    assert told in done.stderr
    assert counted(target) == (0, 0)
    assert files_in(Path(source.place)) == before


def test_another_login_and_other_keys_are_never_written_over(into_sqlite: tuple[Place, Place]) -> None:
    source, target = into_sqlite
    with sqlite3.connect(target.place) as db:
        creds, rows = creds_and_rows()
        db.execute("INSERT INTO creds VALUES ('__creds__', ?)", (creds,))
        db.executemany("INSERT INTO signal_keys VALUES (?, ?, ?)", rows[:3])
    assert "nobody can tell which is the newer" in run(source, "migrate", *target.to, "--yes", code=13).stderr
    with sqlite3.connect(target.place) as db:
        other = json.loads(creds)
        other["me"]["id"] = "4915550000:3@s.whatsapp.net"
        db.execute("UPDATE creds SET value = ?", (json.dumps(other),))
    assert "another login stands there" in run(source, "migrate", *target.to, "--yes", code=13).stderr
    with sqlite3.connect(target.place) as db:
        db.execute("DELETE FROM creds")
    assert "records without creds stand there" in run(source, "migrate", *target.to, "--yes", code=13).stderr
    assert counted(target) == (3, 0)
    assert (Path(source.place) / "creds.json").exists()


def test_a_living_bot_is_not_moved(into_sqlite: tuple[Place, Place]) -> None:
    source, target = into_sqlite
    (Path(source.place) / "creds.json").touch()
    assert "the bot lives" in run(source, "migrate", *target.to, "--yes", code=13).stderr
    assert counted(target) == (0, 0)


def test_rows_filed_under_half_a_type_are_said_and_mended_when_asked(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    shape = next(one for one in SHAPES if one.kind == "sqlite")
    with place(shape, request, tmp_path, "source", fill=True) as source:
        with sqlite3.connect(source.place) as db:
            db.execute("UPDATE signal_keys SET type = 'pre', id = 'key-' || id WHERE type = 'pre-key'")
            db.execute("INSERT INTO signal_keys VALUES ('poll', '1', '{}')")
            (split,) = db.execute("SELECT count(*) FROM signal_keys WHERE type = 'pre'").fetchone()
        assert split > 50
        stopped_since_yesterday(source)
        out = str(tmp_path / "out")
        left = json.loads(run(source, "migrate", "--to", out, "--dry-run", "--json").stdout)["left"]
        assert sum(name.startswith("pre|key-") for name in left) == split
        assert left["poll|1"] == "no record that Baileys knows", "said, and never guessed at"
        assert (
            f"{split} of these belong to the session: --mend"
            in run(source, "migrate", "--to", out, "--dry-run").stdout
        )
        run(source, "migrate", "--to", out, "--mend", "--leave-source", "--yes")
        assert counted(source) == (len(creds_and_rows()[1]) + 1, 1), (
            "who leaves the source has it log in still"
        )
        lay(tmp_path / "expected")
        assert files_in(tmp_path / "out") == files_in(tmp_path / "expected")
