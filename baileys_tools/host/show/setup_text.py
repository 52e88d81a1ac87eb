"""What `setup` asks, what follows from the answers, and what it says before anything is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from baileys_tools.frame.show.terminal import WIDTH, wrapped
from baileys_tools.pasted import command
from baileys_tools.units import counted, printable, some_of

QUESTIONS = (
    "Where are the session folders? The folder around them, or one itself",
    "Who is told of trouble? A webhook's address, a file with one, or nothing",
    "Where do snapshots go?",
    "Encrypt them? A key is made now. Type yes or no",
    "Have cron run the jobs? Type yes or no",
)
"""Asked in this order, each with what is taken when nothing is typed."""


class Answers(NamedTuple):
    """What is wanted. "" is nothing: nobody is told, no key is made."""

    sessions: Sequence[str]
    webhook: str
    """An address that was typed, to be written into `webhook_file`."""
    webhook_file: str
    backup: str
    recipient: str
    key_file: str
    """Where the secret half of a new key goes."""
    jobs: bool

    @property
    def flags(self) -> Mapping[str, object]:
        """Return the settings that these answers are, as flags give them."""
        where: dict[str, object] = (
            {"sessions.roots": [*self.sessions]}
            if len(self.sessions) > 1
            else {"sessions.path": self.sessions[0]}
        )
        recipients = {"backup.recipients": [self.recipient]} if self.recipient else {}
        return {**where, "backup.path": self.backup, **recipients}

    @property
    def variables(self) -> Mapping[str, str]:
        """Return those that the environment alone gives."""
        return {"NOTIFICATION_WEBHOOK_FILE": self.webhook_file} if self.webhook_file else {}


def is_yes(text: str) -> bool | None:
    """Given what was typed, return whether it is a yes; None for neither yes nor no."""
    return {"y": True, "yes": True, "n": False, "no": False}.get(text.strip().lower())


def plan_text(answers: Answers, found: Mapping[str, int], settings_file: str) -> str:
    """Given the answers, and what session folders are found with their numbers, return what will be written."""
    folders = f"{counted(sum(found.values()), 'session folder')}: {some_of([*found])}"
    told = f"written into {answers.webhook_file}" if answers.webhook else answers.webhook_file
    if answers.key_file:
        key = f"a new one; its secret half goes to {answers.key_file}"
    else:
        key = (
            f"to {answers.recipient}"
            if answers.recipient
            else "none: whoever reads the snapshots can act as the bots"
        )
    rows = [
        ("settings", settings_file),
        ("sessions", f"{', '.join(answers.sessions)} ({folders})"),
        ("told", told or f"nobody; later: {command('baileys-tools help alerts')}"),
        ("snapshots", answers.backup),
        ("key", key),
        (
            "jobs",
            "in the crontab" if answers.jobs else f"none; later: {command('baileys-tools cron install')}",
        ),
    ]
    return "\n".join(
        ["This will be set up:"]
        + [line for name, text in rows for line in wrapped(printable(text), WIDTH, f"  {name:10} ", " " * 13)]
    )


def after_text(answers: Answers) -> str:
    """Return what to do next, once all is in place."""
    lines = []
    if answers.key_file:
        lines += [
            *wrapped(
                f"The secret key in {answers.key_file} alone opens the snapshots, and whoever has it can act as the "
                "bots. Take it to where your passwords are, off this host, and then remove it here:",
                WIDTH,
            ),
            f"  {command('cat {}', answers.key_file)}",
            f"  {command('shred -u {}', answers.key_file)}",
            "",
        ]
    steps = [
        ("status", "how the bots are"),
        ("backup", "the first snapshots, now"),
        ("cleanup --dry-run", "what it would remove"),
    ]
    steps += [("notify test", "whether an alert arrives")] if answers.webhook_file else []
    steps += [("cron status", "tomorrow: whether all jobs ran")] if answers.jobs else []
    typed = [(command(f"baileys-tools {verb}"), about) for verb, about in steps]
    width = max(len(words) for words, _ in typed)
    return "\n".join([*lines, "Next:", *(f"  {words:{width}}  # {about}" for words, about in typed)])
