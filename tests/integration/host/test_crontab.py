"""The real crontab program: what it is given, and what we leave of it."""

from __future__ import annotations

import os
import random
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from baileys_tools.errors import BaileysToolsError
from baileys_tools.host import crontab
from tests.cronhost import CronHost
from tests.crontabs import CRONTABS
from tests.integration.faults.forked import run_cli
from tests.support import COMMAND, company_folder, require_tool

ROOT = Path(__file__).parents[3]

EDIT_ALL = """
import json, os, subprocess, sys
sys.path.insert(0, sys.argv[1])
from baileys_tools.host.rules.cron import with_block, without_block
from baileys_tools.host.crontab import backups_folder, read_crontab, write_crontab
from tests.crontabs import block
spool, state = "/var/spool/cron/crontabs/root", sys.argv[2]
first, other = block(), block("/usr/bin/baileys-tools", has_repository=False)
def listed():
    with open(spool, "rb") as file:
        content = file.read()
    return content.split(b"\\n", 3)[3]
def change(edit):
    with backups_folder(state) as backups:
        before = read_crontab()
        write_crontab(before, edit(before or b""), backups)
done = 0
for path in sorted(os.listdir(sys.argv[3])):
    with open(os.path.join(sys.argv[3], path), "rb") as file:
        tab = file.read()
    given = os.path.join(sys.argv[3], path)
    if subprocess.run(["crontab", given], capture_output=True).returncode != 0:
        continue  # a crontab that cron itself refuses
    assert read_crontab() == tab, (path, tab, read_crontab())
    for edit, wanted in (
        (lambda one: with_block(one, first), tab + first),
        (lambda one: with_block(one, first), tab + first),
        (lambda one: with_block(one, other), tab + other),
        (without_block, tab),
    ):
        change(edit)
        assert listed() == wanted, (path, listed(), wanted)
    done += 1
print(done)
"""


def write_samples(folder: Path, number: int) -> None:
    """Crontabs that end with a newline, as crontab(1) wants them; the others are refused before we come."""
    folder.mkdir()
    made: list[bytes] = []

    @settings(
        max_examples=number,
        phases=[Phase.generate],
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(CRONTABS)
    def collect(tab: bytes) -> None:
        made.append(tab + b"\n" if tab and not tab.endswith(b"\n") else tab)

    collect()
    for index, tab in enumerate(made):
        (folder / f"{index:05}").write_bytes(tab)


@pytest.mark.root
@pytest.mark.parametrize(("number", "enough"), [(40, 10), pytest.param(400, 100, marks=pytest.mark.faults)])
def test_the_real_program_leaves_every_other_line_as_it_is(tmp_path: Path, number: int, enough: int) -> None:
    host = CronHost(tmp_path)
    write_samples(tmp_path / "tabs", number)
    script = tmp_path / "edit.py"
    script.write_text(EDIT_ALL)
    run = host.run(sys.executable, script, ROOT, tmp_path / "state", tmp_path / "tabs", cwd=ROOT)
    assert run.returncode == 0, run.stderr.decode("utf-8", "backslashreplace")[-3000:]
    assert int(run.stdout) >= enough, "most of the samples were crontabs"


@pytest.mark.root
def test_what_the_listing_of_crontab_hides_is_not_lost(tmp_path: Path) -> None:
    """Debian's `crontab -l` turns a carriage return into two characters and drops comments at the top."""
    host = CronHost(tmp_path)
    by_hand = b"# one\n# two\n# three\n# four\r\n* * * * * echo a\\\\r\r\n"
    (host.spool / "root").write_bytes(by_hand)
    (host.spool / "root").chmod(0o600)
    plain = host.run("crontab", "-l").stdout
    assert b"# one" not in plain
    assert b"\r" not in plain, "the trap is there"
    company_folder(tmp_path / "sessions")
    install = host.run(COMMAND, "cron", "install", "--sessions", tmp_path / "sessions")
    assert install.returncode == 0, install.stderr
    assert host.installed().startswith(by_hand + b"# BEGIN baileys-tools\n")
    assert host.run(COMMAND, "cron", "remove").returncode == 0
    assert host.installed() == by_hand


@pytest.mark.root
def test_install_twice_is_once_and_the_crontab_before_is_kept(tmp_path: Path, own_home: Path) -> None:
    host = CronHost(tmp_path)
    company_folder(tmp_path / "sessions")
    before = b"MAILTO=ops\n0 1 * * * /usr/bin/mine\n"
    (tmp_path / "tab").write_bytes(before)
    host.run("crontab", tmp_path / "tab")
    dry = host.run(COMMAND, "cron", "install", "--dry-run", "--sessions", tmp_path / "sessions")
    assert b"+* * * * * " in dry.stdout
    assert host.installed() == before
    assert not (own_home / "state").exists(), "a dry run leaves nothing behind"

    first = host.run(COMMAND, "cron", "install", "--sessions", tmp_path / "sessions")
    assert first.returncode == 0, first.stderr
    installed = host.installed()
    (kept,) = (own_home / "state" / "crontabs").iterdir()
    assert kept.read_bytes() == before
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700

    second = host.run(COMMAND, "cron", "install", "--sessions", tmp_path / "sessions")
    assert b"nothing was changed" in second.stdout
    assert host.installed() == installed
    assert [*kept.parent.iterdir()] == [kept]
    assert host.run(COMMAND, "cron", "install", "--quiet", "--sessions", tmp_path / "sessions").stdout == b""
    assert host.run(COMMAND, "cron", "remove").returncode == 0
    assert host.installed() == before


@pytest.mark.root
def test_without_a_crontab_one_is_made(tmp_path: Path) -> None:
    host = CronHost(tmp_path)
    company_folder(tmp_path / "sessions")
    assert host.run(COMMAND, "cron", "install", "--sessions", tmp_path / "sessions").returncode == 0
    assert host.installed().startswith(b"# BEGIN baileys-tools\n")


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A folder that other users reach; pytest's own they do not."""
    with tempfile.TemporaryDirectory(prefix="baileys-tools-") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@pytest.mark.root
def test_the_system_file_runs_the_jobs_as_the_owner_of_the_folders(tmp_path: Path, open_place: Path) -> None:
    host = CronHost(tmp_path)
    folder = company_folder(open_place / "sessions").parent
    state = open_place / "state"
    state.mkdir(mode=0o700)
    for theirs in (folder, state):
        os.chown(theirs, 65534, 65534)
    config = tmp_path / "config.yaml"
    config.write_text(f"sessions: {{path: {folder}}}\nstate: {{dir: {state}}}\n")
    words = ["--system", "--config", str(config)]
    env = {"BAILEYS_TOOLS_STATE_DIR": ""}
    install = host.run(COMMAND, "cron", "install", *words, env=env)
    assert install.returncode == 0, install.stderr
    file = host.cron_d / "baileys-tools"
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert f"* * * * * nobody BAILEYS_TOOLS_JOB=1 {COMMAND} monitor-once" in file.read_text()
    assert {path.stat().st_uid for path in state.rglob("*")} == {65534}, "nothing of root's in their folder"
    assert (state / "cron.log").exists()
    status = host.run(COMMAND, "cron", "status", *words, env=env)
    assert b"waiting" in status.stdout, status
    assert {path.stat().st_uid for path in state.rglob("*")} == {65534}
    assert host.run(COMMAND, "cron", "remove", *words, env=env).returncode == 0
    assert not file.exists()
    assert [*host.cron_d.iterdir()] == []
    assert {path.stat().st_uid for path in state.rglob("*")} == {65534}


MOMENTS = [
    *(("wait4", when) for when in range(1, 7)),
    *(("vfork", when) for when in range(1, 7)),
    *(("fsync", when) for when in range(1, 4)),
    *(("rename", when) for when in range(1, 3)),
]
"""Where a kill hurts most: around each program that is started, and where files are published."""
ANYWHERE = ("write", "execve", "unlink", "unlinkat", "openat", "close", "read", "mmap")

CARELESS = """
import subprocess, sys
subprocess.run(["crontab", "-r"], check=True)
subprocess.run(["crontab", sys.argv[1]], check=True)
"""


def left_by_kills(
    host: CronHost, words: list[str], before: Path, moments: list[tuple[str, int]]
) -> list[tuple[str, int, bytes]]:
    """What the crontab is after each kill: of our process or crontab's, whichever comes there first."""
    left = []
    for call, when in moments:
        host.run("crontab", before)
        inject = f"--inject={call}:signal=KILL:when={when}"
        host.run(require_tool("strace"), "-f", "-qq", "-o", "/dev/null", inject, *words)
        left.append((call, when, host.installed()))
    return left


@pytest.mark.root
def test_the_sweep_catches_one_who_takes_the_old_crontab_away_first(tmp_path: Path) -> None:
    require_tool("strace")
    host = CronHost(tmp_path)
    (tmp_path / "before").write_text("0 1 * * * /usr/bin/mine\n")
    (tmp_path / "after").write_text("0 1 * * * /usr/bin/mine\n0 2 * * * /usr/bin/ours\n")
    (tmp_path / "careless.py").write_text(CARELESS)
    words = [sys.executable, str(tmp_path / "careless.py"), str(tmp_path / "after")]
    assert any(not found for _, _, found in left_by_kills(host, words, tmp_path / "before", MOMENTS[:3]))


@pytest.mark.root
@pytest.mark.parametrize("number", [0, pytest.param(300, marks=pytest.mark.faults)])
def test_a_kill_at_any_moment_loses_nothing(tmp_path: Path, number: int) -> None:
    """Ours and crontab's own processes, killed at a system call: the old crontab or the new one, never less."""
    require_tool("strace")
    host = CronHost(tmp_path)
    company_folder(tmp_path / "sessions")
    tab = tmp_path / "tab"
    tab.write_bytes(b"# mine\n" + b"".join(b"%d 1 * * * /usr/bin/mine\n" % minute for minute in range(60)))
    before = tab.read_bytes()
    words = [str(COMMAND), "cron", "install", "--quiet", "--sessions", str(tmp_path / "sessions")]
    host.run("crontab", tab)
    assert host.run(*words).returncode == 0
    after = host.installed()
    chance = random.Random(20260115)
    # Each second one where the calls between two programs are alike; all of them in the long proof.
    moments = MOMENTS[:: 1 if number else 2] + [
        (chance.choice(ANYWHERE), chance.randint(1, 400)) for _ in range(number)
    ]
    left = left_by_kills(host, words, tab, moments)
    assert [(call, when) for call, when, found in left if found not in (before, after)] == []
    assert {found == after for _, _, found in left} == {False, True}, (
        "some before the crontab was there, some after"
    )
    # And the next one needs no human.
    assert host.run(*words).returncode == 0
    assert host.installed() == after


# --- without the real program: a stand-in that shows one trouble --------------------------------------------


def stand_in(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir(exist_ok=True)
    program = folder / "crontab"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_an_edit_between_the_look_and_the_write_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tab = tmp_path / "tab"
    stand_in(tmp_path / "bin", f'[ "$1" = -l ] && exec cat {tab}\ncp "$1" {tab}', monkeypatch)
    tab.write_bytes(b"# theirs\n")
    with crontab.backups_folder(str(tmp_path / "state")) as backups:
        before = crontab.read_crontab()
        tab.write_bytes(b"# theirs, changed\n")
        with pytest.raises(crontab.CrontabChanged):
            crontab.write_crontab(before, b"# ours\n", backups)
    assert tab.read_bytes() == b"# theirs, changed\n"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo 'You (bot) are not allowed to use this program (crontab)' >&2; exit 1", "not allowed"),
        ("exit 1", "does not say why"),
        ("kill -9 $$", "does not say why"),
    ],
)
def test_a_crontab_that_cannot_be_read_is_never_taken_for_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, words: str
) -> None:
    stand_in(tmp_path / "bin", script, monkeypatch)
    with pytest.raises(BaileysToolsError, match=words):
        crontab.read_crontab()


def test_the_tests_cannot_reach_the_real_crontab(tmp_path: Path) -> None:
    company_folder(tmp_path)
    run = run_cli("cron", "install", "--sessions", tmp_path)
    assert run.returncode == 1
    assert "a test went for the real crontab" in run.stderr


@pytest.mark.root
def test_a_second_settings_file_never_takes_the_jobs_of_the_first(tmp_path: Path) -> None:
    host = CronHost(tmp_path)
    files = {}
    for name in ("shop", "desk"):
        company_folder(tmp_path / name)
        files[name] = tmp_path / f"{name}.yaml"
        files[name].write_text(
            f"sessions: {{path: {tmp_path / name}}}\nstate: {{dir: {tmp_path / 'state'}}}\ncron: {{jitter: 0}}\n"
        )

    def cron(*words: str | Path, code: int = 0) -> str:
        done = host.run(COMMAND, "cron", *words)
        assert done.returncode == code, done.stderr
        return (done.stdout + done.stderr).decode()

    cron("install", "--config", files["shop"])
    alone = host.installed()
    cron("install", "--config", files["desk"])
    both = host.installed()
    assert both.startswith(alone)
    assert both.count(b"# BEGIN baileys-tools\n") == 2
    for name in files:
        cron("install", "--config", files[name])
        assert host.installed() == both, "twice is once"
        assert "--config" not in cron("status", "--config", files[name])
        assert f"these jobs look after {tmp_path / name}" not in cron("status", "--config", files[name])
    refused = cron("remove", code=10)
    for file in files.values():
        assert f"baileys-tools cron remove --config {file}" in " ".join(refused.split())
    assert host.installed() == both
    cron("remove", "--config", files["shop"])
    assert host.installed() == both.removeprefix(alone)
    cron("remove")
    assert host.installed() == b""


@pytest.mark.root
def test_the_jobs_from_before_there_was_a_settings_file_become_those_of_the_file(tmp_path: Path) -> None:
    host = CronHost(tmp_path)
    for name in ("shop", "desk"):
        company_folder(tmp_path / name)
        done = host.run(COMMAND, "cron", "install", "--sessions", tmp_path / name)
        assert done.returncode == 0, done.stderr
    assert host.installed().count(b"# BEGIN baileys-tools\n") == 2, "of two sessions paths"
    assert host.run(COMMAND, "cron", "remove", "--sessions", tmp_path / "desk").returncode == 0
    roots = ("--sessions", tmp_path / "desk", "--sessions", tmp_path / "more")
    others = host.run(COMMAND, "cron", "remove", *roots)
    assert others.returncode == 10, "the one that is there is of other settings"
    assert host.run(COMMAND, "cron", "install", "--sessions", tmp_path / "desk").returncode == 0
    file = tmp_path / "shop.yaml"
    file.write_text(f"sessions: {{path: {tmp_path / 'shop'}}}\n")
    done = host.run(COMMAND, "cron", "install", "--config", file)
    assert done.returncode == 0, done.stderr
    first, second = host.installed().split(b"# BEGIN baileys-tools\n")[1:]
    assert b"--config" in first
    assert b"--config" not in second
