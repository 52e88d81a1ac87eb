"""`restore` as an operator meets it: through the installed command, on real folders."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pyrage
import pytest

from baileys_tools.config import load_settings
from baileys_tools.errors import BaileysToolsError
from baileys_tools.recovery.restore_job import RestoreOptions
from baileys_tools.recovery.restoring import run_restore
from baileys_tools.snapshots import archive
from tests.integration.faults.forked import run_cli
from tests.support import company_folder, creds, snapshot_tree, write_key
from tests.terminal import Screen

SCHEMA = Path(__file__).parents[3] / "docs/json/restore.schema.json"
OLD = timedelta(hours=5)
GROUP = "120363001234567890@g.us"
OWN_KEY = f"sender-key-{GROUP}--919585510685--17.json"
MEMORY = f"sender-key-memory-{GROUP}.json"
PEER_KEY = f"sender-key-{GROUP}--447700900123--0.json"
MAPPING = "lid-mapping-447700900123.json"
SESSIONS = [f"session-44770090012{n}.0.json" for n in range(3)]
NAMES = [*SESSIONS, OWN_KEY, MEMORY, PEER_KEY, MAPPING, "pre-key-29.json", "pre-key-30.json"]
CANARY = "Y2FuYXJ5LW9mLWEtcHJpdmF0ZS1rZXk="


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A quiet company folder with a snapshot of it."""
    folder = company_folder(tmp_path / "sessions", keys=dict.fromkeys(NAMES, OLD))
    write_creds(folder)
    (folder / MAPPING).chmod(0o640)
    assert run_cli("backup", "--quiet", env=env_of(folder)).returncode == 0
    return folder


def write_creds(folder: Path, **changes: Any) -> None:
    write_key(folder, "creds.json", OLD, json.dumps(creds(advSecretKey=CANARY, **changes)))


def env_of(folder: Path) -> dict[str, str]:
    place = folder.parents[1]
    return {
        "BAILEYS_SESSIONS_PATH": str(folder.parent),
        "BAILEYS_TOOLS_BACKUP_PATH": str(place / "repository"),
    }


def restore(folder: Path, *options: str, env: Mapping[str, str] | None = None) -> Any:
    done = run_cli("restore", "--company", "1001", *options, env={**env_of(folder), **(env or {})})
    assert CANARY not in done.stdout + done.stderr
    return done


def restored(folder: Path, *options: str) -> Any:
    """Restore with --json and return the document, checked against its schema."""
    done = restore(folder, "--yes", "--json", *options)
    assert done.returncode in (0, 3), done.stderr
    document = json.loads(done.stdout)
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(document)
    assert document["exit_code"] == done.returncode
    return document


def tear(path: Path) -> None:
    modified = path.stat().st_mtime_ns
    path.write_text('{"half')
    os.utime(path, ns=(modified, modified))


def test_a_repair_brings_back_what_was_lost_as_it_was(folder: Path) -> None:
    before = snapshot_tree(folder)
    tear(folder / "creds.json")
    tear(folder / SESSIONS[0])
    for name in (SESSIONS[1], PEER_KEY, MAPPING, "pre-key-29.json"):
        (folder / name).unlink()
    document = restored(folder, "--keep-sessions")
    assert snapshot_tree(folder) == before, "content, mode and age of every file"
    assert document["status"] == "restored"
    assert document["result"]["brought_back"][-1] == "creds.json"
    assert document["plan"]["cost"] == {
        "contacts": 0,
        "older_sessions": 0,
        "group_senders": 0,
        "older_keys": 0,
        "pre_keys": 0,
        "pre_keys_untold": False,
    }
    assert restored(folder)["status"] == "nothing-to-do"


def test_sessions_come_back_by_the_word_of_the_operator_alone(folder: Path) -> None:
    tear(folder / SESSIONS[0])
    for name in (SESSIONS[1], PEER_KEY):
        (folder / name).unlink()
    shown = " ".join(restore(folder, "--dry-run").stdout.split())
    assert "nothing on disk tells whether there were messages since; if the bot has been off since" in shown
    assert "2 contact addresses without a session" in shown
    assert "at most 1 group sender who made a new key since the snapshot" in shown
    document = restored(folder)
    assert document["plan"]["traffic"] == "untold"
    assert document["result"]["brought_back"] == [PEER_KEY]
    assert document["result"]["set_aside"] == [SESSIONS[0]]
    assert (document["plan"]["cost"]["contacts"], document["plan"]["cost"]["older_keys"]) == (2, 1)
    assert restored(folder)["status"] == "nothing-to-do"
    assert restored(folder, "--keep-sessions")["result"]["brought_back"] == SESSIONS[:2]


def test_sessions_come_back_where_systemd_says_that_the_bot_ended_before_the_snapshot(
    folder: Path, tmp_path: Path
) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    systemctl = tools / "systemctl"
    env = {"PATH": f"{tools}:{os.environ['PATH']}", "BAILEYS_TOOLS_PROCESS__SYSTEMD": "bot"}

    def ended(seconds_ago: float) -> None:
        systemctl.write_text(
            "#!/bin/sh\nprintf 'LoadState=loaded\\nActiveState=inactive\\nSubState=dead\\nMainPID=0\\n"
            f"InactiveEnterTimestampMonotonic={max(1, int((time.monotonic() - seconds_ago) * 1e6))}\\n'\n"
        )
        systemctl.chmod(0o755)

    (folder / SESSIONS[1]).unlink()
    ended(0)
    assert f"{SESSIONS[1]}  (nothing tells" in restore(folder, "--dry-run", "--verbose", env=env).stdout
    ended(3600)
    shown = restore(folder, "--yes", "--verbose", env=env)
    assert f"bring back  {SESSIONS[1]}" in shown.stdout
    assert (folder / SESSIONS[1]).exists()


@pytest.mark.parametrize("is_lost", [True, False])
def test_a_memory_goes_aside_with_its_key_and_comes_back_beside_it_alone(folder: Path, is_lost: bool) -> None:
    """Beside the key that the bot then makes, it would keep that from every member of the group."""
    (folder / OWN_KEY).unlink() if is_lost else tear(folder / OWN_KEY)
    document = restored(folder)
    aside = [MEMORY] if is_lost else [OWN_KEY, MEMORY]
    assert sorted(document["result"]["set_aside"]) == aside
    assert not {MEMORY, OWN_KEY} & set(os.listdir(folder))
    undone = run_cli("undo", "--run", document["result"]["run"], env=env_of(folder))
    assert undone.returncode == 0
    assert ({MEMORY, OWN_KEY} <= set(os.listdir(folder))) is not is_lost
    assert (folder / MEMORY).exists() is not is_lost
    assert ("the own key that it speaks of is gone" in undone.stdout) is is_lost


def test_no_cleanup_brings_back_what_a_repair_has_just_set_aside(folder: Path) -> None:
    (folder / OWN_KEY).write_text('{"half')  # a moment ago, as the bot died in it
    (folder / MEMORY).write_text("{}")
    # Not before the second of the repair, however slow this machine is.
    in_an_hour = (folder / MEMORY).stat().st_mtime + 3600
    for name in (OWN_KEY, MEMORY):
        os.utime(folder / name, (in_an_hour, in_an_hour))
    document = restored(folder, "--force")
    assert sorted(document["result"]["set_aside"]) == sorted([OWN_KEY, MEMORY])
    cleaned = run_cli("cleanup", env=env_of(folder))
    assert (cleaned.returncode, "mended" in cleaned.stdout) == (0, False)
    assert not {OWN_KEY, MEMORY} & set(os.listdir(folder))
    run = document["result"]["run"]
    listed = checked_undo(folder, "--list")["companies"][0]["runs"]
    assert [(one["run"], one["files"]) for one in listed] == [(run, 2)]
    assert checked_undo(folder, "--run", run)["run"] == run
    assert {OWN_KEY, MEMORY} < set(os.listdir(folder))


def checked_undo(folder: Path, *options: str) -> Any:
    done = run_cli("undo", "--json", *options, env=env_of(folder))
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    schema = json.loads((SCHEMA.parent / "undo.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(document)
    return document


def test_the_damaged_bytes_that_were_replaced_wait_in_quarantine(folder: Path) -> None:
    tear(folder / "creds.json")
    restored(folder)
    (kept,) = (folder / ".baileys-tools" / "quarantine").glob("*/creds.json")
    assert kept.read_text() == '{"half'
    assert kept.stat().st_nlink == 1


def test_what_was_mended_once_comes_back_when_it_is_lost_again(folder: Path) -> None:
    before = snapshot_tree(folder)
    names = [MAPPING, "pre-key-29.json", PEER_KEY]
    for name in names:
        tear(folder / name)
    restored(folder)
    for name in names:
        (folder / name).unlink()
    assert restored(folder)["result"]["brought_back"] == names
    assert snapshot_tree(folder) == before


def test_a_session_that_a_repair_set_aside_can_still_be_brought_back_as_it_says(folder: Path) -> None:
    for name in SESSIONS:
        write_key(folder, name, timedelta(minutes=10), '{"half')
    assert restored(folder)["result"]["set_aside"] == SESSIONS
    dry_run = restore(folder, "--dry-run")
    assert "--keep-sessions brings sessions back" in " ".join(dry_run.stdout.split())
    assert restored(folder, "--keep-sessions")["result"]["brought_back"] == SESSIONS


def test_a_dry_run_shows_the_plan_and_touches_nothing(folder: Path) -> None:
    tear(folder / "creds.json")
    (folder / SESSIONS[0]).unlink()
    before = snapshot_tree(folder, ignore=())
    planned = restored(folder, "--dry-run")
    assert snapshot_tree(folder, ignore=()) == before
    assert planned["status"] == "planned"
    assert planned["plan"] == restored(folder)["plan"]
    text = restore(folder, "--dry-run", "--verbose", "--mode", "rollback").stdout
    assert "own-sender-key" not in text, "people read words"
    summary = text.splitlines()[1:]
    assert [line for line in summary if len(line) > 80 and ".json" not in line] == []


def test_nobody_there_to_say_yes_is_a_no(folder: Path) -> None:
    tear(folder / "creds.json")
    before = snapshot_tree(folder, ignore=())
    done = restore(folder)
    assert done.returncode == 13
    assert "--yes" in done.stderr
    assert snapshot_tree(folder, ignore=()) == before


@pytest.mark.parametrize("mode", ["repair", "rollback"])
def test_a_folder_in_use_is_refused_and_force_names_what_it_overrides(folder: Path, mode: str) -> None:
    write_key(folder, SESSIONS[0], timedelta(seconds=60), "[]")
    (folder / MAPPING).unlink()
    before = snapshot_tree(folder, ignore=())
    done = restore(folder, "--yes", "--mode", mode)
    assert done.returncode == 13
    assert "last 2 minutes" in done.stderr
    assert SESSIONS[0] in done.stderr
    assert "bot-lives" in done.stderr
    assert snapshot_tree(folder, ignore=()) == before
    assert restored(folder, "--mode", mode, "--force")["forced"] == ["bot-lives"]
    assert (folder / MAPPING).exists()


@pytest.mark.parametrize(
    ("me", "why"),
    [("15550001111:3@s.whatsapp.net", "another account"), ("919585510685:18@s.whatsapp.net", "paired anew")],
)
def test_the_snapshot_of_another_pairing_is_refused(folder: Path, me: str, why: str) -> None:
    write_creds(folder, me={"id": me, "lid": "270996591579169:18@lid"})
    (folder / MAPPING).unlink()
    before = snapshot_tree(folder, ignore=())
    done = restore(folder, "--yes")
    assert (done.returncode, why in done.stderr) == (13, True)
    assert restore(folder, "--yes", "--force").returncode == 13, "two identities never share a folder"
    assert snapshot_tree(folder, ignore=()) == before
    assert restored(folder, "--mode", "rollback", "--force")["forced"]
    assert json.loads((folder / "creds.json").read_text())["me"] == creds()["me"]


def test_a_rollback_keeps_the_old_folder_as_a_snapshot(folder: Path) -> None:
    write_key(folder, SESSIONS[0], timedelta(hours=1), "[1]")
    write_key(folder, "session-9.0.json", timedelta(hours=1))
    write_key(folder, "pre-key-33.json", timedelta(hours=1))
    (folder / "notes.txt").write_text("mine")
    os.utime(folder / "notes.txt", (1e9, 1e9))
    folder.chmod(0o750)
    before = snapshot_tree(folder)
    document = restored(folder, "--mode", "rollback")
    kept = {
        "creds.json",
        PEER_KEY,
        MAPPING,
        "pre-key-29.json",
        "pre-key-30.json",
        "pre-key-33.json",
        "notes.txt",
    }
    assert {os.fsdecode(name) for name in snapshot_tree(folder)} == kept
    assert document["plan"]["cost"]["contacts"] == 4
    assert stat.S_IMODE(folder.stat().st_mode) == 0o750
    assert os.listdir(folder.parent) == ["company_1001"], "nothing is left beside it"
    old = document["result"]["before"]
    assert old["tag"] == "pre-restore"
    assert restored(folder, "--dry-run")["snapshot"]["id"] == "1", "latest is what a backup took"
    target = folder.parents[1] / "as-it-was"
    assert restore(folder, old["id"], "--target", str(target)).returncode == 0
    assert snapshot_tree(target) == before


def test_a_folder_that_no_snapshot_could_hold_is_not_rolled_back(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_key(folder, "media.bin", OLD, os.urandom(2 << 20))
    before = snapshot_tree(folder)
    monkeypatch.setattr(archive, "MOST_BYTES", 2 << 20)
    settings, options = load_settings({}, {}).settings, RestoreOptions("1001", mode="rollback", yes=True)
    repository = env_of(folder)["BAILEYS_TOOLS_BACKUP_PATH"]
    with pytest.raises(BaileysToolsError, match="more than a snapshot may hold") as refused:
        run_restore(settings, options, str(folder.parent), repository, datetime.now(UTC), lambda _: True)
    assert refused.value.hint == "Nothing was changed."
    assert snapshot_tree(folder) == before
    assert len(list(Path(repository, "company_1001").glob("*.zst"))) == 1


def test_the_broken_folder_that_a_rollback_replaced_never_evicts_the_good_snapshot(folder: Path) -> None:
    (folder / "creds.json").write_text("")
    os.utime(folder / "creds.json", (1e9, 1e9))
    assert restored(folder, "--mode", "rollback")["result"]["before"]["id"] == "2"
    rules = dict.fromkeys(
        (f"BAILEYS_TOOLS_BACKUP__KEEP_{rule}" for rule in ("HOURLY", "DAILY", "WEEKLY")), "0"
    )
    rules |= {"BAILEYS_TOOLS_BACKUP__KEEP_LAST": "1", "BAILEYS_TOOLS_BACKUP__MINIMUM": "1"}
    assert run_cli("prune", env=env_of(folder) | rules).returncode == 0
    assert restored(folder, "--dry-run")["snapshot"]["id"] == "1"
    verified = json.loads(run_cli("verify", "--json", env=env_of(folder)).stdout)
    assert [one["snapshot"]["sequence"] for one in verified["results"]] == [1], (
        "the newest that a restore would take"
    )


def test_a_rollback_takes_the_quarantine_along(folder: Path) -> None:
    (folder / OWN_KEY).unlink()
    run = restored(folder)["result"]["run"]
    restored(folder, "--mode", "rollback")
    assert run in run_cli("undo", "--list", env=env_of(folder)).stdout


def test_a_target_is_a_plain_folder_and_has_to_be_empty(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    document = restored(folder, "--target", str(target))
    assert snapshot_tree(target) == snapshot_tree(folder)
    assert document["plan"] is None
    assert stat.S_IMODE(target.stat().st_mode) == 0o700
    assert restore(folder, "--target", str(target)).returncode == 2
    assert sorted(os.listdir(tmp_path)) == ["elsewhere", "repository", "sessions"]


def test_a_folder_that_is_gone_is_made_anew(folder: Path) -> None:
    before = snapshot_tree(folder)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    assert restored(folder)["plan"]["traffic"] == "untold"
    assert {os.fsdecode(name) for name in snapshot_tree(folder)} == {
        *("creds.json", PEER_KEY, MAPPING, "pre-key-29.json", "pre-key-30.json")
    }
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    restored(folder, "--keep-sessions")
    own = {os.fsencode(OWN_KEY), os.fsencode(MEMORY), b"creds.json"}
    after = snapshot_tree(folder)
    assert {name: entry for name, entry in before.items() if name not in own} == {
        name: entry for name, entry in after.items() if name != b"creds.json"
    }


def test_a_single_session_folder_that_lost_its_creds_is_found_by_its_name(tmp_path: Path) -> None:
    folder = company_folder(tmp_path / "bot", None, dict.fromkeys(NAMES, OLD))
    write_creds(folder)
    env = {"BAILEYS_SESSIONS_PATH": str(folder), "BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "repository")}
    assert run_cli("backup", "--quiet", env=env).returncode == 0
    before = snapshot_tree(folder)
    for mode in ("repair", "rollback"):
        (folder / "creds.json").unlink()
        done = run_cli("restore", "--company", "bot", "--yes", "--mode", mode, env=env)
        assert done.returncode == 0, done.stderr
        assert snapshot_tree(folder)[b"creds.json"] == before[b"creds.json"]


@pytest.mark.parametrize("told", [{}, {"ENABLE_MULTITENANCY": "false"}], ids=["seen", "told"])
def test_no_second_session_is_made_in_a_session_folder(folder: Path, told: dict[str, str]) -> None:
    single = company_folder(folder.parents[1] / "session", None, dict.fromkeys(NAMES, OLD))
    before = snapshot_tree(single)
    for option in ("--dry-run", "--yes"):
        done = restore(folder, option, "--sessions", str(single), env=told)
        assert done.returncode == 10, done.stdout + done.stderr
        assert "It is a single session folder, company session:" in done.stderr
    assert snapshot_tree(single) == before


def test_a_damaged_snapshot_is_found_before_anything_is_touched(folder: Path) -> None:
    (archive,) = (folder.parents[1] / "repository" / "company_1001").glob("*.tar.zst")
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    archive.write_bytes(content)
    tear(folder / "creds.json")
    before = snapshot_tree(folder, ignore=())
    for options in (["--yes"], ["--yes", "--mode", "rollback", "--force"], ["--dry-run"]):
        assert restore(folder, *options).returncode == 11
    assert snapshot_tree(folder, ignore=()) == before


def test_an_encrypted_snapshot_wants_its_key(folder: Path, tmp_path: Path) -> None:
    key, other = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    for name, identity in (("key", key), ("other", other)):
        (tmp_path / name).write_text(str(identity))
    settings = tmp_path / "config.yaml"
    settings.write_text(f"backup:\n  recipients: ['{key.to_public()}']\n")
    config = ["--config", str(settings)]
    assert run_cli("backup", "--force", *config, env=env_of(folder)).returncode == 0
    (folder / MAPPING).unlink()
    wanted = restore(folder, "--yes", *config)
    assert wanted.returncode == 12
    assert "--identity FILE" in " ".join(wanted.stderr.split())
    assert restore(folder, "--yes", *config, "--identity", str(tmp_path / "other")).returncode == 12
    assert not (folder / MAPPING).exists()
    done = restore(folder, "--yes", *config, "--identity", str(tmp_path / "key"))
    assert done.returncode == 0, done.stderr
    assert (folder / MAPPING).exists()
    tear(folder / "creds.json")
    planned = " ".join(run_cli("recover", "--dry-run", *config, env=env_of(folder)).stdout.split())
    assert "encrypted: this fails without backup.identity_file" in planned
    recovered = " ".join(run_cli("recover", "--yes", *config, env=env_of(folder)).stdout.split())
    assert "is encrypted. Give the secret key" in recovered, "why it came to nothing, and what to do"
    assert "encrypted snapshots take --identity FILE as well" in recovered


@pytest.mark.parametrize(
    ("options", "code"),
    [(["7"], 10), (["--mode", "merge"], 2), (["latest", "--target", "/proc/none/x"], 1)],
)
def test_what_cannot_be_done_has_its_exit_code(folder: Path, options: list[str], code: int) -> None:
    assert restore(folder, "--yes", *options).returncode == code


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--company", "x" * 300], 2, "longer than 247 bytes"),
        (["--target", "/proc/none/x"], 1, "the folder /proc/none cannot be made"),
        (["--target", ""], 2, "not empty"),
    ],
)
def test_what_was_mistyped_is_named(folder: Path, options: list[str], code: int, words: str) -> None:
    done = restore(folder, "--yes", *options)
    assert (done.returncode, words in done.stderr) == (code, True), done.stderr


def test_a_number_that_two_snapshots_have_is_no_choice(folder: Path) -> None:
    env = env_of(folder)
    ours = Path(env["BAILEYS_TOOLS_BACKUP_PATH"])
    ours.rename(folder.parents[1] / "before")
    assert run_cli("backup", "--tag", "anew", env=env).returncode == 0
    (anew,) = (ours / "company_1001").glob("*.zst")
    (before,) = (folder.parents[1] / "before/company_1001").glob("*.zst")
    before.rename(ours / "company_1001" / before.name)
    done = restore(folder, "1", "--dry-run")
    assert (done.returncode, before.name in done.stderr, anew.name in done.stderr) == (2, True, True)
    for name in (before.name, anew.name):
        assert json.loads(restore(folder, name, "--dry-run", "--json").stdout)["snapshot"]["file"] == name


def test_a_link_of_the_targets_name_is_in_the_way(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("empty")
    assert restore(folder, "--target", str(tmp_path / "link")).returncode == 2


def test_a_repository_that_cannot_be_listed_is_named(folder: Path) -> None:
    stored = folder.parents[1] / "repository" / "company_1001"
    stored.rename(stored.with_name("elsewhere"))
    stored.symlink_to("elsewhere")
    done = restore(folder, "--yes")
    assert (done.returncode, "cannot list the snapshots of company 1001" in done.stderr) == (1, True)


RUN = "20260115T030000Z-a1b2c3"
ORDERS: dict[str, object] = {"mode": "repair", "run": RUN, "set_aside": [], "bring_back": []}
JOURNALS: list[dict[str, object]] = [
    {},
    {"mode": "repair", "version": 1, "run": 1},
    ORDERS,
    {**ORDERS, "version": 2},
    {"mode": "rollback", "version": 2, "old": 1, "files": {}},
]


@pytest.mark.parametrize("journal", [json.dumps(one) for one in JOURNALS])
def test_the_journal_of_another_version_stops_its_company_and_no_other(folder: Path, journal: str) -> None:
    other = company_folder(folder.parent, "1002", {"session-1.0.json": timedelta(days=90)})
    (folder / ".baileys-tools").mkdir()
    (folder / ".baileys-tools/restore.json").write_text(journal)
    done = restore(folder, "--yes")
    assert (done.returncode, "is not a journal of a restore that this version wrote" in done.stderr) == (
        1,
        True,
    )
    cleanup = run_cli("cleanup", env=env_of(folder))
    assert (cleanup.returncode, "internal error" in cleanup.stderr) == (3, False)
    assert not (other / "session-1.0.json").exists()
    assert (folder / ".baileys-tools/restore.json").read_text() == journal


def test_a_locked_company_is_left_alone(folder: Path) -> None:
    (folder / MAPPING).unlink()
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert restore(folder, "--yes").returncode == 75
    finally:
        os.close(held)
    assert not (folder / MAPPING).exists()


def test_on_a_terminal_the_plan_is_shown_once_and_then_what_was_done(folder: Path) -> None:
    (folder / MAPPING).unlink()
    with Screen("restore", "--company", "1001", env=env_of(folder)) as screen:
        screen.wait_for(lambda seen: "Go on? [y/N]" in seen.text)
        assert "bring back" in screen.text
        screen.type("y\n")
        assert screen.exit_code() == 0
        assert screen.text.count("bring back") == screen.text.count("snapshot ") == 1
        assert "1 file brought back" in screen.text
    assert (folder / MAPPING).exists()


def test_the_plan_says_where_nothing_tells_whether_the_bot_runs(folder: Path, tmp_path: Path) -> None:
    (folder / MAPPING).unlink()
    pidfile = {"BAILEYS_TOOLS_PROCESS__PIDFILE": str(tmp_path / "no.pid")}
    for env, told in (({}, True), (pidfile, False)):
        done = run_cli("restore", "--company", "1001", "--dry-run", env=env_of(folder) | env)
        assert done.returncode == 0, done.stderr
        assert ("nothing tells whether it runs: stop it first" in done.stdout) is told
    whole = run_cli("restore", "--company", "1001", "--yes", env=env_of(folder))
    assert whole.returncode == 0, whole.stderr
    nothing = run_cli("restore", "--company", "1001", "--dry-run", env=env_of(folder))
    assert "nothing tells whether it runs" not in nothing.stdout, "there is nothing to write over"


def test_without_any_snapshot_the_ways_out_are_named(folder: Path, tmp_path: Path) -> None:
    """At 3 a.m. `take one` is no help: of a folder without its creds none can be taken."""
    env = env_of(folder) | {"BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "empty")}
    (tmp_path / "empty").mkdir()
    (folder / "creds.json").write_bytes(b"")
    done = run_cli("restore", "--company", "1001", env=env)
    assert done.returncode == 10
    assert "backup --import DIR --company 1001" in done.stderr
    assert "reset --company 1001" in done.stderr
    assert run_cli("backup", "--quiet", env=env).returncode == 1
    inspected = json.loads(run_cli("inspect", "--company", "1001", "--json", env=env).stdout)
    actions = {one["code"]: one["action"] for one in inspected["findings"]}
    assert "backup --import DIR" in actions["snapshot-missing"]
    assert "baileys-tools backup --company" not in actions["backup-failed"] + actions["snapshot-missing"]


def test_creds_that_may_not_be_read_are_perhaps_whole(folder: Path) -> None:
    """A folder in the place of creds.json cannot be read by root either."""
    (folder / "creds.json").unlink()
    (folder / "creds.json").mkdir()
    done = run_cli("cleanup", "--company", "1001", "--dry-run", env=env_of(folder))
    assert "May this user and the bot read it" in " ".join(done.stdout.split())
    assert "May this user" in run_cli("monitor-once", env=env_of(folder)).stdout
    (folder / "creds.json").rmdir()
    for torn in (b"", b'{"torn'):
        (folder / "creds.json").write_bytes(torn)
        done = run_cli("cleanup", "--company", "1001", "--dry-run", env=env_of(folder))
        assert "May this user" not in " ".join(done.stdout.split())
        told = run_cli("monitor-once", env=env_of(folder)).stdout
        assert "May this user" not in told and "restore --company 1001" in told
