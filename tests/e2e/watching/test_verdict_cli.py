"""What an operator is told of bots in odd places: the same by every command, and with the way out."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fixtures.lay import lay
from tests.integration.faults.forked import run_cli
from tests.support import company_folder, creds, missing, require_root, require_tool, write_key

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def sessions(tmp_path: Path) -> Path:
    lay("single", tmp_path / "sessions" / "company_7", NOW)
    return tmp_path / "sessions"


def ask(sessions: Path, *words: str, **env: str) -> Any:
    done = run_cli(*words, "--json", env={"BAILEYS_SESSIONS_PATH": str(sessions)} | env)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def state_and_why(sessions: Path, **env: str) -> set[tuple[str, str]]:
    """What each command says of the first company."""
    said = [
        *ask(sessions, "status", **env)["companies"][:1],
        ask(sessions, "inspect", "--company", "7", **env),
        *ask(sessions, "recover", "--dry-run", **env)["companies"][:1],
        *ask(sessions, "monitor-once", **env)["companies"][:1],
    ]
    return {(one["state"], (one["why"] or {"code": ""})["code"]) for one in said}


# --- a linked creds.json ------------------------------------------------------------------------------------


def link_creds(sessions: Path, target: Path) -> Path:
    file = sessions / "company_7" / "creds.json"
    shutil.move(file, target)
    file.symlink_to(os.path.relpath(target, file.parent))
    return file


def test_a_linked_creds_json_is_read_and_never_written_through(sessions: Path, tmp_path: Path) -> None:
    env = {"BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "backups")}
    link = link_creds(sessions, tmp_path / "creds.json")
    before = (tmp_path / "creds.json").read_bytes()
    assert state_and_why(sessions) == {("healthy", "")}
    found = ask(sessions, "inspect", "--company", "7")["findings"]
    assert [one["severity"] for one in found if one["code"] == "creds-linked"] == ["notice"]
    assert not [one for one in found if one["code"] == "odd-entries"]
    assert ask(sessions, "backup", **env)["companies"][0]["status"] == "taken"
    cleaned = run_cli("cleanup", "--sessions", sessions)
    assert "removed" in cleaned.stdout
    assert cleaned.returncode == 0
    (tmp_path / "creds.json").write_bytes(b"")
    assert state_and_why(sessions, **env) == {("emergency", "creds-empty")}
    for more in (["--yes"], ["--dry-run"]):
        refused = run_cli("restore", "--company", "7", "--sessions", sessions, *more, env=env)
        assert refused.returncode == 13, refused.stdout
        assert "restore writes through none" in refused.stderr
    assert link.is_symlink()
    assert (tmp_path / "creds.json").read_bytes() == b""
    (tmp_path / "creds.json").write_bytes(before)
    assert state_and_why(sessions, **env) == {("healthy", "")}


@pytest.mark.parametrize("how", ["two names", "folder", "device", "itself", "circle"])
def test_a_link_to_anything_else_is_not_read(sessions: Path, tmp_path: Path, how: str) -> None:
    """A bot that is led to no file makes a new login, and cannot save it: asked of both versions."""
    target = tmp_path / "creds.json"
    link = link_creds(sessions, target)
    if how == "two names":
        os.link(target, tmp_path / "second")
    elif how in ("folder", "circle"):
        target.unlink()
        target.mkdir() if how == "folder" else target.symlink_to(link)
    else:
        link.unlink()
        link.symlink_to("/dev/zero" if how == "device" else "creds.json")
    expected = ("warning", "creds-linked") if how == "two names" else ("emergency", "creds-unreadable")
    assert state_and_why(sessions) == {expected}
    said = ask(sessions, "inspect", "--company", "7")["findings"]
    assert [one["code"] for one in said if one["code"].startswith("creds-")] == [expected[1]]
    assert run_cli("cleanup", "--sessions", sessions).returncode == 1, "nothing is removed from such a folder"


def test_a_restore_over_a_link_in_a_circle_says_how_to_take_it_away(sessions: Path, tmp_path: Path) -> None:
    env = {"BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "backups"), "BAILEYS_SESSIONS_PATH": str(sessions)}
    assert run_cli("backup", env=env).returncode == 0
    link = sessions / "company_7" / "creds.json"
    before = link.read_bytes()
    link.unlink()
    link.symlink_to("creds.json")
    refused = run_cli("restore", "--company", "7", "--yes", env=env)
    assert refused.returncode == 13
    _, _, way = refused.stderr.partition("then restore: ")
    assert way.split() == ["mv", str(link), str(link.with_name("creds.link"))]
    subprocess.run(way, shell=True, check=True)
    assert run_cli("restore", "--company", "7", "--yes", env=env).returncode == 0
    assert json.loads(link.read_bytes())["me"] == json.loads(before)["me"]


def test_a_link_to_the_file_of_somebody_else_is_not_read(sessions: Path, tmp_path: Path) -> None:
    require_root()
    link_creds(sessions, tmp_path / "creds.json")
    os.chown(tmp_path / "creds.json", 12_345, 12_345)
    assert state_and_why(sessions) == {("warning", "creds-linked")}


def test_a_link_that_leads_nowhere_is_a_loss_as_the_bot_sees_it(sessions: Path, tmp_path: Path) -> None:
    link_creds(sessions, tmp_path / "creds.json")
    (tmp_path / "creds.json").unlink()
    assert state_and_why(sessions) == {("emergency", "creds-missing")}


# --- the user of the bot's process --------------------------------------------------------------------------


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[Path]:
    """A process of uid 12345; yield the file with its id."""
    require_root()
    process = subprocess.Popen(["sleep", "60"], user=12_345, group=12_345, extra_groups=[])
    (tmp_path / "pid").write_text(str(process.pid))
    yield tmp_path / "pid"
    process.kill()
    process.wait()


@pytest.mark.parametrize(
    ("shut", "severity"), [("creds.json", "critical"), (".", "critical"), ("key", "warning"), ("", "healthy")]
)
def test_the_user_of_the_bots_process_is_asked_what_it_may_write(
    tmp_path: Path, bot: Path, shut: str, severity: str
) -> None:
    folder = company_folder(
        tmp_path / "sessions",
        "7",
        {"pre-key-30.json": timedelta(hours=2)}
        | {f"session-{n}.0.json": timedelta(hours=2) for n in range(5)},
    )
    for place in (folder, *folder.iterdir()):
        os.chown(place, 12_345, 12_345)
    if shut == "key":
        os.chown(folder / "session-3.0.json", 0, 0)
    elif shut:
        os.chown(folder / shut, 0, 0)
    (found,) = state_and_why(tmp_path / "sessions", BAILEYS_TOOLS_PROCESS__PIDFILE=str(bot))
    assert found == (severity, "bot-cannot-write" if shut else "")
    if shut:
        (company,) = ask(tmp_path / "sessions", "status", BAILEYS_TOOLS_PROCESS__PIDFILE=str(bot))[
            "companies"
        ]
        assert company["findings"][0]["action"].endswith(f"chown -R 12345:12345 {folder}")


@pytest.fixture
def owned(tmp_path: Path) -> Path:
    """A folder that belongs to the user of the bot's process."""
    folder = company_folder(tmp_path / "sessions", "7", {"pre-key-30.json": timedelta(hours=2)})
    for place in (folder, *folder.iterdir()):
        os.chown(place, 12_345, 12_345)
    return folder


def told_of(folder: Path, pid: Path) -> str:
    (company,) = ask(folder.parent, "status", BAILEYS_TOOLS_PROCESS__PIDFILE=str(pid))["companies"]
    first = company["findings"][0]
    assert (first["code"], first["severity"]) == ("bot-cannot-write", "critical")
    return f"{first['message']} {first['action']}"


def test_the_working_copy_of_a_session_in_a_store_is_nothing_that_a_bot_writes(
    tmp_path: Path, bot: Path
) -> None:
    with sqlite3.connect(tmp_path / "auth.db") as db:
        db.execute("CREATE TABLE signal_keys (type TEXT, id TEXT, value TEXT, PRIMARY KEY (type, id))")
        db.execute("CREATE TABLE creds (key TEXT PRIMARY KEY, value TEXT)")
        db.execute("INSERT INTO creds VALUES ('__creds__', ?)", (json.dumps(creds()),))
    store = {"roots": [{"store": f"sqlite://{tmp_path}/auth.db", "preset": "baileys-sqlite"}]}
    (tmp_path / "c.yaml").write_text(json.dumps({"sessions": store, "process": {"pidfile": str(bot)}}))
    told = run_cli("status", "--config", tmp_path / "c.yaml", "--json")
    (company,) = json.loads(told.stdout)["companies"]
    assert "bot-cannot-write" not in {one["code"] for one in company["findings"]}, company["findings"]


@pytest.mark.parametrize("name", ["creds.json", "."])
def test_an_immutable_file_is_one_that_the_bot_cannot_write(owned: Path, bot: Path, name: str) -> None:
    require_tool("chattr")
    if subprocess.run(["chattr", "+i", owned / name], check=False, capture_output=True).returncode:
        missing("chattr on a file system that takes it")
    try:
        assert f"chattr -ia {owned / name}" in told_of(owned, bot)
    finally:
        subprocess.run(["chattr", "-i", owned / name], check=True)


def test_a_file_system_that_is_read_only_is_one_that_the_bot_cannot_write(owned: Path, bot: Path) -> None:
    try:
        subprocess.run(["mount", "--bind", owned, owned], check=True, capture_output=True)
    except subprocess.CalledProcessError:
        missing("mount")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", owned], check=True)
        assert "a read-only file system" in told_of(owned, bot)
    finally:
        subprocess.run(["umount", owned], check=True)


def test_root_of_a_user_namespace_may_not_write_what_is_not_mapped_there(owned: Path, tmp_path: Path) -> None:
    """The root of a rootless container is no root to a folder that another user has outside."""
    require_root()
    process = subprocess.Popen(["unshare", "--user", "--map-root-user", "sleep", "60"])
    try:
        while Path(f"/proc/{process.pid}/comm").read_text() != "sleep\n":
            assert process.poll() is None, "unshare --user"
        (tmp_path / "pid").write_text(str(process.pid))
        assert f"chown -R 0:0 {owned}" in told_of(owned, tmp_path / "pid")
        for place in (owned, *owned.iterdir()):
            os.chown(place, 0, 0)
        (found,) = state_and_why(owned.parent, BAILEYS_TOOLS_PROCESS__PIDFILE=str(tmp_path / "pid"))
        assert found == ("healthy", "")
    finally:
        process.kill()
        process.wait()


def test_rights_by_group_count(tmp_path: Path, bot: Path) -> None:
    folder = company_folder(tmp_path / "sessions", "7", {"pre-key-30.json": timedelta(hours=2)})
    for place in (folder, *folder.iterdir()):
        os.chown(place, 0, 12_345)
        place.chmod(0o770 if place == folder else 0o660)
    assert state_and_why(tmp_path / "sessions", BAILEYS_TOOLS_PROCESS__PIDFILE=str(bot)) == {("healthy", "")}


# --- first runs ---------------------------------------------------------------------------------------------


def test_a_repository_that_is_not_there_yet_is_no_trouble_and_one_that_has_gone_is(
    sessions: Path, tmp_path: Path
) -> None:
    env = {"BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "backups")}
    assert ask(sessions, "monitor-once", **env)["worst"] == "notice"
    assert run_cli("backup", "--sessions", sessions, env=env).returncode == 0
    assert ask(sessions, "monitor-once", **env)["worst"] == "notice"
    shutil.rmtree(tmp_path / "backups")
    gone = ask(sessions, "monitor-once", **env)
    assert [one["code"] for one in gone["host"] if one["severity"] == "warning"] == ["backup-unreadable"]


def test_a_first_backup_that_never_comes_is_told_a_day_later(sessions: Path, tmp_path: Path) -> None:
    env = {"BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "backups")}
    ask(sessions, "monitor-once", **env)
    state = Path(os.environ["BAILEYS_TOOLS_STATE_DIR"]) / "state.sqlite3"
    import sqlite3

    with sqlite3.connect(state) as database:
        database.execute("UPDATE observations SET at = at - 100000")
    assert ask(sessions, "monitor-once", **env)["worst"] == "warning"


# --- what is told by whom -----------------------------------------------------------------------------------


def test_inspect_knows_a_copy_of_the_login_without_an_earlier_pass(tmp_path: Path) -> None:
    for company in ("7", "8"):
        company_folder(tmp_path / "sessions", company, registrationId=4)
    found = ask(tmp_path / "sessions", "inspect", "--company", "7")
    assert (found["state"], found["why"]["code"]) == ("critical", "account-twice")


def test_an_incident_opens_and_closes_for_lost_creds_where_nobody_else_is_asked(tmp_path: Path) -> None:
    sessions = tmp_path / "sessions"
    folder = company_folder(sessions, "7", {"session-1.0.json": timedelta(hours=2)})
    whole = (folder / "creds.json").read_text()
    ask(sessions, "monitor-once")
    assert ask(sessions, "incidents")["incidents"] == []
    (folder / "creds.json").write_text("")
    ask(sessions, "monitor-once")
    report = ask(sessions, "incidents")
    ((incident,), (now,)) = report["incidents"], report["states"]
    assert (incident["cause"], incident["closed"]) == ("creds-lost", None)
    assert (now["state"], now["why"]["code"]) == ("emergency", "creds-empty")
    assert "emergency: creds-empty" in " ".join(
        run_cli("incidents", env={"BAILEYS_SESSIONS_PATH": str(sessions)}).stdout.split()
    )
    (folder / "creds.json").write_text(whole)
    ask(sessions, "monitor-once")
    assert ask(sessions, "incidents")["incidents"][0]["closed"] is not None


def test_what_inspect_read_is_said_by_the_others_until_the_file_is_another(sessions: Path) -> None:
    torn = write_key(sessions / "company_7", "session-123.0.json", timedelta(hours=1), '{"a":')
    assert ask(sessions, "inspect", "--company", "7")["why"]["code"] == "key-files-torn"
    assert state_and_why(sessions) == {("warning", "key-files-torn")}
    torn.write_text("{}")
    assert state_and_why(sessions) == {("healthy", "")}


# --- one unreadable secret ----------------------------------------------------------------------------------


def test_a_secret_that_cannot_be_read_fails_its_channel_and_nothing_else(
    sessions: Path, tmp_path: Path
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        f"sessions: {{path: {sessions}}}\nbackup: {{path: {tmp_path / 'backups'}}}\n"
        f"notify: {{webhook_file: {tmp_path / 'nowhere'}}}\nping: {{url_file: {tmp_path / 'nowhere'}}}\n"
    )
    assert run_cli("backup", "--config", config).returncode == 0
    write_key(sessions / "company_7", "creds.json", timedelta(minutes=5), "")
    restored = run_cli("restore", "--yes", "--company", "7", "--config", config)
    assert restored.returncode == 0, restored.stderr
    (sessions / "company_7" / "creds.json").write_text(json.dumps(creds(noiseKey=None)))
    watched = run_cli("monitor-once", "--config", config)
    assert watched.returncode == 5
    assert "alert not delivered by webhook" in watched.stderr
    assert f"notify.webhook_file: cannot read {tmp_path / 'nowhere'}" in watched.stderr.replace('"', "")
    doctor = " ".join(run_cli("doctor", "--config", config).stdout.split())
    assert "notify.webhook_file: cannot read" in doctor
    assert "ping.url_file: cannot read" in doctor
    tried = run_cli("notify", "test", "--config", config)
    assert tried.returncode == 1
    assert "webhook FAILED" in " ".join(tried.stdout.split())


# --- the log of cron ----------------------------------------------------------------------------------------


def test_each_line_of_a_job_names_time_job_and_company_and_repeats_nothing(tmp_path: Path) -> None:
    folder = company_folder(tmp_path / "sessions", "my shop", {"session-1.0.json": timedelta(hours=2)})
    (folder / "creds.json").write_text("")
    job = {"BAILEYS_TOOLS_JOB": "1"}
    from tests.support import run_cli as run_command

    for command in ("monitor-once", "recover"):
        first = run_command(command, "--quiet", "--sessions", tmp_path / "sessions", env=job)
        assert first.returncode == 5
        lines = first.stdout.splitlines()
        assert len(lines) > (command == "recover")
        for line in lines:
            stamp, name, rest = line.split(" ", 2)
            datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ")
            assert name == f"{command}:"
            assert rest.startswith("company my shop") or rest == "Nothing was done."
        again = run_command(command, "--quiet", "--sessions", tmp_path / "sessions", env=job)
        assert (again.returncode, again.stdout) == (5, "")


# --- hints --------------------------------------------------------------------------------------------------


def test_a_hint_is_about_the_bots_that_the_run_was_about(tmp_path: Path) -> None:
    for company in ("7", "8"):
        folder = company_folder(tmp_path / "my bots", company, {"session-1.0.json": timedelta(hours=2)})
        (folder / "creds.json").write_text("")
    (tmp_path / "c.yaml").write_text("{}")
    options = ("--sessions", tmp_path / "my bots", "--config", tmp_path / "c.yaml")
    same = f"--sessions '{tmp_path}/my bots' --config {tmp_path}/c.yaml"
    watched = run_cli("monitor-once", *options).stdout
    assert f"baileys-tools restore --company 7 --dry-run {same}" in watched
    one = run_cli("recover", "--dry-run", "--company", "8", *options).stdout
    assert "company 7" not in one
    shown = run_cli("status", *options).stdout
    assert f"What to do first: baileys-tools inspect --company 7 {same}" in shown
    # Another run, about the same folders by the environment: what is remembered has no hint of the first.
    plain = run_cli("monitor-once", env={"BAILEYS_SESSIONS_PATH": str(tmp_path / "my bots")}).stdout
    assert "baileys-tools restore --company 7 --dry-run" in plain
    assert "--config" not in plain


@pytest.mark.parametrize(
    ("words", "guess"),
    [
        (["restore", "--dry-run"], "2001"),
        (["inspect"], "2001"),
        (["incidents"], "2001"),
        (["snapshots"], "2001"),
        (["recover"], "2001"),
    ],
)
def test_did_you_mean(tmp_path: Path, words: list[str], guess: str) -> None:
    lay("single", tmp_path / "sessions" / "company_2001", NOW)
    env = {
        "BAILEYS_SESSIONS_PATH": str(tmp_path / "sessions"),
        "BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "backups"),
    }
    run_cli("backup", env=env)
    run_cli("monitor-once", env=env)
    refused = run_cli(*words, "--company", "201", env=env)
    assert refused.returncode == 10
    assert f"did you mean {guess}?" in refused.stderr
    assert "reset" not in refused.stderr
