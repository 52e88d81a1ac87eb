"""A bot's user who means harm against root who runs the commands: settings, crontabs, state (docs/security.md)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from baileys_tools.cli.manpage import all_commands
from baileys_tools.config import ConfigError, load_settings
from baileys_tools.errors import UsageError
from baileys_tools.sessions.rules.snapshot import read_account
from baileys_tools.snapshots.places.copy_place import CopyPlace
from baileys_tools.snapshots.repository import Repository
from tests.cronhost import CronHost
from tests.guard import PROJECT
from tests.hostile import BOT, CANARY, Place, as_bot, bot_at_work, give, hostile_place
from tests.integration.faults.forked import run_cli, run_forked
from tests.servers import Reply, Request, answering
from tests.support import COMMAND, company_folder, missing, scrubbed_environment

pytestmark = pytest.mark.root

NEEDED = {
    "company": ("--company", "1001"),
    "to": ("--to", "4917012345678"),
    "who": ("4917012345678",),
    "snapshot": ("latest",),
}
COMMANDS = [
    (*name.split(), *(word for part in command.params if part.required for word in NEEDED[part.name]))
    for name, command, _ in all_commands()
    # These two read no settings; a support-bundle says what is wrong with them, see below.
    if name not in ("help", "explain", "support-bundle")
]


@pytest.fixture
def place() -> Iterator[Place]:
    with hostile_place() as made:
        yield made


def words_of(run: subprocess.CompletedProcess[str]) -> str:
    return " ".join((run.stdout + run.stderr).split())


# --- settings and secrets -----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_command_of_roots_obeys_the_settings_in_a_bots_folder(
    place: Place, command: tuple[str, ...]
) -> None:
    run = run_beside_settings_of_the_bots(place, command)
    assert run.returncode == 2, run
    assert f"baileys-tools.yaml: not obeyed: {place.bots} belongs to {BOT}, and you are root" in words_of(run)


def test_nor_does_a_support_bundle_and_it_says_so(place: Place) -> None:
    run = run_beside_settings_of_the_bots(place, ("support-bundle",))
    assert run.returncode == 0, run
    assert "not obeyed" in words_of(run)
    assert "## Folders" in run.stdout


def run_beside_settings_of_the_bots(
    place: Place, command: tuple[str, ...]
) -> subprocess.CompletedProcess[str]:
    """Run a command of root's in a folder whose settings tell to read and write what is root's; nothing may be done."""
    sessions = company_folder(place.bots / "sessions").parent
    heard: list[Request] = []

    def answer(asked: Request) -> Reply:
        heard.append(asked)
        return Reply({"ok": True})

    with answering(answer) as server:
        (place.bots / "baileys-tools.yaml").write_text(
            f"sessions: {{path: {sessions}}}\n"
            f"notify: {{telegram_bot_token_file: {place.roots}/token, telegram_chat_id: '1', "
            f"telegram_api: {server.url}}}\n"
            f"monitor: {{textfile: {place.roots}/metrics.prom}}\n"
        )
        give(place.bots)
        before = place.of_root()
        run = run_cli(*command, cwd=place.bots)
    assert CANARY not in run.stdout + run.stderr
    assert heard == []
    assert place.of_root() == before
    assert place.not_the_bots() == []
    return run


@pytest.mark.parametrize("way", ["flag", "variable", "xdg", "home"])
def test_a_bots_settings_are_refused_whichever_way_they_come(place: Place, way: str) -> None:
    file = place.bots / ".config" / "baileys-tools" / "config.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("pre_keys: {keep: 60}\n")
    give(place.bots)
    env = {
        "flag": {},
        "variable": {"BAILEYS_TOOLS_CONFIG": str(file)},
        "xdg": {"XDG_CONFIG_HOME": str(file.parent.parent)},
        "home": {"HOME": str(place.bots)},  # sudo -E
    }[way]
    run = run_cli("config", "show", *(("--config", file) if way == "flag" else ()), env=env)
    assert run.returncode == 2, run
    assert f"not obeyed: {place.bots} belongs to {BOT}" in words_of(run)
    assert run_cli("config", "show", env={"HOME": str(place.roots)}).returncode == 0


def test_the_bots_own_user_goes_on_with_its_own_settings(place: Place) -> None:
    (place.bots / "baileys-tools.yaml").write_text("pre_keys: {keep: 60}\n")
    (place.bots / "hook").write_text("https://hooks.example.org/x\n")
    give(place.bots)
    run = run_as_the_bot(place, "config", "show", env={"NOTIFICATION_WEBHOOK_FILE": str(place.bots / "hook")})
    assert run.returncode == 0, run.stderr
    assert f"settings file: {place.bots}/baileys-tools.yaml" in run.stdout


def run_as_the_bot(
    place: Place, *words: str, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    environment = scrubbed_environment(
        {"HOME": str(place.bots), "BAILEYS_TOOLS_STATE_DIR": "", **(env or {})}
    )
    probe = subprocess.run(as_bot(COMMAND, "--version"), env=environment, cwd="/", capture_output=True)
    if probe.returncode:
        missing("an installation that other users can run")
    return subprocess.run(
        as_bot(COMMAND, *words), env=environment, cwd=place.bots, capture_output=True, text=True, timeout=60
    )


SECRETS = {
    "notify.webhook_file": "https://hooks.example.org/x",
    "notify.telegram_bot_token_file": "1:token",
    "notify.telegram_chat_id_file": "42",
    "ping.url_file": "https://hc.example.org/x",
    "bot_api.token_file": "token",
    "bot_api.headers_file": "X-Token: token",
    "backup.identity_file": "AGE-SECRET-KEY-1QQQQ",
}


@pytest.mark.parametrize("how", ["theirs", "their link", "their folder", "writable"])
@pytest.mark.parametrize("setting", SECRETS)
def test_a_secret_that_others_can_have_written_is_refused(place: Place, setting: str, how: str) -> None:
    own = place.roots / "secret"
    own.write_text(SECRETS[setting])
    own.chmod(0o600)
    secret = own
    if how == "theirs":
        give(own)
    elif how == "their link":
        secret = place.roots / "link"
        secret.symlink_to(own)
        give(secret)
    elif how == "their folder":
        secret = place.bots / "secret"
        secret.symlink_to(own)
    elif how == "writable":
        own.chmod(0o606)
    section, _, key = setting.partition(".")
    (place.roots / "config.yaml").write_text(f"{section}: {{{key}: {secret}}}\n")
    with pytest.raises(ConfigError) as refused:
        load_settings({}, {}, config=str(place.roots / "config.yaml"))
    (said,) = refused.value.problems
    assert f"{setting}: cannot read" in said
    assert ("others can write" if how == "writable" else f"belongs to {BOT}, and you are root") in said


@pytest.mark.parametrize("command", ["config check", "doctor", "status", "monitor-once"])
def test_every_command_refuses_a_secret_of_others(place: Place, command: str) -> None:
    (place.bots / "hook").write_text("https://hooks.example.org/x")
    give(place.bots)
    run = run_cli(*command.split(), env={"NOTIFICATION_WEBHOOK_FILE": str(place.bots / "hook")})
    assert run.returncode == 2, run
    assert f"{place.bots} belongs to {BOT}, and you are root" in words_of(run)


@pytest.mark.parametrize(
    ("place_of_copies", "file"), [("sftp://me@vault/x", ".ssh/config"), ("s3://b/x", ".aws/config")]
)
def test_no_login_by_the_files_of_another_home(
    place: Place, monkeypatch: pytest.MonkeyPatch, place_of_copies: str, file: str
) -> None:
    """`sudo -E`: its SSH settings say where a host is, and AWS settings name programs to run."""
    (place.bots / file).parent.mkdir()
    (place.bots / file).write_text(
        f"[default]\ncredential_process = touch {place.roots}/owned\n"
        if "aws" in file
        else "Host *\n HostName ::1\n"
    )
    give(place.bots)
    monkeypatch.setenv("HOME", str(place.bots))
    with pytest.raises(UsageError, match=f"{place.bots} belongs to {BOT}, and you are root"):
        CopyPlace(place_of_copies, timedelta(seconds=2))
    assert not (place.roots / "owned").exists()


def test_init_writes_no_settings_where_they_would_not_be_obeyed(place: Place) -> None:
    run = run_cli("config", "init", place.bots / "config.yaml")
    assert run.returncode == 2
    assert f"would not be obeyed: {place.bots} belongs to {BOT}" in words_of(run)
    assert not (place.bots / "config.yaml").exists()


@pytest.mark.parametrize("what", ["settings", "key"])
def test_a_setup_leaves_no_key_and_no_settings_where_a_bot_can_take_them_away(
    place: Place, what: str
) -> None:
    """`sudo -E` brings HOME along; through a link there the files would be made elsewhere, too."""
    sessions = company_folder(place.bots / "sessions").parent
    (place.bots / ".config").symlink_to(place.roots)
    give(place.bots)
    before = place.of_root()
    words = ("setup", "--yes", "--no-jobs", "--encrypt", "--sessions", sessions)
    if what == "settings":
        run = run_cli(*words, "--key", place.roots / "key", env={"HOME": str(place.bots)})
    else:
        settings, key = place.roots / "config.yaml", place.bots / "key"
        run = run_cli(*words, "--config", settings, "--key", key, env={"HOME": str(place.roots)})
    assert run.returncode == 2, run
    assert f"would not be obeyed: {place.bots} belongs to {BOT}" in words_of(run)
    assert place.of_root() == before
    assert place.not_the_bots() == []


def test_the_jobs_of_a_bots_crontab_are_looked_at_with_its_rights(place: Place, tmp_path: Path) -> None:
    """Root asks how they are; the bot's crontab names root's files as settings and as secrets."""
    host = CronHost(tmp_path)
    sessions = company_folder(place.bots / "sessions").parent
    give(place.bots, uid=65534)
    place.bots.chmod(0o755)
    settings = place.roots / "config.yaml"
    settings.write_text(f"{CANARY}: {{a: b}}\n")
    tab = tmp_path / "tab"
    lines = host.run(COMMAND, "cron", "show", "--sessions", sessions).stdout.decode()
    tab.write_text(lines.replace(" monitor-once", f" monitor-once --config {settings}", 1))
    tab.chmod(0o644)
    assert host.run("crontab", "-u", "nobody", tab).returncode == 0
    run = host.run(COMMAND, "cron", "status", env={"BAILEYS_SESSIONS_PATH": str(sessions)})
    assert run.returncode == 2
    said = (run.stdout + run.stderr).decode()
    assert CANARY not in said
    assert "Permission denied" in said


# --- what crontab(1) is given -------------------------------------------------------------------------------

SWAP = """
import glob
place = sys.argv[1]
for name in os.listdir(place):
    if name not in ("state", "sessions"):
        continue
    for folder, _, files in os.walk(os.path.join(place, "state")):
        for file in files:
            path = os.path.join(folder, file)
            with open(path + ".evil", "w") as evil:
                evil.write("* * * * * touch /tmp/baileys-tools-owned\\n")
            os.rename(path + ".evil", path)
"""


INSTALLS = """
from tests.integration.faults.forked import run_forked
command, mine, runs = sys.argv[1:]
for _ in range(int(runs)):
    subprocess.run(["crontab", mine], check=True)
    done = run_forked([command, "cron", "install", "--quiet"], os.environ)
    assert done.returncode == 0, done.stderr
    subprocess.run(["crontab", "-l"], check=True)
"""
"""By forks: a start of Python takes longer than all of the race."""
AT_ONCE = 50

MANY = pytest.param(500, marks=(pytest.mark.faults, pytest.mark.timeout(7200)))


@pytest.mark.parametrize("runs", [5, MANY])
def test_a_crontab_is_never_one_that_the_owner_of_the_state_put_there(
    place: Place, tmp_path: Path, runs: int
) -> None:
    host = CronHost(tmp_path)
    sessions = company_folder(tmp_path / "sessions").parent
    state = place.bots / "state"
    (state / "crontabs").mkdir(parents=True)
    give(place.bots)
    mine = tmp_path / "mine"
    mine.write_text(f"# {CANARY}\n")
    before = place.of_root()
    env = {"BAILEYS_SESSIONS_PATH": str(sessions), "BAILEYS_TOOLS_STATE_DIR": str(state)}
    seen = ""
    with bot_at_work(SWAP, place.bots):
        for begun in range(0, runs, AT_ONCE):
            installs = (sys.executable, "-c", f"import os, subprocess, sys{INSTALLS}", COMMAND, mine)
            run = host.run(*installs, str(min(AT_ONCE, runs - begun)), env=env, cwd=PROJECT)
            assert run.returncode == 0, run.stderr
            seen += run.stdout.decode()
    assert seen.count("# BEGIN baileys-tools\n") == runs
    assert "evil" not in seen
    assert "touch" not in seen
    assert place.of_root() == before
    assert place.not_the_bots() == []
    theirs = [path.read_bytes() for path in place.bots.rglob("*") if path.is_file()]
    assert not any(CANARY.encode() in content for content in theirs), "root's crontab is not theirs to read"
    assert (host.lib / "baileys-tools" / "crontabs").is_dir()
    assert f"tee -a {host.lib}" not in seen
    assert "tee -a /var/lib/baileys-tools/cron.log" in seen


@pytest.mark.parametrize("command", ["install", "remove"])
def test_a_link_in_the_place_of_the_former_crontabs_leads_nowhere(
    place: Place, tmp_path: Path, command: str
) -> None:
    host = CronHost(tmp_path)
    sessions = company_folder(tmp_path / "sessions").parent
    (place.bots / "state").mkdir()
    (place.bots / "state" / "crontabs").symlink_to(place.roots)
    give(place.bots)
    env = {"BAILEYS_SESSIONS_PATH": str(sessions), "BAILEYS_TOOLS_STATE_DIR": str(place.bots / "state")}
    assert host.run(COMMAND, "cron", "install", env={**env, "BAILEYS_TOOLS_STATE_DIR": ""}).returncode == 0
    before = place.of_root()
    run = host.run(COMMAND, "cron", command, env=env)
    assert run.returncode == 0, run.stderr
    assert place.of_root() == before


def test_a_log_that_a_bot_can_lead_elsewhere_is_no_log_of_roots_jobs(place: Place, tmp_path: Path) -> None:
    sessions = company_folder(tmp_path / "sessions").parent
    env = {"BAILEYS_SESSIONS_PATH": str(sessions), "BAILEYS_TOOLS_CRON__LOG": str(place.bots / "cron.log")}
    run = run_cli("cron", "show", env=env)
    assert run.returncode == 2
    assert f"cron.log: {place.bots} belongs to {BOT}" in words_of(run)


GRAB = """
place, target = sys.argv[1:]
for name in os.listdir(place):
    if os.stat(os.path.join(place, name)).st_uid == 0 and not name.endswith("-grabbed"):
        os.rename(os.path.join(place, name), os.path.join(place, name + "-grabbed"))
        os.mkdir(os.path.join(place, name), 0o777)
        os.symlink(target, os.path.join(place, name, "copy"))
"""
"""As what the editor of `crontab -e` leaves its copy under (crontab.py)."""


def test_a_folder_for_temporary_files_of_a_bots_is_not_used(place: Place, tmp_path: Path) -> None:
    """`sudo -E` brings TMPDIR along."""
    host = CronHost(tmp_path)
    sessions = company_folder(tmp_path / "sessions").parent
    mine = tmp_path / "mine"
    mine.write_bytes(b"# what crontab -l does not show as it is: \r\n")
    assert host.run("crontab", mine).returncode == 0
    before = place.of_root()
    with bot_at_work(GRAB, place.bots, place.roots / "token"):
        run = host.run(
            *(COMMAND, "cron", "install"),
            env={"BAILEYS_SESSIONS_PATH": str(sessions), "TMPDIR": str(place.bots)},
        )
    assert place.of_root() == before
    assert list(place.bots.iterdir()) == []
    assert run.returncode == 0, run.stderr
    assert b"# BEGIN baileys-tools\n" in host.installed()


# --- what root makes in a bot's place -----------------------------------------------------------------------

WORK = [
    ("monitor-once",),
    ("status",),
    ("inspect",),
    ("cleanup",),
    ("trigger",),
    ("backup",),
    ("recover", "--yes"),
    ("report", "--quiet"),
    ("report", "--html", "{bots}/page.html"),
    ("monitor-once", "--textfile", "{bots}/bots.prom"),
    ("incidents",),
    ("doctor",),
    ("undo", "--list"),
]


def test_what_root_makes_in_a_bots_place_is_the_bots(place: Place) -> None:
    old = {f"session-{number}.0.json": timedelta(days=20) for number in range(200)}
    sessions = company_folder(place.bots / "sessions", keys=old).parent
    give(place.bots)
    state = place.bots / "var" / "state"
    env = {
        "BAILEYS_SESSIONS_PATH": str(sessions),
        "BAILEYS_TOOLS_STATE_DIR": str(state),
        "BAILEYS_TOOLS_BACKUP_PATH": str(place.bots / "backups"),
    }
    for command in WORK:
        run = run_cli(*(word.format(bots=place.bots) for word in command), env=env)
        assert run.returncode in (0, 3, 4, 5), (command, run)
        assert "nothing is remembered" not in words_of(run), (command, run)
        assert place.not_the_bots() == [], command
    assert (state / "state.sqlite3").exists()
    assert (state / "report.html").exists()
    own = run_as_the_bot(place, "monitor-once", env=env)
    assert own.returncode in (0, 4, 5), own
    assert "Permission denied" not in words_of(own)
    assert "nothing is remembered" not in words_of(own)


def test_the_log_of_the_database_is_the_bots_while_root_has_it_open(place: Place) -> None:
    from datetime import UTC, datetime

    from baileys_tools.state import memory
    from baileys_tools.state.database import open_state

    state = place.bots / "state"
    with open_state(str(state), datetime.now(UTC)) as opened:
        memory.keep(opened, "key", 1)
        assert {path.name for path in state.iterdir()} >= {"state.sqlite3-wal", "state.sqlite3-shm"}
        assert place.not_the_bots() == []
        assert os.geteuid() == 0
    assert place.not_the_bots() == []


@pytest.mark.parametrize("name", ["", "runs", "state.sqlite3", "state.lock", "report.html", "printed.told"])
def test_a_link_in_a_bots_state_leads_to_nothing_of_roots(place: Place, name: str) -> None:
    state = place.bots / "state"
    if name:
        state.mkdir()
        target = place.roots / ("" if name == "runs" else "token")
        (state / name).symlink_to(target)
    else:
        state.symlink_to(place.roots)
    give(place.bots)
    sessions = company_folder(place.bots / "sessions").parent
    give(place.bots)
    before = place.of_root()
    env = {"BAILEYS_SESSIONS_PATH": str(sessions), "BAILEYS_TOOLS_STATE_DIR": str(state)}
    for command in (
        ("monitor-once",),
        ("monitor-once", "--quiet"),
        ("trigger",),
        ("status",),
        ("report", "--quiet"),
    ):
        run = run_cli(*command, env=env)
        assert "internal error" not in run.stderr, run
        assert CANARY not in run.stdout + run.stderr
    assert place.of_root() == before
    assert place.not_the_bots() == []


@pytest.mark.parametrize(
    "name", ["state.sqlite3", "state.sqlite3-journal", "state.sqlite3-wal", "state.lock"]
)
def test_a_pipe_in_a_bots_state_holds_nobody(place: Place, name: str) -> None:
    """SQLite would wait there for ever, through every signal."""
    sessions = company_folder(place.bots / "sessions").parent
    state = place.bots / "state"
    state.mkdir()
    (state / "state.sqlite3").touch()
    (state / name).unlink(missing_ok=True)
    os.mkfifo(state / name, 0o400)
    give(place.bots)
    env = {"BAILEYS_SESSIONS_PATH": str(sessions), "BAILEYS_TOOLS_STATE_DIR": str(state)}
    for command in ("monitor-once", "status"):
        run = run_cli(command, env=env)
        assert run.returncode in (0, 4), run


def test_a_state_of_roots_in_a_bots_place_is_said_with_the_way_out(place: Place) -> None:
    """What earlier versions left behind: root's first run made the bot's state root's."""
    state = place.bots / "state"
    state.mkdir(mode=0o700)
    sessions = company_folder(place.bots / "sessions").parent
    env = {"BAILEYS_SESSIONS_PATH": str(sessions), "BAILEYS_TOOLS_STATE_DIR": str(state)}
    run = run_cli("doctor", env=env)
    assert f"{state} is root's. Give it to them: chown -hR {BOT} {state}" in words_of(run), run
    assert run_cli("trigger", env=env).returncode in (0, 3, 4)
    subprocess.run(["chown", "-hR", str(BOT), str(state)], check=True)
    assert "is root's" not in words_of(run_cli("doctor", env=env))


RUNS = """
place = sys.argv[1]
state, aside = os.path.join(place, "state"), os.path.join(place, "aside")
os.rename(state, aside)
os.symlink(sys.argv[2], state)
os.unlink(state)
os.rename(aside, state)
"""


@pytest.mark.parametrize("runs", [3, MANY])
def test_a_state_that_is_swapped_for_a_link_all_the_time_leads_to_nothing_of_roots(
    place: Place, runs: int
) -> None:
    sessions = company_folder(place.bots / "sessions").parent
    (place.bots / "state").mkdir()
    give(place.bots)
    before = place.of_root()
    env = {"BAILEYS_SESSIONS_PATH": str(sessions), "BAILEYS_TOOLS_STATE_DIR": str(place.bots / "state")}
    with bot_at_work(RUNS, place.bots, place.roots):
        for _ in range(runs):
            run = run_cli("monitor-once", env=env)
            assert "internal error" not in run.stderr, run
    assert place.of_root() == before
    assert place.not_the_bots() == []


# --- users without a name -----------------------------------------------------------------------------------


@pytest.mark.parametrize("home", ["/", ""])
def test_a_user_without_a_name_is_a_number(place: Place, home: str) -> None:
    """`docker run --user 65533`."""
    sessions = company_folder(place.bots / "sessions").parent
    give(place.bots)
    env = {
        "BAILEYS_SESSIONS_PATH": str(sessions),
        "BAILEYS_TOOLS_STATE_DIR": str(place.bots / "state"),
        "HOME": home,
    }
    status = run_as_the_bot(place, "cron", "status", env=env)
    assert status.returncode in (0, 4), status
    assert f"the crontab of {BOT}" in status.stdout
    doctor = run_as_the_bot(place, "doctor", env=env)
    assert doctor.returncode in (0, 4), doctor
    assert "no user" not in words_of(doctor)
    assert "critical" not in doctor.stdout
    shown = run_as_the_bot(place, "cron", "show", env=env)
    assert shown.returncode == 0, shown.stderr
    own = run_as_the_bot(place, "cron", "show", "--system", env=env)
    assert own.returncode == 2
    assert "nobody knows who owns" in own.stderr


# --- where the sessions are ---------------------------------------------------------------------------------

LED = [("status",), ("cleanup",), ("backup",), ("monitor-once",), ("recover", "--yes"), ("reset", "--yes")]


@pytest.mark.parametrize("command", LED, ids=" ".join)
@pytest.mark.parametrize("at", ["root", "above"])
def test_a_link_of_the_bots_in_the_place_of_its_sessions_leads_to_nobody_elses(
    place: Place, command: tuple[str, ...], at: str
) -> None:
    """Root would clean there by the rules for the bot, and have the sessions of others among the bot's snapshots."""
    company_folder(place.roots / "sessions", keys={"session-1.0.json": timedelta(days=90)})
    if at == "root":
        (place.bots / "sessions").symlink_to(place.roots / "sessions")
    else:
        (place.bots / "app").symlink_to(place.roots)
    give(place.bots)
    before = place.of_root()
    sessions = place.bots / ("sessions" if at == "root" else "app/sessions")
    env = {"BAILEYS_SESSIONS_PATH": str(sessions), "BAILEYS_TOOLS_BACKUP_PATH": str(place.roots / "kept")}
    run = run_cli(*command, env=env)
    assert run.returncode == 1, run
    assert f"is a link of {BOT} to a folder of root, which is not followed" in words_of(run)
    assert place.of_root() == before


FLIPS = """
own, link = os.path.join(sys.argv[1], "own"), os.path.join(sys.argv[1], "sessions")
for target in ("own", sys.argv[2]):
    os.symlink(target, link + ".new")
    os.rename(link + ".new", link)
"""


@pytest.mark.parametrize("runs", [5, MANY])
def test_no_session_of_others_is_ever_among_the_snapshots_of_the_bots(place: Place, runs: int) -> None:
    """From there a recovery would write it into the bot's folder."""
    company_folder(place.roots / "sessions")
    own = company_folder(place.bots / "own", me={"id": "4915112345678:1@s.whatsapp.net"})
    account = read_account((own / "creds.json").read_bytes())
    give(place.bots)
    repository = place.roots / "kept"
    env = {
        "BAILEYS_SESSIONS_PATH": str(place.bots / "sessions"),
        "BAILEYS_TOOLS_BACKUP_PATH": str(repository),
    }
    with bot_at_work(FLIPS, place.bots, place.roots / "sessions"):
        for _ in range(runs):
            run_forked([COMMAND, "backup", "--force"], env)
    with Repository(str(repository)) as opened:
        for info in opened.snapshots("1001"):
            with opened.reading(info) as reader:
                assert isinstance(account, tuple)
                assert reader.manifest.account == account[0]
