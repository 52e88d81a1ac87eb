"""What the jobs of this account are: whose crontab, which settings, which command, and what was installed."""

import os
import pwd
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import NamedTuple

from baileys_tools.config import LoadedSettings, Secret, Settings, load_settings, require_sessions_path
from baileys_tools.config.host import JOB_VARIABLE, Surroundings, default_state_dir
from baileys_tools.config.schema import SCHEMA
from baileys_tools.errors import UsageError
from baileys_tools.host import crontab
from baileys_tools.host.rules.cron import JOBS, CronEntry, Log, crontab_block, plan_entries, spread
from baileys_tools.layouts import roots_of
from baileys_tools.owner import acting_as
from baileys_tools.trust import doubt_of

CRON_PATH = "/usr/bin:/bin"
"""What cron gives a job to find programs with."""

INSTALLED = "cron-installed"
"""Under this key the state keeps when `cron install` last changed something, or `cron run` started."""


class CronAccount(NamedTuple):
    """Who runs the jobs."""

    name: str
    uid: int
    gid: int
    home: str


class Setup(NamedTuple):
    """Everything that the crontab, or the units, of a host are made from."""

    account: CronAccount
    entries: Sequence[CronEntry]
    variables: Mapping[str, str]
    """Settings that cron would not see by itself."""
    log: Log
    notes: Sequence[str]
    state_dir: str
    """The state folder of the jobs, which is not always that of who installs them."""
    writable: Sequence[str]

    def block(self, *, system: bool) -> bytes:
        """Return the marked block for the user's crontab, or for /etc/cron.d."""
        user = self.account.name if system else ""
        if system and not has_name(self.account):
            raise UsageError(
                f"cron knows users by their names, and user {user} has none",
                "Say who runs the jobs: --user NAME",
            )
        return crontab_block(self.entries, self.variables, self.log, self.notes, user)


def read_tab(*, system: bool) -> bytes | None:
    """Return the crontab that we write to, as it is; None when there is none."""
    return crontab.read_system_file() if system else crontab.read_crontab()


def users_tabs(sessions: str | None) -> dict[str, bytes]:
    """Return by name the crontab of who asks and, for root, that of the owner of the sessions.

    Nothing where there is no crontab program, as in a container.
    """
    from shutil import which

    if not which("crontab"):
        return {}
    own = account_named(None)
    tabs = {own.name: crontab.read_crontab() or b""} if has_name(own) else {}
    if own.uid == 0 and sessions is not None:
        with suppress(UsageError):
            owner = _owner(sessions, None)
            tabs.setdefault(owner, b"" if owner == own.name else crontab.read_crontab(owner) or b"")
    return tabs


def setup_of(
    loaded: LoadedSettings, *, system: bool = False, user: str | None = None, host: str | None = None
) -> Setup:
    """Given the settings in force, return what cron is to run so that each job sees the same settings.

    Raises UsageError where that cannot be: no sessions path, or a secret that only the environment knows.
    """
    sessions = require_sessions_path(loaded)
    if user is not None and not system:
        raise UsageError(
            "--user goes with --system only", "Or run it as that user: sudo -u USER baileys-tools ..."
        )
    account = account_named(_owner(sessions, user) if system else None)
    settings = loaded.settings
    notes = []
    if settings.backup.path is None:
        left_out = ", ".join(job.command for job in JOBS if job.needs_repository)
        notes.append(f"Without {left_out}: there is no backup.path in the settings.")
    alone = settings_alone(loaded, account)
    state_dir = state_dir_of(loaded, alone)
    entries = entries_for(loaded, host)
    variables = {
        JOB_VARIABLE: "1",
        **_way_to_pm2(settings, account, notes),
        **carried_settings(loaded, alone),
    }
    log = Log("" if settings.cron.journal else log_path(settings, account, state_dir))
    if log.path:
        _require_own_log(log.path, account)
        notes.append(f"Log: {log.path} (only troubles; a logrotate example is in docs/cron.md).")
    return Setup(
        account, entries, variables, log, notes, state_dir, _written_to(settings, sessions, state_dir)
    )


def _written_to(settings: Settings, sessions: str, state_dir: str) -> list[str]:
    """Return every folder that the jobs write to."""
    from urllib.parse import urlsplit

    files = (settings.monitor.textfile, settings.trigger.lock_file)
    folders = [
        *(root.path for root in roots_of(sessions)),
        *(state_dir, settings.backup.path),
        *(urlsplit(one).path for one in settings.backup.copies if one.startswith("file:")),
        *(os.path.dirname(path) for path in files if path is not None),
    ]
    return list(dict.fromkeys(path for path in folders if path is not None))


def uses_pm2(settings: Settings) -> bool:
    """Whether the process of any bot is one of PM2."""
    return bool(settings.process.pm2 or any(own.get("process.pm2") for own in settings.companies.values()))


def _way_to_pm2(settings: Settings, account: CronAccount, notes: list[str]) -> dict[str, str]:
    """Return the variables with which cron finds PM2, which lies where Node does: nvm, /usr/local/bin.

    PM2 is a script for `node`, so an absolute path of it alone would not do.
    """
    from shutil import which

    if not uses_pm2(settings):
        return {}
    found = [path for path in (which("pm2"), which("node")) if path is not None]
    if which("pm2") is None:
        notes.append("pm2 is not in your PATH: the jobs cannot tell whether the bots' processes run.")
    folders = dict.fromkeys([*map(os.path.dirname, found), *CRON_PATH.split(":")])
    path = ":".join(folders)
    home = os.environ.get("PM2_HOME", "") if account.uid == os.geteuid() else ""
    return ({"PATH": path} if path != CRON_PATH else {}) | (
        {"PM2_HOME": os.path.abspath(home)} if home else {}
    )


def entries_for(loaded: LoadedSettings, host: str | None = None) -> list[CronEntry]:
    """Given the settings in force, return the jobs of this host, or of the one named."""
    options = ("--config", loaded.config_file) if loaded.config_file is not None else ()
    return plan_entries(
        _times(loaded, os.uname().nodename if host is None else host),
        own_command(),
        options,
        has_repository=loaded.settings.backup.path is not None,
    )


def _times(loaded: LoadedSettings, host: str) -> dict[str, str]:
    times = {}
    for job in JOBS:
        path = f"cron.{job.setting}"
        time: str = loaded.values[path]
        default = loaded.origin[path] == "default"
        times[job.setting] = spread(time, job.setting, host, loaded.settings.cron.jitter) if default else time
    return times


def log_path(settings: Settings, account: CronAccount, state_dir: str = "") -> str:
    """Return the file that takes what the jobs of `account` have to say."""
    return settings.cron.log or os.path.join(own_place(state_dir or settings.state.dir, account), "cron.log")


def own_command() -> list[str]:
    """Return the words that start this very installation from anywhere: cron knows few paths."""
    beside = os.path.join(os.path.dirname(sys.executable), "baileys-tools")
    called = os.path.abspath(sys.argv[0])
    for script in (beside, called):
        if os.path.basename(script) == "baileys-tools" and os.access(script, os.X_OK):
            return [script]
    # -P: what lies in the working folder of a job is no module of ours.
    return [sys.executable, "-P", "-m", "baileys_tools"]


def account_named(name: str | None) -> CronAccount:
    """Return the account of that name or number, the calling user's for None.

    A number does where the host has no name for it, as in a container. Raise UsageError for an unknown name.
    """
    is_own = name is None
    wanted = str(os.geteuid()) if name is None else name
    try:
        found = pwd.getpwuid(int(wanted)) if wanted.isdecimal() else pwd.getpwnam(wanted)
    except (KeyError, OverflowError):
        if not wanted.isdecimal():
            raise UsageError(f"there is no user {wanted} on this host") from None
        home = Surroundings(os.environ if is_own else {"HOME": "/"}).home
        return CronAccount(wanted, int(wanted), os.getegid() if is_own else int(wanted), home)
    home = os.environ.get("HOME", found.pw_dir) if is_own else found.pw_dir
    return CronAccount(found.pw_name, found.pw_uid, found.pw_gid, home)


def _owner(sessions: str, user: str | None) -> str:
    if user is not None:
        return user
    try:
        return pwd.getpwuid(os.stat(roots_of(sessions)[0].path).st_uid).pw_name
    except (OSError, KeyError):
        raise UsageError(f"nobody knows who owns {sessions}", "Say who runs the jobs: --user NAME") from None


def settings_alone(loaded: LoadedSettings, account: CronAccount) -> LoadedSettings:
    """Return the settings as a job of `account` finds them: without this shell's flags and variables."""
    # A file that root has named was read by root already; what lies in their home is read with their rights.
    with acting_for(account if loaded.config_file is None else account_named(None)):
        return load_settings(
            {}, {}, config=loaded.config_file, cwd=account.home, home=account.home, euid=account.uid
        )


def state_dir_of(loaded: LoadedSettings, alone: LoadedSettings) -> str:
    return (alone if loaded.origin["state.dir"] == "default" else loaded).settings.state.dir


def carried_settings(loaded: LoadedSettings, alone: LoadedSettings) -> dict[str, str]:
    """Return the variables that a job needs to see, besides what it finds `alone`, the settings now in force.

    Raises UsageError for a secret that only the environment knows.
    """
    variables: dict[str, str] = {}
    for path, value in loaded.values.items():
        origin = loaded.origin[path]
        if origin == "default" or alone.values[path] == value:
            continue
        setting = SCHEMA.setting(path)
        if value is not None and setting.kind.conceal(value) != value:
            raise UsageError(
                f"{path} comes from {origin} and has a token in it, and a crontab is no place for a secret",
                "Write it into the settings file, of mode 0600.",
            )
        if not _is_secret(value):
            # The names that people know: BAILEYS_SESSIONS_PATH, not BAILEYS_TOOLS_SESSIONS__PATH.
            name = next((name for name in setting.env[1:] if name.startswith("BAILEYS_")), setting.env[0])
            variables[name] = setting.show(value)
            continue
        name, _, by_file = origin.removeprefix("environment ").partition(" ")
        if not by_file:
            raise UsageError(
                f"{path} comes from {origin}, which cron does not have, and a crontab is no place for a secret",
                f"Write it into a file of mode 0600 and name that in the settings: {setting.key}_file",
            )
        variables[name] = os.path.abspath(os.path.expanduser(os.environ[name]))
    return variables


def _is_secret(value: object) -> bool:
    return isinstance(value, Secret) or (isinstance(value, tuple) and any(map(_is_secret, value)))


def note_installation(state_dir: str) -> None:
    """Remember when the jobs were installed, or `cron run` started: before their first time, none is missed."""
    from baileys_tools.state.database import open_state, to_seconds
    from baileys_tools.state.memory import keep

    now = datetime.now(UTC)
    with open_state(state_dir, now) as state:
        keep(state, INSTALLED, to_seconds(now))


def load_before_acting() -> None:
    """Import what settings and state import when they need it: the other user may not be able to read root's Python."""
    import difflib
    import grp
    import json
    import sqlite3
    import urllib.parse

    import jmespath.exceptions

    import baileys_tools.config.yaml_file
    import baileys_tools.schedule

    del difflib, grp, json, sqlite3, urllib, jmespath, baileys_tools


ALIVE = "cron.alive"
"""A file in the state folder that is touched each minute, for a health check."""


def is_at_work(settings: Settings, now: datetime) -> bool:
    """Whether a `cron run` with this state folder has shown itself in the last three minutes."""
    try:
        touched = os.stat(os.path.join(settings.state.dir, ALIVE)).st_mtime
    except OSError:
        return False
    return now.timestamp() - touched < 180


def own_place(state_dir: str, account: CronAccount) -> str:
    """Return the folder for what only `account` may change: the state folder, else the one it has by default.

    A state folder of somebody else's holds the state; the crontab of before and the log that cron writes into as
    `account` would be at that one's mercy.
    """
    with acting_for(account), suppress(PermissionError):
        if doubt_of(state_dir)[0] is None:
            return state_dir
    environ = os.environ if account.uid == os.geteuid() else {}
    return default_state_dir(Surroundings(environ, "/", account.home, account.uid))


def _require_own_log(path: str, account: CronAccount) -> None:
    doubt = None
    with acting_for(account), suppress(PermissionError):  # what they cannot reach, the job itself will say
        doubt = doubt_of(path)[0]
    if doubt is not None:
        raise UsageError(
            f"cron.log: {doubt.why}: what the jobs of {account.name} write there could be led elsewhere",
            "Name a file in a folder of root's (cron.log), or use the journal: cron.journal",
        )


@contextmanager
def acting_for(account: CronAccount) -> Iterator[None]:
    """Do what is done inside the `with` as the user of the jobs; only root can be somebody else."""
    load_before_acting()
    with acting_as(account.uid, account.gid, os.getgrouplist(account.name, account.gid)):
        yield


def has_name(account: CronAccount) -> bool:
    """Whether this host knows the account by a name. crontab(1) serves no other."""
    return not account.name.isdecimal()
