"""Whether the jobs in the crontab run: each entry that is installed against the run that was recorded last."""

import re
import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from baileys_tools.errors import ExitCode
from baileys_tools.host.rules.cron import JOBS, entries_of
from baileys_tools.schedule import parse_schedule

SESSIONS_VARIABLES = ("BAILEYS_SESSIONS_PATH", "BAILEYS_TOOLS_SESSIONS__PATH")
GRACE = timedelta(minutes=10)
"""A run is recorded when it ends; this long after its time it is not yet missed."""

_FINE = {ExitCode.DONE, ExitCode.WARNING, ExitCode.CRITICAL, ExitCode.LOCKED}
"""Ends of a job that did its work: findings are its result, and a lock is another run of it."""


class Ended(NamedTuple):
    """When a command started last, and its exit code."""

    started: datetime
    exit_code: int


class JobVerdict(StrEnum):
    """What is to be said of one job."""

    OK = "ok"
    WAITING = "waiting"
    """Its first time has not come since it was installed."""
    PARTLY = "partly"
    """It did its work but for some companies."""
    FAILED = "failed"
    MISSED = "missed"
    """It was due and did not run."""


class JobState(NamedTuple):
    """One installed entry: when it runs, when it was due last, and the last run of its command."""

    command: str
    time: str
    due: datetime | None
    last: Ended | None
    verdict: JobVerdict


class JobSurroundings(NamedTuple):
    """What jobs are given by their lines or units: a user ("" where it is not said), variables, a settings file."""

    user: str = ""
    variables: Mapping[str, str] = {}
    config: str | None = None

    @property
    def sessions(self) -> str | None:
        """The sessions path that they are given, None where the settings file has it."""
        return next((self.variables[name] for name in SESSIONS_VARIABLES if name in self.variables), None)


class WhoseJobs(NamedTuple):
    """The settings that jobs are installed by: a file, and the sessions path that they have; None where unknown.

    `carried` is the sessions path that each line has to give because the file says another; None where none has to.
    """

    config: str | None
    sessions: str | None = None
    carried: str | None = None


def is_of(given: JobSurroundings, ours: WhoseJobs) -> bool:
    """Whether jobs are those of our settings: of the same file, or where there is none, for the same sessions path.

    Jobs that were installed before there was a settings file are those of the file that names the same sessions.
    """
    if given.config is not None and ours.config is not None:
        return given.config == ours.config and given.sessions == ours.carried
    if given.config is None and ours.config is None:
        return None in (given.sessions, ours.sessions) or given.sessions == ours.sessions
    return ours.sessions is not None and given.sessions == ours.sessions


def surroundings_of_block(block: bytes, *, system: bool) -> JobSurroundings:
    """Given our block of a crontab (`system`: of /etc/cron.d), return what its jobs are given: the same to all."""
    for line in entries_of(block):
        words = line.split(None, 6 if system else 5)
        user = words[5] if system and len(words) == 7 else ""
        return _surroundings(user, _shell_words(words[-1].replace("\\%", "%")))
    return JobSurroundings()


def surroundings_of_unit(text: str) -> JobSurroundings:
    """Given one of our service units, return what its job is given."""
    user, words = "", list[str]()
    for line in text.replace("%%", "%").splitlines():
        key, _, value = line.partition("=")
        if key == "User":
            user = value
        elif key in ("Environment", "ExecStart"):
            words += _shell_words(value)
    return _surroundings(user, words)


def _surroundings(user: str, words: Sequence[str]) -> JobSurroundings:
    variables = dict(word.split("=", 1) for word in words if re.match(r"[A-Z][A-Z0-9_]*=", word))
    config = words[words.index("--config") + 1] if "--config" in words[:-1] else None
    return JobSurroundings(user, variables, config)


def installed_jobs(block: bytes) -> list[tuple[str, str]]:
    """Given our block of a crontab, return (command, time) of each entry in it."""
    names = {job.command for job in JOBS}
    found = []
    for line in entries_of(block):
        words = line.split(None, 5)
        if len(words) == 6:
            command = next((word for word in _shell_words(words[5]) if word in names), "")
            found.append((command, " ".join(words[:5])))
    return [(command, time) for command, time in found if command]


def _shell_words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return []


def job_states(
    jobs: Sequence[tuple[str, str]],
    runs: Mapping[str, Ended],
    since: datetime | None,
    now: datetime,
    *,
    anew: bool = True,
) -> list[JobState]:
    """Given the installed jobs and the last run of each command, return what is to be said of each.

    `since` is when they were installed (None: nobody knows), `now` is in the host's zone, by which cron goes. What was
    due before that is not missed; when it is only when their scheduler started again (not `anew`), what ran before is.
    """
    return [_state(command, time, runs.get(command), since, now, anew=anew) for command, time in jobs]


def _state(
    command: str, time: str, last: Ended | None, since: datetime | None, now: datetime, *, anew: bool
) -> JobState:
    try:
        due = parse_schedule(time).latest(now - GRACE)
    except ValueError:
        due = None  # somebody wrote it by hand (@daily): nothing is known of when
    ran = last is not None and (due is None or last.started >= due - timedelta(minutes=1))
    if ran and last is not None:
        partly = JobVerdict.PARTLY if last.exit_code == ExitCode.PARTLY_FAILED else JobVerdict.FAILED
        verdict = JobVerdict.OK if last.exit_code in _FINE else partly
    elif due is None or (since is not None and since >= due and (anew or last is None)):
        verdict = JobVerdict.WAITING
    else:
        verdict = JobVerdict.MISSED
    return JobState(command, time, due, last, verdict)


def exit_code_of(states: Sequence[JobState]) -> ExitCode:
    """Return DONE when every job runs, WARNING when there is none or one fails or is missed."""
    fine = states and all(state.verdict in (JobVerdict.OK, JobVerdict.WAITING) for state in states)
    return ExitCode.DONE if fine else ExitCode.WARNING
