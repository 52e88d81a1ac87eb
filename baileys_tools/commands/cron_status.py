"""`cron status`: whether the jobs that are installed run."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from baileys_tools.commands.cron import (
    INSTALLED,
    account_named,
    load_before_acting,
    log_path,
    read_tab,
    settings_alone,
    state_dir_of,
)
from baileys_tools.commands.places import settings_in_force
from baileys_tools.config import LoadedSettings
from baileys_tools.domain.cron import entries_of, split
from baileys_tools.domain.cron_status import Ended, JobState, exit_code_of, installed_jobs, job_states
from baileys_tools.errors import ExitCode
from baileys_tools.integrations import crontab


def status_command(
    flags: Mapping[str, object], config: str | None, *, system: bool, as_json: bool, quiet: bool
) -> ExitCode:
    """Given the command line, say of each installed job when it ran last and how it ended."""
    loaded = settings_in_force(flags, config)
    now = datetime.now(UTC)
    states = states_of(split(read_tab(system=system) or b"")[1], loaded, now, system=system)
    code = exit_code_of(states)
    place = crontab.SYSTEM_FILE if system else f"the crontab of {account_named(None).name}"
    log = "" if loaded.settings.cron.journal else log_path(loaded.settings)
    if as_json:
        from baileys_tools.output.cron_text import status_json
        from baileys_tools.output.json_text import envelope

        print(envelope("cron status", now, code, status_json(states, place, log)))
    elif not (quiet and code is ExitCode.DONE):
        from baileys_tools.output.cron_text import status_text
        from baileys_tools.output.terminal import Style

        print(status_text(states, place, log, now, Style()), file=sys.stderr if quiet else sys.stdout)
    return code


def states_of(block: bytes, loaded: LoadedSettings, now: datetime, *, system: bool) -> list[JobState]:
    """Given our block as it is installed, return the state of each job in it, as its user's state folder has it."""
    from baileys_tools.state.database import from_seconds, open_state
    from baileys_tools.state.memory import recall
    from baileys_tools.state.runs import last_runs, runs_since
    from baileys_tools.state.spool import take_in

    jobs = installed_jobs(block)
    if not jobs:
        return []
    account, folder = account_named(None), loaded.settings.state.dir
    if system and account.uid == 0:
        # The line of a job: five fields, and the user.
        account = account_named(entries_of(block)[0].split()[5])
        folder = state_dir_of(loaded, settings_alone(loaded, account))
    load_before_acting()
    with crontab.acting_as(account.uid, account.gid), open_state(folder, now) as state:
        take_in(state)
        last = last_runs(state)
        # Without recover.auto it only looks, which is recorded as a dry run, and is what its job is for.
        if looked := runs_since(state, now - timedelta(days=2), "recover"):
            last["recover"] = looked[-1]
        runs = {command: Ended(run.started, run.exit_code) for command, run in last.items()}
        since = recall(state, INSTALLED)
    # cron goes by the host's own zone.
    return job_states(jobs, runs, from_seconds(since) if isinstance(since, int) else None, now.astimezone())
