"""Killed at any instant, `recover` has lost no file, and the next one brings the bot back without a person."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.bot import Bot, api_env, bot_api
from tests.integration.faults.forked import run_forked
from tests.integration.faults.injection import Call, after_lock, python, traced
from tests.integration.faults.restores import MOVING, QUIET, Scene, damaged
from tests.log_lines import stream_error
from tests.support import COMMAND, Entry, snapshot_tree, write_key

NAIVE = Path(__file__).parents[1] / "faults" / "naive_recover.py"
CHANGING = (
    *MOVING, "write", "pwrite64", "ftruncate", "openat", "chmod", "fchmodat", "symlink", "symlinkat", "fdatasync",
)  # fmt: skip
"""Between two of these calls nothing changes, so a kill there is a kill at the next one."""
RECOVER: list[str | Path] = [COMMAND, "recover", "--company", "1001", "--yes", "--quiet"]
TORN = b"session-447700900120.0.json"
UNIT = """#!/bin/sh
case "$1" in
  show) printf 'LoadState=loaded\\nActiveState=%s\\nSubState=x\\nNRestarts=0\\n' "$(cat {place}/unit)";;
  stop) echo inactive > {place}/unit;;
  restart) echo active > {place}/unit;;
esac
"""
SETTINGS = """
state: {{dir: {place}/state}}
process: {{systemd: "bot@{{company}}"}}
recover: {{wait: 1s, first_delay: 0, tries: 3}}
logs: [{{path: {place}/bot.log, company: "1001"}}]
"""
Tree = Mapping[bytes, Entry]


# --- the bot ------------------------------------------------------------------------------------------------


@dataclass
class Host:
    """Where the bot of a scene lives: its service manager, its log, and its API in the process of the test."""

    scene: Scene
    bot: Bot
    api: Mapping[str, str]

    def install(self) -> None:
        """Write what names the place, which a copy of the scene has elsewhere."""
        place = self.scene.place
        (place / "bin").mkdir(exist_ok=True)
        (place / "bin/systemctl").write_text(UNIT.format(place=place))
        (place / "bin/systemctl").chmod(0o755)
        (place / "settings.yaml").write_text(SETTINGS.format(place=place))

    @property
    def env(self) -> dict[str, str]:
        place = self.scene.place
        own = {
            "BAILEYS_TOOLS_CONFIG": str(place / "settings.yaml"),
            "BAILEYS_TOOLS_STATE_DIR": str(place / "state"),
            "PATH": f"{place}/bin:{os.environ['PATH']}",
        }
        return self.scene.env | dict(self.api) | own

    @property
    def runs(self) -> bool:
        return (self.scene.place / "unit").read_text().strip() == "active"


class StoppedBot(Bot):
    """A bot that is connected as long as its unit is active."""

    host: Host

    def facts(self) -> dict[str, object]:
        self.connected = self.host.runs
        return super().facts()


def emptied(place: Path) -> Scene:
    """A stopped bot, whose creds were emptied by a kill, and which has lost other files and torn one."""
    scene = damaged(place)
    write_key(scene.folder, "creds.json", QUIET, "")
    # Since the snapshot it has gone on.
    write_key(scene.folder, "session-447700900777.0.json", QUIET, '{"newer": "than the snapshot"}')
    (place / "unit").write_text("inactive")
    (place / "bot.log").write_text("")
    return scene


def refused(place: Path) -> Scene:
    """A bot that runs, with whole creds, that the server answered with a bare 401."""
    scene = damaged(place)
    good = unpacked(scene, place / "good")
    shutil.copy2(good / "creds.json", scene.folder / "creds.json")
    shutil.rmtree(good)
    (place / "unit").write_text("active")
    (place / "bot.log").write_text(stream_error(7, datetime.now(UTC) - timedelta(minutes=1), "401") + "\n")
    return scene


def unpacked(scene: Scene, target: Path) -> Path:
    """The newest snapshot of a scene as a plain folder."""
    command: list[str | Path] = [COMMAND, "restore", "--company", "1001", "--quiet", "--target", target]
    assert run_forked(command, scene.env).returncode == 0
    return target


@contextmanager
def hosted(scene: Scene, make: Callable[[], Bot]) -> Iterator[Host]:
    bot = make()
    with bot_api(bot) as server:
        host = Host(scene, bot, api_env(server))
        if isinstance(bot, StoppedBot):
            bot.host = host
        host.install()
        yield host


# --- judging ------------------------------------------------------------------------------------------------


def kept_files(scene: Scene) -> dict[bytes, list[Entry]]:
    """Every file of the session by its name in the folder, with what stands there and what waits in quarantine."""
    found: dict[bytes, list[Entry]] = {}
    for path, entry in (snapshot_tree(scene.sessions, ignore=()) if scene.sessions.exists() else {}).items():
        if entry.kind == "file":
            found.setdefault(os.path.basename(path), []).append(entry)
    return found


def gone(scene: Scene, old: Tree, stored: Tree) -> list[str]:
    """The files of before that neither stand on disk, nor wait in quarantine, nor are in the snapshot.

    One without a byte in it has nothing that could be brought back.
    """
    kept = kept_files(scene)
    return [
        f"{os.fsdecode(name)} is gone"
        for name, entry in old.items()
        if entry.kind == "file" and entry.size and entry not in (*kept.get(name, ()), stored.get(name))
    ]


def snapshots(scene: Scene) -> Tree:
    """The archives of the repository as they stand on disk."""
    stored = snapshot_tree(scene.place / "backups", ignore=())
    return {path: entry for path, entry in stored.items() if b".tar" in path}


def trouble_of_state(folder: Path) -> list[str]:
    """What is wrong with a state database; that of a killed run is looked at in a copy."""
    if not (folder / "state.sqlite3").exists():
        return []
    copy = folder.with_name("state-copy")
    shutil.copytree(folder, copy)
    try:
        with closing(sqlite3.connect(copy / "state.sqlite3")) as database:
            (verdict,) = database.execute("PRAGMA integrity_check").fetchone()
    except sqlite3.Error as error:
        verdict = str(error)
    shutil.rmtree(copy)
    aside = [f"{name} was set aside" for name in os.listdir(folder) if ".damaged" in name]
    return aside + ([] if verdict == "ok" else [f"the state is damaged: {verdict}"])


@dataclass(slots=True)
class Swept:
    """What a sweep found."""

    points: int = 0
    hits: int = 0
    old: int = 0
    new: int = 0
    between: int = 0
    """Right after the kill."""
    recovered: int = 0
    """After the next run."""
    troubles: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.hits} kills at {self.points} points: right after {self.old} old, {self.new} new, "
            f"{self.between} between; {self.recovered} recovered by the next run, {len(self.troubles)} troubles"
        )


def changing(calls: list[Call]) -> list[Call]:
    """The calls from the first lock on that change a file: no talk, and no opening just to read."""
    return [
        call
        for call in after_lock(calls)
        if call.name in CHANGING
        and not ("write(1," in call.text or "write(2," in call.text)
        and (call.name != "openat" or "O_CREAT" in call.text or "O_TRUNC" in call.text)
    ]


def sweep(
    place: Path,
    damage: Callable[[Path], Scene],
    make: Callable[[], Bot],
    choose: Callable[[list[Call]], list[Call]] = list,
) -> Swept:
    """Kill a recover at each of its points, or those chosen; look at what is left, then recover again."""
    first = damage(place / "first")
    old = first.tree()
    stored = snapshot_tree(unpacked(first, place / "whole"))
    with hosted(first.copy(place / "counted"), make) as host:
        run, made = traced(RECOVER, calls=[*CHANGING, "flock"], env=host.env)
        assert run.returncode == 0, run.stdout + run.stderr
        new = host.scene.tree()
    points = choose(changing(made))
    result = Swept(points=len(points))
    for point in points:
        with hosted(first.copy(place / f"{point.name}-{point.nth}"), make) as host:
            inject = f"inject={point.name}:signal=KILL:when={point.nth}"
            run, _ = traced(RECOVER, "-e", inject, calls=[point.name], env=host.env)
            result.hits += run.returncode == -9
            after = host.scene.tree() if host.scene.folder.exists() else {}
            result.old += after == old
            result.new += after == new != old
            result.between += after not in (old, new)
            found = _judge(host, old, new, stored, result)
            if snapshots(host.scene) != snapshots(first):
                found.append("the snapshot is not what it was")
            result.troubles += [f"{point.name} {point.nth} ({point.text[:90]}): {what}" for what in found]
        shutil.rmtree(host.scene.place)
    print(result)
    return result


def _judge(host: Host, old: Tree, new: Tree, stored: Tree, result: Swept) -> list[str]:
    scene, state = host.scene, host.scene.place / "state"
    troubles = gone(scene, old, stored) + trouble_of_state(state)
    again = run_forked(RECOVER, host.env)
    result.recovered += again.returncode == 0
    if again.returncode != 0:
        troubles.append(f"the next recover: exit {again.returncode} {again.stdout} {again.stderr}")
    if scene.tree() != new:
        troubles.append(f"the next recover left another folder: {sorted(scene.tree().items() ^ new.items())}")
    if not host.bot.connected:
        troubles.append("the bot is not connected")
    if host.bot.count("POST /init") + host.bot.count("GET /qr"):
        troubles.append("a new pairing was asked for")
    left = set(os.listdir(scene.sessions)) - {"company_1001"}
    own = scene.folder / ".baileys-tools"
    left |= set(os.listdir(own) if own.exists() else ()) - {"quarantine"}
    troubles += [f"{name} is left" for name in left]
    troubles += gone(scene, old, stored) + trouble_of_state(state)
    if old == new:
        return troubles + (["something of ours came into the folder"] if own.exists() else [])
    return troubles + _undone(host, old)


def _undone(host: Host, old: Tree) -> list[str]:
    """Whether undo brings back what was set aside, where nothing newer stands."""
    if TORN in host.scene.tree():
        return [f"{os.fsdecode(TORN)} was brought back, though the bot had gone on"]
    undone = run_forked([COMMAND, "undo", "--company", "1001", "--quiet"], host.env)
    if host.scene.tree().get(TORN) != old[TORN]:
        return [f"undo (exit {undone.returncode}) does not bring back {os.fsdecode(TORN)}: {undone.stderr}"]
    return []


# --- the proofs ---------------------------------------------------------------------------------------------


def test_the_judgement_catches_a_folder_that_is_removed_and_copied_anew(tmp_path: Path) -> None:
    """The harness proves itself: what the snapshot does not have is gone, wherever the copying stops."""
    first = emptied(tmp_path / "first")
    old = first.tree()
    good = unpacked(first, tmp_path / "good")
    stored = snapshot_tree(good)
    assert not gone(first, old, stored)
    command = python(NAIVE, good)
    _, made = traced([*command, first.copy(tmp_path / "counted").folder], calls=["unlinkat"])
    points = [call for call in made if call.name == "unlinkat"]
    caught = 0
    for point in points:
        scene = first.copy(tmp_path / f"unlinkat-{point.nth}")
        traced(
            [*command, scene.folder],
            "-e",
            f"inject=unlinkat:signal=KILL:when={point.nth}",
            calls=["unlinkat"],
        )
        caught += bool(gone(scene, old, stored))
    assert len(points) >= 10
    assert caught > len(points) / 2
    copied = first.copy(tmp_path / "copied")
    traced([*command, copied.folder], calls=["unlinkat"])
    assert {"notes.txt is gone", f"{TORN.decode()} is gone"} <= set(gone(copied, old, stored))


def assert_sound(found: Swept, points: int) -> None:
    assert not found.troubles, "\n".join(found.troubles)
    assert found.recovered == found.points >= points
    # What comes after the work (what the run is remembered by) takes a call more or less from run to run.
    assert found.hits >= found.points * 0.9


def some(calls: list[Call]) -> list[Call]:
    """A few all over, and those around the last file that comes back, when the bot could be started already."""
    return [
        call
        for number, call in enumerate(calls)
        if number % 40 == 0
        or (call.name == "renameat" and '"creds.json"' in call.text)
        or (call.name == "unlinkat" and "restore.json" in call.text)
    ]


def test_killed_at_some_points_nothing_is_gone_and_the_next_run_recovers(tmp_path: Path) -> None:
    assert_sound(sweep(tmp_path, emptied, StoppedBot, some), 5)


@pytest.mark.faults
@pytest.mark.timeout(3600)
def test_killed_before_any_change_nothing_is_gone_and_the_next_run_recovers(tmp_path: Path) -> None:
    found = sweep(tmp_path, emptied, StoppedBot)
    assert_sound(found, 50)
    assert found.old
    assert found.new
    assert found.between


@pytest.mark.faults
@pytest.mark.timeout(3600)
def test_killed_while_it_reconnects_the_folder_is_not_touched(tmp_path: Path) -> None:
    with hosted(refused(tmp_path / "before"), Bot) as host:
        planned = run_forked([COMMAND, "recover", "--dry-run", "--json"], host.env)
    (company,) = json.loads(planned.stdout)["companies"]
    assert company["cause"]["cause"] == "temporary-auth-failure"
    found = sweep(tmp_path, refused, lambda: Bot(connects_after=2))
    assert_sound(found, 10)
    assert found.old == found.points
