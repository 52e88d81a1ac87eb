"""Every setting, once: name, type, default, floor, flag, environment variables and what it means.

Reading, checking, `config show`, `config init` and docs/configuration.md all come from these classes. To add
a setting, add a line to its section; to add a section, add a class and its field in `Settings`. A variable
that operators already use is one more word in `env`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from baileys_tools.config.kinds import (
    BOOLEAN,
    COMPANY_IDS,
    COPY_TARGETS,
    COUNT,
    DURATION,
    PATH,
    TEXTS,
)
from baileys_tools.config.section import Schema, Section, setting


class Sessions(Section, name="sessions"):
    """Where the session folders of the bots are."""

    __slots__ = ()

    path: str | None = setting(
        default=None,
        kind=PATH,
        about="The folder that holds the `company_<id>` folders, or the session folder of a single bot.",
        flag="--sessions",
        env=("BAILEYS_SESSIONS_PATH", "SESSION_PATH"),
        default_text="none",
    )
    companies: tuple[str, ...] = setting(
        default=(),
        kind=COMPANY_IDS,
        about="The companies to work on when no --company is given.",
        flag="--company",
        env=("COMPANY_ID",),
        default_text="all",
    )
    multitenancy: bool | None = setting(
        default=None,
        kind=BOOLEAN,
        about="true: the folder holds `company_<id>` folders. false: it is one session folder itself. "
        "Not given: it is one session folder when it holds `creds.json`.",
        env=("ENABLE_MULTITENANCY",),
        default_text="detected",
    )


class Cleanup(Section, name="cleanup"):
    """What a cleanup removes by age, and for how long it can be undone."""

    __slots__ = ()

    dry_run: bool = setting(
        default=False,
        kind=BOOLEAN,
        about="Only show what a cleanup would remove.",
        flag="--dry-run/--no-dry-run",
        env=("DRY_RUN",),
    )
    session_max_age: timedelta = setting(
        default=timedelta(days=14),
        kind=DURATION,
        about="`session-*` files older than this are removed.",
        flag="--session-max-age",
        at_least=timedelta(days=7),
    )
    sender_key_max_age: timedelta = setting(
        default=timedelta(days=3),
        kind=DURATION,
        about="`sender-key-*` files older than this are removed, the bot's own only with its memory.",
        flag="--sender-key-max-age",
        at_least=timedelta(days=1),
    )
    snapshot_first: bool = setting(
        default=True,
        kind=BOOLEAN,
        about="Take a snapshot of a folder before files are removed from it. Needs `backup.path`.",
    )
    undo_window: timedelta = setting(
        default=timedelta(hours=24),
        kind=DURATION,
        about="How long removed files stay in quarantine for `undo`. 0 unlinks them at once.",
    )


class PreKeys(Section, name="pre_keys"):
    """How many pre-keys stay."""

    __slots__ = ()

    keep: int = setting(
        default=50,
        kind=COUNT,
        about="The pre-keys with the highest ids that stay; the others are removed.",
        flag="--max-pre-keys",
        at_least=30,
    )
    guard: bool = setting(
        default=True,
        kind=BOOLEAN,
        about="Keep a large upload of pre-keys whole: the server still hands them out to new contacts.",
        flag="--pre-key-guard/--no-pre-key-guard",
    )


class Emergency(Section, name="emergency"):
    """The stricter rules for a folder that stays at or above `thresholds.danger` after the normal ones."""

    __slots__ = ()

    session_max_age: timedelta = setting(
        default=timedelta(days=7),
        kind=DURATION,
        about="`session-*` files older than this are removed.",
        at_least=timedelta(days=7),
    )
    sender_key_max_age: timedelta = setting(
        default=timedelta(days=1),
        kind=DURATION,
        about="`sender-key-*` files older than this are removed.",
        at_least=timedelta(days=1),
    )
    pre_keys_keep: int = setting(
        default=30, kind=COUNT, about="The pre-keys with the highest ids that stay.", at_least=30
    )


class Thresholds(Section, name="thresholds"):
    """From how many counted files on a folder is at which level. Each has to be above the one before."""

    __slots__ = ()

    warning: int = setting(default=150, kind=COUNT, about="From here on: warning.")
    critical: int = setting(default=170, kind=COUNT, about="From here on: critical.")
    trigger: int = setting(default=175, kind=COUNT, about="From here on: time for a cleanup.")
    emergency: int = setting(default=180, kind=COUNT, about="From here on: emergency.")
    danger: int = setting(default=185, kind=COUNT, about="Above this: danger.")


class Backup(Section, name="backup"):
    """Where snapshots of the session folders go, who can read them, and which stay.

    A snapshot stays when any rule keeps it. With all `keep_` rules at 0, nothing is ever removed.
    """

    __slots__ = ()

    path: str | None = setting(
        default=None,
        kind=PATH,
        about="The backup repository: a folder of its own, made with mode 0700.",
        env=("BAILEYS_TOOLS_BACKUP_PATH",),
        default_text="none",
    )
    recipients: tuple[str, ...] = setting(
        default=(),
        kind=TEXTS,
        about="age public keys (`age1...`, `ssh-ed25519 ...`) that snapshots are encrypted to. This host needs no "
        "secret key.",
        default_text="none: snapshots are not encrypted",
    )
    identity_file: str | None = setting(
        default=None,
        kind=PATH,
        about="The age secret key that opens snapshots, for `restore` and `verify --deep`. Better kept elsewhere.",
        flag="--identity",
        default_text="none",
    )
    copies: tuple[str, ...] = setting(
        default=(),
        kind=COPY_TARGETS,
        about="Where each snapshot is copied to: `sftp://user@host/folder`, `s3://bucket/folder`, `file:///mnt/disk`.",
        default_text="none",
    )
    keep_last: int = setting(default=12, kind=COUNT, about="Keep the newest, this many.")
    keep_within: timedelta = setting(
        default=timedelta(),
        kind=DURATION,
        about="Keep all that are at most this much older than the newest one.",
    )
    keep_hourly: int = setting(
        default=24, kind=COUNT, about="Keep the newest of an hour, for this many hours."
    )
    keep_daily: int = setting(default=7, kind=COUNT, about="Keep the newest of a day, for this many days.")
    keep_weekly: int = setting(default=4, kind=COUNT, about="Keep the newest of a week, for this many weeks.")
    keep_monthly: int = setting(
        default=0, kind=COUNT, about="Keep the newest of a month, for this many months."
    )
    minimum: int = setting(
        default=3,
        kind=COUNT,
        about="Whole snapshots of a company that stay whatever the rules say.",
        at_least=1,
    )


class Copies(Section, name="copies"):
    """Which snapshots stay at the places of `backup.copies`, and how long to wait for those."""

    __slots__ = ()

    keep_last: int = setting(default=12, kind=COUNT, about="Keep the newest, this many.")
    keep_within: timedelta = setting(
        default=timedelta(),
        kind=DURATION,
        about="Keep all that are at most this much older than the newest one.",
    )
    keep_hourly: int = setting(
        default=0, kind=COUNT, about="Keep the newest of an hour, for this many hours."
    )
    keep_daily: int = setting(default=14, kind=COUNT, about="Keep the newest of a day, for this many days.")
    keep_weekly: int = setting(default=8, kind=COUNT, about="Keep the newest of a week, for this many weeks.")
    keep_monthly: int = setting(
        default=6, kind=COUNT, about="Keep the newest of a month, for this many months."
    )
    minimum: int = setting(
        default=3, kind=COUNT, about="Snapshots of a company that stay whatever the rules say.", at_least=1
    )
    timeout: timedelta = setting(
        default=timedelta(seconds=30),
        kind=DURATION,
        about="How long to wait for an answer from such a place.",
        at_least=timedelta(seconds=1),
    )


class State(Section, name="state"):
    """Where this tool keeps what it remembers between runs."""

    __slots__ = ()

    dir: str = setting(
        default="/var/lib/baileys-tools",
        kind=PATH,
        about="The folder of the state database.",
        flag="--state-dir",
        env=("BAILEYS_TOOLS_STATE_DIR",),
        default_text="/var/lib/baileys-tools for root, else ~/.local/state/baileys-tools",
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting with its value."""

    sessions: Sessions = field(default_factory=Sessions)
    cleanup: Cleanup = field(default_factory=Cleanup)
    pre_keys: PreKeys = field(default_factory=PreKeys)
    emergency: Emergency = field(default_factory=Emergency)
    thresholds: Thresholds = field(default_factory=Thresholds)
    backup: Backup = field(default_factory=Backup)
    copies: Copies = field(default_factory=Copies)
    state: State = field(default_factory=State)


ASCENDING = (
    ("thresholds.warning", "thresholds.critical"),
    ("thresholds.critical", "thresholds.trigger"),
    ("thresholds.trigger", "thresholds.emergency"),
    ("thresholds.emergency", "thresholds.danger"),
)
"""Pairs of settings of which the second has to be above the first."""


SCHEMA = Schema(Sessions, Cleanup, PreKeys, Emergency, Thresholds, Backup, Copies, State)
