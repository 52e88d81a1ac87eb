"""Every setting, once: name, type, default, floor, flag, environment variables and what it means.

Reading, checking, `config show`, `config init` and docs/configuration.md all come from these classes. To add
a setting, add a field; to add a section, add a class and its field in `Settings`. An environment variable
that operators already use is one more word in `env`.
"""

# ruff: noqa: RUF009 - setting() makes a dataclass field, nothing that instances would share

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any, TypeVar

from baileys_tools.config.kinds import (
    BOOLEAN,
    COMPANY_IDS,
    COUNT,
    DURATION,
    PATH,
    SECRET,
    SECRET_FILE,
    Kind,
    Secret,
    valid_company_id,
)

__all__ = ["SCHEMA", "Schema", "Secret", "Setting", "Settings", "schema_of", "valid_company_id"]

T = TypeVar("T")


def setting(
    default: T,
    kind: Kind,
    about: str,
    *,
    flag: str = "",
    env: tuple[str, ...] = (),
    at_least: Any = None,
    default_text: str = "",
) -> T:
    """Declare one setting of a section: a dataclass field that carries its own rules.

    `flag` is the option that sets it ("--on/--no-on" for a switch), `env` the further variables that do, the
    strongest first, `at_least` the floor, `default_text` says a default that depends on the host.
    """
    rules = {
        "kind": kind,
        "about": about,
        "flag": flag,
        "env": env,
        "at_least": at_least,
        "default_text": default_text,
    }
    return field(default=default, metadata=rules)


@dataclass(frozen=True, slots=True)
class Sessions:
    """Where the session folders of the bots are."""

    path: str | None = setting(
        None,
        PATH,
        "The folder that holds the company_<id> folders, or the session folder of a single bot.",
        flag="--sessions",
        env=("BAILEYS_SESSIONS_PATH", "SESSION_PATH"),
        default_text="none; on Railway /app/persistent-session",
    )
    companies: tuple[str, ...] = setting(
        (),
        COMPANY_IDS,
        "The companies to work on when no --company is given.",
        flag="--company",
        env=("COMPANY_ID",),
        default_text="all",
    )
    multitenancy: bool | None = setting(
        None,
        BOOLEAN,
        "Whether the folder holds company_<id> folders (true) or is one session folder itself (false).",
        env=("ENABLE_MULTITENANCY",),
        default_text="detected: a folder that holds creds.json is one session",
    )


@dataclass(frozen=True, slots=True)
class Cleanup:
    """What a cleanup removes by age, and for how long it can be undone."""

    dry_run: bool = setting(
        False,
        BOOLEAN,
        "Only show what a cleanup would remove.",
        flag="--dry-run/--no-dry-run",
        env=("DRY_RUN",),
    )
    session_max_age: timedelta = setting(
        timedelta(days=14),
        DURATION,
        "session-* files older than this are removed.",
        flag="--session-max-age",
        at_least=timedelta(days=7),
    )
    sender_key_max_age: timedelta = setting(
        timedelta(days=3),
        DURATION,
        "sender-key-* files older than this are removed; the bot's own only together with its memory.",
        flag="--sender-key-max-age",
        at_least=timedelta(days=1),
    )
    undo_window: timedelta = setting(
        timedelta(hours=24),
        DURATION,
        "How long removed files stay in quarantine for `undo`. 0 unlinks them at once.",
    )


@dataclass(frozen=True, slots=True)
class PreKeys:
    """How many pre-keys stay."""

    keep: int = setting(
        50,
        COUNT,
        "The pre-keys with the highest ids that stay; the others are removed.",
        flag="--max-pre-keys",
        at_least=30,
    )
    guard: bool = setting(
        True,
        BOOLEAN,
        "Keep a large upload of pre-keys whole: the server still hands them out to new contacts.",
        flag="--pre-key-guard/--no-pre-key-guard",
    )


@dataclass(frozen=True, slots=True)
class Emergency:
    """The stricter rules for a folder that stays at or above thresholds.danger after the normal ones."""

    session_max_age: timedelta = setting(
        timedelta(days=7),
        DURATION,
        "session-* files older than this are removed.",
        at_least=timedelta(days=7),
    )
    sender_key_max_age: timedelta = setting(
        timedelta(days=1),
        DURATION,
        "sender-key-* files older than this are removed.",
        at_least=timedelta(days=1),
    )
    pre_keys_keep: int = setting(30, COUNT, "The pre-keys with the highest ids that stay.", at_least=30)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From how many counted files on a folder is at which level. Each has to be above the one before."""

    warning: int = setting(150, COUNT, "From here on: warning.", at_least=1)
    critical: int = setting(170, COUNT, "From here on: critical.", at_least=1)
    trigger: int = setting(175, COUNT, "From here on: time for a cleanup.", at_least=1)
    emergency: int = setting(180, COUNT, "From here on: emergency.", at_least=1)
    danger: int = setting(
        185, COUNT, "From here on: danger; cleanup may use the emergency rules.", at_least=1
    )


@dataclass(frozen=True, slots=True)
class State:
    """Where this tool keeps what it remembers between runs."""

    dir: str = setting(
        "/var/lib/baileys-tools",
        PATH,
        "The folder of the state database.",
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
    state: State = field(default_factory=State)


ASCENDING = (
    ("thresholds.warning", "thresholds.critical"),
    ("thresholds.critical", "thresholds.trigger"),
    ("thresholds.trigger", "thresholds.emergency"),
    ("thresholds.emergency", "thresholds.danger"),
)
"""Pairs of settings of which the second has to be above the first."""


class Setting:
    """One setting as every reader of the schema sees it. `target` is the path whose value it gives."""

    __slots__ = ("about", "at_least", "default", "default_text", "env", "flag", "kind", "path", "target")

    def __init__(self, path: str, default: Any, rules: Mapping[str, Any], target: str = "") -> None:
        self.path = path
        self.target = target or path
        self.default = default
        self.kind: Kind = rules["kind"]
        self.about: str = rules["about"]
        self.flag: str = rules["flag"]
        self.at_least: Any = rules["at_least"]
        self.default_text: str = rules["default_text"]
        section, _, key = path.partition(".")
        self.env = (f"BAILEYS_TOOLS_{section}__{key}".upper(), *rules["env"])

    def show(self, value: Any) -> str:
        """Given a value of this setting, return it as it could be written in the settings file."""
        return "" if value is None else self.kind.show(value)

    def flag_for(self, value: Any) -> str:
        """Given a value that a flag gave, return the flag as it was typed."""
        on, _, off = self.flag.partition("/")
        return off if off and value is False else on or self.path


class Schema:
    """The sections and settings of one settings class, by name and by dotted path."""

    __slots__ = ("sections", "settings")

    def __init__(self, sections: dict[str, Any], settings: dict[str, Setting]) -> None:
        self.sections = sections
        self.settings = settings


def schema_of(root: Any) -> Schema:
    """Given a class of sections, return its schema. Each secret `x` brings an `x_file` to read it from."""
    sections: dict[str, Any] = {section.name: section.default_factory for section in fields(root)}
    settings: dict[str, Setting] = {}
    for name, section in sections.items():
        for key in fields(section):
            found = Setting(f"{name}.{key.name}", key.default, key.metadata)
            settings[found.path] = found
            if found.kind is SECRET:
                companion = _file_of_secret(found, key.metadata)
                settings[companion.path] = companion
    return Schema(sections, settings)


def _file_of_secret(secret: Setting, rules: Mapping[str, Any]) -> Setting:
    own = {
        "kind": SECRET_FILE,
        "about": f"A file that holds {secret.path}.",
        "flag": "",
        "env": tuple(f"{name}_FILE" for name in rules["env"]),
    }
    return Setting(f"{secret.path}_file", None, {**rules, **own}, secret.path)


SCHEMA = schema_of(Settings)
