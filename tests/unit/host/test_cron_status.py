"""Which jobs ran, which failed and which were missed."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from baileys_tools.errors import ExitCode
from baileys_tools.host.rules.cron import JOBS, CronEntry, Log, crontab_block
from baileys_tools.host.rules.cron_status import (
    Ended,
    JobState,
    JobVerdict,
    exit_code_of,
    installed_jobs,
    job_states,
    surroundings_of_block,
    surroundings_of_unit,
)
from baileys_tools.host.rules.systemd import units
from tests.crontabs import block

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("time", "last", "exit_code", "since", "verdict"),
    [
        # now is 12:00; with ten minutes of grace, 11:50 is the last minute that counts
        ("* * * * *", timedelta(minutes=1), 0, None, JobVerdict.OK),
        ("* * * * *", timedelta(minutes=11), 0, None, JobVerdict.OK),
        ("* * * * *", timedelta(minutes=12), 0, None, JobVerdict.MISSED),
        ("0 3 * * *", 9 * HOUR, 0, None, JobVerdict.OK),
        ("0 3 * * *", 10 * HOUR, 0, None, JobVerdict.MISSED),
        ("0 3 * * *", None, 0, None, JobVerdict.MISSED),
        ("0 3 * * *", None, 0, timedelta(hours=8), JobVerdict.WAITING),
        ("0 3 * * *", None, 0, timedelta(hours=10), JobVerdict.MISSED),
        ("0 3 * * *", 30 * HOUR, 0, timedelta(hours=8), JobVerdict.WAITING),
        ("0 3 * * *", 9 * HOUR, 4, None, JobVerdict.OK),
        ("0 3 * * *", 9 * HOUR, 5, None, JobVerdict.OK),
        ("0 3 * * *", 9 * HOUR, 75, None, JobVerdict.OK),
        ("0 3 * * *", 9 * HOUR, 1, None, JobVerdict.FAILED),
        ("0 3 * * *", 9 * HOUR, 3, None, JobVerdict.PARTLY),
        ("0 3 * * *", 9 * HOUR, 2, None, JobVerdict.FAILED),
        ("55 11 * * *", 26 * HOUR, 0, None, JobVerdict.MISSED),
        ("55 11 * * *", 24 * HOUR, 0, None, JobVerdict.OK),  # today's may still be at work
        ("@daily x x x x", 900 * HOUR, 0, None, JobVerdict.OK),  # somebody's own words: nothing is known
        ("@daily x x x x", None, 0, None, JobVerdict.WAITING),
    ],
)
def test_what_is_said_of_a_job(
    now: datetime,
    time: str,
    last: timedelta | None,
    exit_code: int,
    since: timedelta | None,
    verdict: JobVerdict,
) -> None:
    runs = {} if last is None else {"cleanup": Ended(now - last, exit_code)}
    (state,) = job_states([("cleanup", time)], runs, None if since is None else now - since, now)
    assert state.verdict is verdict


def test_the_jobs_of_a_block_are_read_back() -> None:
    assert installed_jobs(block()) == [
        ("monitor-once", "* * * * *"),
        ("trigger", "7-59/30 * * * *"),
        ("recover", "*/5 * * * *"),
        ("cleanup", "0 3 * * *"),
        ("backup", "2-59/5 * * * *"),
        ("prune", "30 4 * * *"),
    ]
    assert installed_jobs(b"") == []


def test_only_jobs_that_all_run_are_a_good_end() -> None:
    fine = JobState("cleanup", "0 3 * * *", None, None, JobVerdict.WAITING)
    assert exit_code_of([fine]) is ExitCode.DONE
    assert exit_code_of([]) is ExitCode.WARNING
    for verdict in (JobVerdict.FAILED, JobVerdict.PARTLY, JobVerdict.MISSED):
        assert exit_code_of([fine, fine._replace(verdict=verdict)]) is ExitCode.WARNING


def test_what_a_scheduler_that_was_down_has_not_run_is_missed(now: datetime) -> None:
    """`cron run` notes each start of its own; a job that never ran yet may only have been switched on."""
    jobs = [("cleanup", "0 3 * * *"), ("report", "0 3 * * *")]
    ran = {"cleanup": Ended(now - 33 * HOUR, 0)}
    states = job_states(jobs, ran, now - HOUR, now, anew=False)
    assert [state.verdict for state in states] == [JobVerdict.MISSED, JobVerdict.WAITING]


@pytest.mark.parametrize("path", ["/srv/50% of it/s p", '/a "b" c', "/plain"])
@pytest.mark.parametrize("user", ["", "bot"])
def test_what_a_job_is_given_is_read_back(path: str, user: str) -> None:
    variables = {"BAILEYS_SESSIONS_PATH": path, "PATH": "/opt/node/bin:/usr/bin:/bin"}
    entries = [
        CronEntry(job, "* * * * *", ("/usr/bin/baileys-tools", *job.arguments, "--config", path))
        for job in JOBS
    ]
    block = crontab_block(entries, variables, Log("/log"), [], user)
    assert surroundings_of_block(block, system=bool(user)) == (user, variables, path)
    unit = units(entries, variables, "bot", [])["baileys-tools-cleanup.service"]
    assert surroundings_of_unit(unit) == ("bot", variables, path)


def test_an_empty_block_gives_nothing() -> None:
    assert surroundings_of_block(b"", system=False) == ("", {}, None)
