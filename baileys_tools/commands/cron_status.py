"""`cron status`: whether the jobs that are installed run."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from shutil import which

from baileys_tools.commands.cron import (
    INSTALLED,
    account_named,
    entries_for,
    load_before_acting,
    log_path,
    read_tab,
    settings_alone,
    state_dir_of,
)
from baileys_tools.commands.cron_run import is_at_work
from baileys_tools.commands.places import settings_in_force
from baileys_tools.config import LoadedSettings
from baileys_tools.domain.cron import entries_of, split
from baileys_tools.domain.cron_status import Ended, JobState, exit_code_of, installed_jobs, job_states
from baileys_tools.errors import ExitCode
from baileys_tools.integrations import crontab

LIST_TIMERS = "systemctl list-timers 'baileys-tools*'"


def status_command(
    flags: Mapping[str, object], config: str | None, *, system: bool, as_json: bool, quiet: bool
) -> ExitCode:
    """Given the command line, say of each installed job when it ran last and how it ended."""
    loaded = settings_in_force(flags, config)
    now = datetime.now(UTC)
    log: str | None = "" if loaded.settings.cron.journal else log_path(loaded.settings)
    if not system and is_at_work(loaded.settings, now):
        states, place, log = states_of_run(loaded, now), "`cron run`", None
    else:
        # Where systemd has the jobs, cron need not be there at all.
        tab = read_tab(system=system) if system or which("crontab") or not has_timers() else None
        states = states_of(split(tab or b"")[1], loaded, now, system=system)
        place = crontab.SYSTEM_FILE if system else f"the crontab of {account_named(None).name}"
    by_timers = not states and has_timers()
    code = ExitCode.DONE if by_timers else exit_code_of(states)
    if by_timers:
        place = "systemd timers"
    if as_json:
        from baileys_tools.output.cron_text import status_json
        from baileys_tools.output.json_text import envelope

        print(envelope("cron status", now, code, status_json(states, place, log)))
    elif not (quiet and code is ExitCode.DONE):
        from baileys_tools.output.cron_text import status_text
        from baileys_tools.output.terminal import Style

        text = f"systemd runs the jobs: {LIST_TIMERS}"
        if not by_timers:
            text = status_text(states, place, log, now, Style())
        print(text, file=sys.stderr if quiet else sys.stdout)
    return code


def has_timers() -> bool:
    """Whether the units of `cron show --systemd` are installed, so that the crontab need not have the jobs."""
    return any(
        os.path.exists(os.path.join(folder, "baileys-tools-monitor-once.timer"))
        for folder in ("/etc/systemd/system", os.path.expanduser("~/.config/systemd/user"))
    )


def states_of_run(loaded: LoadedSettings, now: datetime) -> list[JobState]:
    """Return the state of each job that `cron run` starts."""
    jobs = [(entry.job.command, entry.time) for entry in entries_for(loaded)]
    return _recorded(jobs, loaded.settings.state.dir, now)


def states_of(block: bytes, loaded: LoadedSettings, now: datetime, *, system: bool) -> list[JobState]:
    """Given our block as it is installed, return the state of each job in it, as its user's state folder has it."""
    jobs = installed_jobs(block)
    if not jobs:
        return []
    account, folder = account_named(None), loaded.settings.state.dir
    if system and account.uid == 0:
        # The line of a job: five fields, and the user.
        account = account_named(entries_of(block)[0].split()[5])
        folder = state_dir_of(loaded, settings_alone(loaded, account))
    load_before_acting()
    with crontab.acting_as(account.uid, account.gid):
        return _recorded(jobs, folder, now)


def _recorded(jobs: Sequence[tuple[str, str]], folder: str, now: datetime) -> list[JobState]:
    from baileys_tools.state.database import from_seconds, open_state
    from baileys_tools.state.memory import recall
    from baileys_tools.state.runs import last_runs, runs_since
    from baileys_tools.state.spool import take_in

    with open_state(folder, now) as state:
        take_in(state)
        last = last_runs(state)
        # Without recover.auto it only looks, which is recorded as a dry run, and is what its job is for.
        if looked := runs_since(state, now - timedelta(days=2), "recover"):
            last["recover"] = looked[-1]
        runs = {command: Ended(run.started, run.exit_code) for command, run in last.items()}
        since = recall(state, INSTALLED)
    # cron goes by the host's own zone.
    return job_states(jobs, runs, from_seconds(since) if isinstance(since, int) else None, now.astimezone())
