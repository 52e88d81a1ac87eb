"""Many bots of few names in many roots, with one state and one repository: each as if it were alone.

Every root is watched and backed up twice, by the same simulated clock: with the state and the repository of all, and
with its own. Whatever the shared one says or keeps of a root has to be what its own does.
"""

from __future__ import annotations

import json
import os
import random
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from baileys_tools.cleanup.triggering import run_trigger
from baileys_tools.config import LoadedSettings, load_settings
from baileys_tools.snapshots.backup import run_backup
from baileys_tools.snapshots.listing import list_all
from baileys_tools.snapshots.rules.shelf_names import name_of
from baileys_tools.state.cooldowns import last_done
from baileys_tools.state.database import open_state
from baileys_tools.watching.monitor import run_monitor
from tests.log_lines import errored, pino
from tests.servers import Reply, Server, answering
from tests.support import company_folder, write_key

START = datetime(2026, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
TABLES = {
    "alerts": "company, code, began, checks, told, sent, sent_severity, message, times",
    "cooldowns": "name, company, at",
    "observations": "company, at, files, counted, creds",
    "incidents": "company, opened, closed, cause",
    "log_hours": "company, hour, event, count",
    "link_days": "company, day, up, down",
}


class Bots:
    """All of them, and what happens to each: they lose their session and get it back, and each has a log."""

    def __init__(self, folder: Path, names: list[str], roots: int, per_root: int) -> None:
        self.random = random.Random(7)
        self.roots = [folder / f"host{number}" / "sessions" for number in range(roots)]
        self.of = {
            root: [names[(number * per_root // 2 + one) % len(names)] for one in range(per_root)]
            for number, root in enumerate(self.roots)
        }
        self.whole: dict[Path, str] = {}
        number = 0
        for root, chosen in self.of.items():
            for name in chosen:
                number += 1
                keys = {"session-1.0.json": 30 * HOUR, "session-2.0.json": HOUR, "pre-key-30.json": HOUR}
                me = {"id": f"4477009{number:05}:1@s.whatsapp.net"}
                made = company_folder(root, name, keys, now=START, me=me, registrationId=number)
                self.whole[made] = (made / "creds.json").read_text()
                self.log(made, START).write_text("")
                self.settle(made, START)

    def log(self, folder: Path, now: datetime) -> Path:
        return folder.parent / f"{folder.name.removeprefix('company_')}.log"

    def settle(self, folder: Path, now: datetime) -> None:
        then = now.timestamp() - 1
        os.utime(folder, (then, then))

    def live(self, now: datetime) -> None:
        """What happens to all of them at one moment."""
        for folder, whole in self.whole.items():
            creds = folder / "creds.json"
            if self.random.random() < (0.4 if not creds.stat().st_size else 0.04):
                creds.write_text("" if creds.stat().st_size else whole)
                os.utime(creds, (now.timestamp() - 1,) * 2)
                self.settle(folder, now)
            if self.random.random() < 0.2:
                write_key(folder, f"session-{self.random.randrange(9)}.0.json", HOUR, str(now), now)
                self.settle(folder, now)
            if self.random.random() < 0.3:
                said = (
                    pino("opened connection to WA", now)
                    if self.random.random() < 0.7
                    else errored("440", now)
                )
                with self.log(folder, now).open("a") as file:
                    file.write(said + "\n")


class Kept:
    """A state and a repository, and the channel that is told."""

    def __init__(self, folder: Path, server: Server) -> None:
        self.state, self.repository, self.server = folder / "state", folder / "repository", server
        self.told: dict[Path, list[Any]] = {}

    def settings(self, root: Path) -> LoadedSettings:
        environ = {
            "BAILEYS_SESSIONS_PATH": str(root),
            "BAILEYS_TOOLS_STATE_DIR": str(self.state),
            "BAILEYS_TOOLS_BACKUP_PATH": str(self.repository),
            "NOTIFICATION_WEBHOOK": f"{self.server.url}/hook",
            "BAILEYS_TOOLS_LOGS__FILES": f"{root}/{{company}}.log",
        }
        return load_settings({}, environ, cwd="/", home="/", euid=1)

    def look(self, root: Path, now: datetime) -> dict[str, list[str]]:
        """Watch a root once; return the codes that were found, by company."""
        before = len(self.server.requests)
        loaded = self.settings(root)
        with open_state(str(self.state), now) as state:
            report = run_monitor(loaded, state, now)
        for request in self.server.requests[before:]:
            alerts = [(one["why"], one["company"], one["code"]) for one in request.json["alerts"]]
            self.told.setdefault(root, []).append((now, alerts))
        return {one.id: sorted(finding.code for finding in one.findings) for one in report.companies}

    def back_up(self, root: Path, now: datetime) -> dict[str, str]:
        report = run_backup(self.settings(root).settings, str(root), str(self.repository), now)
        return {one.id: f"{one.status} {one.trouble}" for one in report.companies}

    def rows(self, root: Path) -> dict[str, list[tuple[object, ...]]]:
        """Return what the state keeps of the bots of a root, and of the root itself."""
        found = {}
        with closing(sqlite3.connect(self.state / "state.sqlite3")) as database:
            for table, columns in TABLES.items():
                rows = database.execute(f"SELECT {columns} FROM {table} WHERE company LIKE ?", (f"{root}/%",))
                found[table] = sorted(rows, key=repr)
        return found

    def memory(self, root: Path) -> dict[tuple[str, str], Any]:
        with closing(sqlite3.connect(self.state / "state.sqlite3")) as database:
            rows = database.execute(
                "SELECT key, company, value FROM memory WHERE company LIKE ?", (f"{root}/%",)
            )
            return {(key, company): json.loads(value) for key, company, value in rows}

    def snapshots(self, root: Path) -> dict[tuple[str, str], list[tuple[int, str]]]:
        """Return the snapshots that come from below a root, by name and place."""
        return {
            (name_of(one.company), one.source): [(info.sequence, info.file) for info in one.snapshots]
            for one in list_all(str(self.repository), (), START).companies
            if one.source.startswith(f"{root}/")
        }


@pytest.fixture
def server() -> Iterator[Server]:
    with answering(lambda request: Reply({})) as found:
        yield found


def without_places_of_the_repository(memory: Mapping[tuple[str, str], Any]) -> dict[tuple[str, str], Any]:
    """What tells a shared repository from one's own is where it is, and the names of shelves in it."""
    kept = dict(memory)
    for key, value in memory.items():
        if key[0] == "monitor-snapshots":
            companies = {name: row[1:7] for name, row in value["companies"].items()}
            kept[key] = companies
    return kept


def live_side_by_side(
    tmp_path: Path,
    server: Server,
    names: int,
    roots: int,
    per_root: int,
    hours: int,
    step: timedelta,
    backups: timedelta = 2 * HOUR,
) -> None:
    bots = Bots(tmp_path, [f"bot{number}" for number in range(names)], roots, per_root)
    for at in (tmp_path / "shared", *(root.parent / "alone" for root in bots.roots)):
        at.mkdir()
    shared = Kept(tmp_path / "shared", server)
    alone = {root: Kept(root.parent / "alone", server) for root in bots.roots}
    now, last_backup = START, START - backups
    while now < START + hours * HOUR:
        now += step
        bots.live(now)
        is_backup = now - last_backup >= backups
        for root in bots.roots:
            if is_backup:
                last_backup = now
                assert shared.back_up(root, now) == alone[root].back_up(root, now), (root, now)
            assert shared.look(root, now) == alone[root].look(root, now), (root, now)
    told = 0
    for root, own in alone.items():
        assert shared.told.get(root) == own.told.get(root), root
        told += len(own.told.get(root, []))
        assert shared.rows(root) == own.rows(root), root
        ours, theirs = shared.memory(root), own.memory(root)
        assert without_places_of_the_repository(ours) == without_places_of_the_repository(theirs), root
        assert shared.snapshots(root) == own.snapshots(root), root
        assert {len(found) > 0 for found in own.snapshots(root).values()} == {True}
    assert told > len(bots.whole) // 4, "there was something to tell"
    rows = [one for root in bots.roots for one in shared.rows(root)["incidents"]]
    assert rows, "and to keep"
    with closing(sqlite3.connect(shared.state / "state.sqlite3")) as database:
        (names_alone,) = database.execute(
            "SELECT count(*) FROM observations WHERE company NOT LIKE '/%'"
        ).fetchone()
    assert names_alone == 0


def test_bots_of_one_name_in_many_roots_live_as_if_each_were_alone(tmp_path: Path, server: Server) -> None:
    live_side_by_side(tmp_path, server, names=3, roots=4, per_root=2, hours=10, step=timedelta(minutes=20))


@pytest.mark.faults
@pytest.mark.timeout(2_400)  # 16 minutes where others work beside it
def test_two_hundred_bots_ten_of_each_name_in_twenty_roots(tmp_path: Path, server: Server) -> None:
    live_side_by_side(
        tmp_path, server, names=20, roots=20, per_root=10, hours=48, step=timedelta(hours=1), backups=8 * HOUR
    )


def test_a_cleanup_of_one_is_no_pause_for_another_of_the_name(tmp_path: Path, server: Server) -> None:
    roots = [tmp_path / "a", tmp_path / "b"]
    kept = Kept(tmp_path, server)
    for root in roots:
        keys = {f"session-{number}.0.json": timedelta(days=20) for number in range(190)}
        company_folder(root, "1001", {**keys, "session-900.0.json": 20 * HOUR})
    now = datetime.now(UTC)
    for number, root in enumerate(roots):
        settings = kept.settings(root).settings
        with open_state(str(kept.state), now) as state:
            report = run_trigger(settings, str(root), state, now + number * timedelta(minutes=1))
            assert report.removed_by_company == {"1001": 190}, root
            assert last_done(state, "trigger", "1001") is not None
    with open_state(str(kept.state), now) as state:
        assert len(state.rows("SELECT company FROM cooldowns WHERE name = 'trigger'")) == 2
