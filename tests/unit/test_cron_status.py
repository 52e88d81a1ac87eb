"""Which jobs ran, which failed and which were missed."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from baileys_tools.domain.cron_status import (
    Ended,
    JobState,
    Verdict,
    exit_code_of,
    installed_jobs,
    job_states,
)
from baileys_tools.errors import ExitCode
from tests.crontabs import block

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("time", "last", "exit_code", "since", "verdict"),
    [
        # now is 12:00; with ten minutes of grace, 11:50 is the last minute that counts
        ("* * * * *", timedelta(minutes=1), 0, None, Verdict.OK),
        ("* * * * *", timedelta(minutes=11), 0, None, Verdict.OK),
        ("* * * * *", timedelta(minutes=12), 0, None, Verdict.MISSED),
        ("0 3 * * *", 9 * HOUR, 0, None, Verdict.OK),
        ("0 3 * * *", 10 * HOUR, 0, None, Verdict.MISSED),
        ("0 3 * * *", None, 0, None, Verdict.MISSED),
        ("0 3 * * *", None, 0, timedelta(hours=8), Verdict.WAITING),
        ("0 3 * * *", None, 0, timedelta(hours=10), Verdict.MISSED),
        ("0 3 * * *", 30 * HOUR, 0, timedelta(hours=8), Verdict.WAITING),
        ("0 3 * * *", 9 * HOUR, 4, None, Verdict.OK),
        ("0 3 * * *", 9 * HOUR, 5, None, Verdict.OK),
        ("0 3 * * *", 9 * HOUR, 75, None, Verdict.OK),
        ("0 3 * * *", 9 * HOUR, 1, None, Verdict.FAILED),
        ("0 3 * * *", 9 * HOUR, 3, None, Verdict.FAILED),
        ("0 3 * * *", 9 * HOUR, 2, None, Verdict.FAILED),
        ("55 11 * * *", 26 * HOUR, 0, None, Verdict.MISSED),
        ("55 11 * * *", 24 * HOUR, 0, None, Verdict.OK),  # today's may still be at work
        ("@daily x x x x", 900 * HOUR, 0, None, Verdict.OK),  # somebody's own words: nothing is known
        ("@daily x x x x", None, 0, None, Verdict.WAITING),
    ],
)
def test_what_is_said_of_a_job(
    now: datetime,
    time: str,
    last: timedelta | None,
    exit_code: int,
    since: timedelta | None,
    verdict: Verdict,
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
    fine = JobState("cleanup", "0 3 * * *", None, None, Verdict.WAITING)
    assert exit_code_of([fine]) is ExitCode.DONE
    assert exit_code_of([]) is ExitCode.WARNING
    for verdict in (Verdict.FAILED, Verdict.MISSED):
        assert exit_code_of([fine, fine._replace(verdict=verdict)]) is ExitCode.WARNING
