"""`cron show`: the example in the repository, the settings that travel along, the systemd units."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest

from baileys_tools.cli.manpage import all_commands
from baileys_tools.host.rules.cron import JOBS
from fixtures.lay import lay
from tests.cronhost import CronHost
from tests.integration.faults.forked import run_cli
from tests.servers import Reply, answering
from tests.support import COMMAND, company_folder, missing, require_tool

ROOT = Path(__file__).parents[3]

EXAMPLE_SETTINGS = """\
sessions: {{path: {root}/srv/bot/sessions}}
backup: {{path: {root}/var/backups/baileys}}
state: {{dir: {root}/var/lib/baileys-tools}}
cron: {{jitter: 0}}
"""


def test_the_example_is_what_cron_show_prints(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    # This host may have places of these names, which are not the test's.
    file.write_text(EXAMPLE_SETTINGS.format(root=tmp_path))
    run = run_cli("cron", "show", "--config", file, env={"BAILEYS_TOOLS_STATE_DIR": ""})
    assert run.returncode == 0, run.stderr
    shown = run.stdout.replace(str(COMMAND), "/home/bot/.local/bin/baileys-tools")
    shown = shown.replace(str(file), "/etc/baileys-tools/config.yaml").replace(str(tmp_path), "")
    assert shown == (ROOT / "crontab.example").read_text(), "write it again: see this test"


def test_each_job_is_a_command_with_options_that_it_has() -> None:
    options = {
        name: {word for part in command.params for word in part.opts} for name, command, _ in all_commands()
    }
    for job in JOBS:
        assert set(job.arguments[1:]) <= options[job.command]


def test_settings_that_cron_would_not_see_travel_along(tmp_path: Path, own_home: Path) -> None:
    company_folder(tmp_path / "a b")
    file = own_home / ".config" / "baileys-tools" / "config.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("cleanup: {session_max_age: 20d}\ncron: {report: off, verify: '0 5 * * 1'}\n")
    run = run_cli(
        *("cron", "show", "--sessions", "a b"),
        env={"BAILEYS_TOOLS_PRE_KEYS__KEEP": "80", "COMPANY_ID": "7, 8"},
        cwd=tmp_path,
    )
    assert run.returncode == 0, run.stderr
    lines = [line for line in run.stdout.splitlines() if not line.startswith("#")]
    assert len(lines) == 4, "no repository, so no backup, prune and verify; report is off"
    for line in lines:
        assert f"BAILEYS_SESSIONS_PATH='{tmp_path}/a b' " in line
        assert "BAILEYS_TOOLS_PRE_KEYS__KEEP=80 " in line
        assert "BAILEYS_TOOLS_SESSIONS__COMPANIES='7, 8' " in line
        assert f" --config {file} " in line
        assert "session_max_age" not in line.lower(), "the file says so itself"


def test_a_secret_never_gets_into_a_crontab(tmp_path: Path) -> None:
    company_folder(tmp_path / "sessions")
    path = {"BAILEYS_SESSIONS_PATH": str(tmp_path / "sessions"), "TELEGRAM_CHAT_ID": "4242"}
    for secret in (
        {"TELEGRAM_BOT_TOKEN": "123:canary"},
        {"BAILEYS_TOOLS_NOTIFY__URLS": "ntfy://canary@host/x"},
    ):
        run = run_cli("cron", "show", env=path | secret)
        assert run.returncode == 2
        assert "which cron does not have" in run.stderr
        assert "canary" not in run.stdout + run.stderr
    for name in ("token", "chat"):
        (tmp_path / name).write_text("123:canary")
    files = {"TELEGRAM_BOT_TOKEN_FILE": "token", "TELEGRAM_CHAT_ID_FILE": str(tmp_path / "chat")}
    run = run_cli("cron", "show", env=path | files | {"TELEGRAM_CHAT_ID": ""}, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert f"TELEGRAM_BOT_TOKEN_FILE={tmp_path}/token " in run.stdout
    assert "canary" not in run.stdout


def test_a_mistake_in_a_time_is_found_when_settings_are_read(tmp_path: Path) -> None:
    company_folder(tmp_path)
    run = run_cli("cron", "show", "--sessions", tmp_path, env={"BAILEYS_TOOLS_CRON__CLEANUP": "0 24 * * *"})
    assert run.returncode == 2
    assert "cron.cleanup" in run.stderr
    assert "0 to 23" in run.stderr


def test_without_a_sessions_path_nothing_is_shown() -> None:
    assert run_cli("cron", "show").returncode == 2


def test_the_units_pass_the_verification_of_systemd(tmp_path: Path) -> None:
    company_folder(tmp_path / "a %b")
    run = run_cli(
        *("cron", "show", "--systemd", "--into", tmp_path / "units", "--sessions", tmp_path / "a %b"),
        env={"BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "back$up")},
    )
    assert run.returncode == 0, run.stderr
    units = sorted((tmp_path / "units").iterdir())
    assert len(units) == 16
    if not shutil.which("systemd-analyze"):
        missing("systemd-analyze")
    verify = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *units],
        capture_output=True,
        text=True,
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}/units:"},
        check=False,
    )
    assert verify.returncode == 0, verify.stderr
    assert str(tmp_path) not in verify.stderr


@pytest.mark.parametrize(
    ("time", "calendars"),
    [
        ("* * * * *", ["*-*-* *:*:00"]),
        ("3-59/5 * * * *", ["*-*-* *:03/5:00"]),
        ("7-59/30 * * * *", ["*-*-* *:07,37:00"]),
        ("0 3 * * *", ["*-*-* 03:00:00"]),
        ("0 5 * * 0", ["Sun *-*-* 05:00:00"]),
        ("0 5 1,15 * mon-fri", ["*-*-01,15 05:00:00", "Mon,Tue,Wed,Thu,Fri *-*-* 05:00:00"]),
        ("0 5 * jan,jul *", ["*-01,07-* 05:00:00"]),
    ],
)
def test_a_time_for_cron_as_a_calendar_for_systemd(time: str, calendars: list[str]) -> None:
    from baileys_tools.host.rules.systemd import on_calendar
    from baileys_tools.schedule import parse_schedule

    assert on_calendar(parse_schedule(time)) == calendars
    if shutil.which("systemd-analyze"):
        subprocess.run(["systemd-analyze", "calendar", *calendars], check=True, capture_output=True)


def lines_of_cron(env: Mapping[str, str]) -> list[str]:
    """What cron hands to the shell for each line that would be installed."""
    shown = run_cli("cron", "show", env=env).stdout.splitlines()
    return [line.split(None, 5)[5].replace("\\%", "%") for line in shown if not line.startswith("#")]


def test_on_a_healthy_host_every_line_is_silent_and_tells_nobody(tmp_path: Path, own_home: Path) -> None:
    """As the quick start sets it up, in cron's bare environment: healthy bots, and one that nobody has paired yet."""
    sessions = tmp_path / "50% sessions"
    for fixture in ("healthy-v6", "fresh-v7", "bloated-v6"):
        for company in lay(fixture, tmp_path / fixture, datetime.now(UTC)).iterdir():
            shutil.copytree(company, sessions / company.name)
    (sessions / "company_7001").mkdir()
    with answering(lambda request: Reply({})) as server:
        (own_home / "webhook").write_text(server.url)
        (own_home / "webhook").chmod(0o600)
        env = {
            "BAILEYS_SESSIONS_PATH": str(sessions),
            "BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "backups"),
            "NOTIFICATION_WEBHOOK_FILE": str(own_home / "webhook"),
        }
        for command in ("backup", "cleanup"):
            done = run_cli(command, env=env)
            assert done.returncode == 0, done.stdout + done.stderr
        lines = lines_of_cron(env)
        assert len(lines) == len(JOBS)
        bare = {"HOME": str(own_home), "LOGNAME": "bot", "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"}
        for line in lines * 2:
            job, _, sink = line.partition(" 2>&1 |")
            assert sink, "what a job has to say goes to the log"
            done = subprocess.run(
                ["/bin/sh", "-c", job], env=bare, cwd=own_home, capture_output=True, text=True, check=False
            )
            assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), job
        assert server.requests == []


@pytest.mark.root
def test_status_says_what_ran_and_what_did_not(tmp_path: Path) -> None:
    host = CronHost(tmp_path)
    company_folder(tmp_path / "sessions")
    env = {"BAILEYS_SESSIONS_PATH": str(tmp_path / "sessions")}
    none = host.run(COMMAND, "cron", "status", env=env)
    assert none.returncode == 4
    assert b"cron install" in none.stdout

    assert host.run(COMMAND, "cron", "install", "--quiet", env=env).returncode == 0
    by_hand = host.run(COMMAND, "cleanup", "--quiet", "--company", "nobody", env=env)
    assert by_hand.returncode == 10
    job = env | {"BAILEYS_TOOLS_JOB": "1"}
    assert host.run(COMMAND, "cleanup", "--quiet", env=job).returncode == 0
    by_hand = host.run(COMMAND, "cleanup", "--quiet", "--company", "nobody", env=env)
    run = host.run(COMMAND, "cron", "status", "--json", env=env)
    document = json.loads(run.stdout)
    jsonschema.Draft202012Validator(
        json.loads((ROOT / "docs/json/cron-status.schema.json").read_text())
    ).validate(document)
    jobs = {job["command"]: job for job in document["jobs"]}
    assert jobs["cleanup"]["last_exit_code"] == 0
    assert {job["verdict"] for job in jobs.values()} <= {"ok", "waiting"}
    assert run.returncode == document["exit_code"] == 0
    assert host.run(COMMAND, "cron", "status", "--quiet", env=env).stdout == b""

    text = host.run(require_tool("faketime"), "-f", "+2d", COMMAND, "cron", "status", env=env)
    assert text.returncode == 4
    assert b"not run when due: " in text.stdout
    assert all(len(line) <= 80 for line in text.stdout.decode().splitlines() if "/" not in line), text.stdout


@pytest.mark.parametrize("has_cron", [True, False])
def test_status_sends_nobody_to_cron_where_systemd_has_the_jobs(
    tmp_path: Path, own_home: Path, has_cron: bool
) -> None:
    company_folder(tmp_path)
    units = own_home / ".config/systemd/user"
    shown = run_cli("cron", "show", "--systemd", "--sessions", tmp_path, "--into", units)
    assert shown.returncode == 0, shown.stderr
    programs = tmp_path / "bin"
    programs.mkdir()
    if has_cron:
        (programs / "crontab").write_text("#!/bin/sh\necho 'no crontab for bot' >&2\nexit 1\n")
        (programs / "crontab").chmod(0o755)
    run = run_cli("cron", "status", env={"PATH": str(programs) + ":/bin" * has_cron})
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.startswith("jobs in systemd timers\n")
    assert "crontab" not in run.stdout
    timer = units / "baileys-tools-cleanup.timer"
    for unit in units.iterdir():
        os.utime(unit, (timer.stat().st_mtime - 3 * 86_400,) * 2)
    job = {"BAILEYS_TOOLS_JOB": "1", "BAILEYS_SESSIONS_PATH": str(tmp_path)}
    assert run_cli("report", "--quiet", env=job).returncode == 0
    late = run_cli("cron", "status", "--json", env={"PATH": str(programs) + ":/bin" * has_cron})
    assert late.returncode == 4
    verdicts = {job["command"]: job["verdict"] for job in json.loads(late.stdout)["jobs"]}
    assert verdicts == {
        "monitor-once": "missed",
        "trigger": "missed",
        "recover": "missed",
        "cleanup": "missed",
        "report": "ok",
    }


@pytest.mark.root
def test_jobs_are_never_installed_a_second_time_in_another_place(tmp_path: Path) -> None:
    """Root finds those of the owner, and whoever asks those of the system; other sessions are another matter."""
    host = CronHost(tmp_path)
    company_folder(tmp_path / "sessions")
    company_folder(tmp_path / "others")
    env = {"BAILEYS_SESSIONS_PATH": str(tmp_path / "sessions")}
    assert host.run(COMMAND, "cron", "install", "--system", "--quiet", env=env).returncode == 0
    twice = host.run(COMMAND, "cron", "install", env=env)
    assert twice.returncode == 13
    assert b"/etc/cron.d/baileys-tools has the jobs" in twice.stderr
    assert b"cron remove --system" in twice.stderr
    assert host.installed() == b""
    assert host.run(COMMAND, "cron", "install", "--system", env=env).returncode == 0, "the same place"
    status = host.run(COMMAND, "cron", "status", env=env)
    assert status.stdout.startswith(b"jobs in /etc/cron.d/baileys-tools\n"), "found without --system"
    other = {"BAILEYS_SESSIONS_PATH": str(tmp_path / "others")}
    assert host.run(COMMAND, "cron", "install", "--quiet", env=other).returncode == 0


@pytest.mark.root
def test_root_sees_the_crontab_of_the_owner(tmp_path: Path) -> None:
    host = CronHost(tmp_path)
    sessions = company_folder(tmp_path / "sessions").parent
    shutil.chown(sessions, "nobody")
    tab = tmp_path / "tab"
    tab.write_bytes(host.run(COMMAND, "cron", "show", "--sessions", sessions).stdout)
    with tab.open("a") as file:
        file.write(f"0 4 * * * find {sessions} -name 'session-*' -delete\n")
    tab.chmod(0o644)
    assert host.run("crontab", "-u", "nobody", tab).returncode == 0
    doctor = host.run(COMMAND, "doctor", "--sessions", sessions).stdout.decode()
    assert "the crontab of nobody: monitor-once missed" in doctor, doctor
    assert "no jobs are installed" not in doctor
    assert "the crontab of nobody has a job that may delete session files" in " ".join(doctor.split())
    twice = host.run(COMMAND, "cron", "install", "--system", "--sessions", sessions)
    assert twice.returncode == 13
    assert b"sudo -u nobody baileys-tools cron remove" in twice.stderr


@pytest.mark.root
def test_another_cleaner_in_the_same_crontab_is_told_when_the_jobs_are_installed(tmp_path: Path) -> None:
    host = CronHost(tmp_path)
    sessions = company_folder(tmp_path / "sessions").parent
    tab = tmp_path / "tab"
    tab.write_text(f"0 4 * * * find {sessions} -name 'session-*' -delete\n")
    assert host.run("crontab", tab).returncode == 0
    run = host.run(COMMAND, "cron", "install", "--quiet", "--sessions", sessions)
    assert run.returncode == 0
    assert b"may delete session files: find" in run.stderr


@pytest.mark.root
def test_jobs_with_another_state_folder_are_asked_there(tmp_path: Path) -> None:
    host = CronHost(tmp_path)
    env = {"BAILEYS_SESSIONS_PATH": str(company_folder(tmp_path / "sessions").parent)}
    there = env | {"BAILEYS_TOOLS_STATE_DIR": str(tmp_path / "there")}
    assert host.run(COMMAND, "cron", "install", "--quiet", env=there).returncode == 0
    here = env | {"BAILEYS_TOOLS_STATE_DIR": str(tmp_path / "here")}
    run = host.run(COMMAND, "cron", "status", env=here)
    assert run.returncode == 0, run.stdout
    assert b"missed" not in run.stdout
    assert f"these jobs keep their state in {tmp_path}/there".encode() in run.stdout
    elsewhere = host.run(COMMAND, "cron", "status", env=here | {"BAILEYS_SESSIONS_PATH": "/nowhere"})
    assert f"these jobs look after {tmp_path}/sessions, not /nowhere".encode() in elsewhere.stdout


def test_the_jobs_find_the_pm2_that_the_shell_finds(tmp_path: Path) -> None:
    company_folder(tmp_path / "sessions")
    programs = tmp_path / "node v22" / "bin"
    programs.mkdir(parents=True)
    for name in ("pm2", "node"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    env = {
        "BAILEYS_SESSIONS_PATH": str(tmp_path / "sessions"),
        "BAILEYS_TOOLS_PROCESS__PM2": "shop",
        "PATH": f"{programs}:/usr/bin:/bin",
        "PM2_HOME": str(tmp_path / "pm2"),
    }
    shown = run_cli("cron", "show", env=env).stdout
    assert f" PATH='{programs}:/usr/bin:/bin' PM2_HOME={tmp_path}/pm2 " in shown
    without = run_cli("cron", "show", env=env | {"PATH": "/usr/bin:/bin", "PM2_HOME": ""}).stdout
    assert " PATH=" not in without
    assert shutil.which("pm2", path="/usr/bin:/bin") or "# pm2 is not in your PATH" in without
    assert " PATH=" not in run_cli("cron", "show", env=env | {"BAILEYS_TOOLS_PROCESS__PM2": ""}).stdout


def test_units_of_a_second_settings_file_leave_those_of_the_first(tmp_path: Path) -> None:
    files = []
    for name in ("shop", "desk"):
        company_folder(tmp_path / name)
        files.append(tmp_path / f"{name}.yaml")
        files[-1].write_text(f"sessions: {{path: {tmp_path / name}}}\n")
    units = tmp_path / "units"
    units.mkdir()

    def written(file: Path) -> dict[str, bytes]:
        run = run_cli("cron", "show", "--systemd", "--into", units, "--config", file)
        assert run.returncode == 0, run.stderr
        return {found.name: found.read_bytes() for found in units.iterdir()}

    first = written(files[0])
    assert "baileys-tools-monitor-once.timer" in first
    both = written(files[1])
    assert first.items() <= both.items()
    own = both.keys() - first.keys()
    assert len(own) == len(first)
    assert {name.split("_")[0] for name in own} == {"baileys-tools-desk"}
    assert all(str(files[1]).encode() in both[name] for name in own if name.endswith(".service"))
    assert written(files[0]) == written(files[1]) == both, "each again and again"
    for name in first:
        (units / name).unlink()
    assert written(files[1]).keys() == own, "where the first have gone, no second set for the same sessions"
