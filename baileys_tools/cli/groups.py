"""What belongs together in the help: each command's group, and which commands the first page shows with a line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from baileys_tools.frame.show.terminal import WIDTH, wrapped

TIDY = "Keep tidy"
SAFE = "Keep safe"
WATCH = "Watch"
BACK = "Bring back"
MOVE = "Move"
ALONE = "Run by itself"

GROUPS: Mapping[str, str] = {
    "cleanup": TIDY,
    "undo": TIDY,
    "trigger": TIDY,
    "policy": TIDY,
    "backup": SAFE,
    "snapshots": SAFE,
    "verify": SAFE,
    "prune": SAFE,
    "copies": SAFE,
    "keep": SAFE,
    "diff": SAFE,
    "status": WATCH,
    "inspect": WATCH,
    "watch": WATCH,
    "monitor-once": WATCH,
    "report": WATCH,
    "serve": WATCH,
    "incidents": WATCH,
    "logs": WATCH,
    "silence": WATCH,
    "sessions": WATCH,
    "restore": BACK,
    "recover": BACK,
    "qr": BACK,
    "resend-group-keys": BACK,
    "contact": BACK,
    "renew-sessions": BACK,
    "contacts": BACK,
    "reset": BACK,
    "reconnect": BACK,
    "start-session": BACK,
    "send-test": BACK,
    "migrate": MOVE,
    "setup": ALONE,
    "cron": ALONE,
    "doctor": ALONE,
    "config": ALONE,
    "notify": ALONE,
    "support-bundle": ALONE,
    "help": ALONE,
    "explain": ALONE,
}
"""Each command, in the order of the help, with its group: one line for a new one."""

IN_FRONT = frozenset(
    {"cleanup", "undo", "backup", "status", "inspect", "restore", "recover", "qr", "migrate", "setup"}
    | {"cron", "doctor"}
)
"""What the first page shows with a line of its own; it has to fit a terminal of 24 rows. The rest it names."""

UNDOABLE = frozenset(
    {"cleanup", "undo", "trigger", "restore", "recover", "reset", "migrate"}
    | {"contact", "renew-sessions", "resend-group-keys"}
)
"""What changes session folders, and is told by `undo --list`, also where it was broken off."""

OLD_NAMES: Mapping[str, str] = {"init": "start-session"}
"""Names of the version before, hidden, and what each is now."""


def first_page(shown: Callable[[str], str]) -> list[str]:
    """Given what says of a command in one line what it does, return the groups, at most 80 columns wide."""
    lines = []
    for group, commands in _groups():
        rest = [name for name in commands if name not in IN_FRONT]
        lines += wrapped(f"also: {', '.join(rest)}", WIDTH, f"{group:15} ", " " * 22) if rest else [group]
        lines += [f"  {name:13} {shown(name)}" for name in commands if name in IN_FRONT]
    return lines


def every_command(shown: Callable[[str], str]) -> list[str]:
    """Given the same, return all commands by group, a line each."""
    return [
        line
        for group, commands in _groups()
        for line in (f"{group}:", *(f" {name:17} {shown(name)}" for name in commands), "")
    ]


def _groups() -> Iterator[tuple[str, list[str]]]:
    for group in (TIDY, SAFE, WATCH, BACK, MOVE, ALONE):
        yield group, [name for name, its in GROUPS.items() if its == group]
