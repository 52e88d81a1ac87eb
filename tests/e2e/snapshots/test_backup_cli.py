"""`backup`, `snapshots`, `verify` and `prune` as an operator meets them: through the installed command."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pyrage
import pytest

from tests.integration.faults.forked import run_cli
from tests.support import company_folder, creds, missing, require_tool, snapshot_tree, write_key

SCHEMAS = Path(__file__).parents[3] / "docs/json"
OLD = timedelta(hours=7)


@pytest.fixture
def sessions(tmp_path: Path) -> Path:
    root = tmp_path / "sessions"
    for company in ("1001", "1002"):
        company_folder(root, company, {"session-1.0.json": OLD, "pre-key-30.json": OLD})
        write_key(root / f"company_{company}", "creds.json", OLD, json.dumps(creds()))
    return root


@pytest.fixture
def env(tmp_path: Path, sessions: Path) -> dict[str, str]:
    return {
        "BAILEYS_SESSIONS_PATH": str(sessions),
        "BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "repository"),
    }


def result_of(command: str, *options: str, env: Mapping[str, str]) -> Any:
    """Run a command with --json and return its document, checked against its schema and its exit code."""
    done = run_cli(command, "--json", *options, env=env)
    document = json.loads(done.stdout)
    schema = json.loads((SCHEMAS / f"{command}.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(document)
    assert document["exit_code"] == done.returncode
    return document


def statuses(document: Any) -> dict[str, str]:
    return {company["company"]: company["status"] for company in document["companies"]}


def archives(env: Mapping[str, str], company: str = "1001") -> list[Path]:
    folder = Path(env["BAILEYS_TOOLS_BACKUP_PATH"]) / f"company_{company}"
    return sorted(folder.glob("*.tar.zst*")) if folder.is_dir() else []


def test_a_first_run_takes_all_and_a_second_takes_none(env, sessions):
    before = snapshot_tree(sessions, ignore=())
    assert statuses(result_of("backup", env=env)) == {"1001": "taken", "1002": "taken"}
    assert statuses(result_of("backup", env=env)) == {"1001": "unchanged", "1002": "unchanged"}
    assert snapshot_tree(sessions, ignore=()) == before
    assert len(archives(env)) == 1


def test_only_the_changed_company_is_taken_again(env, sessions):
    result_of("backup", env=env)
    write_key(sessions / "company_1002", "session-2.0.json", OLD)
    assert statuses(result_of("backup", env=env)) == {"1001": "unchanged", "1002": "taken"}


def test_a_rewrite_of_the_same_size_within_one_clock_step_is_seen(env, sessions):
    path = sessions / "company_1001/session-1.0.json"
    path.write_text('{"a":1}')
    # Written as the backup looks at it, however long its process takes to start.
    moment = path.stat().st_mtime_ns + 60_000_000_000
    os.utime(path, ns=(moment, moment))
    result_of("backup", env=env)
    path.write_text('{"a":2}')
    os.utime(path, ns=(moment, moment))
    assert statuses(result_of("backup", env=env))["1001"] == "taken"


def test_touching_a_file_takes_no_new_snapshot(env, sessions):
    result_of("backup", env=env)
    os.utime(sessions / "company_1001/session-1.0.json")
    assert statuses(result_of("backup", env=env))["1001"] == "unchanged"


def test_force_takes_unchanged_folders_and_tags_show(env):
    result_of("backup", env=env)
    assert statuses(result_of("backup", "--force", "--tag", "before-update", env=env))["1001"] == "taken"
    listed = result_of("snapshots", "--company", "1001", env=env)["companies"][0]["snapshots"]
    assert [(one["sequence"], one["tag"]) for one in listed] == [(1, ""), (2, "before-update")]


def test_a_tag_is_put_on_an_unchanged_folder_once(env, sessions):
    result_of("backup", env=env)
    for expected in ("taken", "unchanged"):
        for dry_run in (["--dry-run"], []):
            said = statuses(result_of("backup", "--tag", "before-update", *dry_run, env=env))["1001"]
            assert said == ("planned" if dry_run and expected == "taken" else expected)
    listed = result_of("snapshots", "--company", "1001", env=env)["companies"][0]["snapshots"]
    assert [(one["sequence"], one["tag"]) for one in listed] == [(1, ""), (2, "before-update")]
    assert statuses(result_of("backup", env=env))["1001"] == "unchanged"


def two_bots(tmp_path: Path) -> list[Path]:
    bots = [tmp_path / bot / "auth_info_baileys" for bot in ("bot1", "bot2")]
    for number, folder in enumerate(bots):
        me = {"id": f"44770090012{number}:1@s.whatsapp.net"}
        write_key(company_folder(folder.parent, "1"), "creds.json", OLD, json.dumps(creds(me=me)))
        (folder.parent / "company_1").rename(folder)
    return bots


def shelves(env: Mapping[str, str]) -> list[str]:
    return sorted(path.name for path in Path(env["BAILEYS_TOOLS_BACKUP_PATH"]).glob("company_*"))


def test_two_bots_whose_folders_have_one_name_do_not_share_their_snapshots(env, tmp_path):
    bots = two_bots(tmp_path)
    one, two = ("--sessions", str(bots[0])), ("--sessions", str(bots[1]))
    assert statuses(result_of("backup", *one, env=env)) == {"auth_info_baileys": "taken"}
    assert statuses(result_of("backup", *two, "--dry-run", env=env)) == {"auth_info_baileys": "planned"}
    assert len(shelves(env)) == 1
    said = run_cli("backup", *two, env=env).stdout
    assert f"{bots[0]} has this name in the repository" in " ".join(said.split())
    plain, apart = shelves(env)
    assert plain == "company_auth_info_baileys"
    assert apart.startswith(plain + "~")
    for way in (one, two):
        assert statuses(result_of("backup", *way, env=env)) == {"auth_info_baileys": "unchanged"}
        assert statuses(result_of("backup", *way, "--force", env=env)) == {"auth_info_baileys": "taken"}
    listed = result_of("snapshots", "--company", "auth_info_baileys", env=env)["companies"]
    assert {(one["company"], one["path"]): len(one["snapshots"]) for one in listed} == {
        ("auth_info_baileys", str(bots[0])): 2,
        ("auth_info_baileys", str(bots[1])): 2,
    }
    text = run_cli("snapshots", env=env).stdout
    for bot in bots:
        assert f"company auth_info_baileys ({bot.parent})" in text
    # By another way to the same folder it is the same bot.
    (tmp_path / "current").symlink_to(bots[0].parent)
    way = ("--sessions", str(tmp_path / "current" / "auth_info_baileys"))
    assert statuses(result_of("backup", *way, env=env)) == {"auth_info_baileys": "unchanged"}
    # Each comes back from its own, and neither is pruned for the other.
    prune = result_of(
        "prune", env={**env, "BAILEYS_TOOLS_BACKUP__KEEP_LAST": "1", "BAILEYS_TOOLS_BACKUP__MINIMUM": "1"}
    )
    assert {(one["path"], len(one["plan"])) for one in prune["companies"]} == {(str(bot), 2) for bot in bots}
    assert {one["path"] for one in result_of("verify", env=env)["results"]} == {str(bot) for bot in bots}
    for number, (bot, way) in enumerate(zip(bots, (one, two), strict=True)):
        (bot / "creds.json").write_text("")
        os.utime(bot / "creds.json", (time.time() - 7200,) * 2)
        done = run_cli("restore", *way, "--company", "auth_info_baileys", "--yes", "--force", env=env)
        assert done.returncode == 0, done.stderr
        assert f"44770090012{number}:" in (bot / "creds.json").read_text()


def test_a_bot_that_has_lost_its_session_keeps_its_snapshots_from_another_of_its_name(env, tmp_path):
    bots = two_bots(tmp_path)
    one, two = ("--sessions", str(bots[0])), ("--sessions", str(bots[1]))
    result_of("backup", *one, env=env)
    for loss in ("emptied", "gone"):
        if loss == "gone":
            shutil.rmtree(bots[0])
        else:
            (bots[0] / "creds.json").write_text("")
        for force in ((), ("--force",)):
            assert set(statuses(result_of("backup", *two, *force, env=env)).values()) <= {
                "taken",
                "unchanged",
            }
        listed = {one["path"]: len(one["snapshots"]) for one in result_of("snapshots", env=env)["companies"]}
        assert listed[str(bots[0])] == 1, loss


def test_a_bot_that_has_moved_takes_its_snapshots_along(env, tmp_path):
    bots = two_bots(tmp_path)
    result_of("backup", "--sessions", str(bots[0]), env=env)
    new = tmp_path / "new" / "auth_info_baileys"
    new.parent.mkdir()
    bots[0].rename(new)
    assert statuses(result_of("backup", "--sessions", str(new), "--force", env=env)) == {
        "auth_info_baileys": "taken"
    }
    assert shelves(env) == ["company_auth_info_baileys"]
    # Copied, with the old folder still there: whoever says so has moved it.
    newer = tmp_path / "newer" / "auth_info_baileys"
    shutil.copytree(new, newer)
    assert statuses(result_of("backup", "--sessions", str(newer), "--force", env=env)) == {
        "auth_info_baileys": "taken"
    }
    assert shelves(env) == ["company_auth_info_baileys"]
    (listed,) = result_of("snapshots", env=env)["companies"]
    assert (listed["path"], len(listed["snapshots"])) == (str(newer), 3)


def test_a_cleanup_keeps_what_was_beside_another_bot_of_the_name(env, sessions, tmp_path):
    result_of("backup", env=env)
    other = tmp_path / "other"
    company_folder(
        other, "1001", {"session-2.0.json": timedelta(days=30)}, me={"id": "4477009001299:1@s.whatsapp.net"}
    )
    write_key(other / "company_1001", "session-3.0.json", timedelta(hours=20))
    done = run_cli("cleanup", "--sessions", other, env=env)
    assert done.returncode == 0, done.stdout
    assert len(archives(env)) == 1
    (apart,) = [name for name in shelves(env) if "~" in name]
    assert len(archives(env, apart.removeprefix("company_"))) == 1


@pytest.mark.parametrize("tag", ["import", "pre-restore", "Up", "a b", "-x", "x" * 33, "a/b"])
def test_a_tag_that_cannot_stand_in_a_name_is_refused(env, tag):
    done = run_cli("backup", f"--tag={tag}", env=env)
    assert done.returncode == 2
    assert not archives(env)


def test_a_dry_run_writes_nothing(env, tmp_path):
    before = snapshot_tree(tmp_path, ignore=())
    assert statuses(result_of("backup", "--dry-run", env=env)) == {"1001": "planned", "1002": "planned"}
    assert snapshot_tree(tmp_path, ignore=()) == before


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (json.dumps(creds()).encode()[:100], "unreadable"),
        (json.dumps(creds(me=None)).encode(), "unpaired"),
        (json.dumps(creds(account=None)).encode(), "unpaired"),
        (json.dumps(creds(noiseKey=None)).encode(), "incomplete"),
        (None, "missing"),
    ],
)
def test_creds_that_are_no_session_fail_and_evict_nothing(env, sessions, content, why):
    result_of("backup", env=env)
    good = archives(env)
    path = sessions / "company_1001/creds.json"
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    for _ in range(4):
        document = json.loads(run_cli("backup", "--force", "--json", "--company", "1001", env=env).stdout)
        assert document["exit_code"] == 1
    assert document["companies"][0]["status"] == "unfit"
    assert why in document["companies"][0]["trouble"]
    assert archives(env) == good
    assert result_of("backup", env=env)["exit_code"] == 3
    failure = result_of("snapshots", "--company", "1001", env=env)["companies"][0]["last_failure"]
    assert why in failure["why"]

    quiet = run_cli("backup", "--quiet", env=env)
    assert (quiet.returncode, quiet.stdout) == (3, "")
    assert "company 1001: creds.json is" in quiet.stderr

    write_key(sessions / "company_1001", "creds.json", OLD, json.dumps(creds()))
    assert result_of("backup", env=env)["exit_code"] == 0
    assert result_of("snapshots", env=env)["companies"][0]["last_failure"] is None


def test_what_is_no_plain_file_is_reported_and_never_opened(env, sessions):
    folder = sessions / "company_1001"
    os.mkfifo(folder / "session-7.0.json")
    (folder / "session-8.0.json").symlink_to("/etc/passwd")
    (folder / "session-9.0.json").write_bytes(b"")
    (folder / "line\nbreak.json").write_bytes(b"{}")
    (folder / "notes.txt").write_bytes(b"no JSON, and kept all the same")
    (company,) = result_of("backup", "--company", "1001", env=env)["companies"]
    assert company["status"] == "taken"
    left_out = {odd["name"]: odd["what"] for odd in company["left_out"]}
    assert left_out.keys() == {"session-7.0.json", "session-8.0.json", "session-9.0.json", "line\nbreak.json"}
    assert company["files"] == 4
    shown = run_cli("backup", "--force", env=env)
    assert "line\\nbreak.json" in shown.stdout


def test_our_own_lock_and_quarantine_are_not_part_of_it(env, sessions):
    folder = sessions / "company_1001"
    write_key(folder, "session-2.0.json", timedelta(days=30))
    assert run_cli("cleanup", env=env | {"BAILEYS_TOOLS_CLEANUP__SNAPSHOT_FIRST": "no"}).returncode == 0
    assert (folder / ".baileys-tools").is_dir()
    assert result_of("backup", "--company", "1001", env=env)["companies"][0]["files"] == 3


def test_a_cleanup_takes_a_snapshot_before_it_removes(env, sessions):
    write_key(sessions / "company_1001", "session-2.0.json", timedelta(days=30))
    assert run_cli("cleanup", env=env).returncode == 0
    assert len(archives(env)) == 1
    assert not archives(env, "1002"), "nothing was removed there"
    assert not (sessions / "company_1001/session-2.0.json").exists()
    assert run_cli("cleanup", env=env).returncode == 0
    assert len(archives(env)) == 1


def test_a_cleanup_goes_on_without_a_snapshot_and_says_so(env, sessions, tmp_path):
    write_key(sessions / "company_1001", "session-2.0.json", timedelta(days=30))
    (tmp_path / "repository").write_text("a file in its place")
    done = run_cli("cleanup", "--quiet", env=env)
    assert done.returncode == 4
    assert "no snapshot before the cleanup" in done.stderr
    assert not (sessions / "company_1001/session-2.0.json").exists()


@pytest.fixture
def far_sessions(sessions: Path) -> Iterator[Path]:
    """The sessions on a file system that dates a file as far ahead as anybody asks."""
    if not os.access("/dev/shm", os.W_OK):
        missing("/dev/shm")
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="baileys-tools-test-") as folder:
        yield Path(shutil.copytree(sessions, Path(folder) / "sessions"))


def test_a_file_dated_in_milliseconds_spoils_no_snapshot(env, far_sessions):
    """As `fs.utimesSync(path, Date.now(), Date.now())` does, which takes seconds."""
    os.utime(far_sessions / "company_1001/session-1.0.json", (1_800_000_000_000, 1_800_000_000_000))
    there = ("--sessions", str(far_sessions))
    assert statuses(result_of("backup", *there, env=env)) == {"1001": "taken", "1002": "taken"}
    assert statuses(result_of("backup", *there, env=env)) == {"1001": "unchanged", "1002": "unchanged"}
    assert run_cli("verify", "--all", "--deep", env=env).returncode == 0


@pytest.mark.parametrize("seconds", [9_500_000_000, -5])
def test_a_file_of_another_century_fails_neither_a_backup_nor_a_cleanup(env, sessions, seconds):
    strange = write_key(sessions / "company_1001", "notes.txt")
    os.utime(strange, (seconds, seconds))
    if strange.stat().st_mtime != seconds:
        missing("a file system whose times go beyond 2262")
    assert statuses(result_of("backup", env=env)) == {"1001": "taken", "1002": "taken"}
    assert statuses(result_of("backup", env=env)) == {"1001": "unchanged", "1002": "unchanged"}
    write_key(sessions / "company_1001", "session-2.0.json", timedelta(days=30))
    cleaned = run_cli("cleanup", env=env)
    assert cleaned.returncode in (0, 3), "done, or held as the clock looks wrong"
    assert len(archives(env)) == (2 if cleaned.returncode == 0 else 1)
    assert run_cli("verify", "--all", "--deep", env=env).returncode == 0


def test_a_company_that_is_being_cleaned_is_skipped(env, sessions):
    lock = sessions / "company_1001/.cleanup.lock"
    lock.write_text(json.dumps({"timestamp": int(datetime.now(UTC).timestamp() * 1000)}))
    document = result_of("backup", env=env)
    assert statuses(document) == {"1001": "locked", "1002": "taken"}
    assert document["exit_code"] == 0
    assert result_of("backup", "--company", "1001", env=env)["exit_code"] == 75


def test_files_and_folders_are_private_from_birth(env, tmp_path):
    tool = Path(sys.executable).parent / "baileys-tools"
    trace = f"{require_tool('strace')} -f -e trace=open,openat,mkdir,mkdirat -o {tmp_path}/trace"
    command = f"umask 000; exec {trace} {tool} backup --quiet"
    subprocess.run(["sh", "-c", command], env=os.environ | env, check=True)
    for path in (tmp_path / "repository").rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path
    calls = (tmp_path / "trace").read_text().splitlines()
    made = [line for line in calls if "O_CREAT" in line and " = -1" not in line]
    assert made
    assert all(", 0600)" in line for line in made), made
    folders = [line for line in calls if "mkdir" in line]
    assert all(", 0700)" in line for line in folders), folders


def test_without_a_key_a_deep_look_still_finds_what_is_damaged(env):
    env |= {"BAILEYS_TOOLS_BACKUP__RECIPIENTS": str(pyrage.x25519.Identity.generate().to_public())}
    result_of("backup", env=env)
    said = run_cli("verify", "--deep", env=env).stdout
    assert "its hash fits, and what is in it was not read" in " ".join(said.split())
    assert "could not be read. Give the secret key" in said
    path = archives(env)[0]
    path.write_bytes(path.read_bytes()[:-1])
    found = result_of("verify", "--deep", env=env)
    assert found["exit_code"] == 11
    assert "damaged" in [one["health"] for one in found["results"]]
    assert {one["health"] for one in found["results"]} <= {"damaged", "no-key"}


def test_a_host_without_the_secret_key_cannot_read_what_it_wrote(env, tmp_path):
    identity, other = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    (tmp_path / "key").write_text(f"{identity}\n")
    (tmp_path / "other").write_text(f"{other}\n")
    env |= {"BAILEYS_TOOLS_BACKUP__RECIPIENTS": str(identity.to_public())}
    result_of("backup", env=env)

    assert run_cli("verify", env=env).returncode == 0
    assert result_of("verify", "--deep", env=env)["exit_code"] == 12
    said = run_cli("verify", "--deep", env=env).stdout
    assert "--identity" in said
    assert all(len(line) <= 80 for line in said.splitlines())
    assert result_of("verify", "--deep", "--identity", str(tmp_path / "other"), env=env)["exit_code"] == 12
    assert run_cli("verify", "--deep", "--identity", str(tmp_path / "none"), env=env).returncode == 12
    document = result_of("verify", "--deep", "--identity", str(tmp_path / "key"), env=env)
    assert document["results"][0]["manifest"]["account"] == "91****85:17"
    for path in archives(env):
        assert b"session" not in path.read_bytes()
    everything = b"".join(
        path.read_bytes() for path in (tmp_path / "repository").rglob("*") if path.is_file()
    )
    assert b"919585510685" not in everything


def test_a_secret_key_given_as_a_recipient_is_refused_and_not_shown(env):
    secret = str(pyrage.x25519.Identity.generate())
    done = run_cli("backup", env=env | {"BAILEYS_TOOLS_BACKUP__RECIPIENTS": secret})
    assert done.returncode == 2
    assert secret[:30] not in done.stdout + done.stderr


def by_hand() -> list[str]:
    """The commands that docs/backups.md gives for opening a snapshot: a plain one, an encrypted one, the check."""
    section = (SCHEMAS.parent / "backups.md").read_text().split("## Opening a snapshot by hand\n")[1]
    return [line.strip() for line in section.split("\n##")[0].splitlines() if line.startswith("    ")]


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
def test_a_snapshot_opens_with_the_commands_of_the_documentation(env, tmp_path, sessions, encrypted):
    plain, with_age, check = by_hand()
    command = with_age if encrypted else plain
    for tool in ("zstd", "tar", "sha256sum", *(["age", "age-keygen"] if encrypted else [])):
        require_tool(tool)
    here = tmp_path / "by hand"
    here.mkdir()
    if encrypted:
        subprocess.run(["age-keygen", "-o", here / "key.txt"], check=True, capture_output=True)
        made = subprocess.run(
            ["age-keygen", "-y", here / "key.txt"], check=True, capture_output=True, text=True
        )
        env |= {"BAILEYS_TOOLS_BACKUP__RECIPIENTS": made.stdout.strip()}
    result_of("backup", env=env)
    (archive,) = archives(env)
    assert (archive.suffix == ".age") is encrypted
    script = re.sub(r"0000004\d-\S*?(?= |$)", str(archive), command)
    assert str(archive) in script
    script = f"set -o pipefail; {script}; {check}"
    done = subprocess.run(["bash", "-ec", script], cwd=here, check=True, capture_output=True, text=True)
    assert snapshot_tree(here / "session") == snapshot_tree(sessions / "company_1001")
    assert done.stdout.count(": OK") == 3
    assert json.loads((here / "manifest.json").read_text())["files"] == 3


def test_no_key_material_in_any_output(env, sessions, tmp_path):
    canary = "Q0FOQVJZLUlOLUEtS0VZ"
    pair = {"private": {"type": "Buffer", "data": canary}, "public": {"type": "Buffer", "data": canary}}
    for company in ("1001", "1002"):
        content = json.dumps(creds(noiseKey=pair, signedIdentityKey=pair, advSecretKey=canary))
        write_key(sessions / f"company_{company}", "creds.json", OLD, content)
        write_key(sessions / f"company_{company}", "pre-key-30.json", OLD, json.dumps(pair)[:-3])
    said = ""
    for command in (
        ["backup"],
        ["backup", "--json", "--force"],
        ["snapshots"],
        ["verify", "--deep", "--json"],
        ["prune", "--json"],
        ["restore", "--company", "1001", "--dry-run", "--verbose"],
        ["restore", "--company", "1001", "--dry-run", "--mode", "rollback", "--json"],
        ["config", "show"],
    ):
        done = run_cli(*command, env=env)
        assert done.returncode == 0, done.stderr
        said += done.stdout + done.stderr
    # Torn in the middle of a key, and with a key that does not open it.
    torn = sessions / "company_1001/creds.json"
    torn.write_bytes(torn.read_bytes()[:400])
    identity, other = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    for name, key in (("key", identity), ("other", other)):
        (tmp_path / name).write_text(f"{key}\n")
    encrypted = env | {"BAILEYS_TOOLS_BACKUP__RECIPIENTS": str(identity.to_public())}
    for code, *command in (
        (1, "backup", "--company", "1001", "--json"),
        (0, "backup", "--company", "1002", "--force"),
        (12, "verify", "--deep", "--company", "1002", "--identity", str(tmp_path / "other")),
        (12, "restore", "--company", "1002", "--yes", "--identity", str(tmp_path / "other")),
        (0, "verify", "--deep", "--company", "1002", "--identity", str(tmp_path / "key")),
        (0, "restore", "--company", "1002", "--dry-run", "-v", "--identity", str(tmp_path / "key")),
    ):
        done = run_cli(*command, env=encrypted)
        assert done.returncode == code, done.stderr
        said += done.stdout + done.stderr
    assert canary not in said
    assert "919585510685" not in said
    for key in (identity, other):
        assert str(key)[:40] not in said


def test_prune_shows_its_reasons_and_does_what_it_shows(env, sessions):
    rules = {f"BAILEYS_TOOLS_BACKUP__KEEP_{rule}": "0" for rule in ("HOURLY", "DAILY", "WEEKLY")}
    for _ in range(6):
        result_of("backup", "--force", "--company", "1001", env=env)
    assert len(archives(env)) == 6
    rules["BAILEYS_TOOLS_BACKUP__KEEP_LAST"] = "4"
    planned = result_of("prune", "--dry-run", env=env | rules)["companies"][0]
    assert [line["keep"] for line in planned["plan"]] == [True] * 4 + [False] * 2
    assert len(archives(env)) == 6
    done = result_of("prune", env=env | rules)["companies"][0]
    assert sorted(done["removed"]) == [1, 2]
    assert len(archives(env)) == 4
    rules["BAILEYS_TOOLS_BACKUP__KEEP_LAST"] = "0"
    result_of("prune", env=env | rules)
    assert len(archives(env)) == 4, "an empty policy removes nothing"


def test_prune_lists_what_goes_and_with_verbose_what_stays(env):
    rules = {f"BAILEYS_TOOLS_BACKUP__KEEP_{rule}": "0" for rule in ("HOURLY", "DAILY", "WEEKLY")}
    rules |= {"BAILEYS_TOOLS_BACKUP__KEEP_LAST": "1", "BAILEYS_TOOLS_BACKUP__MINIMUM": "1"}
    for _ in range(2):
        result_of("backup", "--force", "--company", "1001", env=env)
    result_of("backup", "--company", "1002", env=env)
    short = run_cli("prune", "--dry-run", env=env | rules).stdout.splitlines()
    assert [line[:10].rstrip() for line in short] == [
        "company 10",
        "  remove",
        "company 10",
        "",
        "1 snapshot",
    ]
    assert short[2] == "company 1002  1 snapshot kept"
    # By the usual rules the newest stays for more reasons than fit in a line.
    wordy = run_cli("prune", "-v", env=env).stdout.splitlines()
    assert sum(line.startswith("  keep ") for line in wordy) == 3
    assert max(map(len, wordy)) <= 80


def test_prune_never_goes_by_a_newest_snapshot_that_is_damaged(env):
    for _ in range(5):
        result_of("backup", "--force", "--company", "1001", env=env)
    newest = archives(env)[-1]
    newest.write_bytes(newest.read_bytes()[:-5])
    rules = {f"BAILEYS_TOOLS_BACKUP__KEEP_{rule}": "0" for rule in ("HOURLY", "DAILY", "WEEKLY")}
    rules |= {"BAILEYS_TOOLS_BACKUP__KEEP_LAST": "1", "BAILEYS_TOOLS_BACKUP__MINIMUM": "1"}
    document = result_of("prune", env=env | rules)
    assert document["exit_code"] == 4
    assert document["companies"][0]["damaged"] == [5]
    assert [path.name[:8] for path in archives(env)] == ["00000004", "00000005"]
    # Numbers are not used again, whatever was removed.
    assert result_of("backup", "--force", env=env)["companies"][0]["snapshot"]["sequence"] == 6


def test_a_snapshot_that_is_not_for_here_is_told_and_not_called_damaged(env):
    """A company that got a new number, and snapshots that were carried along by hand."""
    result_of("backup", env=env)
    (archive,) = archives(env, "1001")
    (own,) = archives(env, "1002")
    shutil.copy2(archive, own.with_name(archive.name.replace("00000001", "00000007")))
    own.rename(own.with_name(own.name.replace("00000001", "00000008")))
    before = [path.name for path in archives(env, "1002")]
    found = result_of("verify", "--all", "--deep", "--company", "1002", env=env)
    assert [one["health"] for one in found["results"]] == ["unreadable"] * 2
    assert {one["why"] for one in found["results"]} == {
        "it was taken of another company than its folder says",
        "its name is not the one that it was written under",
    }
    assert [path.name for path in archives(env, "1002")] == before
    refused = run_cli("restore", "--company", "1002", "7", "--dry-run", env=env)
    assert refused.returncode == 11
    assert "cannot be used here" in refused.stderr


def test_a_mark_comes_off_a_snapshot_that_is_whole_after_all(env):
    result_of("backup", env=env)
    (archive,) = archives(env)
    archive.rename(f"{archive}.damaged")
    for options, code, health in ((["--all"], 11, "damaged"), (["--all", "--deep"], 0, "whole")):
        found = result_of("verify", "--company", "1001", *options, env=env)
        assert (found["exit_code"], [one["health"] for one in found["results"]]) == (code, [health])
    assert archives(env) == [archive]


def test_a_copy_is_taken_in_again_where_what_was_taken_in_is_damaged_or_another(env, sessions, tmp_path):
    old = tmp_path / "saved"
    subprocess.run(["cp", "-a", sessions / "company_1001", old], check=True)
    again = ("backup", "--import", str(old), "--company", "1001")
    assert statuses(result_of(*again, env=env)) == {"1001": "taken"}
    assert statuses(result_of(*again, env=env)) == {"1001": "unchanged"}
    (archive,) = archives(env)
    archive.write_bytes(archive.read_bytes()[:-1])
    assert statuses(result_of(*again, env=env)) == {"1001": "taken"}
    # Before and after a cleanup the newest file is the same.
    (old / "session-1.0.json").unlink()
    assert statuses(result_of(*again, env=env)) == {"1001": "taken"}
    assert statuses(result_of(*again, env=env)) == {"1001": "unchanged"}


def test_old_copies_are_taken_in_and_are_older_than_all_others(env, sessions, tmp_path):
    result_of("backup", env=env)
    old = tmp_path / "sessions.backup"
    subprocess.run(["cp", "-r", sessions, old], check=True)
    for number in (1, 2):
        folder = company_folder(old / f"backup_2025120{number}", "1001")
        write_key(folder, "creds.json", timedelta(days=40 - number), json.dumps(creds(nextPreKeyId=number)))
    document = result_of("backup", "--import", str(old), env=env)
    assert [company["status"] for company in document["companies"]] == ["taken"] * 4
    assert [
        company["status"] for company in result_of("backup", "--import", str(old), env=env)["companies"]
    ] == ["unchanged"] * 4
    listed = result_of("snapshots", "--company", "1001", env=env)["companies"][0]["snapshots"]
    assert [one["tag"] for one in listed] == ["import", "import", "import", ""]
    assert run_cli("verify", "--all", "--deep", env=env).returncode == 0


def test_a_lone_copy_says_whose_it_is_by_company(env, sessions, tmp_path):
    subprocess.run(["cp", "-r", sessions / "company_1001", tmp_path / "saved"], check=True)
    assert run_cli("backup", "--import", tmp_path / "saved", "--company", "1002", env=env).returncode == 0
    assert len(archives(env, "1002")) == 1


@pytest.mark.parametrize("company", ["../../etc", "/etc", "1001/../1002", "x" * 300, "nobody"])
def test_a_hostile_company_is_refused(env, company):
    result_of("backup", env=env)
    for command in ("backup", "snapshots", "verify", "prune"):
        assert run_cli(command, "--company", company, env=env).returncode in (2, 10)


def test_without_a_repository_it_says_how_to_give_one(env):
    for command in ("backup", "snapshots", "verify", "prune"):
        done = run_cli(command, env={"BAILEYS_SESSIONS_PATH": env["BAILEYS_SESSIONS_PATH"]})
        assert done.returncode == 2
        assert "BAILEYS_TOOLS_BACKUP_PATH" in done.stderr


def test_nothing_heavy_is_loaded_when_nothing_has_changed(env):
    result_of("backup", env=env)
    script = (
        "import sys; from baileys_tools.cli import main\n"
        "sys.argv = ['baileys-tools', 'backup', '--quiet']\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "heavy = {'zstandard', 'pyrage', 'fsspec', 'paramiko', 's3fs', 'rich', 'httpx'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=os.environ | env, capture_output=True, text=True
    )
    assert done.stdout == "[]\n", done.stderr


def test_a_company_that_waits_for_its_first_login_fails_no_backup(env, sessions):
    """Empty, then with the creds that Baileys makes before the code is scanned; a session that was there is lost."""
    folder = sessions / "company_7001"
    folder.mkdir()
    for _ in ("empty", "with creds"):
        document = result_of("backup", env=env)
        assert document["exit_code"] == 0
        assert document["companies"][-1]["status"] == "not-linked-yet"
        assert run_cli("backup", "--quiet", env=env).stderr == ""
        write_key(folder, "creds.json", content=json.dumps(creds(me=None, account=None)))
    write_key(folder, "creds.json", OLD, json.dumps(creds()))
    assert result_of("backup", env=env)["companies"][-1]["status"] == "taken"
    (folder / "creds.json").unlink()
    assert result_of("backup", env=env)["companies"][-1]["status"] == "unfit"


def test_a_company_that_was_reset_fails_no_backup_while_it_waits_for_its_code(env, sessions):
    assert result_of("backup", env=env)["exit_code"] == 0
    done = run_cli("reset", "--company", "1001", "--yes", "--no-pair", "--force", env=env)
    assert done.returncode == 0, done.stderr
    document = result_of("backup", env=env)
    assert (document["exit_code"], document["companies"][0]["status"]) == (0, "not-linked-yet")
