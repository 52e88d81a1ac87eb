"""The sweep: one fault at each point of a run, and what has to be true right after and in the end.

`sweep` knows nothing of how files are removed: it is given a command, and looks at the folder. So the same
checks judge baileys-tools and the naive programs of `naive.py`.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from tests.integration.faults.forked import run_forked
from tests.integration.faults.injection import Call, cleanup, traced, undo
from tests.support import Entry, company_folder, snapshot_tree

GROUP = "120363001234567890@g.us"
OWN_KEY = f"sender-key-{GROUP}--919585510685--17.json"
MEMORY = f"sender-key-memory-{GROUP}.json"
PEER_KEY = f"sender-key-{GROUP}--447700900123--0.json"
OTHER_PEER_KEY = "sender-key-120363009876543210@g.us--447700900123--0.json"
REMOVING = b".baileys-tools-removing-"

OLD = timedelta(days=20)
YOUNG = timedelta(days=1)


def small_folder(root: Path, company_id: str = "1001") -> Path:
    """Make a folder of which six files are to go, each with a content, an age and a mode of its own.

    The own key that follows its memory in a later run is a seventh.
    """
    old = ["session-1.0.json", "session-2.0.json", PEER_KEY, OTHER_PEER_KEY, MEMORY, OWN_KEY]
    keys = {name: OLD + timedelta(hours=hour) for hour, name in enumerate(old)}
    keys |= {"session-3.0.json": YOUNG, "lid-mapping-447700900123.json": OLD}
    keys |= {f"pre-key-{number}.json": OLD for number in range(1, 52)}
    folder = company_folder(root, company_id, keys, nextPreKeyId=52, firstUnuploadedPreKeyId=52)
    _make_each_file_different(folder, keys)
    return folder


def _make_each_file_different(folder: Path, names: Collection[str]) -> None:
    for number, name in enumerate(names):
        path = folder / name
        status = path.stat()
        path.write_text(json.dumps({"content of": name, "padding": "x" * number}))
        path.chmod(0o600 if number % 2 else 0o644)
        os.utime(path, ns=(status.st_mtime_ns, status.st_mtime_ns + number))


@dataclass(slots=True)
class Sweep:
    """What a sweep found. `hits` are the points at which the fault struck, `troubles` what was wrong then."""

    points: int = 0
    hits: int = 0
    troubles: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.hits} faults at {self.points} points, {len(self.troubles)} troubles"


@dataclass(frozen=True, slots=True)
class Recovery:
    """What a fault left: `tree` is how the folder was before, `planned` what a dry run said would go."""

    root: Path
    folder: Path
    tree: Mapping[bytes, Entry]
    planned: Collection[bytes]
    env: Mapping[str, str] | None


def sweep(
    place: Path,
    points: Sequence[Call],
    command: Callable[[Path], Sequence[str | Path]],
    fault: str = "signal=KILL",
    *,
    lay: Callable[[Path], Path] = small_folder,
    recovers: Callable[[Recovery], list[str]],
    undoable: bool = True,
    may_go: Collection[bytes] = (),
    env: Mapping[str, str] | None = None,
) -> Sweep:
    """Lay a folder, run `command` on it with `fault` at one of `points`, check; and so for each point.

    `recovers` says what is wrong after the runs that follow. Files in `may_go`, and those that a dry run
    plans to remove, need not be live; if `undoable` they have to be somewhere.
    """
    result = Sweep(points=len(points))
    lay(place / "planned")
    planned = plan_of(place / "planned", env)
    for point in points:
        root = place / f"{point.name}-{point.nth}"
        forget_state()
        folder = lay(root)
        before, tree = holdings(folder), snapshot_tree(folder)
        inject = f"inject={point.name}:{fault}:when={point.nth}"
        run, _ = traced(command(root), "-e", inject, calls=[point.name], env=env)
        result.hits += run.returncode == -9 or "KILL" not in fault
        wrong = losses(folder, before, planned, may_go, undoable=undoable)
        if "internal error" in run.stderr:
            wrong.append(run.stderr)
        wrong += recovers(Recovery(root, folder, tree, planned, env))
        where = f"{fault} at {point.name} {point.nth} ({point.text[:90]}), exit {run.returncode}"
        result.troubles += [f"{where}: {what}" for what in wrong]
        shutil.rmtree(root)
    return result


def forget_state() -> None:
    """Remove the state folder: a run makes the same calls only where the runs before it left nothing to take in."""
    shutil.rmtree(os.environ["BAILEYS_TOOLS_STATE_DIR"], ignore_errors=True)


def plan_of(root: Path, env: Mapping[str, str] | None = None) -> set[bytes]:
    """The names that a dry run of cleanup says it would remove."""
    run = run_forked(cleanup(root, "--dry-run", "--json"), env)
    assert run.returncode == 0, run.stderr
    companies = json.loads(run.stdout)["companies"]
    return {verdict["file"].encode() for company in companies for verdict in company["plan"]["remove"]}


def holdings(folder: Path) -> dict[bytes, dict[str, Entry]]:
    """Each file of a session folder and where it stands: live, half removed, in a quarantine."""
    found: dict[bytes, dict[str, Entry]] = {}
    for path, entry in snapshot_tree(folder, ignore=()).items():
        *parents, name = path.split(b"/")
        if entry.kind == "folder" or name == b".cleanup.lock":
            continue
        place = b"/".join(parents).decode() or "live"
        if name.startswith(REMOVING):
            name, place = name.removeprefix(REMOVING), "half removed"
        found.setdefault(name, {})[place] = entry
    return found


def losses(
    folder: Path,
    before: Mapping[bytes, Mapping[str, Entry]],
    planned: Collection[bytes],
    may_go: Collection[bytes] = (),
    *,
    undoable: bool,
) -> list[str]:
    """What is missing or wrong in the folder as the fault left it."""
    after = holdings(folder)
    wrong = []
    for name, places in before.items():
        now = after.get(name, {})
        original = places.get("live") or next(iter(places.values()))
        if now.get("live") == original or name in may_go:
            continue
        if name not in planned and "live" in places:
            wrong.append(f"{name!r} was not planned and is no longer live as it was")
        elif original not in now.values() and (undoable or now):
            wrong.append(f"{name!r} is gone, and no copy is byte for byte what it was")
    wrong += [f"{name!r} has come from nowhere" for name in after.keys() - before.keys()]
    if "live" in after.get(MEMORY.encode(), {}) and "live" not in after.get(OWN_KEY.encode(), {}):
        wrong.append("the bot's memory of a group stands without its key: every member would fail")
    return wrong


# --- the runs that follow -----------------------------------------------------------------------------------


def next_run_completes(state: Recovery) -> list[str]:
    """One more cleanup, and exactly the planned files are gone."""
    run = run_forked(cleanup(state.root, "--quiet"), state.env)
    wrong = (
        [] if run.returncode == 0 and not run.stderr else [f"next run: exit {run.returncode}, {run.stderr}"]
    )
    expected = {name: entry for name, entry in state.tree.items() if name not in state.planned}
    wrong += differences("next run", expected, snapshot_tree(state.folder))
    if (state.folder / ".cleanup.lock").exists():
        wrong.append("next run: left its lock file")
    return wrong


def undo_brings_all_back(state: Recovery) -> list[str]:
    """Undo run after run, and the tree is what it was: content, mode and mtime."""
    quarantine = state.folder / ".baileys-tools"
    wrong = []
    for _ in range(4):
        run = run_forked(undo(state.root, "--quiet"))
        if run.returncode != 0:
            wrong.append(f"undo: exit {run.returncode}, {run.stderr}")
        if not any(path.is_file() for path in quarantine.rglob("*")):  # empty folders do no harm
            break
    else:
        wrong.append("undo: left something in quarantine")
    return wrong + differences("undo", state.tree, snapshot_tree(state.folder))


def completes_and_can_be_undone(state: Recovery) -> list[str]:
    return next_run_completes(state) + undo_brings_all_back(state)


def differences(what: str, expected: Mapping[bytes, Entry], found: Mapping[bytes, Entry]) -> list[str]:
    """Say how two trees differ, in words that begin with `what`."""
    return (
        [f"{what}: {name!r} is too much" for name in found.keys() - expected.keys()]
        + [f"{what}: {name!r} is missing" for name in expected.keys() - found.keys()]
        + [
            f"{what}: {name!r} differs"
            for name in expected.keys() & found.keys()
            if expected[name] != found[name]
        ]
    )
