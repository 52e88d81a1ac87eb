"""INT, TERM or HUP at any call of `recover`, `reset` and `restore`: nothing stays stopped without a word."""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import pytest

from tests.bot import QR, Bot, api_env, bot_api
from tests.integration.faults.forked import run_forked
from tests.integration.faults.injection import Call, traced
from tests.integration.faults.restores import QUIET, Scene, damaged
from tests.managed import Unit
from tests.support import COMMAND, write_key

STEPS = (
    "rename", "renameat", "renameat2", "unlink", "unlinkat", "mkdir", "mkdirat", "linkat", "openat", "write",
    "fsync", "fdatasync", "flock", "pselect6", "poll", "wait4", "clock_nanosleep", "vfork", "clone3", "recvfrom",
)  # fmt: skip
"""What changes something or waits for somebody: between two of these, a signal is one at the next."""
CODES = {"INT": 130, "TERM": 143, "HUP": 129}
Command = list[str | Path]
RECOVER: Command = [COMMAND, "recover", "--company", "1001", "--yes"]
RESET: Command = [COMMAND, "reset", "--company", "1001", "--yes", "--quiet", "--timeout", "1s"]
RESTORE: Command = [COMMAND, "restore", "--company", "1001", "--yes", "--quiet"]


@dataclass
class Swept:
    """What a sweep found: at how many points, how often the run was broken off, and what was wrong."""

    points: int = 0
    broken_off: int = 0
    troubles: list[str] = field(default_factory=list)


@dataclass
class Host:
    """One company whose bot is a real process or an API, and the command's own state."""

    scene: Scene
    env: Mapping[str, str]
    is_up: Callable[[], bool]
    """Whether the bot runs, or was told to start where its session was set aside."""


@contextmanager
def with_unit(scene: Scene) -> Iterator[Host]:
    with Unit(scene.place / "bin") as unit:
        env = scene.env | unit.env | own(scene) | {"BAILEYS_TOOLS_RECOVER__WAIT": "1s"}
        yield Host(scene, env, lambda: unit.runs)


@contextmanager
def with_api(scene: Scene) -> Iterator[Host]:
    bot = Bot(qrs=[QR], connects_on_init=True)
    with bot_api(bot) as server:

        def is_up() -> bool:
            return (scene.folder / "creds.json").exists() or bot.count("POST /init") == 1

        yield Host(scene, scene.env | api_env(server) | own(scene), is_up)


@contextmanager
def alone(scene: Scene) -> Iterator[Host]:
    yield Host(scene, scene.env | own(scene), lambda: True)


def own(scene: Scene) -> dict[str, str]:
    return {"BAILEYS_TOOLS_STATE_DIR": str(scene.place / "state")}


def lost(place: Path) -> Scene:
    scene = damaged(place)
    write_key(scene.folder, "creds.json", QUIET, "")
    return scene


def sweep(
    place: Path,
    command: Command,
    hosted: Callable[[Scene], object],
    fault: Callable[[Call], str],
    choose: Callable[[Sequence[Call]], Sequence[Call]],
) -> Swept:
    """Send a signal at each point of a run, as `fault` says for it; look at what is left."""
    first = lost(place / "first")
    with hosted(first.copy(place / "counted")) as host:  # type: ignore[attr-defined]
        run, made = traced(command, calls=STEPS, env=host.env)
        assert run.returncode == 0, run.stdout + run.stderr
    # Before the place of its state is opened the command has done nothing, and not listened for long.
    begun = next(
        number for number, call in enumerate(made) if '/state"' in call.text or "state/" in call.text
    )
    points = choose([call for call in made[begun:] if _is_a_step(call)])
    result = Swept(points=len(points))
    for point in points:
        name = fault(point)
        with hosted(first.copy(place / f"{point.name}-{point.nth}-{name}")) as host:  # type: ignore[attr-defined]
            inject = f"inject={point.name}:signal={name}:when={point.nth}"
            run, _ = traced(command, "-e", inject, calls=[point.name], env=host.env)
            result.broken_off += run.returncode == CODES[name]
            where = f"{name} at {point.name} {point.nth} ({point.text[:80]}), exit {run.returncode}"
            result.troubles += [
                f"{where}: {what}" for what in judge(host, command, run.returncode, run.stderr)
            ]
        shutil.rmtree(host.scene.place)
    print(result.points, result.broken_off, len(result.troubles))
    return result


def _is_a_step(call: Call) -> bool:
    """Whether it is more than opening something to read it."""
    return call.name != "openat" or "O_CREAT" in call.text


def judge(host: Host, command: Command, code: int, said: str) -> Iterator[str]:
    if code not in (0, *CODES.values()):
        yield f"it ended by {code}: {said}"
    if "Traceback" in said or "internal error" in said:
        yield said
    if not host.is_up():
        last = said.splitlines()[-1] if said else ""
        if "does not run" not in last and "was not started" not in last:
            yield f"the bot is stopped, and the last word is {last!r}"
        if not any("left-stopped" in entry for entry in incident(host)):
            yield "the bot is stopped, and no incident says so"
    recorded = codes(host, str(command[1]))
    if code in CODES.values() and recorded and recorded[-1] not in (code, 0):
        yield f"it is recorded as {recorded}"
    if code in CODES.values() and not recorded and "state" in str(list(host.scene.place.iterdir())):
        yield "it is not recorded"
    # Whatever it left is whole, or is made whole by the next one.
    again = run_forked([COMMAND, "restore", "--company", "1001", "--yes", "--quiet", "--force"], host.env)
    if again.returncode != 0:
        yield f"the next restore: {again.stderr}"


def incident(host: Host) -> list[str]:
    return _rows(host, "SELECT what FROM incident_entries")


def codes(host: Host, command: str) -> list[int]:
    spooled = sorted((host.scene.place / "state" / "runs").glob(f"*-{command}-*.run"))
    waiting = [json.loads(path.read_text())["exit_code"] for path in spooled]
    return [*map(int, _rows(host, f"SELECT exit_code FROM runs WHERE command = '{command}'")), *waiting]


def _rows(host: Host, sql: str) -> list[str]:
    database = host.scene.place / "state" / "state.sqlite3"
    if not database.exists():
        return []
    with closing(sqlite3.connect(database)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'runs'").fetchone():
            return []  # cut off while it was made
        return [str(row[0]) for row in connection.execute(sql)]


def every(step: int) -> Callable[[Sequence[Call]], list[Call]]:
    return lambda calls: list(calls[::step])


def in_turn(point: Call) -> str:
    return list(CODES)[point.nth % 3]


def assert_sound(found: Swept, points: int) -> None:
    assert not found.troubles, "\n".join(found.troubles)
    assert found.points >= points
    assert found.broken_off >= found.points // 2


HOSTS = {"recover": (RECOVER, with_unit), "reset": (RESET, with_api), "restore": (RESTORE, alone)}


def test_the_judgement_catches_a_bot_that_is_left_stopped(tmp_path: Path) -> None:
    """The harness proves itself."""
    scene = lost(tmp_path / "scene")
    with with_unit(scene) as host:
        assert not list(judge(host, RECOVER, 0, ""))
        Unit.__exit__(unit_of(scene))
        assert len(list(judge(host, RECOVER, 0, "recover ended\n"))) == 2


@pytest.mark.parametrize("name", CODES)
def test_a_signal_at_the_last_word_ends_it_as_any_other(tmp_path: Path, name: str) -> None:
    scene = damaged(tmp_path / "scene")
    env = scene.env | own(scene)
    command: Command = [COMMAND, "status"]
    traced(command, env=env)
    _, made = traced(command, calls=["write"], env=env)
    last = [call for call in made if "write(1, " in call.text][-1]
    run, _ = traced(command, "-e", f"inject=write:signal={name}:when={last.nth}", calls=["write"], env=env)
    assert (run.returncode, "Traceback" in run.stderr) == (CODES[name], False), run.stderr
    assert "company" in run.stdout.lower()


def test_a_signal_while_it_starts_ends_it_as_any_other(tmp_path: Path) -> None:
    """It listens before it has imported what it needs."""
    scene = damaged(tmp_path / "scene")
    env = scene.env | own(scene)
    command: Command = [sys.executable, COMMAND, "status"]  # in no fork: those have it all imported
    _, made = traced(command, calls=["openat"], env=env)
    first = next(call for call in made if "/baileys_tools/config/" in call.text)
    run, _ = traced(command, "-e", f"inject=openat:signal=TERM:when={first.nth}", calls=["openat"], env=env)
    assert (run.returncode, "Traceback" in run.stderr) == (CODES["TERM"], False), run.stderr


def unit_of(scene: Scene) -> Unit:
    unit = object.__new__(Unit)
    unit.place = scene.place / "bin"
    return unit


@pytest.mark.parametrize("command", HOSTS)
def test_a_signal_at_some_calls_leaves_nothing_stopped_without_a_word(tmp_path: Path, command: str) -> None:
    words, host = HOSTS[command]
    found = sweep(tmp_path, words, host, in_turn, every(17 if command == "recover" else 7))
    assert_sound(found, 6)


@pytest.mark.faults
@pytest.mark.timeout(7200)
@pytest.mark.parametrize(("command", "name"), list(product(HOSTS, CODES)))
def test_a_signal_at_any_call_leaves_nothing_stopped_without_a_word(
    tmp_path: Path, command: str, name: str
) -> None:
    words, host = HOSTS[command]
    found = sweep(tmp_path, words, host, lambda _: name, every(1))
    assert_sound(found, 40)
