"""`trigger` on real folders with a real state: once, again after its cooldown, never twice, never stuck."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from baileys_tools.cleanup.rules.trigger import TriggerReason
from baileys_tools.cleanup.rules.trigger_report import TriggerEnding, TriggerReport
from baileys_tools.cleanup.triggering import Told, run_emergency, run_trigger
from baileys_tools.config import Cleanup, Sessions, Settings, StateSettings, Trigger
from baileys_tools.errors import ExitCode
from baileys_tools.state.database import open_state
from tests.integration.faults.forked import at_once, run_cli
from tests.integration.faults.injection import before_first_removal, paused_after, traced
from tests.servers import Reply, answering
from tests.support import COMMAND, company_folder

NOW = datetime.now(UTC).replace(microsecond=0)
OLD = timedelta(days=20)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
YESTERDAY = timedelta(hours=20)
"""When the young files were written: a bot that was off for weeks and has just come back keeps all."""


def keys(old: int, young: int, first: int = 0) -> dict[str, timedelta]:
    """Names of sessions: so many that the policy removes, so many that it keeps."""
    names = {f"session-49170{first + number}.0.json": OLD for number in range(old)}
    return names | {f"session-49180{first + number}.0.json": YESTERDAY for number in range(young)}


def folder_of(counted: int, root: Path, company: str = "1001", young: int = 50) -> Path:
    """A folder with that many counted files; a cleanup leaves `young` of them and creds.json."""
    return company_folder(root / "sessions", company, keys(counted - young - 1, young))


def settings_for(place: Path, **cleanup: Any) -> Settings:
    return Settings(
        sessions=Sessions(path=str(place / "sessions")),
        cleanup=Cleanup(**cleanup),
        state=StateSettings(dir=str(place / "state")),
    )


def trigger(place: Path, now: datetime = NOW, **more: Any) -> TriggerReport:
    settings = more.pop("settings", None) or settings_for(place)
    with open_state(settings.state.dir, now) as state:
        return run_trigger(settings, str(place / "sessions"), state, now, **more)


def endings(report: TriggerReport) -> list[TriggerEnding]:
    return [company.ending for company in report.companies]


def refill(folder: Path, number: int, first: int) -> None:
    for name in keys(number, 0, first):
        path = folder / name
        path.write_text("{}")
        os.utime(path, (time.time() - OLD.total_seconds(),) * 2)


def count(folder: Path) -> int:
    return len(list(folder.glob("*.json")))


# --- cooldowns ----------------------------------------------------------------------------------------------


def test_twice_in_a_row_cleans_once_and_six_hours_later_again(tmp_path: Path) -> None:
    folder = folder_of(180, tmp_path)
    first = trigger(tmp_path)
    assert endings(first) == [TriggerEnding.CLEANED]
    assert (first.companies[0].removed, first.companies[0].remaining) == (129, 51)
    refill(folder, 130, 1_000)
    for later in (timedelta(), MINUTE, 3 * HOUR, 6 * HOUR - MINUTE):
        waits = trigger(tmp_path, NOW + later)
        assert endings(waits) == [TriggerEnding.WAITS]
        assert waits.companies[0].decision is not None
        assert waits.companies[0].decision.last == NOW
        assert waits.companies[0].decision.again == NOW + 6 * HOUR
        assert count(folder) == 181
    again = trigger(tmp_path, NOW + 6 * HOUR)
    assert endings(again) == [TriggerEnding.CLEANED]
    assert count(folder) == 51


def test_an_emergency_ignores_the_long_cooldown_but_waits_half_an_hour(tmp_path: Path) -> None:
    folder = folder_of(180, tmp_path)
    trigger(tmp_path)
    refill(folder, 140, 1_000)
    assert count(folder) == 191
    assert endings(trigger(tmp_path, NOW + 29 * MINUTE)) == [TriggerEnding.WAITS]
    assert endings(trigger(tmp_path, NOW + 30 * MINUTE)) == [TriggerEnding.CLEANED]
    refill(folder, 140, 2_000)
    assert endings(trigger(tmp_path, NOW + 45 * MINUTE)) == [TriggerEnding.WAITS]
    assert endings(trigger(tmp_path, NOW + 60 * MINUTE)) == [TriggerEnding.CLEANED]


def test_an_emergency_gets_the_emergency_limits_where_the_normal_ones_leave_too_much(tmp_path: Path) -> None:
    middle = {f"session-49190{number}.0.json": timedelta(days=9) for number in range(150)}
    folder = company_folder(tmp_path / "sessions", "1001", keys(10, 50) | middle)
    report = trigger(tmp_path)
    assert report.companies[0].cleanup is not None
    assert report.companies[0].cleanup.plan is not None
    assert report.companies[0].cleanup.plan.tier.value == "emergency"
    assert (report.companies[0].removed, count(folder)) == (160, 51)


def test_each_company_has_a_cooldown_of_its_own(tmp_path: Path) -> None:
    folder_of(180, tmp_path, "1001")
    trigger(tmp_path)
    refill(tmp_path / "sessions" / "company_1001", 129, 1_000)
    folder_of(180, tmp_path, "1002")
    folder_of(120, tmp_path, "1003")
    report = trigger(tmp_path, NOW + HOUR)
    assert endings(report) == [TriggerEnding.WAITS, TriggerEnding.CLEANED, TriggerEnding.BELOW]
    assert report.exit_code is ExitCode.DONE


def test_a_dry_run_says_the_same_touches_nothing_and_starts_no_cooldown(tmp_path: Path) -> None:
    folder = folder_of(180, tmp_path)
    for _ in range(2):
        report = trigger(tmp_path, settings=settings_for(tmp_path, dry_run=True))
        assert endings(report) == [TriggerEnding.WOULD_CLEAN]
        assert count(folder) == 180
    assert endings(trigger(tmp_path)) == [TriggerEnding.CLEANED]


def test_where_a_cleanup_would_remove_nothing_it_says_what_would_help(tmp_path: Path) -> None:
    mappings = {f"lid-mapping-{number}.json": OLD for number in range(200)}
    company_folder(tmp_path / "sessions", "1001", keys(0, 10) | mappings)
    told: list[Told] = []
    report = trigger(tmp_path, tell=told.append)
    assert endings(report) == [TriggerEnding.CANNOT_HELP]
    assert "200 are of kinds that always stay (lid-mapping 200" not in report.companies[0].advice
    assert "201 are of kinds that always stay (lid-mapping 200, creds 1)" in report.companies[0].advice
    assert "thresholds.count: removable" in report.companies[0].advice
    (end,) = told
    assert end.news == []
    assert [(one.code, one.severity.value) for one in end.findings] == [("file-count", "warning")]


def test_a_held_folder_is_left_and_costs_no_cooldown(tmp_path: Path) -> None:
    folder = folder_of(180, tmp_path)
    whole = (folder / "creds.json").read_bytes()
    (folder / "creds.json").write_bytes(b"")
    report = trigger(tmp_path)
    assert endings(report) == [TriggerEnding.HELD]
    assert report.exit_code is ExitCode.FAILED
    (folder / "creds.json").write_bytes(whole)
    assert endings(trigger(tmp_path, NOW + MINUTE)) == [TriggerEnding.CLEANED]


# --- telling ------------------------------------------------------------------------------------------------


def test_before_and_after_are_told_with_removed_and_remaining(tmp_path: Path) -> None:
    folder_of(180, tmp_path, "1001")
    folder_of(190, tmp_path, "1002")
    folder_of(100, tmp_path, "1003")
    told: list[Told] = []
    trigger(tmp_path, tell=told.append)
    before, after = told
    assert [(one.company, one.code, one.severity.value, one.message) for one in before.news] == [
        ("1001", "trigger-begins", "warning", "180 counted files (limit 175): a cleanup begins"),
        ("1002", "trigger-begins", "critical", "190 counted files (limit 185): an emergency cleanup begins"),
    ]
    assert (before.findings, before.companies) == ((), frozenset())
    assert after.companies == {"1001", "1002", "1003"}
    assert [(one.code, one.message, one.facts) for one in after.news] == [
        (
            "trigger-cleaned",
            f"cleaned: {removed} files removed, 51 counted files remain",
            {"removed": removed, "remaining": 51},
        )
        for removed in (129, 139)
    ]
    assert after.findings == []


def test_a_healthy_day_tells_nothing(tmp_path: Path) -> None:
    folder_of(174, tmp_path)
    told: list[Told] = []
    assert endings(trigger(tmp_path, tell=told.append)) == [TriggerEnding.BELOW]
    (end,) = told
    assert (end.news, [one.severity.value for one in end.findings]) == ([], ["critical"])


def test_the_channel_hears_before_and_after_and_nothing_when_nothing_is_due(tmp_path: Path) -> None:
    folder_of(190, tmp_path)
    with answering(lambda request: Reply({})) as server:
        options = {**environment(tmp_path), "NOTIFICATION_WEBHOOK": server.url}
        assert run_cli("trigger", "--quiet", env=options).returncode == 0
        texts = [request.json["text"] for request in server.requests]
        assert run_cli("trigger", "--quiet", env=options).returncode == 0
        assert len(server.requests) == len(texts)
    before, after = texts
    assert "190 counted files (limit 185): an emergency cleanup begins" in before
    assert "cleaned: 139 files removed, 51 counted files remain" in after
    assert "trigger-failed" not in before + after


def test_a_webhook_that_fails_changes_nothing(tmp_path: Path) -> None:
    folder = folder_of(190, tmp_path)
    options = {**environment(tmp_path), "NOTIFICATION_WEBHOOK": "http://127.0.0.1:9/nobody"}
    assert run_cli("trigger", "--quiet", env=options).returncode == 0
    assert count(folder) == 51


# --- the path of whoever watches -----------------------------------------------------------------------------


def emergency(place: Path, now: datetime, *companies: str) -> TriggerReport | None:
    settings = settings_for(place)
    with open_state(settings.state.dir, now) as state:
        return run_emergency(settings, str(place / "sessions"), companies, state, now)


def test_the_emergency_path_begins_at_the_emergency_level_and_shares_the_cooldown(tmp_path: Path) -> None:
    folder = folder_of(179, tmp_path, "1001")
    folder_of(190, tmp_path, "1002")
    report = emergency(tmp_path, NOW, "1001")
    assert report is not None
    assert endings(report) == [TriggerEnding.BELOW]
    refill(folder, 1, 1_000)
    report = emergency(tmp_path, NOW, "1001")
    assert report is not None
    assert endings(report) == [TriggerEnding.CLEANED]
    refill(folder, 140, 2_000)
    for minutes, ending in ((1, TriggerEnding.WAITS), (29, TriggerEnding.WAITS), (30, TriggerEnding.CLEANED)):
        report = emergency(tmp_path, NOW + minutes * MINUTE, "1001")
        assert report is not None
        assert endings(report) == [ending]
    assert count(tmp_path / "sessions" / "company_1002") == 190, "only the company that was named"
    refill(folder, 129, 3_000)
    assert endings(trigger(tmp_path, NOW + 5 * HOUR))[0] is TriggerEnding.WAITS


def test_the_emergency_path_stands_back_while_a_trigger_works(tmp_path: Path) -> None:
    folder = folder_of(190, tmp_path)
    with holding(tmp_path / "state" / "trigger.lock"):
        assert emergency(tmp_path, NOW, "1001") is None
    assert count(folder) == 190


# --- a past that cannot be relied on -------------------------------------------------------------------------


def test_a_cleanup_in_the_future_is_not_waited_for(tmp_path: Path) -> None:
    folder = folder_of(180, tmp_path)
    trigger(tmp_path, NOW)
    refill(folder, 129, 1_000)
    before = trigger(tmp_path, NOW - 12 * HOUR)
    assert endings(before) == [TriggerEnding.CLEANED]
    assert before.companies[0].decision is not None
    assert "still to come" in before.companies[0].decision.doubt
    refill(folder, 129, 2_000)
    assert endings(trigger(tmp_path, NOW - 11 * HOUR)) == [TriggerEnding.WAITS], "from here on it counts"


def test_a_state_that_was_lost_does_not_let_the_cooldown_pass_twice(tmp_path: Path) -> None:
    folder = folder_of(180, tmp_path)
    trigger(tmp_path)
    refill(folder, 129, 1_000)
    for file in (tmp_path / "state").iterdir():
        file.unlink()
    waits = trigger(tmp_path, NOW + HOUR)
    assert endings(waits) == [TriggerEnding.WAITS], "the quarantine tells of the cleanup"
    assert endings(trigger(tmp_path, NOW + 6 * HOUR)) == [TriggerEnding.CLEANED]


@pytest.mark.parametrize("damage", [b"garbage" * 1_000, b""], ids=["garbage", "emptied"])
def test_a_damaged_state_still_answers_and_still_waits(tmp_path: Path, damage: bytes) -> None:
    folder = folder_of(180, tmp_path)
    trigger(tmp_path)
    refill(folder, 129, 1_000)
    (tmp_path / "state" / "state.sqlite3").write_bytes(damage)
    report = trigger(tmp_path, NOW + HOUR)
    assert endings(report) == [TriggerEnding.WAITS]
    assert bool(report.state_trouble) == bool(damage)


def test_without_a_state_folder_a_cleanup_runs_once_by_what_the_quarantine_tells(tmp_path: Path) -> None:
    folder = folder_of(180, tmp_path)
    (tmp_path / "state").write_text("a file where the folder should be")
    report = trigger(tmp_path)
    assert endings(report) == [TriggerEnding.CLEANED]
    assert report.state_trouble
    refill(folder, 129, 1_000)
    assert endings(trigger(tmp_path, NOW + HOUR)) == [TriggerEnding.WAITS]


def test_without_state_and_without_quarantine_only_an_emergency_is_cleaned(tmp_path: Path) -> None:
    folder = folder_of(180, tmp_path)
    (tmp_path / "state").write_text("a file where the folder should be")
    settings = settings_for(tmp_path, undo_window=timedelta())
    report = trigger(tmp_path, settings=settings)
    assert report.companies[0].decision is not None
    assert report.companies[0].decision.why is TriggerReason.NOT_REMEMBERED
    refill(folder, 10, 1_000)
    assert endings(trigger(tmp_path, settings=settings)) == [TriggerEnding.CLEANED]


# --- processes ----------------------------------------------------------------------------------------------


def environment(place: Path) -> dict[str, str]:
    return {"BAILEYS_SESSIONS_PATH": str(place / "sessions"), "BAILEYS_TOOLS_STATE_DIR": str(place / "state")}


def cli(place: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return run_cli("trigger", *options, env=environment(place))


@contextmanager
def holding(path: Path) -> Iterator[None]:
    """Hold a lock file as another process of this tool would."""
    import fcntl

    path.parent.mkdir(exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.mark.parametrize("state", ["new", "known", "impossible"])
def test_twenty_at_once_run_once(tmp_path: Path, state: str) -> None:
    if state == "known":
        cli(folder_of(1, tmp_path).parents[1])
    if state == "impossible":
        (tmp_path / "state").write_text("a file where the folder should be")
    folders = [folder_of(180, tmp_path, str(number)) for number in range(1, 6)]
    company_folder(tmp_path / "sessions", "1001")
    results = at_once([COMMAND, "trigger", "--json"], 20, environment(tmp_path))
    documents = [json.loads(done.stdout) for done in results if done.stdout]
    assert {done.returncode for done in results} <= {0, 75}
    assert sum(document["totals"]["cleaned"] for document in documents) == 5
    assert sum(document["totals"]["removed"] for document in documents) == 5 * 129
    assert sum(document["totals"]["cleaned"] > 0 for document in documents) == 1, "one of them did it all"
    assert [count(folder) for folder in folders] == [51] * 5


def test_a_killed_trigger_leaves_nothing_that_stops_the_next(tmp_path: Path) -> None:
    folder_of(180, tmp_path / "counted")
    options = {**environment(tmp_path / "counted")}
    seen = before_first_removal(traced([COMMAND, "trigger"], env=options)[1])
    # As deep as the other, as each part of a path is looked at by a call of its own.
    place = tmp_path / "stopped"
    folder = folder_of(180, place)
    with paused_after(seen, [COMMAND, "trigger"], env=environment(place)) as paused:
        assert cli(place).returncode == 75, "it is at work and holds the lock"
        paused.kill()
    assert count(folder) == 180
    again = cli(place, "--json")
    assert again.returncode == 0
    assert json.loads(again.stdout)["totals"]["removed"] == 129
    assert count(folder) == 51


def test_killed_between_two_removals_the_next_one_does_not_wait(tmp_path: Path) -> None:
    folder_of(180, tmp_path / "counted")
    calls = traced([COMMAND, "trigger"], env=environment(tmp_path / "counted"))[1]
    renames = [call for call in calls if call.name == "renameat" and "/quarantine/" not in call.text]
    folder = folder_of(180, tmp_path)
    with paused_after(renames[60], [COMMAND, "trigger"], env=environment(tmp_path)) as paused:
        paused.kill()
    assert 51 < count(folder) < 180, "it was at work"
    refill(folder, 60, 1_000)
    again = json.loads(cli(tmp_path, "--json").stdout)
    assert again["companies"][0]["status"] == "cleaned"
    assert count(folder) == 51


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_killed_at_any_time_the_next_one_finishes_the_work(tmp_path: Path, share: float) -> None:
    command: list[str | Path] = [COMMAND, "trigger", "--quiet"]
    folder_of(400, tmp_path / "counted")
    moves = traced(command, calls=["renameat"], env=environment(tmp_path / "counted"))[1]
    kill = f"inject=renameat:signal=KILL:when={moves[int(len(moves) * share)].nth}"
    folder = folder_of(400, tmp_path)
    assert traced(command, "-e", kill, calls=["renameat"], env=environment(tmp_path))[0].returncode == -9
    left = count(folder)
    assert (left >= 175) == (share < 0.9), "at work"
    assert cli(tmp_path, "--quiet").returncode == 0
    assert count(folder) == (51 if left >= 175 else left), "below the threshold there is nothing more to do"


def test_one_locked_company_is_skipped_and_the_others_are_cleaned(tmp_path: Path) -> None:
    locked = folder_of(180, tmp_path, "1001")
    free = folder_of(180, tmp_path, "1002")
    with holding(locked / ".cleanup.lock"):
        run = cli(tmp_path)
    assert run.returncode == 0
    assert "company 1001: locked" in run.stdout
    assert (count(locked), count(free)) == (180, 51)
    assert "company 1001: cleaned" in cli(tmp_path).stdout, "being locked out started no cooldown"


def test_a_lock_file_of_the_javascript_script_is_respected_for_an_hour(tmp_path: Path) -> None:
    folder = folder_of(180, tmp_path)
    lock = tmp_path / "script.lock"
    options = {**environment(tmp_path), "BAILEYS_TOOLS_TRIGGER__LOCK_FILE": str(lock)}
    for minutes, code in ((59, 75), (61, 0)):
        stamp = int((time.time() - minutes * 60) * 1_000)
        lock.write_text(json.dumps({"timestamp": stamp, "pid": 4711, "hostname": "shop"}))
        run = run_cli("trigger", env=options)
        assert run.returncode == code
        if code:
            assert "another trigger is at work: process 4711 on shop since" in run.stderr
            assert run_cli("trigger", "--quiet", env=options).stderr == ""
            assert count(folder) == 180
    assert count(folder) == 51
    assert not lock.exists()


def test_cron_hears_nothing_on_a_healthy_day_and_a_word_about_trouble(tmp_path: Path) -> None:
    folder_of(180, tmp_path, "1001")
    quiet = cli(tmp_path, "--quiet")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    (folder_of(180, tmp_path, "1002") / "creds.json").write_bytes(b"")
    troubled = cli(tmp_path, "--quiet")
    assert (troubled.returncode, troubled.stdout) == (3, "")
    assert "company 1002: creds.json is not whole" in troubled.stderr


def test_the_settings_of_the_cooldown_are_used(tmp_path: Path) -> None:
    folder = folder_of(180, tmp_path)
    settings = Settings(
        sessions=Sessions(path=str(tmp_path / "sessions")),
        trigger=Trigger(cooldown=timedelta(hours=1)),
        state=StateSettings(dir=str(tmp_path / "state")),
    )
    trigger(tmp_path, settings=settings)
    refill(folder, 129, 1_000)
    assert endings(trigger(tmp_path, NOW + 59 * MINUTE, settings=settings)) == [TriggerEnding.WAITS]
    assert endings(trigger(tmp_path, NOW + 60 * MINUTE, settings=settings)) == [TriggerEnding.CLEANED]
