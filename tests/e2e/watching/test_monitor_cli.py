"""`monitor-once` as cron runs it: on real folders, by the installed command."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from baileys_tools.state.database import open_state
from baileys_tools.state.observations import history
from baileys_tools.state.runs import runs_since
from baileys_tools.state.spool import ENOUGH_OF_ONE, take_in
from fixtures.lay import lay
from tests.integration.faults.forked import run_cli
from tests.servers import Reply, Request, answering
from tests.support import (
    COMMAND,
    about,
    at_clock,
    company_folder,
    require_root,
    require_tool,
    scrubbed_environment,
    write_key,
)

LONG_AGO = timedelta(hours=1)


def full_folder(root: Path, company: str, counted: int) -> Path:
    """A live folder with so many files, most of which a cleanup would take."""
    keys = {f"session-{4_917_000_000_000 + n}.0.json": timedelta(days=20) for n in range(counted - 3)}
    # One of yesterday: a bot that was off for weeks and has just come back keeps all.
    keys |= {"session-4910000000000.0.json": timedelta(hours=20), "pre-key-30.json": LONG_AGO}
    folder = company_folder(root, company, keys)
    settle(folder)
    return folder


def settle(*folders: Path) -> None:
    """Let time pass: what has just changed is looked at once more."""
    then = (datetime.now(UTC) - LONG_AGO).timestamp()
    for folder in folders:
        if (folder / "creds.json").exists():
            os.utime(folder / "creds.json", (then, then))
        os.utime(folder, (then, then))


SCHEMA = jsonschema.Draft202012Validator(
    json.loads((Path(__file__).parents[3] / "docs/json/monitor-once.schema.json").read_text())
)


def watch(root: Path, *arguments: str, env: dict[str, str] | None = None) -> Any:
    """Return the JSON of a pass; every one that any test makes has to fit the schema."""
    run = run_cli("monitor-once", "--json", "--sessions", root, *arguments, env=env)
    assert run.stdout, run.stderr
    result = json.loads(run.stdout)
    SCHEMA.validate(result)
    assert result["exit_code"] == run.returncode
    return result


def codes(company: dict[str, Any]) -> dict[str, str]:
    return {one["code"]: one["severity"] for one in company["findings"] if one["severity"] != "notice"}


# --- levels -------------------------------------------------------------------------------------------------

BOUNDARIES = [
    (149, "healthy", "notice", 0, 0),
    (150, "warning", "warning", 4, 1),
    (169, "warning", "warning", 4, 1),
    (170, "critical", "critical", 5, 2),
    (174, "critical", "critical", 5, 2),
    (175, "trigger", "critical", 5, 2),
    (179, "trigger", "critical", 5, 2),
    (180, "emergency", "emergency", 5, 2),
    (185, "emergency", "emergency", 5, 2),
    (186, "danger", "emergency", 5, 2),
]


def test_levels_begin_where_they_should_in_every_output(tmp_path: Path) -> None:
    for counted, *_ in BOUNDARIES:
        full_folder(tmp_path, str(counted), counted)
    found = {company["counted_files"]: company for company in watch(tmp_path)["companies"]}
    metrics = tmp_path / "bots.prom"
    for counted, level, severity, exit_code, nagios in BOUNDARIES:
        assert (found[counted]["level"], found[counted]["severity"]) == (level, severity)
        if counted in (149, 150, 170, 175, 180, 186):
            one = ("--company", str(counted), "--sessions", tmp_path)
            plain = run_cli("monitor-once", *one, "--textfile", metrics)
            assert plain.returncode == exit_code
            assert run_cli("monitor-once", "--nagios", *one).returncode == nagios
            if exit_code:
                assert f"{counted} counted files, level {level} (limit" in plain.stdout
            order = ["healthy", "warning", "critical", "trigger", "emergency", "danger"]
            number = order.index(level)
            assert f'baileys_tools_level{{company="{counted}"}} {number}\n' in metrics.read_text()


def test_a_freshly_paired_v7_folder_is_healthy_and_the_bloated_one_in_danger(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    lay("fresh-v7", tmp_path / "fresh", now)
    lay("bloated-v6", tmp_path / "bloated", now)
    (fresh,) = watch(tmp_path / "fresh")["companies"]
    assert (fresh["level"], fresh["severity"]) == ("healthy", "notice")
    assert fresh["files"] == 896
    assert fresh["files"] - fresh["guarded_pre_keys"] == fresh["counted_files"] < 150
    (bloated,) = watch(tmp_path / "bloated")["companies"]
    assert (bloated["level"], codes(bloated)["file-count"]) == ("danger", "emergency")


def test_no_message_says_that_a_high_count_leads_to_a_logout(tmp_path: Path) -> None:
    full_folder(tmp_path, "1", 400)
    said = run_cli("monitor-once", "--sessions", tmp_path).stdout.lower()
    assert "400 counted files, level danger (limit 185)" in said
    assert "baileys-tools cleanup --company 1" in said
    for key in (tmp_path / "company_1").glob("session-*"):
        os.utime(key)
    (tmp_path / "company_1" / "session-1.0.json").write_text("{}")
    said += run_cli(
        "monitor-once", "--sessions", tmp_path, env={"BAILEYS_TOOLS_STATE_DIR": str(tmp_path / "s")}
    ).stdout
    assert "no cleanup can lower the level" in said
    for word in ("logout", "log out", "logged out", "ban", "disconnect", "device_removed"):
        assert word not in said


# --- what stands still --------------------------------------------------------------------------------------


def test_a_folder_that_stands_still_is_not_listed_again_and_one_that_moves_is(tmp_path: Path) -> None:
    still, moving, rewritten, swapped = (full_folder(tmp_path, name, 20) for name in "1234")
    first = watch(tmp_path)
    assert [company["listed"] for company in first["companies"]] == [True] * 4
    write_key(moving, "session-99.0.json")
    write_key(rewritten, "creds.json", content=(rewritten / "creds.json").read_bytes() + b" ")
    shutil.copytree(swapped, tmp_path / "copy", copy_function=shutil.copy2)
    swapped.rename(tmp_path / "old")
    (tmp_path / "copy").rename(swapped)
    settle(swapped)
    second = watch(tmp_path)
    assert [company["listed"] for company in second["companies"]] == [False, True, True, True]
    assert [company["counted_files"] for company in second["companies"]] == [20, 21, 20, 20]
    # What was seen is the same whether it was listed or remembered.
    assert {**first["companies"][0], "listed": False} == second["companies"][0]
    third = watch(tmp_path)
    assert [company["listed"] for company in third["companies"]] == [False, True, True, False], (
        "what has changed within the last moments is listed once more"
    )
    settle(moving, rewritten)
    watch(tmp_path)
    assert not any(company["listed"] for company in watch(tmp_path)["companies"])
    assert still.exists()


def test_creds_that_the_bot_may_no_longer_read_are_an_emergency_and_over_within_one_pass(
    tmp_path: Path,
) -> None:
    # Root without its right to read everything is a user like any other.
    as_user = []
    if os.geteuid() == 0:
        as_user = [require_tool("setpriv"), "--bounding-set=-dac_override,-dac_read_search"]
    folder = full_folder(tmp_path, "1", 20)

    def found() -> dict[str, str]:
        run = subprocess.run(
            [*as_user, COMMAND, "monitor-once", "--json", "--sessions", tmp_path],
            env=scrubbed_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        return codes(json.loads(run.stdout)["companies"][0])

    assert [found(), found()] == [{}, {}]
    (folder / "creds.json").chmod(0)
    assert found() == {"creds-unreadable": "emergency"}
    (folder / "creds.json").chmod(0o600)
    assert found() == {}


def test_a_login_in_two_folders_is_critical_in_both_until_one_is_gone(tmp_path: Path) -> None:
    root = tmp_path / "sessions"
    full_folder(root, "1", 20)
    full_folder(root, "3", 20)
    assert watch(root)["worst"] == "notice"
    subprocess.run(["cp", "-a", root / "company_1", root / "company_2"], check=True)
    for _ in range(2):
        first, second, third = watch(root)["companies"]
        assert codes(first) == codes(second) == {"account-twice": "critical"}
        assert codes(third) == {}
    (found,) = [one for one in second["findings"] if one["code"] == "account-twice"]
    assert "company 1 has the same login" in found["message"]
    assert codes(watch(root, "--company", "1")["companies"][0]) == {"account-twice": "critical"}
    for command in ("status", "inspect"):
        shown = run_cli(command, "--company", "1", "--sessions", root).stdout
        assert "account-twice" in shown, command
        assert "919585510685" not in shown, command
    (root / "company_2").rename(tmp_path / "copy")
    assert codes(watch(root)["companies"][0]) == {}


def test_creds_that_a_restore_by_hand_has_left_to_root_are_critical_within_one_pass(tmp_path: Path) -> None:
    require_root()
    folder = full_folder(tmp_path, "1", 20)
    for path in (folder, *folder.iterdir()):
        os.chown(path, 1234, 1234)
    assert codes(watch(tmp_path)["companies"][0]) == {}
    os.chown(folder / "creds.json", 0, 0)
    found = watch(tmp_path)["companies"][0]
    assert codes(found) == {"foreign-owner": "critical"}
    inspected = json.loads(run_cli("inspect", "--json", "--sessions", tmp_path, "--company", "1").stdout)[
        "findings"
    ]
    (deep,) = [one for one in inspected if one["code"] == "foreign-owner"]
    (cheap,) = [one for one in found["findings"] if one["code"] == "foreign-owner"]
    assert deep["message"] == cheap["message"]
    os.chown(folder / "creds.json", 1234, 1234)
    assert codes(watch(tmp_path)["companies"][0]) == {}
    # A container whose bot runs as root in a folder that the host's user made.
    for path in folder.iterdir():
        os.chown(path, 0, 0)
    assert codes(watch(tmp_path)["companies"][0]) == {}


def test_another_spelling_of_the_path_forgets_nothing(tmp_path: Path) -> None:
    root = tmp_path / "sessions"
    full_folder(root, "1", 20)
    gone = full_folder(root, "2", 20)
    (tmp_path / "link").symlink_to(root)
    watch(root)
    for spelling in (tmp_path / "link", root, root / ".." / "sessions"):
        assert not watch(spelling)["companies"][0]["listed"], spelling
    shutil.rmtree(gone)
    assert codes(watch(tmp_path / "link")["companies"][1]) == {"folder-gone": "critical"}
    assert codes(watch(root)["companies"][1]) == {"folder-gone": "critical"}


def test_other_rules_are_applied_at_once_to_folders_that_stand_still(tmp_path: Path) -> None:
    full_folder(tmp_path, "1", 100)
    assert watch(tmp_path)["worst"] == "notice"
    limits = {
        f"BAILEYS_TOOLS_THRESHOLDS__{name}": str(50 + n)
        for n, name in enumerate(("WARNING", "CRITICAL", "TRIGGER", "EMERGENCY", "DANGER"))
    }
    assert watch(tmp_path, env=limits)["companies"][0]["level"] == "danger"
    assert watch(tmp_path)["worst"] == "notice"


def test_an_unchanged_minute_leaves_the_database_alone(tmp_path: Path) -> None:
    full_folder(tmp_path, "1", 160)
    for _ in range(2):
        watch(tmp_path)

    def everything() -> dict[str, list[Any]]:
        connection = sqlite3.connect(f"{os.environ['BAILEYS_TOOLS_STATE_DIR']}/state.sqlite3")
        tables = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        return {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables}

    place = Path(os.environ["BAILEYS_TOOLS_STATE_DIR"])
    before, file = everything(), (place / "state.sqlite3").read_bytes()
    waiting = len(os.listdir(place / "runs"))
    watch(tmp_path)
    assert (everything(), (place / "state.sqlite3").read_bytes()) == (before, file)
    assert len(os.listdir(place / "runs")) == waiting + 1
    for _ in range(ENOUGH_OF_ONE):
        watch(tmp_path)
    assert len(everything()["runs"]) >= ENOUGH_OF_ONE


# --- trouble ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("harm", "code"),
    [
        (lambda creds: creds.write_bytes(b""), "creds-empty"),
        (lambda creds: creds.write_bytes(b'{"me":{"id":"4'), "creds-unreadable"),
        (lambda creds: creds.unlink(), "creds-missing"),
        (lambda creds: creds.write_bytes(b'{"registered":false}'), "creds-unpaired"),
    ],
)
def test_creds_that_are_lost_are_an_emergency_within_one_pass(tmp_path: Path, harm: Any, code: str) -> None:
    folder = full_folder(tmp_path, "1", 20)
    assert watch(tmp_path)["worst"] == "notice"
    harm(folder / "creds.json")
    run = run_cli("monitor-once", "-q", "--sessions", tmp_path)
    assert run.returncode == 5
    assert run.stdout.startswith("company 1: emergency: creds.json ")
    (company,) = watch(tmp_path)["companies"]
    assert codes(company) == {code: "emergency"}


def test_a_single_folder_that_loses_its_creds_is_an_emergency_though_nobody_looked_before(
    tmp_path: Path,
) -> None:
    folder = company_folder(tmp_path / "session", None, {"pre-key-30.json": LONG_AGO})
    (folder / "creds.json").unlink()
    (company,) = watch(folder)["companies"]
    assert (company["company"], codes(company)) == ("session", {"creds-missing": "emergency"})
    assert watch(folder, env={"ENABLE_MULTITENANCY": "true"})["companies"] == []


def test_a_key_file_beside_company_folders_is_no_company(tmp_path: Path) -> None:
    full_folder(tmp_path, "1", 20)
    write_key(tmp_path, "pre-key-30.json", LONG_AGO)
    assert [one["company"] for one in watch(tmp_path)["companies"]] == ["1"]


def test_a_folder_that_vanishes_is_spoken_of_and_one_of_many_does_not_hide_the_others(tmp_path: Path) -> None:
    full_folder(tmp_path, "1", 20)
    gone = full_folder(tmp_path, "2", 20)
    watch(tmp_path)
    shutil.rmtree(gone)
    result = watch(tmp_path)
    assert [(one["company"], codes(one)) for one in result["companies"]] == [
        ("1", {}),
        ("2", {"folder-gone": "critical"}),
    ]
    assert codes(watch(tmp_path, "--company", "2")["companies"][0]) == {"folder-gone": "critical"}
    shutil.rmtree(tmp_path / "company_1")
    (host,) = [one for one in watch(tmp_path)["host"] if one["severity"] != "notice"]
    assert (host["code"], host["severity"]) == ("no-companies", "emergency")


def test_of_a_folder_that_is_gone_nothing_is_counted_and_no_session_is_called_valid(tmp_path: Path) -> None:
    root, metrics = tmp_path / "sessions", tmp_path / "bots.prom"
    full_folder(root, "1", 20)
    gone = full_folder(root, "2", 160)
    watch(root)
    gone.rename(tmp_path / "aside")
    company = watch(root, "--textfile", str(metrics))["companies"][1]
    assert (company["company"], company["creds"], company["files"]) == ("2", "missing", 0)
    assert company["by_kind"] == {}
    assert 'baileys_tools_creds_valid{company="2"} 0\n' in metrics.read_text()
    assert 'baileys_tools_counted_files{company="2"} 0\n' in metrics.read_text()
    (tmp_path / "aside").rename(gone)
    assert codes(watch(root)["companies"][1]) == {"file-count": "warning"}


def test_a_folder_that_lost_its_session_and_then_vanishes_is_spoken_of(tmp_path: Path) -> None:
    full_folder(tmp_path, "1", 20)
    gone = full_folder(tmp_path, "2", 20)
    watch(tmp_path)
    for path in gone.iterdir():
        path.unlink()
    assert codes(watch(tmp_path)["companies"][1]) == {"creds-missing": "emergency"}
    gone.rmdir()
    assert codes(watch(tmp_path)["companies"][1]) == {"folder-gone": "critical"}


def test_a_company_whose_name_is_no_text_is_watched_and_hides_nobody(tmp_path: Path) -> None:
    strange = full_folder(tmp_path, os.fsdecode(b"b\xffd"), 160)
    full_folder(tmp_path, "1", 160)
    with answering(lambda request: Reply({})) as server:
        env = {"NOTIFICATION_WEBHOOK": f"{server.url}/hook"}
        for _ in range(2):
            companies = watch(tmp_path, env=env)["companies"]
            assert [one["counted_files"] for one in companies] == [160, 160]
        (strange / "creds.json").write_bytes(b"")
        watch(tmp_path, env=env)
    first, second = (request.json["text"] for request in server.requests)
    assert r"company b\xffd: 160 counted files" in first
    assert r"company b\xffd: creds.json is empty" in second
    assert "company 1" not in second
    assert run_cli("trigger", "--sessions", tmp_path).returncode == 0
    assert r"b\xffd" in run_cli("status", "--sessions", tmp_path).stdout


def test_a_volume_that_is_not_mounted_is_an_emergency_at_every_pass(tmp_path: Path) -> None:
    root = tmp_path / "volume"
    full_folder(root, "1", 20)
    watch(root)
    shutil.rmtree(root)
    for _ in range(2):
        result = watch(root)
        assert result["exit_code"] == 5
        assert [(one["code"], one["severity"]) for one in result["host"]] == [("no-companies", "emergency")]
    root.mkdir()
    assert watch(root)["worst"] == "emergency"
    full_folder(root, "1", 20)
    assert watch(root)["worst"] == "notice"
    never = run_cli("monitor-once", "--sessions", tmp_path / "never-there")
    assert never.returncode == 2
    unknown = run_cli("monitor-once", "--sessions", root, "--company", "77")
    assert unknown.returncode == 10


def test_a_folder_that_cannot_be_read_is_critical_and_the_others_are_looked_at(tmp_path: Path) -> None:
    full_folder(tmp_path, "1", 20)
    (tmp_path / "company_2").symlink_to(tmp_path / "company_1")
    (tmp_path / "company_3").write_text("")
    result = watch(tmp_path)
    assert [codes(one) for one in result["companies"]] == [
        {},
        {"folder-unreadable": "critical"},
        {"folder-unreadable": "critical"},
    ]


def test_a_backup_that_is_missing_is_said_and_one_that_ran_ends_it(tmp_path: Path) -> None:
    root = tmp_path / "sessions"
    folder = full_folder(root, "1", 20)
    env = {"BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "backups")}
    (tmp_path / "backups").mkdir()
    assert codes(watch(root, env=env)["companies"][0]) == {"snapshot-missing": "warning"}
    run_cli("backup", "-q", "--sessions", root, env=env)
    (company,) = watch(root, env=env)["companies"]
    assert codes(company) == {}
    assert company["last_snapshot"] is not None
    # A snapshot of two days ago is old once the folder has changed, unless a backup found it unchanged since.
    (snapshot,) = (tmp_path / "backups" / "company_1").glob("*.tar.zst")
    number, _, rest = snapshot.name.split("-", 2)
    two_days_ago = datetime.now(UTC) - timedelta(days=2)
    snapshot.rename(snapshot.with_name(f"{number}-{two_days_ago:%Y%m%dT%H%M%SZ}-{rest}"))
    assert codes(watch(root, env=env)["companies"][0]) == {}
    shutil.rmtree(os.environ["BAILEYS_TOOLS_STATE_DIR"])
    write_key(folder, "session-1.0.json")
    assert codes(watch(root, env=env)["companies"][0]) == {"snapshot-old": "warning"}
    shutil.rmtree(tmp_path / "backups")
    result = watch(root, env=env)
    assert [one["code"] for one in result["host"] if one["severity"] != "notice"] == ["backup-unreadable"]


def test_a_bot_that_writes_nothing_is_about_to_lose_its_session(tmp_path: Path) -> None:
    folder = full_folder(tmp_path, "1", 20)
    then = (datetime.now(UTC) - timedelta(days=26)).timestamp()
    for path in folder.iterdir():
        os.utime(path, (then, then))
    (company,) = watch(tmp_path)["companies"]
    assert codes(company) == {"no-activity": "critical"}
    write_key(folder, "creds.json", content=(folder / "creds.json").read_bytes())
    assert codes(watch(tmp_path)["companies"][0]) == {}


# --- the mail of cron ---------------------------------------------------------------------------------------


def test_cron_mails_nothing_on_a_healthy_day_and_each_thing_once_on_another(tmp_path: Path) -> None:
    folder = full_folder(tmp_path, "1", 100)
    full_folder(tmp_path, "2", 100)

    def mail(*arguments: str) -> str:
        run = run_cli("monitor-once", "-q", "--sessions", tmp_path, *arguments)
        return run.stdout + run.stderr

    assert [mail() for _ in range(3)] == ["", "", ""]
    for n in range(55):
        write_key(folder, f"session-{n}.0.json")
    assert mail().startswith("company 1: warning: 155 counted files, level warning (limit 150)")
    assert mail("--company", "2") == ""
    assert [mail(), mail()] == ["", ""]
    for n in range(55, 75):
        write_key(folder, f"session-{n}.0.json")
    assert "175 counted files, level trigger (limit 175)" in mail()
    assert mail() == ""


def test_without_a_memory_cron_mails_what_is_so_once_in_its_window_and_what_is_worse_at_once(
    tmp_path: Path,
) -> None:
    folder = full_folder(tmp_path, "1", 160)

    def mail() -> str:
        return run_cli("monitor-once", "-q", "--sessions", tmp_path).stdout

    assert "160 counted files" in mail()
    connection = sqlite3.connect(Path(os.environ["BAILEYS_TOOLS_STATE_DIR"]) / "state.sqlite3")
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    assert "160 counted files" in mail()
    assert [mail(), mail()] == ["", ""]
    (folder / "creds.json").write_bytes(b"")
    assert "creds.json is empty" in mail()
    assert mail() == ""
    mark = Path(os.environ["BAILEYS_TOOLS_STATE_DIR"]) / "printed.told"
    quarter = timedelta(minutes=15, seconds=1).total_seconds()
    os.utime(mark, (mark.stat().st_atime, mark.stat().st_mtime - quarter))
    assert "creds.json is empty" in mail()


# --- Nagios and Prometheus ----------------------------------------------------------------------------------


def test_nagios_has_one_line_with_perfdata_and_unknown_for_what_could_not_be_looked_at(
    tmp_path: Path,
) -> None:
    full_folder(tmp_path, "1", 20)
    full_folder(tmp_path, "shop a|b", 151)
    run = run_cli("monitor-once", "--nagios", "--sessions", tmp_path)
    assert run.returncode == 1
    assert run.stdout.count("\n") == 1
    said, perfdata = run.stdout.split(" | ")
    assert said.startswith("WARNING - company shop a/b: 151 counted files, level warning (limit 150)")
    assert perfdata.split(" ")[:3] == ["companies=2;;;0", "max_counted_files=151;149;169;0", "warning=1;;;0"]
    assert "counted_files_1=20;149;169;0" in perfdata
    assert "'counted_files_shop a/b'=151;149;169;0" in perfdata
    nowhere = run_cli("monitor-once", "--nagios", "--sessions", tmp_path / "nowhere")
    assert (nowhere.returncode, nowhere.stdout.split(" - ")[0]) == (3, "UNKNOWN")
    broken = run_cli("monitor-once", "--nagios", "--sessions", tmp_path, env={"BAILEYS_TOOLS_NONSENSE": "1"})
    assert (broken.returncode, broken.stdout.split(" - ")[0]) == (3, "UNKNOWN")


@pytest.mark.parametrize(
    "mistake", [["--jsno"], ["--json"], ["--company"], ["--config", "/nowhere.yaml"], ["1001"]], ids=" ".join
)
def test_a_mistake_on_the_command_line_is_unknown_to_nagios(tmp_path: Path, mistake: list[str]) -> None:
    full_folder(tmp_path, "1", 20)
    run = run_cli("monitor-once", "--sessions", tmp_path, "--nagios", *mistake)
    assert (run.returncode, run.stdout[:10]) == (3, "UNKNOWN - ")
    assert len(run.stdout.splitlines()) == 1
    assert run_cli("monitor-once", "--sessions", tmp_path, "--jsno").returncode == 2


def test_an_internal_error_is_unknown_to_nagios_and_no_warning(tmp_path: Path) -> None:
    crash = (
        "import baileys_tools.watching.monitor as monitor; from baileys_tools.cli import main\n"
        "monitor.look_once = None\nmain()"
    )
    full_folder(tmp_path, "1", 20)
    run = subprocess.run(
        [sys.executable, "-c", crash, "monitor-once", "--nagios", "--sessions", tmp_path],
        env=scrubbed_environment({"TMPDIR": str(tmp_path)}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout) == (
        3,
        "UNKNOWN - internal error: TypeError; standard error says more\n",
    )
    assert "This is a bug" in run.stderr


def test_the_metrics_pass_promtool_and_can_be_read_by_everybody(tmp_path: Path) -> None:
    promtool = require_tool("promtool")
    root = tmp_path / "sessions"
    full_folder(root, "1", 160)
    full_folder(root, 'x"y\\z', 20)
    (root / "company_broken").write_text("")
    metrics = tmp_path / "bots.prom"
    before = os.umask(0o077)
    try:
        run = run_cli("monitor-once", "-q", "--sessions", root, "--textfile", metrics)
    finally:
        os.umask(before)
    assert run.returncode == 5
    assert metrics.stat().st_mode & 0o777 == 0o644
    assert {path.name for path in tmp_path.iterdir()} == {"sessions", "bots.prom"}
    text = metrics.read_text()
    checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    assert 'baileys_tools_counted_files{company="x\\"y\\\\z"} 20\n' in text
    assert 'baileys_tools_creds_valid{company="1"} 1\n' in text
    for line in text.splitlines():
        if not line.startswith("#"):
            assert line.split("{")[0].split(" ")[0].startswith("baileys_tools_")
    bad = subprocess.run(
        [promtool, "check", "metrics"], input="bad-name 1\n", capture_output=True, text=True, check=False
    )
    assert bad.returncode != 0


def test_cron_mails_once_an_hour_that_the_metrics_cannot_be_written(tmp_path: Path) -> None:
    full_folder(tmp_path / "sessions", "1", 20)
    words = (
        "monitor-once",
        "-q",
        "--sessions",
        tmp_path / "sessions",
        "--textfile",
        tmp_path / "no/bots.prom",
    )
    said = [run_cli(*words).stderr for _ in range(3)]
    assert "the metrics file" in said[0]
    assert said[1:] == ["", ""]
    other = run_cli(*words[:-1], tmp_path / "nor-here/bots.prom").stderr
    assert "nor-here" in other, "what is new is said at once"
    assert "the metrics file" in run_cli("monitor-once", *words[2:]).stderr, "who looks is told"


def test_a_metrics_file_that_cannot_be_written_is_said_and_the_rest_goes_on(tmp_path: Path) -> None:
    full_folder(tmp_path, "1", 20)
    run = run_cli("monitor-once", "-q", "--sessions", tmp_path, "--textfile", tmp_path / "no" / "x.prom")
    assert run.returncode == 0
    assert "cannot be written" in run.stderr


# --- the state ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["missing", "damaged", "newer", "in-the-way", "read-only"])
def test_without_a_usable_state_it_still_answers_and_says_so(tmp_path: Path, fault: str) -> None:
    root = tmp_path / "sessions"
    full_folder(root, "1", 160)
    place = Path(os.environ["BAILEYS_TOOLS_STATE_DIR"])
    watch(root)
    file = place / "state.sqlite3"
    if fault == "missing":
        shutil.rmtree(place)
    elif fault == "damaged":
        file.write_bytes(b"x" * 5000)
    elif fault == "newer":
        connection = sqlite3.connect(file)
        connection.execute("PRAGMA user_version = 999")
        connection.close()
    elif fault == "in-the-way":
        shutil.rmtree(place)
        place.write_text("")
    else:
        require_root()
        chattr = require_tool("chattr")
        if subprocess.run([chattr, "+i", file, place], capture_output=True, check=False).returncode:
            pytest.skip("needs chattr +i")
    try:
        result = watch(root)
    finally:
        if fault == "read-only":
            subprocess.run(["chattr", "-i", file, place], check=True)
    assert result["companies"][0]["level"] == "warning"
    said = {one["code"]: one for one in result["host"]}
    if fault == "missing":
        assert said["state-new"]["severity"] == "notice"
        assert "state-new" not in {one["code"] for one in watch(root)["host"]}
    else:
        assert said["state-unreadable"]["severity"] == "warning"
    if fault in ("damaged", "missing"):
        assert "state-unreadable" not in {one["code"] for one in watch(root)["host"]}


def test_each_pass_is_recorded_and_history_has_what_moved(tmp_path: Path) -> None:
    folder = full_folder(tmp_path, "1", 100)
    for _ in range(3):
        watch(tmp_path)
    for n in range(60):
        write_key(folder, f"session-{n}.0.json")
    time.sleep(1.1)  # one look a second is remembered, and cron comes once a minute
    watch(tmp_path)
    now = datetime.now(UTC)
    with open_state(os.environ["BAILEYS_TOOLS_STATE_DIR"], now) as state:
        take_in(state)
        run = runs_since(state, now - timedelta(hours=1), "monitor-once")[-1]
        assert (run.exit_code, run.counts["companies"]) == (4, 1)
        seen = history(about(state, tmp_path, "1"), "1", now - timedelta(hours=1))
    assert [(one.counted, one.level) for one in seen] == [(100, "healthy"), (160, "warning")]
    assert seen[0].size is not None
    assert seen[0].last_activity is not None


# --- automatic cleanup --------------------------------------------------------------------------------------


def test_auto_cleanup_cleans_at_emergency_level_and_not_again_within_half_an_hour(tmp_path: Path) -> None:
    folder = full_folder(tmp_path, "1", 185)
    full_folder(tmp_path, "2", 179)
    for n in range(60, 182):
        os.utime(folder / f"session-{4_917_000_000_000 + n}.0.json")
    assert watch(tmp_path)["cleaned"] == []
    result = watch(tmp_path, env={"AUTO_CLEANUP": "true"})
    assert result["cleaned"] == ["company 1: automatic cleanup: 60 files removed, 125 counted files remain"]
    assert [company["counted_files"] for company in result["companies"]] == [125, 179]
    status = json.loads(run_cli("status", "--json", "--sessions", tmp_path).stdout)
    assert {one["company"]: one["last_cleanup_removed"] for one in status["companies"]} == {
        "1": 60,
        "2": None,
    }
    for n in range(60):
        write_key(folder, f"session-{n}.0.json", timedelta(days=20))
    result = watch(tmp_path, env={"AUTO_CLEANUP": "true"})
    assert result["cleaned"] == []
    assert result["companies"][0]["level"] == "emergency"


def test_of_an_automatic_cleanup_only_its_end_is_told(tmp_path: Path) -> None:
    full_folder(tmp_path, "1", 185)
    with answering(lambda request: Reply({})) as server:
        watch(tmp_path, env={"AUTO_CLEANUP": "true", "NOTIFICATION_WEBHOOK": f"{server.url}/hook"})
        (request,) = server.requests
    told = [one["code"] for one in request.json["alerts"]]
    assert "trigger-cleaned" in told
    assert "trigger-begins" not in told
    assert "begins" not in request.json["text"]


# --- telling others -----------------------------------------------------------------------------------------


def test_what_begins_and_what_is_over_is_told_once_and_an_unchanged_minute_tells_nothing(
    tmp_path: Path,
) -> None:
    folder = full_folder(tmp_path, "1", 20)
    whole = (folder / "creds.json").read_bytes()
    with answering(lambda request: Reply({})) as server:
        env = {"NOTIFICATION_WEBHOOK": f"{server.url}/hook"}
        told: list[int] = []

        def minute(*arguments: str) -> None:
            watch(tmp_path, *arguments, env=env)
            told.append(len(server.requests))

        minute()
        (folder / "creds.json").write_bytes(b"")
        minute("--no-notify")
        minute()
        minute()
        (folder / "creds.json").write_bytes(whole)
        minute()
        minute()
    assert told == [0, 0, 1, 1, 2, 2]
    began, ended = (request.json for request in server.requests)
    assert began["level"] == "emergency"
    assert "creds.json is empty" in began["text"]
    assert "creds" in ended["text"]


def test_what_the_files_themselves_have_is_over_when_they_have_it_no_more(tmp_path: Path) -> None:
    folder = full_folder(tmp_path, "1", 30)
    strangers = [folder / f"message-secret-{n}.json" for n in range(12)]
    empty = folder / "session-1.0.json"
    with answering(lambda request: Reply({})) as server:
        env = {"NOTIFICATION_WEBHOOK": f"{server.url}/hook"}
        for one in (*strangers, empty):
            one.touch()
            os.utime(one, (0, 0))  # an empty one of this moment may be being written
        watch(tmp_path, env=env)
        for one in (*strangers, empty):
            one.unlink()
        watch(tmp_path, env=env)
        told = [{(one["code"], one["why"]) for one in request.json["alerts"]} for request in server.requests]
    found = ("unknown-files", "key-files-empty")
    assert told == [{(code, "appeared") for code in found}, {(code, "over") for code in found}]


def test_a_folder_that_is_not_looked_at_is_not_over(tmp_path: Path) -> None:
    full_folder(tmp_path, "1", 160)
    full_folder(tmp_path, "2", 20)
    with answering(lambda request: Reply({})) as server:
        env = {"NOTIFICATION_WEBHOOK": f"{server.url}/hook"}
        watch(tmp_path, env=env)
        watch(tmp_path, "--company", "2", env=env)
        (tmp_path / "company_1").rename(tmp_path / "aside")
        (tmp_path / "company_1").write_text("")
        watch(tmp_path, env=env)
        texts = [request.json["text"] for request in server.requests]
    assert len(texts) == 2
    assert "160 counted files" in texts[0]
    assert "cannot be read" in texts[1]
    assert "160" not in texts[1], "how many files there are is not known, so the level is not over"


def test_a_company_that_is_spoken_of_no_more_is_not_over_before_it_is_back(tmp_path: Path) -> None:
    root = tmp_path / "sessions"
    full_folder(root, "1", 20)
    gone = full_folder(root, "2", 160)
    with answering(lambda request: Reply({})) as server:
        env = {"NOTIFICATION_WEBHOOK": f"{server.url}/hook"}

        def after(clock: str) -> list[str]:
            before = len(server.requests)
            at_clock(clock, COMMAND, "monitor-once", "-q", "--sessions", root, env=env)
            return [request.json["text"] for request in server.requests[before:]]

        assert "160 counted files" in after("+0m")[0]
        gone.rename(tmp_path / "aside")
        assert "is gone, and with it a linked session" in after("+1m")[0]
        assert after("+1500m") == []
        assert after("+1501m") == []
        for n in range(20):
            (tmp_path / "aside" / f"session-{4_917_000_000_000 + n}.0.json").unlink()
        (tmp_path / "aside").rename(gone)
        (text,) = after("+1502m")
    assert text.startswith("OVER: 2 findings")
    assert "is gone" in text


def test_a_bot_that_is_not_connected_is_critical_and_one_that_does_not_answer_is_not(tmp_path: Path) -> None:
    full_folder(tmp_path, "1", 20)
    settings = tmp_path / "settings.yaml"
    with answering(lambda request: Reply({"up": False})) as server:
        settings.write_text(
            f"bot_api:\n  url: {server.url}\n  status: {{request: GET /status, disconnected: '!up', connected: up}}\n"
        )
        (company,) = watch(tmp_path, "--config", str(settings))["companies"]
    assert (company["connection"], codes(company)) == ("disconnected", {"connection-lost": "critical"})
    (company,) = watch(tmp_path, "--config", str(settings))["companies"]
    assert (company["connection"], codes(company)) == ("unknown", {})


def test_a_bot_that_was_never_linked_has_no_connection_to_lose(tmp_path: Path) -> None:
    folder = tmp_path / "company_1"
    folder.mkdir()
    settings = tmp_path.parent / f"{tmp_path.name}.yaml"
    with answering(lambda request: Reply({"up": False})) as server:
        settings.write_text(
            f"bot_api:\n  url: {server.url}\n  status: {{request: GET /status, disconnected: '!up', connected: up}}\n"
        )
        (company,) = watch(tmp_path, "--config", str(settings))["companies"]
        assert company["connection"] == "disconnected"
        assert "connection-lost" not in codes(company)
        full_folder(tmp_path, "1", 20)
        (company,) = watch(tmp_path, "--config", str(settings))["companies"]
        assert codes(company)["connection-lost"] == "critical"
        (folder / "creds.json").unlink()
        (company,) = watch(tmp_path, "--config", str(settings))["companies"]
        assert codes(company)["connection-lost"] == "critical", "this one was linked"


# --- clocks and crowds --------------------------------------------------------------------------------------


def test_a_clock_that_is_wrong_is_said_and_nothing_is_forgotten_for_it(tmp_path: Path) -> None:
    full_folder(tmp_path, "1", 20)
    first = watch(tmp_path)
    for clock in ("+10y", "-20y"):
        run = at_clock(clock, COMMAND, "monitor-once", "--json", "--sessions", tmp_path)
        assert run.stdout, (run.returncode, run.stderr)
        (company,) = json.loads(run.stdout)["companies"]
        assert "clock-implausible" in codes(company), clock
    last = watch(tmp_path)
    assert codes(last["companies"][0]) == {}
    assert last["companies"][0]["files"] == first["companies"][0]["files"]
    with open_state(os.environ["BAILEYS_TOOLS_STATE_DIR"], datetime.now(UTC)) as state:
        about(state, tmp_path, "1")
        assert history(state, "1", datetime.now(UTC) - timedelta(days=1))[0].counted == 20


def test_passes_that_overlap_all_answer_and_tell_once(tmp_path: Path) -> None:
    root = tmp_path / "sessions"
    for n in range(4):
        full_folder(root, str(n), 160)
    with answering(lambda request: Reply({})) as server:
        env = scrubbed_environment({"NOTIFICATION_WEBHOOK": f"{server.url}/hook"})
        children = [
            subprocess.Popen(
                [COMMAND, "monitor-once", "--json", "--sessions", root],
                env=env,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(6)
        ]
        done = [(child, *child.communicate(timeout=60)) for child in children]
        assert [(child.returncode, talk) for child, _, talk in done] == [(4, "")] * 6
        for _, text, _ in done:
            result = json.loads(text)
            assert [one["counted_files"] for one in result["companies"]] == [160] * 4
            assert "state-unreadable" not in {one["code"] for one in result["host"]}
        assert len(server.requests) == 1
    with open_state(env["BAILEYS_TOOLS_STATE_DIR"], datetime.now(UTC)) as state:
        take_in(state)
        assert len(runs_since(state, datetime(2000, 1, 1, tzinfo=UTC), "monitor-once")) == 6


# --- one at a time ------------------------------------------------------------------------------------------


def test_slow_passes_do_not_pile_up(tmp_path: Path) -> None:
    company_folder(tmp_path / "sessions", "1001")
    company_folder(tmp_path / "sessions", "1002")
    may_answer = threading.Event()

    def slowly(_: Request) -> Reply:
        may_answer.wait(60)
        return Reply({"connected": True})

    with answering(slowly) as server:
        env = {
            "BAILEYS_SESSIONS_PATH": str(tmp_path / "sessions"),
            "BAILEYS_TOOLS_BOT_API__PRESET": "ai-admin",
            "BAILEYS_TOOLS_BOT_API__TIMEOUT": "30s",
        }
        slow_env = env | {"API_URL": server.url}
        slow = subprocess.Popen([COMMAND, "monitor-once", "-q"], env=scrubbed_environment(slow_env))
        try:
            while not server.requests:
                assert slow.poll() is None
                time.sleep(0.02)
            # It waits ten seconds for its turn, and a slow pass comes to an end by itself, too.
            by_hand = subprocess.Popen(
                [COMMAND, "monitor-once"], env=scrubbed_environment(env), stderr=subprocess.PIPE, text=True
            )
            quiet = run_cli("monitor-once", "-q", env=env)
            assert (quiet.returncode, quiet.stdout, quiet.stderr) == (75, "", "")
            # Cron may have a line for each company: those are other passes.
            assert run_cli("monitor-once", "-q", "--company", "1002", env=env).returncode != 75
            nagios = run_cli("monitor-once", "--nagios", env=env)
            assert (nagios.returncode, "another monitor-once is at work" in nagios.stdout) == (3, True)
            _, said = by_hand.communicate(timeout=60)
            assert by_hand.returncode == 75
            assert "another monitor-once is at work on these sessions" in said
        finally:
            may_answer.set()
            slow.wait(60)
    assert run_cli("monitor-once", "-q", env=env).returncode != 75
