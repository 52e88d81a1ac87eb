"""The block in a crontab: what is not ours stays byte for byte, and what is ours can be read by cron and by a shell."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from crontab import CronItem, CronTab
from hypothesis import given, settings
from hypothesis import strategies as st

from baileys_tools.errors import BaileysToolsError, ExitCode
from baileys_tools.host.rules.cron import (
    BEGIN,
    END,
    JOBS,
    CronEntry,
    Log,
    blocks_in,
    crontab_line,
    entries_of,
    plan_entries,
    spread,
    with_block,
    without_block,
)
from baileys_tools.host.rules.cron_status import JobSurroundings, WhoseJobs, is_of
from baileys_tools.host.rules.systemd import own_prefix, sets_of
from baileys_tools.schedule import parse_schedule
from tests.crontabs import CRONTABS, TIMES, block

FIRST, OTHER = block(), block("/usr/bin/baileys-tools", has_repository=False)


@settings(max_examples=500)
@given(CRONTABS)
def test_every_other_line_stays_as_it_is(tab: bytes) -> None:
    whole = tab + b"\n" if tab and not tab.endswith(b"\n") else tab
    installed = with_block(tab, FIRST)
    assert installed == whole + FIRST
    assert with_block(installed, FIRST) == installed, "twice is once"
    changed = with_block(installed, OTHER)
    assert changed == whole + OTHER
    assert without_block(changed) == whole
    assert without_block(tab) == tab, "where nothing is ours, nothing goes"


@settings(max_examples=200)
@given(CRONTABS, CRONTABS)
def test_a_block_in_the_middle_stays_in_its_place(above: bytes, below: bytes) -> None:
    above += b"" if not above or above.endswith(b"\n") else b"\n"
    tab = above + FIRST + below
    assert with_block(tab, OTHER) == above + OTHER + below
    assert without_block(tab) == above + below
    assert blocks_in(tab) == [FIRST]


@settings(max_examples=150)
@given(CRONTABS, CRONTABS, CRONTABS)
def test_each_settings_file_has_a_block_of_its_own(above: bytes, between: bytes, below: bytes) -> None:
    above, between = (one if not one or one.endswith(b"\n") else one + b"\n" for one in (above, between))
    theirs = FIRST.replace(b"/etc/50\\%.yaml", b"/etc/other.yaml")
    assert theirs != FIRST

    def is_ours(found: bytes) -> bool:
        return b"/etc/other.yaml" not in found

    tab = above + theirs + between
    installed = with_block(tab, FIRST, is_ours)
    assert installed == tab + FIRST
    assert with_block(installed + below, OTHER, is_ours) == tab + OTHER + below
    assert without_block(installed + below, is_ours) == tab + below
    assert blocks_in(installed + below) == [theirs, FIRST]
    assert with_block(FIRST + between + FIRST, OTHER) == OTHER + between, "what was doubled is one again"


@pytest.mark.faults
@pytest.mark.parametrize(
    ("holds", "tabs", "number"),
    [
        (test_every_other_line_stays_as_it_is, 1, 2_000),
        (test_a_block_in_the_middle_stays_in_its_place, 2, 500),
        (test_each_settings_file_has_a_block_of_its_own, 3, 300),
    ],
)
def test_the_same_of_many_more_crontabs(holds: Any, tabs: int, number: int) -> None:
    settings(max_examples=number)(given(*[CRONTABS] * tabs)(holds.hypothesis.inner_test))()


FILE, ROOT = "/etc/a.yaml", "/srv/a"


@pytest.mark.parametrize(
    ("variables", "config", "ours", "is_theirs"),
    [
        ({}, FILE, WhoseJobs(FILE, ROOT), True),
        ({}, FILE, WhoseJobs("/etc/b.yaml", ROOT), False),
        ({"BAILEYS_SESSIONS_PATH": ROOT}, FILE, WhoseJobs(FILE, "/srv/b"), False),
        ({"BAILEYS_SESSIONS_PATH": ROOT}, FILE, WhoseJobs(FILE, "/srv/b", "/srv/b"), False),
        ({"BAILEYS_SESSIONS_PATH": ROOT}, FILE, WhoseJobs(FILE, ROOT, ROOT), True),
        ({"BAILEYS_SESSIONS_PATH": ROOT}, None, WhoseJobs(None, ROOT), True),
        ({"BAILEYS_SESSIONS_PATH": ROOT}, None, WhoseJobs(None, "/srv/b"), False),
        ({"BAILEYS_SESSIONS_PATH": ROOT}, None, WhoseJobs(FILE, ROOT), True),
        ({"BAILEYS_SESSIONS_PATH": ROOT}, None, WhoseJobs(FILE, "/srv/b"), False),
        ({}, FILE, WhoseJobs(None, ROOT), False),
    ],
)
def test_whose_jobs_these_are(
    variables: dict[str, str], config: str | None, ours: WhoseJobs, is_theirs: bool
) -> None:
    assert is_of(JobSurroundings("", variables, config), ours) is is_theirs


def test_the_units_of_each_settings_file_have_names_of_their_own() -> None:
    other = own_prefix("/etc/bots/shop two.yaml")
    assert other.startswith("baileys-tools-shop_two_")
    assert own_prefix("/srv/bots/shop two.yaml") != other
    names = [
        f"{prefix}-{command}.{kind}"
        for prefix in ("baileys-tools", other)
        for command in ("monitor-once", "backup")
        for kind in ("service", "timer")
    ]
    assert sets_of([*names, "baileys-toolsx-backup.timer", "baileys-tools-my-own.timer"]) == {
        "baileys-tools": ["baileys-tools-backup.timer", "baileys-tools-monitor-once.timer"],
        other: [f"{other}-backup.timer", f"{other}-monitor-once.timer"],
    }


def test_a_block_whose_line_ends_somebody_converted_is_still_found() -> None:
    tab = (b"# mine\n" + FIRST).replace(b"\n", b"\r\n")
    assert with_block(tab, FIRST) == b"# mine\r\n" + FIRST


@pytest.mark.parametrize(
    "tab",
    [
        BEGIN + b"\n* * * * * x\n",
        b"x\n" + END + b"\n",
        END + b"\n" + BEGIN + b"\n",
        BEGIN + b"\n" + FIRST,
        FIRST + END + b"\n",
    ],
    ids=["no end", "no begin", "turned around", "two beginnings", "two ends"],
)
def test_marks_that_make_no_block_are_refused(tab: bytes) -> None:
    for edit in (without_block, lambda one: with_block(one, FIRST)):
        with pytest.raises(BaileysToolsError) as caught:
            edit(tab)
        assert caught.value.exit_code is ExitCode.REFUSED


@pytest.mark.parametrize(
    "path",
    [
        "/srv/plain",
        "/srv/two words",
        "/srv/50%",
        "/srv/it's",
        '/srv/"q"',
        "/srv/$HOME `x`",
        "/srv/a;b&c|d #e",
        "/srv/Grüße",
    ],
)
def test_cron_and_its_shell_read_back_what_was_meant(tmp_path: Path, path: str) -> None:
    out = tmp_path / "said"
    words = ("/bin/sh", "-c", 'printf %s: "$BAILEYS_SESSIONS_PATH" "$@"', "sh", "cleanup", "--config", path)
    entry = CronEntry(JOBS[0], "0 3 * * *", words)
    line = crontab_line(entry, {"BAILEYS_SESSIONS_PATH": path}, Log(str(out)))
    command = line.removeprefix("0 3 * * * ")
    # What cron does with a command before it hands it to the shell (do_command.c).
    text = command.replace("\\%", "\0")
    assert "%" not in text
    subprocess.run(["/bin/sh", "-c", text.replace("\0", "%")], check=True)
    assert out.read_text() == f"{path}:cleanup:--config:{path}:"
    assert CronItem.from_line(line, cron=CronTab(tab="")).slices.render() == "0 3 * * *"


@pytest.mark.parametrize("path", ["/srv/a\nb", "/srv/a\rb", "/srv/a\\b", "/srv/" + "x" * 1000])
def test_what_cron_cannot_be_told_is_refused(path: str) -> None:
    with pytest.raises(BaileysToolsError):
        crontab_line(CronEntry(JOBS[0], "* * * * *", ("baileys-tools", path)), {}, Log())


def test_a_line_of_the_system_has_its_user() -> None:
    line = crontab_line(CronEntry(JOBS[0], "* * * * *", ("/b", "monitor-once")), {}, Log(), "bot")
    assert line == "* * * * * bot /b monitor-once 2>&1 | logger -t baileys-tools"


def test_jobs_that_cannot_work_or_are_off_are_left_out() -> None:
    def commands(has_repository: bool) -> list[str]:
        return [entry.job.command for entry in plan_entries(TIMES, ["b"], [], has_repository=has_repository)]

    assert commands(True) == ["monitor-once", "trigger", "recover", "cleanup", "backup", "prune"]
    assert commands(False) == ["monitor-once", "trigger", "recover", "cleanup"]
    assert len(entries_of(FIRST)) == 6


@given(
    st.text(min_size=1),
    st.sampled_from(["*/5 * * * *", "*/30 * * * *", "0 3 * * *", "55 23 * * 0", "* * * * *"]),
)
def test_a_time_moves_by_less_than_the_jitter_and_always_the_same(host: str, time: str) -> None:
    moved = spread(time, "backup", host, timedelta(minutes=10))
    assert moved == spread(time, "backup", host, timedelta(minutes=10))
    before, after = parse_schedule(time), parse_schedule(moved)
    assert after.weekdays == before.weekdays
    if time.startswith("*"):
        assert after.hours == before.hours
        assert len(after.minutes) == len(before.minutes)
        assert 0 <= min(after.minutes) < 10
    else:
        (hour,), (minute,) = after.hours, after.minutes
        (old_hour,), (old_minute,) = before.hours, before.minutes
        assert 0 <= hour * 60 + minute - old_hour * 60 - old_minute < 10
    assert spread(time, "backup", host, timedelta(0)) == time


def test_hosts_differ() -> None:
    assert len({spread("0 3 * * *", "cleanup", f"host-{n}", timedelta(minutes=10)) for n in range(100)}) == 10
