"""`cron status`: whether the jobs that are installed run."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import NamedTuple

from baileys_tools.config import LoadedSettings, load_settings
from baileys_tools.errors import ExitCode
from baileys_tools.frame.command_line import CommandLine
from baileys_tools.frame.places import settings_in_force
from baileys_tools.host import crontab
from baileys_tools.host.cron_setup import (
    CRON_PATH,
    INSTALLED,
    CronAccount,
    account_named,
    acting_for,
    entries_for,
    is_at_work,
    log_path,
    read_tab,
    users_tabs,
)
from baileys_tools.host.rules.cron import blocks_in
from baileys_tools.host.rules.cron_status import (
    Ended,
    JobState,
    JobSurroundings,
    WhoseJobs,
    exit_code_of,
    installed_jobs,
    is_of,
    job_states,
    surroundings_of_block,
    surroundings_of_unit,
)
from baileys_tools.host.rules.systemd import PREFIX, own_prefix, sets_of
from baileys_tools.pasted import command
from baileys_tools.trust import read_trusted
from baileys_tools.units import moment_of

LARGEST_UNIT = 1 << 16
LIST_TIMERS = "systemctl list-timers 'baileys-tools*'"
TIMERS = "systemd timers"
SYSTEMD_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CRON_RUN = "`cron run`"


class Jobs(NamedTuple):
    """The jobs that are installed in one place: (command, time) of each, whose they are, and the settings they see.

    `since` is when they were installed, None to ask the state.
    """

    place: str
    times: Sequence[tuple[str, str]]
    account: CronAccount
    loaded: LoadedSettings
    remove: str
    """The command that takes them out again."""
    path: str = CRON_PATH
    """Where they look for programs."""
    since: datetime | None = None
    given: JobSurroundings = JobSurroundings()

    def is_of(self, loaded: LoadedSettings) -> bool:
        return is_of(self.given, whose_jobs(loaded))

    @property
    def root(self) -> str | None:
        """The sessions path that they look after."""
        return self.loaded.settings.sessions.where


def status_command(given: CommandLine, *, system: bool) -> ExitCode:
    """Given the command line, say of each installed job when it ran last and how it ended."""
    loaded = settings_in_force(given.flags, given.config)
    now = datetime.now(UTC)
    place = crontab.SYSTEM_FILE if system else f"the crontab of {account_named(None).name}"
    states: list[JobState] = []
    notes: list[str] = []
    log = log_path(loaded.settings, account_named(None))
    if not system and is_at_work(loaded.settings, now):
        states, place = states_of_run(loaded, now), CRON_RUN
    elif found := _nearest([jobs for jobs in find_jobs(loaded) if not system or jobs.place == place], loaded):
        states, place, notes = states_of(found, now), found.place, differences(found, loaded)
        log = log_path(found.loaded.settings, found.account)
        loaded = found.loaded
    if place in (CRON_RUN, TIMERS) or loaded.settings.cron.journal:
        log = ""
    code = exit_code_of(states)
    if given.as_json:
        from baileys_tools.frame.show.json_text import envelope
        from baileys_tools.host.show.cron_text import status_json

        print(envelope("cron status", now, code, status_json(states, place, log)))
    elif not (given.quiet and code is ExitCode.DONE):
        from baileys_tools.frame.show.terminal import Style
        from baileys_tools.host.show.cron_text import status_text

        said_in, check = {
            CRON_RUN: ("the output of `cron run`", ""),
            TIMERS: ("journalctl -u 'baileys-tools*'", f"are the timers on? ({LIST_TIMERS})"),
        }.get(place, (log or "journalctl -t baileys-tools", "is cron running? (systemctl status cron)"))
        text = status_text(states, place, notes, said_in, check, now, Style())
        print(text, file=sys.stderr if given.quiet else sys.stdout)
    return code


def _nearest(found: Sequence[Jobs], loaded: LoadedSettings) -> Jobs | None:
    """Return the jobs of the settings in force, else the first ones there are: `differences` says which they are."""
    return next((jobs for jobs in found if jobs.is_of(loaded)), found[0] if found else None)


def whose_jobs(loaded: LoadedSettings, variables: Mapping[str, str] | None = None) -> WhoseJobs:
    """Return whose jobs those of these settings are. `variables` are those that each job is given, if any are."""
    carried = JobSurroundings(variables=variables or {}).sessions
    return WhoseJobs(loaded.config_file, loaded.settings.sessions.where, carried)


def find_jobs(loaded: LoadedSettings) -> Iterator[Jobs]:
    """Yield the jobs of each place where some are installed: crontabs, /etc/cron.d, systemd timers.

    Raises BaileysToolsError for a crontab that cannot be read, or settings of the jobs that cannot.
    """
    me = account_named(None).name
    for name, tab in users_tabs(loaded.settings.sessions.where).items():
        blocks = blocks_in(tab)
        for block in blocks:
            given = surroundings_of_block(block, system=False)
            remove = _remove(given, len(blocks))
            remove = remove if name == me else f"{command('sudo -u {}', name)} {remove}"
            yield _jobs_of_block(f"the crontab of {name}", block, given, loaded, name, remove)
    blocks = blocks_in(read_tab(system=True) or b"")
    for block in blocks:
        given = surroundings_of_block(block, system=True)
        remove = _remove(given, len(blocks), system=True)
        yield _jobs_of_block(crontab.SYSTEM_FILE, block, given, loaded, "", remove)
    yield from _jobs_of_timers(loaded)


def _remove(given: JobSurroundings, blocks: int, *, system: bool = False) -> str:
    """Return what takes the block of jobs out of a crontab that has several, or this one."""
    if blocks == 1 or (given.config is None and given.sessions is None):
        return "sudo baileys-tools cron remove --system" if system else "baileys-tools cron remove"
    if given.config is not None:
        if system:
            return command("sudo baileys-tools cron remove --system --config {}", given.config)
        return command("baileys-tools cron remove --config {}", given.config)
    if system:
        return command("sudo baileys-tools cron remove --system --sessions {}", given.sessions or "")
    return command("baileys-tools cron remove --sessions {}", given.sessions or "")


def _jobs_of_block(
    place: str, block: bytes, given: JobSurroundings, loaded: LoadedSettings, name: str, remove: str
) -> Jobs:
    account, seen = _seen_by(given._replace(user=name or given.user), loaded, is_roots_word=not name)
    path = given.variables.get("PATH", CRON_PATH)
    return Jobs(place, installed_jobs(block), account, seen, remove, path, given=given)


UNIT_FOLDERS = ("/etc/systemd/system", "~/.config/systemd/user")


def _jobs_of_timers(loaded: LoadedSettings) -> Iterator[Jobs]:
    """Yield the jobs of each set of units that `cron show --systemd` has written."""
    for folder in map(os.path.expanduser, UNIT_FOLDERS):
        try:
            sets = sets_of(os.listdir(folder))
        except OSError:
            continue
        for timers in sets.values():
            try:
                given = given_by_units(folder, timers)
                since = moment_of(os.stat(os.path.join(folder, timers[0])).st_mtime_ns)
            except OSError:
                continue
            account, seen = _seen_by(given, loaded, is_roots_word=True)
            times = [
                (entry.job.command, entry.time)
                for entry in entries_for(seen)
                if any(timer.endswith(f"-{entry.job.command}.timer") for timer in timers)
            ]
            remove = "systemctl disable --now 'baileys-tools*.timer'"
            if len(sets) > 1:
                remove = command("systemctl disable --now" + " {}" * len(timers), *timers)
            path = given.variables.get("PATH", SYSTEMD_PATH)
            yield Jobs(TIMERS, times, account, seen, remove, path, since, given)


def given_by_units(folder: str, timers: Sequence[str]) -> JobSurroundings:
    """Return what the jobs of a set of units are given: the same to all. Raises OSError."""
    service = os.path.join(folder, f"{timers[0].removesuffix('.timer')}.service")
    return surroundings_of_unit(read_trusted(service, LARGEST_UNIT).decode("utf-8", "surrogateescape"))


def unit_prefix(folders: Sequence[str], ours: WhoseJobs) -> str:
    """Return what the names of our units begin with: as before, or what leaves those of another settings file alone."""
    found = PREFIX
    for folder in map(os.path.expanduser, folders):
        with suppress(OSError):
            for prefix, timers in sets_of(os.listdir(folder)).items():
                with suppress(OSError):
                    # Also where the first set has gone: two sets of one file would run each job twice.
                    if is_of(given_by_units(folder, timers), ours):
                        return prefix
                    if prefix == PREFIX:
                        found = own_prefix(ours.config or ours.sessions or "")
    return found


def _seen_by(
    given: JobSurroundings, loaded: LoadedSettings, *, is_roots_word: bool
) -> tuple[CronAccount, LoadedSettings]:
    """Return whose jobs these are, and the settings as they see them. Another user's are not for us to see.

    `is_roots_word`: only root can have written what was `given`.
    """
    own = account_named(None)
    account = own if given.user in ("", own.name) else account_named(given.user)
    if own.uid not in (0, account.uid):
        return own, loaded
    # Where their crontab or their home says which files are settings and secrets, root reads no more than they can.
    with acting_for(own if is_roots_word and given.config is not None else account):
        return account, load_settings(
            {}, given.variables, config=given.config, cwd=account.home, home=account.home, euid=account.uid
        )


def differences(jobs: Jobs, loaded: LoadedSettings) -> list[str]:
    """Return in words what these jobs use otherwise than who asks."""
    found = []
    if loaded.settings.sessions.where not in (None, jobs.root):
        found.append(f"these jobs look after {jobs.root}, not {loaded.settings.sessions.where}")
    theirs, ours = jobs.loaded.settings.state.dir, loaded.settings.state.dir
    if theirs != ours and jobs.account.uid == os.geteuid():
        found.append(f"these jobs keep their state in {theirs}, and this shell says {ours}")
    return found


def states_of_run(loaded: LoadedSettings, now: datetime) -> list[JobState]:
    jobs = [(entry.job.command, entry.time) for entry in entries_for(loaded)]
    # It notes each start of its own: what was due while it was down has been missed.
    return _recorded(jobs, loaded.settings.state.dir, None, now, anew=False)


def states_of(jobs: Jobs, now: datetime) -> list[JobState]:
    """Return the state of each installed job, as its user's state folder has it."""
    with acting_for(jobs.account):
        return _recorded(jobs.times, jobs.loaded.settings.state.dir, jobs.since, now)


def _recorded(
    jobs: Sequence[tuple[str, str]],
    folder: str,
    since: datetime | None,
    now: datetime,
    *,
    anew: bool = True,
) -> list[JobState]:
    from baileys_tools.state.database import from_seconds, open_state
    from baileys_tools.state.memory import recall
    from baileys_tools.state.runs import last_jobs
    from baileys_tools.state.spool import take_in

    with open_state(folder, now) as state:
        take_in(state)
        runs = {command: Ended(run.started, run.exit_code) for command, run in last_jobs(state).items()}
        if since is None and isinstance(noted := recall(state, INSTALLED), int):
            since = from_seconds(noted)
    # cron goes by the host's own zone.
    return job_states(jobs, runs, since, now.astimezone(), anew=anew)
