"""The pages of `help TOPIC`, made from what the code itself goes by. The man page has them too."""

from collections.abc import Callable, Iterator, Mapping
from textwrap import wrap
from typing import NamedTuple

from baileys_tools.errors import ExitCode
from baileys_tools.frame.show.terminal import WIDTH

EXIT_CODES: Mapping[ExitCode, str] = {
    ExitCode.DONE: "done, nothing to do, or a dry run of folders that can be read",
    ExitCode.FAILED: "failed",
    ExitCode.USAGE: "wrong options or settings",
    ExitCode.PARTLY_FAILED: "partly failed: some companies or files, the others are done",
    ExitCode.WARNING: "a finding at warning level",
    ExitCode.CRITICAL: "a finding at critical level or worse",
    ExitCode.NOT_FOUND: "no such company, run or snapshot",
    ExitCode.DAMAGED: "a snapshot is damaged",
    ExitCode.WRONG_KEY: "the key is wrong or missing",
    ExitCode.REFUSED: "refused by a safety check",
    ExitCode.LOCKED: "locked by another process",
    ExitCode.HUNG_UP: "ended by SIGHUP: its terminal has gone",
    ExitCode.INTERRUPTED: "interrupted (SIGINT, Ctrl-C)",
    ExitCode.TERMINATED: "ended by SIGTERM",
}
"""What each exit code means, as the README has it."""


class Topic(NamedTuple):
    """A page: what it is about, and what makes its text."""

    about: str
    text: Callable[[], str]


def _policy() -> str:
    from baileys_tools.config import Settings
    from baileys_tools.units import format_duration

    settings = Settings()
    normal, emergency, levels = settings.cleanup, settings.emergency, settings.thresholds

    def days(section: object, key: str) -> str:
        return format_duration(getattr(section, key))

    pre_keys = (
        f"the {settings.pre_keys.keep} with the highest ids stay; so do the one that Baileys checks at login, "
        "those not uploaded yet, and a large upload that the server still hands out (the guard)"
    )
    in_emergency = (
        f"{days(emergency, 'session_max_age')}, {days(emergency, 'sender_key_max_age')} and "
        f"{emergency.pre_keys_keep} pre-keys, while {levels.danger} or more counted files would remain otherwise "
        "and these limits bring the folder below that"
    )
    limit = days(normal, "sender_key_max_age")
    rows = [
        ("creds, app-state-sync-*, lid-mapping-*", "protected: never removed, by no flag and no setting"),
        ("tctoken-*, anything unknown", "kept"),
        (
            "identity-key-*, device-list-*",
            "kept; those that no session uses any more go when asked for, and first of all in an emergency",
        ),
        ("session-*", f"removed when last used over {days(normal, 'session_max_age')} ago"),
        ("sender-key-* of others", f"removed when last used over {limit} ago"),
        (
            "own sender-key-* and sender-key-memory-<group>",
            f"one unit: when both are over {limit} old the memory goes, the key a run later",
        ),
        (
            "pre-key-*",
            pre_keys,
        ),
        (
            "in an emergency",
            in_emergency,
        ),
    ]
    lines = ["What a cleanup does with each kind of file:", ""]
    for files, rule in rows:
        lines += [f"  {files}", *_indented(rule, 6)]
    lines += [
        "",
        *wrap(
            "Age is the time since a file was last written, less the time in which the bot was off; a folder in which "
            f"nothing was written for over {days(normal, 'silence')} is held. Counted files are all files but guarded "
            f"pre-keys. Levels: {levels.warning} warning, {levels.critical} critical, {levels.trigger} trigger, "
            f"{levels.emergency} emergency, above {levels.danger} danger. A high count costs disk, inodes and start-up "
            "time; it does not cause a logout.",
            WIDTH,
        ),
        "",
        "Why, with the measurements: docs/policy.md",
    ]
    return "\n".join(lines) + "\n"


def _exit_codes() -> str:
    lines = [f"{int(code):5}  {meaning}" for code, meaning in EXIT_CODES.items()]
    lines += ["", "With --nagios, monitor-once exits with 0 ok, 1 warning, 2 critical, 3 unknown."]
    return "\n".join(lines) + "\n"


def _environment() -> str:
    from baileys_tools.config.host import CONFIG_VARIABLE
    from baileys_tools.config.schema import SCHEMA

    known = [(name, setting.path) for setting in SCHEMA.settings.values() for name in setting.env[1:]]
    lines = wrap(
        "Every setting can be given as BAILEYS_TOOLS_<SECTION>__<KEY>, for example BAILEYS_TOOLS_PRE_KEYS__KEEP=80. "
        "Flags are stronger, a settings file is weaker. Besides, these are read:",
        WIDTH,
    )
    lines += [
        "",
        *(f"  {name:28} {path}" for name, path in known),
        f"  {CONFIG_VARIABLE:28} the settings file",
    ]
    lines += [f"  {'RAILWAY_PROJECT_ID':28} sessions.path: /app/persistent-session"]
    lines += [f"  {'NO_COLOR, FORCE_COLOR':28} plain or coloured output"]
    lines += [
        "",
        "cron has none of them: `cron install` carries along what is in force.",
        "All: docs/configuration.md",
    ]
    return "\n".join(lines) + "\n"


def _files() -> str:
    rows = [
        (
            "~/.config/baileys-tools/config.yaml, /etc/baileys-tools/config.yaml, ./baileys-tools.yaml",
            "the settings file: the first that is there; only the caller and root may be able to write it",
        ),
        ("<sessions>/company_<id>/", "a session folder; with creds.json in it, <sessions> is one itself"),
        (
            "<session folder>/.cleanup.lock",
            "the lock of a company: held by the kernel's lock, not by being there",
        ),
        ("<session folder>/.baileys-tools/quarantine/<run>/", "what a cleanup removed, for `undo`"),
        ("<backup.path>/company_<id>/*.tar.zst[.age]", "snapshots"),
        ("<state.dir>/state.sqlite3", "runs, observations, cooldowns, alerts, incidents"),
        ("<state.dir>/cron.log", "what the jobs of cron had to say"),
        ("<state.dir>/crontabs/", "crontabs as they were before `cron install` and `cron remove`"),
        ("/etc/cron.d/baileys-tools", "the jobs, with `cron install --system`"),
    ]
    lines = []
    for files, meaning in rows:
        lines += [*_indented(files, 0), *_indented(meaning, 6)]
    lines += [
        "",
        *wrap(
            "state.dir is /var/lib/baileys-tools for root, else ~/.local/state/baileys-tools. Folders are made "
            "with mode 0700 and files with 0600.",
            WIDTH,
        ),
    ]
    return "\n".join(lines) + "\n"


def _indented(text: str, indent: int) -> Iterator[str]:
    room = " " * indent
    yield from wrap(text, WIDTH, initial_indent=room, subsequent_indent=room, break_on_hyphens=False)


TOPICS: Mapping[str, Topic] = {
    "policy": Topic("what a cleanup removes, and what never", _policy),
    "exit-codes": Topic("what each exit code means", _exit_codes),
    "environment": Topic("the variables that are read", _environment),
    "files": Topic("the files and folders that are read and written", _files),
}
