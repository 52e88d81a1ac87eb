"""The state database: private from birth, shared by processes, and never a reason to fail."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from baileys_tools.sessions.quarantine import new_run_id, run_milliseconds
from baileys_tools.state import memory
from baileys_tools.state.cooldowns import last_done, set_cooldown
from baileys_tools.state.database import State, open_state
from baileys_tools.state.observations import (
    Observation,
    history,
    observe,
    thin_observations,
)
from baileys_tools.state.runs import (
    Run,
    command_at,
    last_in_companies,
    record,
    runs_since,
    thin_runs,
)
from baileys_tools.state.schema import STEPS
from baileys_tools.state.spool import MOST, put, take_in
from baileys_tools.watching import kept_incidents as incidents
from tests.support import require_root, require_tool

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def a_run(uid: str, at: datetime, command: str = "cleanup", exit_code: int = 0, **companies: int) -> Run:
    return Run(uid, command, at, at + timedelta(seconds=2), exit_code, False, {"removed": 3}, companies)


def an_observation(company: str, at: datetime, counted: int = 100) -> Observation:
    return Observation(company, at, counted + 1, counted, {"session": counted}, 5000, "healthy", "valid", at)


def last_observations(state: State) -> dict[str, Observation]:
    return {
        company: history(state, company, datetime.fromtimestamp(0, UTC))[-1]
        for (company,) in state.rows("SELECT DISTINCT company FROM observations")
    }


def modes(folder: Path) -> dict[str, int]:
    return {found.name: found.stat().st_mode & 0o777 for found in [folder, *folder.rglob("*")]}


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_everything_is_private_from_birth_under_any_umask(tmp_path: Path, now: datetime, umask: int) -> None:
    place = tmp_path / "above" / "state"
    before = os.umask(umask)
    try:
        with open_state(str(place), now) as state:
            memory.keep(state, "key", 1)
            put(str(place), a_run("a", now))
            seen = modes(tmp_path / "above")
    finally:
        os.umask(before)
    assert {"state.sqlite3", "state.sqlite3-wal", "state.lock"} <= seen.keys()
    folders = {"above", "state", "runs"}
    assert {name: mode for name, mode in seen.items() if mode != (0o700 if name in folders else 0o600)} == {}


def test_what_was_written_is_there_the_next_time(tmp_path: Path, now: datetime) -> None:
    with open_state(str(tmp_path), now) as state:
        assert state.is_new
        assert state.is_durable
        assert state.trouble == ""
        memory.keep(state, "stamps", {"1001": [1, 2]})
        record(state, [a_run("a", now, one=4)])
        observe(state, [an_observation("1001", now)])
        number = incidents.open_incident(state, "1001", "logged-out", now)
        incidents.add_entry(state, number, "found", "creds.json is empty", now)
    with open_state(str(tmp_path), now) as state:
        assert not state.is_new
        assert memory.recall(state, "stamps") == {"1001": [1, 2]}
        assert runs_since(state, now - DAY, "cleanup")[-1] == a_run("a", now)
        assert last_in_companies(state, "cleanup")["one"].changed == 4
        assert last_observations(state) == {"1001": an_observation("1001", now)}
        assert incidents.open_incident(state, "1001", "something else", now) == number
        incidents.close_incident(state, number, now + HOUR)
        (closed,) = incidents.incidents(state)
        assert (closed.cause, closed.closed) == ("logged-out", now + HOUR)
        assert [entry.detail for entry in incidents.entries(state, number)] == ["creds.json is empty"]
        assert incidents.open_incident(state, "1001", "again", now) != number


def test_a_company_whose_name_is_no_text_is_remembered_by_its_exact_bytes(
    tmp_path: Path, now: datetime
) -> None:
    strange, other = os.fsdecode(b"b\xffd"), os.fsdecode(b"b\xfed")
    with open_state(str(tmp_path), now) as state:
        observe(state, [an_observation(strange, now), an_observation(other, now, 7)])
        record(state, [a_run("a", now)._replace(companies={strange: 2})])
        memory.keep(state, "key", strange, strange)
    with open_state(str(tmp_path), now) as state:
        assert last_observations(state)[strange] == an_observation(strange, now)
        assert [one.counted for one in history(state, other, now)] == [7]
        assert last_in_companies(state, "cleanup")[strange].changed == 2
        assert memory.recall_all(state, "key") == {strange: strange}


def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path, now: datetime) -> None:
    with open_state(str(tmp_path), now) as state:
        with pytest.raises(ValueError, match="no"), state.transaction():
            memory.keep(state, "key", 1)
            raise ValueError("no")
        assert memory.recall(state, "key") is None
        with state.transaction():
            memory.keep(state, "key", 2)
    with open_state(str(tmp_path), now) as state:
        assert memory.recall(state, "key") == 2


def test_statements_and_durability_are_as_promised(tmp_path: Path, now: datetime) -> None:
    with open_state(str(tmp_path), now) as state:
        assert state.rows("PRAGMA journal_mode") == [("wal",)]
        assert state.rows("PRAGMA synchronous") == [(2,)]
        assert state.rows("PRAGMA user_version") == [(len(STEPS),)]
        assert state.rows("PRAGMA foreign_key_check") == []


# --- files that are not as they should be -------------------------------------------------------------------


def filled(place: Path, now: datetime) -> Path:
    with open_state(str(place), now) as state:
        observe(
            state, [an_observation(str(company), now - n * HOUR) for company in range(20) for n in range(50)]
        )
    return place / "state.sqlite3"


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"not a database, whatever its name says" * 40,
        lambda content: b"\0" * len(content),
        lambda content: content[:100] + b"\xff" * 4000 + content[4100:],
        lambda content: content[: len(content) // 2],
        lambda content: content[:16],
    ],
    ids=["text", "zeros", "first-page", "half", "header-cut"],
)
def test_a_damaged_file_is_set_aside_by_a_name_that_says_when(tmp_path: Path, now: datetime, damage) -> None:
    file = filled(tmp_path, now)
    content = damage(file.read_bytes())
    file.write_bytes(content)
    with open_state(str(tmp_path), now) as state:
        # Some damage shows only where it is read.
        assert history(state, "7", now - DAY) == []
        assert "damaged" in state.trouble
        assert "state.sqlite3.damaged-20260115T120000Z" in state.trouble
        assert state.is_durable
        memory.keep(state, "key", "new")
    assert (tmp_path / "state.sqlite3.damaged-20260115T120000Z").read_bytes()[:100] == content[:100]
    with open_state(str(tmp_path), now) as state:
        assert state.trouble == ""
        assert memory.recall(state, "key") == "new"


def test_a_damaged_file_stays_while_another_process_uses_it(tmp_path: Path, now: datetime) -> None:
    file = filled(tmp_path, now)
    with open_state(str(tmp_path), now):
        os.truncate(file, file.stat().st_size // 2)
        with open_state(str(tmp_path), now) as state:
            history(state, "7", now - DAY)
            assert "could not be set aside" in state.trouble
            assert not state.is_durable
    assert [found.name for found in tmp_path.glob("*.damaged*")] == []


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path, now: datetime) -> None:
    file = filled(tmp_path, now)
    connection = sqlite3.connect(file)
    connection.execute(f"PRAGMA user_version = {len(STEPS) + 1}")
    connection.close()
    content = file.read_bytes()
    with open_state(str(tmp_path), now) as state:
        assert "newer version" in state.trouble
        assert not state.is_durable
        memory.keep(state, "key", 1)
        assert memory.recall(state, "key") == 1
        assert last_observations(state) == {}
    assert file.read_bytes() == content


def test_a_read_only_file_system_is_read_and_nothing_is_written(tmp_path: Path, now: datetime) -> None:
    require_root()
    mount = require_tool("mount")
    place = tmp_path / "state"
    filled(place, now)
    if subprocess.run([mount, "--bind", place, place], check=False).returncode:
        pytest.skip("needs mounts")
    try:
        subprocess.run([mount, "-o", "remount,ro,bind", place], check=True)
        with open_state(str(place), now) as state:
            assert "Read-only file system" in state.trouble
            assert not state.is_durable
            assert len(last_observations(state)) == 20
            observe(state, [an_observation("new", now)])
            assert len(last_observations(state)) == 21
    finally:
        subprocess.run(["umount", place], check=True)
    with open_state(str(place), now) as state:
        assert len(last_observations(state)) == 20


def test_a_full_disk_is_said_and_what_was_known_stays_known(tmp_path: Path, now: datetime) -> None:
    require_root()
    mount = require_tool("mount")
    place = tmp_path / "small"
    place.mkdir()
    if subprocess.run([mount, "-t", "tmpfs", "-o", "size=600k", "none", place], check=False).returncode:
        pytest.skip("needs mounts")
    try:
        with open_state(str(place), now) as state:
            memory.keep(state, "known", 1)
            with (
                pytest.raises(OSError, match="No space"),
                (place / "filler").open("wb", buffering=0) as filler,
            ):
                while filler.write(b"x" * 4096) == 4096:
                    pass
                filler.write(b"x")
            for n in range(100):
                observe(state, [an_observation(str(n), now + timedelta(seconds=s)) for s in range(50)])
            assert "cannot be written" in state.trouble
            assert not state.is_durable
            assert memory.recall(state, "known") == 1
            set_cooldown(state, "cleanup", "1001", now)
            assert last_done(state, "cleanup", "1001") == now
        with open_state(str(place), now) as state:
            assert memory.recall(state, "known") == 1
            memory.keep(state, "known", 2)
            assert memory.recall(state, "known") == 2
    finally:
        subprocess.run(["umount", place], check=True)


@pytest.mark.parametrize("what", ["file", "link", "folder"])
def test_whatever_stands_in_the_place_of_the_state_the_command_answers(
    tmp_path: Path, now: datetime, what: str
) -> None:
    place = tmp_path / "state"
    if what == "file":
        place.write_text("")
    else:
        place.mkdir()
        target = tmp_path / "elsewhere"
        if what == "link":
            target.write_text("precious")
            (place / "state.sqlite3").symlink_to(target)
        else:
            (place / "state.sqlite3").mkdir()
    with open_state(str(place), now) as state:
        assert "cannot be used" in state.trouble
        memory.keep(state, "key", 1)
        assert memory.recall(state, "key") == 1
    if what == "link":
        assert target.read_text() == "precious"


# --- several processes --------------------------------------------------------------------------------------

COUNT_UP = """
import sys
from datetime import UTC, datetime
from baileys_tools.state import memory
from baileys_tools.state.database import open_state
for _ in range(25):
    with open_state(sys.argv[1], datetime.now(UTC)) as state, state.transaction():
        memory.keep(state, "count", (memory.recall(state, "count") or 0) + 1)
    assert not state.trouble, state.trouble
"""


def start(program: str, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", program, *arguments])


def test_processes_that_begin_together_lose_nothing(tmp_path: Path, now: datetime) -> None:
    children = [start(COUNT_UP, str(tmp_path)) for _ in range(8)]
    assert [child.wait(60) for child in children] == [0] * 8
    with open_state(str(tmp_path), now) as state:
        assert memory.recall(state, "count") == 200


WRITE_FOR_EVER = """
import sys
from datetime import UTC, datetime
from baileys_tools.state import memory
from baileys_tools.state.database import open_state
n = 0
while True:
    n += 1
    with open_state(sys.argv[1], datetime.now(UTC)) as state, state.transaction():
        assert not state.trouble, state.trouble
        memory.keep(state, "one", n)
        memory.keep(state, "other", n)
    print(n, flush=True)
"""


def test_a_killed_writer_leaves_nothing_broken(tmp_path: Path, now: datetime) -> None:
    for turn in range(4):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITE_FOR_EVER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        done = 0
        for _ in range(3 + turn * 5):
            done = int(child.stdout.readline())
        child.kill()
        done = max([done, *map(int, child.stdout.read().split())])
        child.wait()
        with open_state(str(tmp_path), now) as state:
            assert state.trouble == ""
            one = memory.recall(state, "one")
            assert one == memory.recall(state, "other")
            assert one >= done
            assert state.rows("PRAGMA integrity_check") == [("ok",)]


def test_a_reader_does_not_wait_for_a_writer_and_a_writer_that_waits_in_vain_says_so(
    tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("baileys_tools.state.database.BUSY_SECONDS", 0.2)
    with open_state(str(tmp_path), now) as holder:
        memory.keep(holder, "key", 1)
        with holder.transaction():
            memory.keep(holder, "key", 2)
            with open_state(str(tmp_path), now) as state:
                assert memory.recall(state, "key") == 1
                assert state.trouble == ""
                memory.keep(state, "key", 3)
                assert "locked" in state.trouble
                assert not state.is_durable
                assert memory.recall(state, "key") == 3
        assert memory.recall(holder, "key") == 2


# --- cooldowns ----------------------------------------------------------------------------------------------


def test_when_something_was_last_done_survives_the_process_by_company(tmp_path: Path, now: datetime) -> None:
    with open_state(str(tmp_path), now) as state:
        set_cooldown(state, "cleanup", "1001", now)
        set_cooldown(state, "cleanup", "1002", now)
        set_cooldown(state, "cleanup", "1001", now + 6 * HOUR)
    with open_state(str(tmp_path), now) as state:
        assert [last_done(state, "cleanup", one) for one in ("1001", "1002", "1003")] == [
            now + 6 * HOUR,
            now,
            None,
        ]
        assert last_done(state, "trigger", "1001") is None


# --- runs and their spool -----------------------------------------------------------------------------------


def test_a_record_in_the_spool_is_taken_in_once(tmp_path: Path, now: datetime) -> None:
    put(str(tmp_path), a_run("a", now, one=1))
    put(str(tmp_path), a_run("b", now + HOUR, one=2))
    (tmp_path / "runs" / "00000000001-junk.run").write_text("{")
    (tmp_path / "runs" / "00000000002-link.run").symlink_to("/etc/hostname")
    with open_state(str(tmp_path), now) as state:
        assert take_in(state) == 2
        assert os.listdir(tmp_path / "runs") == []
        put(str(tmp_path), a_run("a", now, one=1))  # as if killed before the file was removed
        take_in(state)
        assert [run.uid for run in runs_since(state, now - DAY)] == ["a", "b"]
        assert last_in_companies(state, "cleanup")["one"] == (now + HOUR, 2)


def test_records_wait_while_the_database_cannot_be_written_but_not_without_end(
    tmp_path: Path, now: datetime
) -> None:
    file = filled(tmp_path, now)
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    for n in range(MOST + 5):
        put(str(tmp_path), a_run(f"{n:05}", now + timedelta(seconds=n)))
    with open_state(str(tmp_path), now) as state:
        take_in(state)
        assert len(runs_since(state, now)) == MOST + 5
    assert len(os.listdir(tmp_path / "runs")) == MOST
    assert "00004" not in "".join(os.listdir(tmp_path / "runs"))


PUT_AND_TAKE = """
import sys
from datetime import UTC, datetime
from baileys_tools.state.database import open_state
from baileys_tools.state.runs import Run
from baileys_tools.state.spool import put, take_in
now = datetime.now(UTC)
for n in range(60):
    uid = f"{sys.argv[2]}-{n}"
    put(sys.argv[1], Run(uid, "cleanup", now, now, 0, False, {}, {}))
    print(uid, flush=True)
    if n % 7 == 0:
        with open_state(sys.argv[1], now) as state:
            take_in(state)
"""


def test_no_record_is_lost_or_doubled_under_kills_and_races(tmp_path: Path, now: datetime) -> None:
    children = [
        subprocess.Popen(
            [sys.executable, "-c", PUT_AND_TAKE, str(tmp_path), str(name)], stdout=subprocess.PIPE, text=True
        )
        for name in range(6)
    ]
    said: list[str] = []
    for number, child in enumerate(children):
        assert child.stdout is not None
        if number % 2:
            said += [child.stdout.readline().strip() for _ in range(10 + number)]
            child.kill()
    for child in children:
        assert child.stdout is not None
        said += child.stdout.read().split()
        child.wait()
    with open_state(str(tmp_path), now) as state:
        take_in(state)
        kept = [run.uid for run in runs_since(state, now - 10_000 * DAY)]
    assert len(kept) == len(set(kept))
    assert set(said) <= set(kept)
    assert len(set(kept) - set(said)) <= 3, (
        "a killed one may have put a record that it had no time to tell of"
    )


def test_old_runs_that_went_well_are_thinned_and_failures_stay_longer(tmp_path: Path, now: datetime) -> None:
    with open_state(str(tmp_path), now) as state:
        record(
            state,
            [a_run(f"m{n:05}", now - timedelta(minutes=n), "monitor-once") for n in range(0, 9 * 1440, 10)],
        )
        record(state, [a_run("bad", now - 8 * DAY - timedelta(minutes=5), "monitor-once", exit_code=5)])
        record(state, [a_run("only", now - 200 * DAY, "prune"), a_run("gone", now - 100 * DAY, "cleanup")])
        record(state, [a_run("last", now - 95 * DAY, "cleanup")])
        thin_runs(state, now)
        young = runs_since(state, now - 7 * DAY)
        old = [run for run in runs_since(state, now - 1000 * DAY) if run not in young]
        assert len(young) == 7 * 144 + 1
        assert {run.uid for run in old} >= {"bad", "only", "last"}
        assert "gone" not in {run.uid for run in old}
        assert sum(run.uid.startswith("m") for run in old) in (48, 49)


def test_what_was_moved_aside_is_known_by_the_time_of_its_command(tmp_path: Path, now: datetime) -> None:
    def later(milliseconds: int) -> datetime:
        return now + timedelta(milliseconds=milliseconds)

    def by(milliseconds: int) -> str:
        run = new_run_id(later(milliseconds))
        return command_at(state, run_milliseconds(run) or 0)

    with open_state(str(tmp_path), now) as state:
        record(state, [a_run("a", later(7), "cleanup"), a_run("b", later(900), "recover")])
        record(state, [a_run("c", later(1500), "monitor-once"), a_run("d", later(40), "undo")])
        assert by(7) == "cleanup"
        assert by(8) == "", "so many commands begin in one second"
        assert by(2000) == "recover", "its restores come while it runs"
        assert by(1500) == "monitor-once"
        assert by(40) == "", "an undo moves nothing aside"


# --- observations -------------------------------------------------------------------------------------------


def test_observations_are_thinned_to_hours_and_then_to_days(tmp_path: Path, now: datetime) -> None:
    with open_state(str(tmp_path), now) as state:
        minutes = range(0, 100 * 1440, 20)
        observe(
            state, [an_observation("1001", now - timedelta(minutes=n), counted=n % 1000) for n in minutes]
        )
        thin_observations(state, now)
        ages = [now - one.at for one in history(state, "1001", now - 1000 * DAY)]
        assert sum(age < 7 * DAY for age in ages) == 7 * 72
        assert sum(7 * DAY + HOUR < age < 90 * DAY for age in ages) == pytest.approx(83 * 24, abs=2)
        assert sum(age > 91 * DAY for age in ages) == pytest.approx(9, abs=1)
        assert thin_observations(state, now) == 0, "a second time changes nothing"


def test_thinning_again_and_again_ends_where_thinning_once_does(tmp_path: Path, now: datetime) -> None:
    def life(place: Path, every: timedelta) -> list[Observation]:
        with open_state(str(place), now) as state, state.transaction():
            at = now
            last = now
            while at < now + 12 * DAY:
                observe(state, [an_observation("1001", at)])
                if at - last >= every:
                    thin_observations(state, at)
                    last = at
                at += timedelta(minutes=25)
            thin_observations(state, at)
            return history(state, "1001", now)

    assert life(tmp_path / "often", timedelta(hours=3)) == life(tmp_path / "once", timedelta(days=400))


def test_a_state_can_be_closed_twice(tmp_path: Path, now: datetime) -> None:
    state = State(str(tmp_path), now)
    state.open()
    state.close()
    state.close()


def test_what_is_kept_of_very_many_is_neither_one_text_nor_written_again_for_one(
    tmp_path: Path, now: datetime
) -> None:
    values = {f"t{number}": {"findings": ["x" * 100] * 10} for number in range(1_000)}
    with open_state(str(tmp_path), now) as state:
        memory.keep(state, "looks", {"rules": 1})
        memory.keep_parts(state, "looks", values.items(), "")
        memory.keep(state, "looks-of-others", {"rules": 2})
        assert memory.recall_with_parts(state, "looks", "") == ({"rules": 1}, values)
        longest = state.rows("SELECT max(length(value)), sum(length(value)) FROM memory")
        assert longest[0][0] < 300_000 < 1_000_000 < longest[0][1]
        before = state.rows("SELECT key, value FROM memory")
        memory.keep_parts(state, "looks", (values | {"t700": {"findings": []}}).items(), "")
        assert len({*state.rows("SELECT key, value FROM memory")} - {*before}) == 1
        memory.keep_parts(state, "looks", [("t1", 1)], "")
        assert memory.recall_with_parts(state, "looks", "") == ({"rules": 1}, {"t1": 1})
        assert memory.recall(state, "looks-of-others") == {"rules": 2}
        memory.forget(state, "looks")
        assert memory.recall_with_parts(state, "looks", "")[0] is None
