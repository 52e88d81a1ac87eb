"""Leases in Redis: the bot's own are respected and never taken, ours are renewed as long as a run lives."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from baileys_tools.sessions.stored.working import Settled, WorkingCopy
from baileys_tools.stores import leases
from baileys_tools.stores.cells import StoreLocked, StoreTrouble
from baileys_tools.stores.rules.rows import Change
from tests.stores.shapes import SHAPES
from tests.stores.test_migrate import FOLDER, Place, place, run, stopped_since_yesterday
from tests.stores.test_migrate import TENANT as PHONE
from tests.stores.test_trouble import opened
from tests.stores.test_verbs import Stored, stored

pytestmark = pytest.mark.xdist_group("stores")
FAZER = next(one for one in SHAPES if one.preset == "fazer")
LEASE = f"@baileys-api:cluster:lease:{PHONE}"
ALIVE = json.dumps({"owner": "worker-a", "epoch": 7})
OTHER = json.dumps({"owner": "worker-b", "epoch": 8})
SEPARATE = {LEASE, f"@baileys-api:cluster:lease-epoch:{PHONE}"}


@pytest.fixture
def fazer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stored]:
    with stored(FAZER, request, tmp_path) as store:
        yield store


def records(store: Stored) -> dict[str, str]:
    return {key: text for key, text in store.cells().items() if key.partition("|")[0] not in SEPARATE}


def overtaken(monkeypatch: pytest.MonkeyPatch, store: Stored) -> None:
    """Another worker takes the session over after a run has read it and before it changes anything."""
    settle = WorkingCopy.settle

    def late(copy: WorkingCopy, units: Any = (), *, whole: bool = False) -> Settled:
        store.db.set(LEASE, OTHER, px=60_000)
        return settle(copy, units, whole=whole)

    monkeypatch.setattr(WorkingCopy, "settle", late)


def test_a_cleanup_and_its_undo_leave_the_lease_of_a_living_worker_as_it_is(fazer: Stored) -> None:
    fazer.db.set(LEASE, ALIVE, px=600_000)
    before = records(fazer)
    fazer.run("cleanup")
    assert len(records(fazer)) < len(before)
    fazer.run("undo")
    assert records(fazer) == before
    assert fazer.db.get(LEASE) == ALIVE
    assert 60_000 < fazer.db.pttl(LEASE) <= 600_000, "not renewed for it either"


@pytest.mark.parametrize("verb", ["cleanup", "trigger", "undo"])
def test_a_session_that_another_worker_takes_over_meanwhile_is_left_as_it_is(
    verb: str, fazer: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    fazer.db.set(LEASE, ALIVE, px=600_000)
    if verb == "undo":
        fazer.run("cleanup")
    before = records(fazer)
    settings = json.loads(fazer.config.read_text())
    fazer.config.write_text(json.dumps(settings | {"thresholds": LOW}))
    with monkeypatch.context() as patch:
        overtaken(patch, fazer)
        told = fazer.failed(verb)
    assert "another worker of the bot has taken this session over" in told
    assert records(fazer) == before
    assert fazer.db.get(LEASE) == OTHER
    fazer.run(verb)
    assert records(fazer) != before, "the next run does it, as the new worker's session"


LOW = {"warning": 10, "critical": 20, "trigger": 30, "emergency": 400, "danger": 500}


def test_a_move_refuses_a_living_worker_at_either_end_and_holds_the_lease_itself(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        place(FOLDER, request, tmp_path, "source", fill=True) as source,
        place(FAZER, request, tmp_path, "target", fill=False) as target,
    ):
        from tests.stores.shapes import connect

        db = connect(FAZER, target.place)
        db.set(LEASE, ALIVE, px=600_000)
        for words in (("--dry-run",), ("--yes",)):
            done = run(source, "migrate", *target.to, *words, code=13)
            assert "a worker holds the lease" in done.stdout + done.stderr
        assert db.keys() == [LEASE]
        db.delete(LEASE)

        from baileys_tools.recovery import moving_places

        fill, seen = moving_places.StoreTarget.fill, tmp_path / "seen"

        def looking(one: moving_places.StoreTarget, files: Any) -> None:
            seen.write_text(db.get(LEASE))
            fill(one, files)

        with monkeypatch.context() as patch:
            patch.setattr(moving_places.StoreTarget, "fill", looking)
            run(source, "migrate", *target.to, "--yes")
        lease = json.loads(seen.read_text())
        assert lease["owner"].startswith("baileys-tools-")
        assert lease["epoch"] == 1, "as the workers count who has held it"
        assert db.get(LEASE) is None, "given back, for a worker to claim"

        back = Place(FAZER, target.place, tmp_path / "second")
        back.folder.mkdir()
        stopped_since_yesterday(back)
        db.set(LEASE, ALIVE, px=600_000)
        out = tmp_path / "out"
        done = run(back, "migrate", "--to", str(out), "--yes", code=13)
        assert "the bot lives: a worker holds its lease" in done.stderr
        assert not out.exists()
        db.close()


def test_a_lease_is_renewed_while_its_run_lives_and_a_lost_one_is_said(
    fazer: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "LEASE_MS", 300)
    store, other = opened(fazer, FAZER), opened(fazer, FAZER)
    (tenant,) = store.tenants()
    one, two = [cell for cell in store.cells(tenant) if cell.type != "creds"][:2]
    with store.locked(tenant), store.claimed(tenant):
        time.sleep(0.7)
        store.require_held(tenant)
        for held in (other.locked, other.claimed):
            with pytest.raises(StoreLocked), held(tenant):
                pass
        assert store.change(tenant, [[Change(one.type, one.id, one.text, None)]], whole=False) == [True]
        before = records(fazer)
        fazer.db.delete(LEASE)
        with pytest.raises(StoreTrouble, match="ran out before it was renewed"):
            store.change(tenant, [[Change(two.type, two.id, two.text, None)]], whole=False)
        with pytest.raises(StoreTrouble, match="ran out before it was renewed"):
            store.require_held(tenant)
        assert records(fazer) == before
    with store.locked(tenant):
        fazer.db.delete(*fazer.db.keys("*baileys-tools.lock"))
        with other.locked(tenant), pytest.raises(StoreTrouble, match="ran out before it was renewed"):
            store.change(tenant, [[Change(two.type, two.id, two.text, None)]], whole=True)
    assert not fazer.db.keys("*lock"), "nobody's lease stays, and nobody else's was given back"
    store.close()
    other.close()


@pytest.mark.parametrize(("holder", "left"), [(None, None), ("another run", "another run")])
def test_a_lease_whose_answer_was_lost_is_given_back_and_another_run_s_is_not(
    redis_url: str, holder: str | None, left: str | None
) -> None:
    import redis

    with redis.Redis.from_url(redis_url, decode_responses=True) as db:
        db.flushdb()
        if holder:
            db.set("lock", holder)

        def run(*words: Any) -> Any:
            answer = db.execute_command(*words)
            if words[0] == "SET":
                raise StoreTrouble("Connection closed by server")
            return answer

        with pytest.raises(StoreTrouble, match="closed"), leases.held(run, "lock", "this run", "taken"):
            pass
        assert db.get("lock") == left
