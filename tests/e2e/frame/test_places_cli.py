"""Nothing that a setting or a flag names can have this tool write into a session folder, or over a file of others."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.integration.faults.forked import run_cli
from tests.support import (
    COMMAND,
    company_folder,
    require_root,
    require_tool,
    scrubbed_environment,
    snapshot_tree,
)

SLIP = "https://hooks.example.org/secret\n"


@pytest.fixture
def company(tmp_path: Path) -> Path:
    return company_folder(tmp_path / "sessions")


@pytest.fixture
def env(tmp_path: Path, company: Path) -> dict[str, str]:
    return {
        "BAILEYS_SESSIONS_PATH": str(company.parent),
        "BAILEYS_TOOLS_STATE_DIR": str(tmp_path / "state"),
        "BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "backups"),
    }


def refused(*words: str | Path, env: Mapping[str, str], name: str, why: str) -> None:
    run = run_cli(*words, env=env)
    assert run.returncode == 2, run
    first, *ways_out = run.stderr.splitlines()
    assert first.startswith(f"baileys-tools: {name}: ")
    assert why in first
    assert ways_out


FLAGS = {
    "--html": ("report", "--html"),
    "monitor.textfile": ("monitor-once", "--quiet", "--textfile"),
    "--png": ("qr", "--company", "1001", "--png"),
    "--into": ("cron", "show", "--systemd", "--into"),
}


@pytest.mark.parametrize("name", FLAGS)
@pytest.mark.parametrize("where", ["creds", "by a folder's link", "backups", "state"])
def test_a_flag_leads_neither_into_a_session_nor_into_what_we_keep(
    tmp_path: Path, company: Path, env: dict[str, str], name: str, where: str
) -> None:
    run_cli("backup", "--quiet", env=env)
    (tmp_path / "link").symlink_to(company)
    path, why = {
        "creds": (company / "creds.json", "is in the session folder"),
        "by a folder's link": (tmp_path / "link" / "new", "is in the session folder"),
        "backups": (tmp_path / "backups" / "company_1001" / "index.json", "is in the backup repository"),
        "state": (tmp_path / "state" / "state.sqlite3", "is in the state folder"),
    }[where]
    before = snapshot_tree(tmp_path / "sessions", ()), snapshot_tree(tmp_path / "backups", ())
    refused(*FLAGS[name], path, env=env, name=name, why=why)
    assert (snapshot_tree(tmp_path / "sessions", ()), snapshot_tree(tmp_path / "backups", ())) == before


SETTINGS = {
    "trigger.lock_file": "BAILEYS_TOOLS_TRIGGER__LOCK_FILE",
    "cron.log": "BAILEYS_TOOLS_CRON__LOG",
    "monitor.textfile": "BAILEYS_TOOLS_MONITOR__TEXTFILE",
    "backup.path": "BAILEYS_TOOLS_BACKUP_PATH",
    "state.dir": "BAILEYS_TOOLS_STATE_DIR",
}


COMMANDS = [
    *[[one] for one in ("cleanup", "trigger", "backup", "status", "monitor-once", "report", "recover")],
    ["undo", "--list"],
    ["cron", "install", "--dry-run"],
    ["config", "check"],
]


@pytest.mark.parametrize(
    ("name", "words"),
    [*((name, ["monitor-once"]) for name in SETTINGS), *(("state.dir", words) for words in COMMANDS)],
    ids=lambda part: part if isinstance(part, str) else part[0],
)
def test_a_setting_that_leads_into_a_session_stops_every_command(
    company: Path, env: dict[str, str], name: str, words: list[str]
) -> None:
    path = company / "creds.json" if name != "state.dir" else company / "state"
    before = snapshot_tree(company, ())
    refused(*words, env={**env, SETTINGS[name]: str(path)}, name=name, why=f"environment {SETTINGS[name]}")
    assert snapshot_tree(company, ()) == before


@pytest.mark.parametrize("name", SETTINGS)
def test_the_doctor_calls_it_critical_and_writes_nothing_there(
    company: Path, env: dict[str, str], name: str
) -> None:
    before = snapshot_tree(company, ())
    run = run_cli("doctor", "--json", env={**env, SETTINGS[name]: str(company / "x")})
    assert run.returncode == 5
    checks = {check["name"]: check for check in json.loads(run.stdout)["checks"]}
    assert checks[name]["outcome"] == "critical"
    assert checks[name]["action"]
    assert snapshot_tree(company, ()) == before


def test_everything_that_is_wrong_is_said_at_once(company: Path, env: dict[str, str]) -> None:
    sessions = str(company.parent)
    log = str(company / "log")
    run = run_cli(
        "config", "check", env={**env, "BAILEYS_TOOLS_BACKUP_PATH": sessions, SETTINGS["cron.log"]: log}
    )
    assert run.returncode == 2
    assert "backup.path: " in run.stderr
    assert "cron.log: " in run.stderr


def test_copies_on_a_disk_are_not_the_sessions_and_not_the_repository(
    tmp_path: Path, company: Path, env: dict[str, str]
) -> None:
    for place, why in (
        (company.parent, "is the sessions path itself"),
        (company, "is a session folder"),
        (tmp_path / "backups", "is taken by backup.path"),
    ):
        copies = {"BAILEYS_TOOLS_BACKUP__COPIES": f"file://{place}"}
        refused("backup", env={**env, **copies}, name="backup.copies", why=why)
    copies = {"BAILEYS_TOOLS_BACKUP__COPIES": f"file://{tmp_path}/copies"}
    assert run_cli("backup", env={**env, **copies}).returncode == 0
    assert list((tmp_path / "copies" / "company_1001").iterdir())


def test_one_volume_may_hold_sessions_backups_and_state(tmp_path: Path, company: Path) -> None:
    """A host with a single disk that stays, such as Railway: each in a folder of its own beside the companies."""
    sessions = company.parent
    env = {
        "BAILEYS_SESSIONS_PATH": str(sessions),
        "BAILEYS_TOOLS_STATE_DIR": str(sessions / "state"),
        "BAILEYS_TOOLS_BACKUP_PATH": str(sessions / "state" / "backups"),
    }
    assert run_cli("backup", env=env).returncode == 0
    assert run_cli("restore", "--company", "1001", "--dry-run", env=env).returncode == 0
    assert run_cli("report", "--quiet", env=env).returncode == 0
    check = run_cli("config", "check", env=env)
    assert check.returncode == 4
    assert "backup.path: " in check.stdout
    assert "is inside the sessions path" in check.stdout


def test_an_older_settings_file_with_our_own_places_in_it_still_works(
    tmp_path: Path, env: dict[str, str]
) -> None:
    own = {
        SETTINGS["cron.log"]: str(tmp_path / "state" / "cron.log"),
        SETTINGS["trigger.lock_file"]: str(tmp_path / "state" / "trigger.lock"),
    }
    assert run_cli("trigger", env={**env, **own}).returncode == 0
    assert run_cli("report", "--html", tmp_path / "state" / "report.html", env=env).returncode == 0


# --- files of others ----------------------------------------------------------------------------------------


def test_only_a_report_is_replaced_by_a_report(tmp_path: Path, env: dict[str, str]) -> None:
    slip = tmp_path / "webhook"
    slip.write_text(SLIP)
    page = tmp_path / "page.html"
    page.write_text('<!doctype html>\n<html lang="en">\n<p>mine')
    for path in (slip, page, Path("/dev/null")):
        refused("report", "--html", path, env=env, name="--html", why="not what baileys-tools writes there")
    assert slip.read_text() == SLIP
    assert "mine" in page.read_text()
    (tmp_path / "empty.html").touch()
    for path in (tmp_path / "empty.html", tmp_path / "new.html"):
        for _ in range(2):
            assert run_cli("report", "--html", path, env=env).returncode == 0
        assert path.read_text().startswith("<!doctype html>")


def test_only_a_picture_is_replaced_by_a_picture(tmp_path: Path, env: dict[str, str]) -> None:
    slip = tmp_path / "webhook"
    slip.write_text(SLIP)
    words = ("qr", "--company", "1001", "--png", slip)
    refused(*words, env=env, name="--png", why="not what baileys-tools writes there")
    assert slip.read_text() == SLIP


def test_only_metrics_are_replaced_by_metrics_and_the_looking_goes_on(
    tmp_path: Path, env: dict[str, str]
) -> None:
    slip, metrics = tmp_path / "webhook", tmp_path / "bots.prom"
    slip.write_text(SLIP)
    run = run_cli("monitor-once", "--quiet", "--textfile", slip, env=env)
    assert "cannot be written: it is there already" in run.stderr
    assert slip.read_text() == SLIP
    for _ in range(2):
        assert run_cli("monitor-once", "--quiet", "--textfile", metrics, env=env).stderr == ""
    assert metrics.read_text().startswith("# HELP baileys_tools_")


@pytest.mark.parametrize("content", [SLIP, "{}", '{"noiseKey": 1}', "1" * 5_000])
def test_trigger_removes_no_file_that_is_no_lock(tmp_path: Path, env: dict[str, str], content: str) -> None:
    slip = tmp_path / "file"
    slip.write_text(content)
    refused(
        "trigger", "--quiet", env={**env, SETTINGS["trigger.lock_file"]: str(slip)},
        name="trigger.lock_file", why="is there already, and no lock",
    )  # fmt: skip
    assert slip.read_text() == content


@pytest.mark.parametrize("content", ["", "4711\n", '{"pid": 4711}'])
def test_trigger_takes_over_the_lock_that_a_dead_script_left(
    tmp_path: Path, env: dict[str, str], content: str
) -> None:
    lock = tmp_path / "script.lock"
    lock.write_text(content)
    assert (
        run_cli("trigger", "--quiet", env={**env, SETTINGS["trigger.lock_file"]: str(lock)}).returncode == 0
    )
    assert not lock.exists()


def test_units_replace_a_link_and_not_what_it_leads_to(
    tmp_path: Path, company: Path, env: dict[str, str]
) -> None:
    units = tmp_path / "units"
    units.mkdir()
    link = units / "baileys-tools-cleanup.service"
    link.symlink_to(company / "creds.json")
    before = (company / "creds.json").read_bytes()
    assert run_cli("cron", "show", "--systemd", "--into", units, env=env).returncode == 0
    assert (company / "creds.json").read_bytes() == before
    assert not link.is_symlink()
    assert os.stat(link).st_mode & 0o777 == 0o644


# --- bind mounts --------------------------------------------------------------------------------------------


def run_with_mounts(
    *words: str | Path, binds: Mapping[Path, Path], env: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run the command where each folder of `binds` (what: where) is mounted once more."""
    for where in binds.values():
        where.mkdir(parents=True, exist_ok=True)
    mounts = " && ".join(
        f"mount --bind {shlex.quote(str(a))} {shlex.quote(str(b))}" for a, b in binds.items()
    )
    return subprocess.run(
        [require_tool("unshare"), "-m", "sh", "-c", f'{mounts} && exec "$@"', "sh", COMMAND, *words],
        env=scrubbed_environment(env), cwd=os.environ["HOME"], capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture
def two_snapshots(env: dict[str, str], tmp_path: Path) -> Path:
    for _ in range(2):
        assert run_cli("backup", "--force", env=env).returncode == 0
    return tmp_path / "backups"


BINDS = {
    "copies are the repository": ("backups", "disk", "copies", "backup.copies", "is taken by backup.path"),
    "copies are a company's snapshots": (
        "backups/company_1001", "disk", "copies", "backup.copies", "is taken by backup.path"),
    "a company of the copies is in the repository": (
        "backups/company_1001", "disk/company_1001", "copies", "backup.copies", "is taken by backup.path"),
    "copies are the sessions": ("sessions", "disk", "copies", "backup.copies", "is the sessions path itself"),
    "copies are the state": ("state", "disk", "copies", "backup.copies", "is taken by state.dir"),
    "the repository is the sessions": (
        "sessions", "disk", "repository", "backup.path", "is the sessions path itself"),
    "the repository is a session": (
        "sessions/company_1001", "disk", "repository", "backup.path", "is a session folder"),
    "a company of the repository is a session": (
        "sessions/company_1001", "disk/company_1001", "repository", "backup.path", "is a session folder"),
    "the state is in a session": (
        "sessions/company_1001", "disk", "state below", "state.dir", "is in the session folder"),
    "the state is the repository": ("backups", "disk", "state", "state.dir", "is taken by backup.path"),
    "metrics are among the snapshots": (
        "backups/company_1001", "disk", "textfile", "monitor.textfile", "is in the backup repository"),
    "a log is in a session": (
        "sessions/company_1001", "disk", "log", "cron.log", "is in the session folder"),
    "metrics are in the state": ("state", "disk", "textfile", "monitor.textfile", "is in the state folder"),
}  # fmt: skip
NAMED = {
    "copies": ("BAILEYS_TOOLS_BACKUP__COPIES", "file://{disk}"),
    "repository": ("BAILEYS_TOOLS_BACKUP_PATH", "{disk}"),
    "state": ("BAILEYS_TOOLS_STATE_DIR", "{disk}"),
    "state below": ("BAILEYS_TOOLS_STATE_DIR", "{disk}/new"),
    "textfile": ("BAILEYS_TOOLS_MONITOR__TEXTFILE", "{disk}/bots.prom"),
    "log": ("BAILEYS_TOOLS_CRON__LOG", "{disk}/cron.log"),
}


@pytest.mark.root
@pytest.mark.parametrize(("what", "where", "setting", "name", "why"), BINDS.values(), ids=BINDS)
def test_a_bind_mount_is_judged_by_where_it_leads(
    tmp_path: Path, env: dict[str, str], two_snapshots: Path,
    what: str, where: str, setting: str, name: str, why: str,
) -> None:  # fmt: skip
    require_root()
    before = snapshot_tree(tmp_path / "sessions", ()), snapshot_tree(two_snapshots, ())
    variable, value = NAMED[setting]
    binds = {tmp_path / what: tmp_path / where}
    run = run_with_mounts(
        "backup", "--force", binds=binds, env=env | {variable: value.format(disk=tmp_path / "disk")}
    )
    assert run.returncode == 2, run
    assert run.stderr.startswith(f"baileys-tools: {name}: ")
    assert why in run.stderr
    assert (snapshot_tree(tmp_path / "sessions", ()), snapshot_tree(two_snapshots, ())) == before


@pytest.mark.root
def test_sessions_that_are_mounted_from_elsewhere_are_known_there_too(
    tmp_path: Path, env: dict[str, str]
) -> None:
    require_root()
    home = company_folder(tmp_path / "home", "1002")
    binds = {home: tmp_path / "sessions/company_1002"}
    for path, why in (
        (tmp_path / "home", "has its place as a company's snapshots"),
        (home / "backups", "is in the session folder"),
    ):
        run = run_with_mounts("backup", binds=binds, env=env | {"BAILEYS_TOOLS_BACKUP_PATH": str(path)})
        assert (run.returncode, why in run.stderr) == (2, True), run


@pytest.mark.root
def test_places_that_are_mounts_of_their_own_are_fine(tmp_path: Path, env: dict[str, str]) -> None:
    require_root()
    volumes = {tmp_path / f"volumes/{name}": tmp_path / name for name in ("backups", "disk", "state")}
    for volume in volumes:
        volume.mkdir(parents=True)
    copies = {"BAILEYS_TOOLS_BACKUP__COPIES": f"file://{tmp_path}/disk"}
    assert run_with_mounts("backup", binds=volumes, env=env | copies).returncode == 0
    assert list((tmp_path / "volumes/disk/company_1001").iterdir())


@pytest.mark.parametrize("where", ["disk/bots.prom", "disk/company_1001/bots.prom"])
def test_no_file_lands_among_the_copies(tmp_path: Path, env: dict[str, str], where: str) -> None:
    env |= {"BAILEYS_TOOLS_BACKUP__COPIES": f"file://{tmp_path}/disk"}
    refused(
        "monitor-once", "--textfile", tmp_path / where, env=env,
        name="monitor.textfile", why="is among the copies of snapshots",
    )  # fmt: skip


def test_two_places_of_copies_are_two(tmp_path: Path, env: dict[str, str]) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    copies = f"file://{tmp_path}/disk,file://{tmp_path}/link"
    refused(
        "backup", env=env | {"BAILEYS_TOOLS_BACKUP__COPIES": copies},
        name="backup.copies", why="is taken by backup.copies",
    )  # fmt: skip


AWAY = {
    "key files alone": ["pre-key-29.json", "session-447700900100.0.json"],
    "what this tool keeps there": [".baileys-tools/quarantine"],
    "creds.json that is empty": ["creds.json"],
}


@pytest.mark.parametrize("is_the_sessions_path", [True, False], ids=["sessions-path", "elsewhere"])
@pytest.mark.parametrize("held", AWAY)
def test_a_session_folder_whose_creds_are_away_is_one_still(
    tmp_path: Path, company: Path, env: dict[str, str], held: str, is_the_sessions_path: bool
) -> None:
    """Somebody moved creds.json aside to mend it: a report does not take the place among the keys."""
    away = tmp_path / "bot"
    for name in AWAY[held]:
        (away / name).parent.mkdir(parents=True, exist_ok=True)
        (away / name).mkdir() if name.startswith(".") else (away / name).write_bytes(b"")
    if is_the_sessions_path:
        env |= {"BAILEYS_SESSIONS_PATH": str(away)}
    before = snapshot_tree(away, ())
    for words in (("report", "--html"), ("monitor-once", "--quiet", "--textfile")):
        run = run_cli(*words, away / "report.html", env=env)
        assert run.returncode == 2, run
        assert "is in a session folder" in run.stderr or "is in the session folder" in run.stderr
    if is_the_sessions_path:
        run = run_cli("backup", env=env | {"BAILEYS_TOOLS_BACKUP_PATH": str(away / "backups")})
        assert run.returncode == 2, run
    assert snapshot_tree(away, ()) == before


def test_a_stray_key_beside_the_company_folders_makes_no_session_of_their_place(
    company: Path, env: dict[str, str]
) -> None:
    (company.parent / "pre-key-29.json").write_text("{}")
    run = run_cli("report", "--html", company.parent / "report.html", env=env)
    assert run.returncode == 0, run
