"""Every finding of `inspect` on a real folder: made true by one change, and not there without it."""

from __future__ import annotations

import ast
import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

import baileys_tools
from baileys_tools.cleanup.cleaning import run_cleanup
from baileys_tools.config import Cleanup, Sessions, Settings, StateSettings
from baileys_tools.finding_codes import CODES
from baileys_tools.findings import Finding, Severity
from baileys_tools.sessions.inspect_folder import DELAYS as PATIENT
from baileys_tools.sessions.inspect_folder import inspect_folder
from baileys_tools.sessions.locks import company_lock
from baileys_tools.sessions.rules.creds import CredsState
from baileys_tools.sessions.rules.fullness import HealthRules
from baileys_tools.sessions.rules.inspected import Broken, Elsewhere
from baileys_tools.sessions.rules.removals import Cleaned
from baileys_tools.sessions.rules.snapshot import SnapshotInfo
from baileys_tools.sessions.rules.surroundings import OldFolder, Snapshots
from baileys_tools.sessions.scan import scan_folder
from baileys_tools.watching.rules.inspection import Inspection, inspect
from fixtures.lay import lay
from tests.support import require_root, write_key

NOW = datetime.now(UTC).replace(microsecond=0)
"""The real time: what a test writes is written now."""

PACKAGE = Path(baileys_tools.__file__).parent
GROUP = "120363999999999999@g.us"
LIST = {"type": "Buffer", "data": [1, 2]}


def own_state() -> StateSettings:
    """The state of this test, as a cleanup remembers what it has seen."""
    return StateSettings(dir=os.environ["BAILEYS_TOOLS_STATE_DIR"])


def snapshot(age: timedelta) -> SnapshotInfo:
    return SnapshotInfo("1", "00000001-x.tar.zst", 1, NOW - age, "", "0" * 32, 9, encrypted=False)


def old_folder(beside: str) -> OldFolder:
    return OldFolder("20261129T100000Z-000abc-r", beside, NOW, 3, 3_000)


class World:
    """A session folder with what surrounds it, healthy in every respect until a test changes something."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = NOW
        self.rules = HealthRules()
        self.elsewhere = Elsewhere(snapshots=Snapshots(snapshot(timedelta(minutes=5)), stored=1))

    def inspect(self, delays: Sequence[float] = (0.01, 0.01)) -> Inspection:
        fd = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            seen = inspect_folder(fd, self.now, delays)
        finally:
            os.close(fd)
        return inspect("1001", str(self.folder), seen, self.elsewhere, self.rules, self.now)

    def finding(self, code: str) -> Finding | None:
        found = [finding for finding in self.inspect().findings if finding.code == code]
        assert len(found) <= 1, f"{code} is said {len(found)} times"
        return found[0] if found else None

    def write(self, name: str, content: str = "{}", age: timedelta = timedelta(days=1)) -> None:
        write_key(self.folder, name, age, content)

    def map_number(self, number: str, lid: str) -> None:
        self.write(f"lid-mapping-{number}.json", f'"{lid}"')
        self.write(f"lid-mapping-{lid}_reverse.json", f'"{number}"')

    def change_creds(self, **changes: object) -> None:
        creds = self.folder / "creds.json"
        creds.write_text(json.dumps(json.loads(creds.read_text()) | changes))

    def remove(self, pattern: str) -> None:
        found = list(self.folder.glob(pattern))
        assert found, f"nothing is named {pattern}"
        for path in found:
            path.unlink()

    def first(self, pattern: str) -> Path:
        return sorted(self.folder.glob(pattern))[0]

    def set_ages(self, age: timedelta) -> None:
        moment = (self.now - age).timestamp()
        for path in self.folder.iterdir():
            os.utime(path, (moment, moment))

    def surround(self, **changes: object) -> None:
        self.elsewhere = replace(self.elsewhere, **changes)  # type: ignore[arg-type]

    def rule(self, **changes: object) -> None:
        self.rules = self.rules._replace(**changes)  # type: ignore[arg-type]


@pytest.fixture
def world(tmp_path: Path, request: pytest.FixtureRequest) -> World:
    """The company of the fixture that the test is parametrized with, or a healthy one of Baileys 6."""
    name = getattr(request, "param", "healthy-v6")
    root = lay(name, tmp_path / name, NOW)
    folder = next(iter(sorted(root.glob("company_*"))), root)
    # The folders above are pytest's own, and closed to others.
    folder.chmod(0o700)
    return World(folder)


# --- the table ----------------------------------------------------------------------------------------------


def link_creds(folder: Path) -> None:
    """Put a link in the place of creds.json, to the file itself."""
    elsewhere = folder.parent / "elsewhere.json"
    (folder / "creds.json").rename(elsewhere)
    (folder / "creds.json").symlink_to(elsewhere)


class Case(NamedTuple):
    """How to bring a finding about in a healthy folder, and how much it then matters."""

    code: str
    severity: Severity
    harm: Callable[[World], object]
    fixture: str = "healthy-v6"
    name: str = ""


def steps(*each: Callable[[World], object]) -> Callable[[World], None]:
    def take(world: World) -> None:
        for step in each:
            step(world)

    return take


def map_numbers(world: World) -> None:
    for n in range(60):
        world.map_number(f"49{n:09}", f"77{n}")


def fill_with_device_lists(world: World) -> None:
    for n in range(190):
        world.write(f"device-list-49{n:09}.json", "[]")


def write_by_index(*patterns: str) -> Callable[[World], None]:
    """As a plain `JSON.stringify` writes a `Uint8Array`."""

    def by_index(value: object) -> object:
        if not isinstance(value, dict):
            return value
        if value.get("type") == "Buffer":
            return {str(n): byte for n, byte in enumerate(base64.b64decode(value["data"]))}
        return {name: by_index(one) for name, one in value.items()}

    def write(world: World) -> None:
        for pattern in patterns:
            path = world.first(pattern)
            path.write_text(json.dumps(by_index(json.loads(path.read_text()))))

    return write


def write_states(world: World) -> None:
    """As Baileys up to 6.7.18 wrote a sender-key."""
    path = world.first("sender-key-1*")
    path.write_bytes(base64.b64decode(json.loads(path.read_text())["data"]))


def empty_folder(world: World) -> None:
    for path in world.folder.iterdir():
        path.unlink()


def add_sessions(up_to: int) -> Callable[[World], None]:
    def add(world: World) -> None:
        for number in range(up_to - len(list(world.folder.iterdir()))):
            world.write(f"session-4917{number:09}.0.json")

    return add


def give_away(*names: str) -> Callable[[World], None]:
    def give(world: World) -> None:
        for path in world.folder.iterdir():
            os.chown(path, 1234, 1234)
        os.chown(world.folder, *((1234, 1234) if names else (0, 0)))
        for name in names:
            os.chown(world.first(name), 0, 0)

    return give


def give_all(world: World) -> None:
    give_away("creds.json")(world)
    os.chown(world.first("creds.json"), 1234, 1234)


def open_up(bit: int) -> Callable[[World], None]:
    def let_in(world: World) -> None:
        above = world.folder
        while above != above.parent:
            above.chmod(above.stat().st_mode | 0o011)
            if above.name.startswith("pytest-of"):
                break
            above = above.parent
        world.first("session-*").chmod(0o600 | bit)

    return let_in


def a_new_kind(world: World) -> None:
    for number in range(20):
        world.write(f"message-secret-{number}.json")


def hold_lock(world: World) -> None:
    stamp = int(time.time() * 1000)
    world.write(".cleanup.lock", json.dumps({"timestamp": stamp, "pid": 7, "hostname": "other"}), timedelta())


def top_up(world: World, times: int) -> None:
    """A bot of Baileys 7 that uploaded five more every other minute."""
    for number in range(5 * times):
        age = timedelta(minutes=2 * (times - number // 5))
        world.write(f"pre-key-{20_000 + number}.json", "{}", age)
    world.change_creds(nextPreKeyId=20_000 + 5 * times, firstUnuploadedPreKeyId=20_000 + 5 * times)


def ask_again(world: World, times: int) -> None:
    """A bot whose retry receipts nobody answers."""
    for number in range(times):
        world.write(f"pre-key-{20_000 + number}.json", "{}", timedelta(minutes=times - number))
    world.change_creds(nextPreKeyId=20_000 + times, firstUnuploadedPreKeyId=20_000 + times)


def recode(path: Path, encoding: str) -> None:
    path.write_bytes(path.read_text().encode(encoding))


W, C, E, N = Severity.WARNING, Severity.CRITICAL, Severity.EMERGENCY, Severity.NOTICE

CASES = [
    Case("creds-missing", E, lambda w: w.remove("creds.json")),
    Case("pre-keys-growing", N, lambda w: top_up(w, 25), "long-lived-v7", name="top-ups"),
    Case("pre-keys-growing", W, lambda w: top_up(w, 220), "long-lived-v7", name="many top-ups"),
    Case("pre-keys-growing", N, lambda w: ask_again(w, 120), name="retry receipts"),
    Case("creds-missing", E, steps(empty_folder, lambda w: w.surround(was_linked=True)), name="all gone"),
    Case("creds-empty", E, lambda w: (w.folder / "creds.json").write_text("")),
    Case("creds-unreadable", E, lambda w: (w.folder / "creds.json").write_text('{"me":')),
    Case("creds-encoding", E, lambda w: recode(w.folder / "creds.json", "utf-8-sig")),
    Case("creds-encoding", E, lambda w: recode(w.folder / "creds.json", "utf-16"), name="UTF-16"),
    Case("creds-too-large", W, lambda w: (w.folder / "creds.json").write_bytes(bytes(17 << 20))),
    Case("creds-linked", N, lambda w: link_creds(w.folder)),
    Case("creds-incomplete", E, lambda w: w.change_creds(noiseKey=None)),
    Case("creds-unpaired", E, lambda w: w.change_creds(me=None)),
    Case("creds-unpaired", E, lambda w: w.change_creds(account=None), name="no account"),
    Case("not-linked-yet", N, empty_folder),
    Case(
        "not-linked-yet",
        N,
        steps(empty_folder, lambda w: w.write("creds.json", "{}")),
        name="creds alone",
    ),
    Case(
        "creds-incomplete",
        E,
        steps(empty_folder, lambda w: w.write("creds.json", '{"type": "service_account"}')),
        name="another program's",
    ),
    Case("creds-behind-pre-keys", W, lambda w: w.write("pre-key-999999.json")),
    Case(
        "creds-behind-pre-keys",
        W,
        steps(lambda w: w.set_ages(timedelta(0)), lambda w: w.change_creds(nextPreKeyId=25)),
        name="by their own count",
    ),
    Case("creds-form", W, lambda w: w.change_creds(noiseKey={"private": LIST, "public": LIST})),
    Case(
        "creds-form",
        C,
        steps(
            lambda w: w.map_number("1", "2"),
            lambda w: w.change_creds(noiseKey={"private": LIST, "public": LIST}),
        ),
        name="of a 7",
    ),
    Case(
        "creds-incomplete",
        E,
        lambda w: w.change_creds(noiseKey={"private": [1], "public": [1]}),
        name="a list",
    ),
    Case("file-count", W, add_sessions(150), name="150"),
    Case("file-count", W, add_sessions(169), name="169"),
    Case("file-count", C, add_sessions(170), name="170"),
    Case("file-count", C, add_sessions(175), name="175"),
    Case("file-count", E, add_sessions(180), name="180"),
    Case("file-count", E, add_sessions(186), name="186"),
    Case(
        "file-count",
        W,
        fill_with_device_lists,
        name="nothing to clean",
    ),
    Case(
        "mostly-lid-mappings",
        N,
        map_numbers,
    ),
    Case(
        "cleanups-remove-little",
        N,
        steps(add_sessions(150), lambda w: w.surround(last_cleanup=Cleaned(NOW, 4))),
    ),
    Case("folder-large", W, lambda w: os.truncate(w.first("session-*"), 151_000_000)),
    Case("pre-key-last-missing", N, lambda w: w.change_creds(nextPreKeyId=40_000)),
    Case("pre-keys-gone", W, lambda w: w.remove("pre-key-*.json")),
    Case("memory-without-own-key", W, lambda w: w.write(f"sender-key-memory-{GROUP}.json")),
    Case("own-key-without-memory", N, lambda w: w.remove("sender-key-memory-*.json")),
    Case("lid-mapping-without-twin", W, lambda w: w.first("lid-mapping-*_reverse.json").unlink(), "fresh-v7"),
    Case(
        "lid-mapping-without-twin",
        W,
        lambda w: next(p for p in w.folder.glob("lid-mapping-*") if "reverse" not in p.name).unlink(),
        "fresh-v7",
        "the other half",
    ),
    Case("app-state-keys-missing", W, lambda w: w.remove("app-state-sync-key-*.json")),
    Case("key-files-form", W, write_by_index("pre-key-*", "sender-key-1*")),
    Case("key-files-form", C, steps(write_states, lambda w: w.map_number("1", "2")), name="states, of a 7"),
    Case("key-files-form", N, write_states, name="states"),
    Case("key-files-form", C, steps(write_states, write_by_index("pre-key-*")), name="of both kinds"),
    Case("key-files-empty", W, lambda w: w.first("session-*").write_text("")),
    Case("key-files-torn", W, lambda w: w.first("pre-key-*").write_text('{"private":')),
    Case("key-files-torn", W, lambda w: w.first("pre-key-*").write_text("null"), name="null"),
    Case("keys-readable-by-all", N, open_up(0o004)),
    Case("keys-writable-by-all", W, open_up(0o002)),
    Case("foreign-owner", W, give_away("session-*")),
    Case("foreign-owner", C, give_away("creds.json"), name="creds"),
    Case("foreign-owner", C, give_away(), name="all but the folder"),
    Case("foreign-owner", C, steps(give_all, lambda w: w.folder.chmod(0o500)), name="shut folder"),
    Case(
        "foreign-owner", C, steps(give_all, lambda w: w.first("creds.json").chmod(0o400)), name="shut creds"
    ),
    Case("foreign-owner", W, steps(give_all, lambda w: w.first("pre-key-*").chmod(0o400)), name="shut key"),
    Case("folder-locked", N, hold_lock),
    Case("odd-entries", W, lambda w: os.mkfifo(w.folder / "session-1.0.json"), name="FIFO"),
    Case(
        "odd-entries", W, lambda w: os.link(w.first("session-*"), w.folder.parent / "copy"), name="hard link"
    ),
    Case("odd-entries", N, lambda w: (w.folder / "media").mkdir(), name="folder"),
    Case("leftover-files", N, lambda w: w.write("session-1.0.json.orig")),
    Case("unknown-files", N, lambda w: w.write("notes.txt")),
    Case("unknown-files", W, a_new_kind, name="a kind"),
    Case("old-folder-left", W, lambda w: w.surround(old_folders=[old_folder(".baileys-tools-replaced-x")])),
    Case("old-folder-left", N, lambda w: w.surround(old_folders=[old_folder("")]), name="waiting"),
    Case("clock-implausible", W, lambda w: w.set_ages(-timedelta(days=2)), name="behind"),
    Case("clock-implausible", W, lambda w: w.set_ages(timedelta(days=400)), name="ahead"),
    Case("cleanup-held-silent", N, lambda w: w.set_ages(timedelta(days=4))),
    Case("no-activity", W, lambda w: w.set_ages(timedelta(days=14)), name="14 days"),
    Case("no-activity", C, lambda w: w.set_ages(timedelta(days=25)), name="25 days"),
    Case("disk-low", W, lambda w: w.rule(free_disk=free_space(w) + 10**9), name="low"),
    Case("disk-low", C, lambda w: w.rule(free_disk=10**17), name="nearly full"),
    Case("inodes-low", C, lambda w: w.rule(free_inodes=10**13)),
    Case("backup-not-configured", N, lambda w: w.surround(snapshots=None)),
    Case("backup-unreadable", W, lambda w: w.surround(snapshots=Snapshots(trouble="no such folder"))),
    Case(
        "backup-failed", C, lambda w: w.surround(snapshots=Snapshots(snapshot(timedelta()), failure="full"))
    ),
    Case("snapshot-missing", W, lambda w: w.surround(snapshots=Snapshots())),
    Case("snapshot-old", W, lambda w: w.surround(snapshots=Snapshots(snapshot(timedelta(hours=27))))),
    Case("snapshot-damaged", C, lambda w: w.surround(snapshots=Snapshots(snapshot(timedelta()), damaged=1))),
]


def free_space(world: World) -> int:
    found = os.statvfs(world.folder)
    return found.f_bavail * found.f_frsize


NOT_OF_ONE_FOLDER = {
    # Said of the host or of a folder that cannot be opened: test_inspect_cli.py and the unit tests.
    *("folder-unreadable", "no-companies", "state-unreadable"),
    # Needs a user without root's rights: below.
    "key-files-unreadable",
    # Needs weeks of history: test_inbound.py.
    "no-inbound",
}
RULES = (
    "sessions/rules/fullness",
    *(
        f"watching/rules/{name}"
        for name in ("growth", "health", "health_keys", "health_surroundings", "inspection_rules")
    ),
)


def test_the_table_has_every_finding_of_an_inspection() -> None:
    trees = [ast.parse((PACKAGE / f"{module}.py").read_text()) for module in RULES]
    constants = {node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    given = {code for code in CODES if code in constants}
    assert {case.code for case in CASES} == given - NOT_OF_ONE_FOLDER


@pytest.mark.parametrize(
    ("world", "case"),
    [pytest.param(case.fixture, case, id=" ".join(filter(None, (case.code, case.name)))) for case in CASES],
    indirect=["world"],
)
def test_a_finding_is_there_when_it_is_true_and_not_before(world: World, case: Case) -> None:
    if case.code == "foreign-owner":
        require_root()
    if case.code == "own-key-without-memory":
        world.remove("sender-key-120363400000000003@g.us--*--17.json")  # the fixture has one already
    assert world.finding(case.code) is None
    case.harm(world)
    found = world.finding(case.code)
    assert found is not None
    assert found.severity is case.severity
    assert found.company == "1001"
    assert found.message
    assert found.action


@pytest.mark.parametrize("world", ["long-lived-v7"], indirect=True)
def test_a_form_that_the_bot_can_use_is_no_finding(world: World) -> None:
    write_by_index("pre-key-*", "sender-key-1*")(world)
    assert world.finding("key-files-form") is None


def test_a_key_file_that_may_not_be_read_is_named(world: World) -> None:
    require_root()
    key = world.first("session-*")
    key.chmod(0)
    (world.folder / "creds.json").chmod(0o644)
    world.folder.chmod(0o755)
    assert world.finding("key-files-unreadable") is None
    fd = os.open(world.folder, os.O_RDONLY)
    os.seteuid(1234)
    try:
        seen = inspect_folder(fd, NOW, delays=(0.01,))
    finally:
        os.seteuid(0)
        os.close(fd)
    assert seen.broken == {key.name: Broken.UNREADABLE}
    found = inspect("1001", "", seen, world.elsewhere, world.rules, NOW)
    assert [one.code for one in found.findings if one.code.startswith("key-files")] == [
        "key-files-unreadable"
    ]


@pytest.mark.parametrize("owner", [1234, 4321])
def test_creds_that_may_not_be_read_are_lost_only_to_the_user_that_the_folder_belongs_to(
    world: World, owner: int
) -> None:
    """Whoever watches as somebody else is told so, and not that the session is lost."""
    require_root()
    world.folder.chmod(0o755)
    os.chown(world.folder, owner, owner)
    (world.folder / "creds.json").chmod(0o600)
    fd = os.open(world.folder, os.O_RDONLY)
    os.seteuid(1234)
    try:
        with nullcontext() if owner == 1234 else pytest.raises(PermissionError):
            assert scan_folder(fd).creds is CredsState.UNREADABLE
    finally:
        os.seteuid(0)
        os.close(fd)


# --- nobody cries wolf --------------------------------------------------------------------------------------

HEALTHY = ["healthy-v6", "fresh-v7", "fleet", "single"]


def above_notice(inspection: Inspection) -> list[str]:
    return [finding.code for finding in inspection.findings if finding.severity is not Severity.NOTICE]


@pytest.mark.parametrize("world", HEALTHY, indirect=True)
def test_a_healthy_folder_has_no_finding_above_notice(world: World) -> None:
    assert above_notice(world.inspect()) == []


@pytest.mark.parametrize("world", ["healthy-v6", "fresh-v7"], indirect=True)
def test_nor_has_one_that_a_cleanup_has_just_touched(world: World) -> None:
    settings = Settings(sessions=Sessions(path=str(world.folder)), cleanup=Cleanup(), state=own_state())
    report = run_cleanup(settings, str(world.folder), NOW)
    assert report.companies[0].removals is not None, report.companies[0].trouble
    assert above_notice(world.inspect()) == []


def test_a_bloated_folder_is_an_emergency_until_it_is_cleaned(tmp_path: Path) -> None:
    world = World(lay("bloated-v6", tmp_path, NOW) / "company_2001")
    found = world.finding("file-count")
    assert found is not None
    assert (found.severity, found.facts["level"]) == (Severity.EMERGENCY, "danger")
    run_cleanup(Settings(state=own_state()), str(tmp_path), NOW)
    assert world.finding("file-count") is None


def test_a_busy_folder_that_no_cleanup_can_lower_wakes_nobody(tmp_path: Path) -> None:
    """Its level stays danger; the finding is a warning that says what would help."""
    world = World(lay("long-lived-v7", tmp_path, NOW) / "company_4001")
    found = world.finding("file-count")
    assert found is not None
    assert (found.severity, found.facts["level"]) == (Severity.WARNING, "danger")
    assert "no cleanup can lower" in found.message


def test_guarded_pre_keys_do_not_count_but_are_told(tmp_path: Path) -> None:
    world = World(lay("fresh-v7", tmp_path, NOW) / "company_3001")
    assert world.finding("file-count") is None
    world.rule(pre_key_guard=False)
    unguarded = world.finding("file-count")
    assert unguarded is not None
    assert unguarded.facts["counted_files"] == 896
    world.rule(pre_key_guard=True)
    add_sessions(896 + 40)(world)
    found = world.finding("file-count")
    assert found is not None
    assert "756 guarded pre-keys left out" in found.message


# --- while the bot writes -----------------------------------------------------------------------------------

WRITER = """
import os, sys, time
folder, pause = sys.argv[1], float(sys.argv[2])
names = sorted(n for n in os.listdir(folder) if n.startswith(("creds", "session", "sender-key-1")))
contents = {name: open(f"{folder}/{name}", "rb").read() for name in names}
print("ready", flush=True)
while True:
    for name, content in contents.items():
        fd = os.open(f"{folder}/{name}", os.O_WRONLY | os.O_TRUNC)  # as Baileys does
        time.sleep(pause)
        os.write(fd, content)
        os.close(fd)
"""


@contextmanager
def writing(folder: Path, pause: float) -> Iterator[None]:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), str(pause)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        yield
    finally:
        writer.kill()
        writer.wait()


def test_a_bot_that_writes_all_the_time_has_no_torn_files(world: World) -> None:
    torn = 0
    with writing(world.folder, 0.002):
        for _ in range(8):
            torn += sum(path.stat().st_size == 0 for path in world.folder.glob("*.json"))
            assert above_notice(world.inspect(PATIENT)) == []
    assert torn, "no file was seen empty, so this proves nothing"


def test_a_bot_that_dies_in_the_middle_of_a_write_leaves_a_finding(world: World) -> None:
    with writing(world.folder, 5):
        time.sleep(0.1)
    assert world.finding("creds-empty") is not None


# --- what else is seen --------------------------------------------------------------------------------------


def test_a_lock_that_is_held_is_seen_without_being_taken(world: World) -> None:
    fd = os.open(world.folder, os.O_RDONLY)
    try:
        with company_lock(fd, NOW):
            found = world.finding("folder-locked")
        assert found is not None
        assert f"process {os.getpid()}" in found.message
        assert world.finding("folder-locked") is None
    finally:
        os.close(fd)


def test_a_change_of_number_leaves_no_mapping_alone(tmp_path: Path) -> None:
    """The old number still maps to the LID, and the LID to the new number: three files, each with a partner."""
    world = World(lay("fresh-v7", tmp_path, NOW) / "company_3001")
    world.write("lid-mapping-4911111.json", '"555"')
    world.write("lid-mapping-4922222.json", '"555"')
    world.write("lid-mapping-555_reverse.json", '"4922222"')
    assert world.finding("lid-mapping-without-twin") is None


@pytest.mark.parametrize("world", ["fresh-v7"], indirect=True)
def test_evidence_names_the_files_and_facts_count_them(world: World) -> None:
    broken = sorted(path.name for path in world.folder.glob("session-*"))[:3]
    for name in broken:
        (world.folder / name).write_text("")
    inspection = world.inspect()
    assert list(inspection.evidence["key-files-empty"]) == broken
    (found,) = [finding for finding in inspection.findings if finding.code == "key-files-empty"]
    assert found.facts == {"files": 3, "kinds": "session 3"}


def test_a_snapshot_of_a_folder_that_stands_still_does_not_age(world: World) -> None:
    old = snapshot(timedelta(days=9))
    world.surround(snapshots=Snapshots(old, stored=1, is_current=True))
    assert world.finding("snapshot-old") is None
    world.set_ages(timedelta(days=10))
    world.surround(snapshots=Snapshots(old, stored=1))
    assert world.finding("snapshot-old") is None
