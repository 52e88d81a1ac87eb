"""A move killed at a system call: the target holds nothing or all of it, a login is somewhere, and it goes on."""

from __future__ import annotations

import os
import shutil
import signal
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from baileys_tools.recovery import migrating
from baileys_tools.recovery.moving_places import StoreTarget
from baileys_tools.stores.redis_keys import RedisStore
from tests.integration.faults.injection import Call, after_lock, traced
from tests.stores.shapes import Both, Shape, connect
from tests.stores.test_migrate import FOLDER, PLACES, Place, lay, lay_out, place, run, stopped_since_yesterday
from tests.stores.test_verbs import creds_and_rows, files_in, ids
from tests.support import COMMAND

pytestmark = pytest.mark.xdist_group("stores")
CALLS = (
    "renameat", "renameat2", "unlink", "unlinkat", "mkdir", "mkdirat", "write", "pwrite64", "fsync", "fdatasync",
    "ftruncate", "utimensat", "sendto", "recvfrom", "openat", "flock", "fcntl",
)  # fmt: skip
"""What changes a folder, a file of SQLite or a server, what asks for that, and what stands between."""
CREDS = {
    "ai-admin": "SELECT creds::text FROM whatsapp_auth",
    "baileys-sqlite": "SELECT value FROM creds",
    "ticketz": 'SELECT session FROM "Whatsapps" WHERE session IS NOT NULL',
}
"""Where creds are in a table of their own."""


def records(of: Place) -> tuple[int, bool]:
    """How many keys stand at a place, and whether creds do."""
    if of.shape is FOLDER:
        found = files_in(Path(of.place)) if Path(of.place).is_dir() else {}
        return len(found) - ("creds.json" in found), "creds.json" in found
    db = connect(of.shape, of.place)
    try:
        cells = [
            one for one in of.shape.cells(db) if "cluster:" not in one and "baileys-tools.lock" not in one
        ]
        if sql := CREDS.get(of.shape.preset):
            return len(cells), db.execute(sql).fetchone() is not None
        has_creds = any(one.endswith(("creds", "auth_creds")) for one in cells)
        return len(cells) - has_creds, has_creds
    finally:
        db.close()


def way(one: str, other: str) -> tuple[Shape, Shape]:
    named = {ids(shape): shape for shape in PLACES}
    return named[one], named[other]


class Move:
    """A move from one place to another that can be laid out again as often as it is killed."""

    def __init__(self, source: Place, target: Place) -> None:
        self.source, self.target = source, target
        self.keys = len(creds_and_rows()[1])
        self.words: list[str | Path] = [
            COMMAND,
            "migrate",
            *target.to,
            "--yes",
            "--config",
            str(source.folder / "config.yaml"),
        ]
        self.env = {"BAILEYS_TOOLS_STATE_DIR": str(source.folder / "state")}

    def lay(self) -> None:
        shutil.rmtree(self.source.folder / "state", ignore_errors=True)
        for one, is_source in ((self.target, False), (self.source, True)):
            if one.shape is FOLDER:
                shutil.rmtree(one.place, ignore_errors=True)
                for left in Path(one.place).parent.glob(".*"):
                    shutil.rmtree(left)
                if is_source:
                    lay(Path(one.place))
                continue
            db = connect(one.shape, one.place)
            if one.shape.kind == "sqlite":
                db.execute("DROP TABLE IF EXISTS signal_keys")
                db.execute("DROP TABLE IF EXISTS creds")
            lay_out(one.shape, db, fill=is_source)
            db.close()
        stopped_since_yesterday(self.source)

    def points(self, most: int) -> list[Call]:
        """Calls of an undisturbed move from its first lock on, evenly over its length."""
        self.lay()
        run(self.source, "sessions")
        done, made = traced(self.words, calls=CALLS, env=self.env)
        assert done.returncode == 0, done.stderr
        calls = after_lock(made)
        most = min(most, len(calls))
        return [calls[number * (len(calls) - 1) // (most - 1)] for number in range(most)]

    def killed(self, point: Call) -> str:
        """Kill a move at a call, and say how far it had come once all has been checked."""
        self.lay()
        run(self.source, "sessions")
        done, _ = traced(
            self.words,
            "-e",
            f"inject={point.name}:signal=KILL:when={point.nth}",
            calls=[point.name],
            env=self.env,
        )
        assert done.returncode in (-9, 0), f"{point}: {done.stderr}"
        return self.taken_up(str(point))

    def taken_up(self, point: str) -> str:
        """Check what a kill has left, run it again, and take the way back; say how far it had come."""
        keys, creds = records(self.target)
        left, logs_in = records(self.source)
        halves = [(self.keys, False)] if self.target.shape.kind == "mixed" else []
        assert (keys, creds) in [(0, False), (self.keys, True), *halves], f"{point}: half of it"
        assert logs_in or creds, f"{point}: no login anywhere"
        assert left == self.keys, f"{point}: keys of the source are gone"
        self._leases_end()
        if logs_in:
            run(self.source, "migrate", *self.target.to, "--yes")
        assert records(self.target) == (self.keys, True), point
        assert records(self.source) == (self.keys, False), point
        self._leases_end()
        run(self.source, "undo")
        assert records(self.source) == (self.keys, True), f"{point}: the way back is lost"
        return "moved" if not logs_in else "copied" if creds else "keys" if keys else "nothing"

    def _leases_end(self) -> None:
        """As time passes: a lease in Redis outlives its run by a minute."""
        for one in (self.source, self.target):
            if one.shape.kind in ("redis", "mixed"):
                db = connect(one.shape, one.place)
                redis = db.keys if isinstance(db, Both) else db
                for key in redis.keys("*"):
                    if "cluster:lease:" in key or key.endswith("baileys-tools.lock"):
                        redis.delete(key)
                db.close()


@pytest.fixture
def moving(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    with ExitStack() as places:

        def between(one: str, other: str) -> Move:
            first, second = way(one, other)
            source = places.enter_context(place(first, request, tmp_path, "source", fill=True))
            return Move(source, places.enter_context(place(second, request, tmp_path, "target", fill=False)))

        yield between


CHANGE = RedisStore.change

WAYS = [
    ("folder-folder", "baileys-sqlite-sqlite"),
    ("folder-folder", "keyv-postgres"),
    ("folder-folder", "fazer-redis"),
    ("fazer-redis", "folder-folder"),
    ("ai-admin-postgres", "baileys-redis-auth-keys-redis"),
    ("baileys-sqlite-sqlite", "ai-admin-postgres"),
    ("folder-folder", "evolution-mixed-mixed"),
    ("evolution-mixed-mixed", "folder-folder"),
]


def dies(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(
    ("moment", "came_to"), [("target.fill", "nothing"), ("_prove", "copied"), ("_set_creds_aside", "copied")]
)
def test_a_move_killed_at_one_of_its_steps_is_run_again_and_nothing_is_lost(
    moment: str, came_to: str, moving: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    move = moving(*WAYS[0])
    move.lay()
    with monkeypatch.context() as patch:
        where: Any = StoreTarget if moment == "target.fill" else migrating
        patch.setattr(where, moment.removeprefix("target."), dies)
        run(move.source, "migrate", *move.target.to, "--yes", code=-signal.SIGKILL)
    assert move.taken_up(moment) == came_to


@pytest.mark.parametrize("point", ["after the keys", "before the keys are taken back"])
def test_a_move_into_two_stores_that_is_killed_between_them_is_run_again(
    point: str, moving: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys without creds are no login; and they stand there, too, where a copy that is not proven is taken back."""
    move = moving("folder-folder", "evolution-mixed-mixed")
    move.lay()
    with monkeypatch.context() as patch:
        if point == "after the keys":
            patch.setattr("baileys_tools.stores.postgres.PostgresStore.change", dies)
        else:
            patch.setattr(migrating, "proof_failed", lambda *_: "a doubt")
            patch.setattr("baileys_tools.stores.redis_keys.RedisStore.change", dies_when_it_removes)
        run(move.source, "migrate", *move.target.to, "--yes", code=-signal.SIGKILL)
    assert move.taken_up(point) == "keys"


def dies_when_it_removes(store: RedisStore, tenant: str, units: Any, *, whole: bool) -> list[bool]:
    if any(one.after is None for unit in units for one in unit):
        dies()
    return CHANGE(store, tenant, units, whole=whole)


@pytest.mark.faults
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("one", "other"), [pytest.param(*way, id="-to-".join(way)) for way in WAYS])
def test_a_move_killed_at_any_call_is_run_again_and_nothing_is_lost(
    one: str, other: str, moving: Any
) -> None:
    move = moving(one, other)
    points = move.points(40)
    seen = Counter(move.killed(point) for point in points)
    print(f"{one} to {other}: {len(points)} points, {dict(seen)}")
    assert seen["nothing"] and seen["moved"] + seen["copied"]
