"""A session whose keys stand in one server and whose creds in another: what happens where the one changes and the other
does not."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from baileys_tools.stores.cells import Abilities, StoreTrouble
from baileys_tools.stores.mixed import MixedStore
from baileys_tools.stores.postgres import PostgresStore
from baileys_tools.stores.redis_keys import RedisStore
from baileys_tools.stores.rules.rows import Cell
from tests.stores.shapes import SHAPES
from tests.stores.test_migrate import FOLDER, place, run
from tests.stores.test_restores import lose, untouched_for_an_hour
from tests.stores.test_verbs import Stored, stored

pytestmark = pytest.mark.xdist_group("stores")
MIXED = next(one for one in SHAPES if one.kind == "mixed")
RESTORE = ("restore", "--company", "bot", "--yes")
CREDS = "Session|17|creds"
TORN = '"{'


@pytest.fixture
def broken(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stored]:
    """A session that has lost keys since its snapshot, and whose creds are torn."""
    with stored(MIXED, request, tmp_path) as store:
        store.run("backup")
        lose(store, ["app-state-sync-version"])
        store.db.creds.execute('UPDATE "Session" SET creds = %s', (TORN,))
        untouched_for_an_hour(store)
        yield store


def findings(store: Stored) -> dict[str, str]:
    (company,) = json.loads(store.done("monitor-once", "--json").stdout)["companies"]
    return {one["code"]: one["severity"] for one in company["findings"]}


def no_lease(store: Stored) -> None:
    """As time passes: that of a killed run ends after a minute."""
    for key in store.db.keys.keys("*baileys-tools.lock"):
        store.db.keys.delete(key)


def test_a_restore_that_dies_between_keys_and_creds_is_told_and_run_again(
    broken: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = broken.cells()
    with monkeypatch.context() as patch:
        patch.setattr(PostgresStore, "change", lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
        assert broken.done(*RESTORE).returncode == -signal.SIGKILL
    no_lease(broken)
    half = broken.cells()
    assert half.keys() - before.keys(), "the keys are back"
    assert half[CREDS] == TORN, "and they are no login yet"
    assert findings(broken)["store-half-changed"] == "critical"
    untouched_for_an_hour(broken)
    broken.run(*RESTORE)
    assert broken.cells()[CREDS] != TORN
    assert "store-half-changed" not in findings(broken)


def test_what_died_before_it_began_is_no_half(broken: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(MixedStore, "change", lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
        assert broken.done(*RESTORE).returncode == -signal.SIGKILL
    assert "store-half-changed" not in findings(broken)


def test_keys_go_back_where_the_bot_saved_creds_meanwhile(
    broken: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = broken.cells()
    change = PostgresStore.change

    def meanwhile(store: PostgresStore, *words: Any, **named: Any) -> list[bool]:
        broken.db.creds.execute('UPDATE "Session" SET creds = \'"{}"\'')
        return change(store, *words, **named)

    with monkeypatch.context() as patch:
        patch.setattr(PostgresStore, "change", meanwhile)
        told = broken.done(*RESTORE)
    assert told.returncode == 13, told.stderr
    assert "nothing was written" in told.stderr
    assert broken.cells() == before | {CREDS: '"{}"'}
    assert "store-half-changed" not in findings(broken)


def test_keys_go_back_where_the_creds_may_not_be_written(broken: Stored) -> None:
    """The server has said no, so all is known: nothing is half."""
    before = broken.cells()
    broken.db.creds.execute(
        "CREATE FUNCTION refuse() RETURNS trigger AS $$ BEGIN RAISE 'not today'; END $$ LANGUAGE plpgsql;"
        'CREATE TRIGGER no BEFORE UPDATE ON "Session" FOR EACH ROW EXECUTE FUNCTION refuse()'
    )
    try:
        assert "not today" in broken.failed(*RESTORE)
    finally:
        broken.db.creds.execute("DROP FUNCTION refuse CASCADE")
    assert broken.cells() == before
    assert "store-half-changed" not in findings(broken)
    broken.run(*RESTORE)
    assert broken.cells()[CREDS] != TORN


def test_keys_that_cannot_go_back_are_told(broken: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    """The creds are refused, and then the server of the keys is gone."""
    change, times = RedisStore.change, iter((False, True))

    def breaking(store: RedisStore, *words: Any, **named: Any) -> list[bool]:
        if next(times):
            raise StoreTrouble("the server has gone")
        return change(store, *words, **named)

    broken.db.creds.execute(
        "CREATE FUNCTION refuse() RETURNS trigger AS $$ BEGIN RAISE 'not today'; END $$ LANGUAGE plpgsql;"
        'CREATE TRIGGER no BEFORE UPDATE ON "Session" FOR EACH ROW EXECUTE FUNCTION refuse()'
    )
    try:
        with monkeypatch.context() as patch:
            patch.setattr(RedisStore, "change", breaking)
            told = broken.failed(*RESTORE)
    finally:
        broken.db.creds.execute("DROP FUNCTION refuse CASCADE")
    assert "its keys alone have changed and could not be taken back: the server has gone" in told
    assert "Run the same command again before the bot starts" in told
    no_lease(broken)
    assert findings(broken)["store-half-changed"] == "critical"
    untouched_for_an_hour(broken)
    broken.run(*RESTORE)
    assert broken.cells()[CREDS] != TORN
    assert "store-half-changed" not in findings(broken)


def test_a_move_to_an_instance_that_is_not_there_writes_nothing(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with (
        place(FOLDER, request, tmp_path, "source", fill=True) as source,
        place(MIXED, request, tmp_path, "target", fill=False) as target,
    ):
        words = [word if word != "17" else "18" for word in target.to]
        assert "foreign key" in run(source, "migrate", *words, "--yes", code=1).stderr
        assert (Path(source.place) / "creds.json").exists()
        run(source, "migrate", *target.to, "--yes")


class Moving:
    """A store whose creds are others at each look, until it stands still."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    def cells(self, tenant: str, *, afresh: bool = False) -> Iterator[Cell]:
        self.looks -= 1
        yield Cell("creds", "", str(max(self.looks, 0)))


def test_creds_and_keys_are_of_one_moment_or_not_read() -> None:
    keys: Any = type("Keys", (), {"cells": lambda *_, **__: [Cell("", "session-1.0", "{}")]})()
    keys.address, keys.abilities = "", Abilities("observed", True, "", "")
    store = MixedStore(keys, Moving(3))  # type: ignore[arg-type]
    assert [cell.text for cell in store.cells("17")] == ["0", "{}"]
    store = MixedStore(keys, Moving(99))  # type: ignore[arg-type]
    with pytest.raises(StoreTrouble, match="each time that its keys were read"):
        [*store.cells("17")]
