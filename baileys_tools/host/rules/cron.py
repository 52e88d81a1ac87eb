"""Our entries for cron: which jobs run when, the lines they become, and the marked block they stand in.

Everything in a crontab outside the block belongs to somebody else and stays byte for byte as it is.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from baileys_tools.errors import BaileysToolsError, ExitCode
from baileys_tools.schedule import OFF, parse_schedule
from baileys_tools.units import is_one_line, printable

BEGIN = b"# BEGIN baileys-tools"
END = b"# END baileys-tools"

LONGEST_COMMAND = 990
"""Debian's cron takes 1000 bytes, its own end included (cron.h: MAX_COMMAND)."""


class Job(NamedTuple):
    """One thing that cron does: the setting that says when, and the command with its options."""

    setting: str
    arguments: tuple[str, ...]
    needs_repository: bool = False

    @property
    def command(self) -> str:
        """The command as its runs are recorded."""
        return self.arguments[0]


JOBS = (
    Job("monitor", ("monitor-once", "--quiet")),
    Job("trigger", ("trigger", "--quiet")),
    Job("recover", ("recover", "--quiet")),
    Job("cleanup", ("cleanup", "--quiet")),
    Job("backup", ("backup", "--quiet"), needs_repository=True),
    Job("prune", ("prune", "--quiet"), needs_repository=True),
    Job("verify", ("verify", "--quiet"), needs_repository=True),
    Job("report", ("report", "--quiet")),
)


class CronEntry(NamedTuple):
    """One job with its time (five fields) and the words of its command line, options of this host included."""

    job: Job
    time: str
    words: tuple[str, ...]


class Log(NamedTuple):
    """Where the jobs' output goes: to a file, or to the journal when `path` is empty."""

    path: str = ""


def spread(time: str, job: str, host: str, most: timedelta) -> str:
    """Given a default time, return it moved by up to `most`, always the same on one host.

    A fleet that is installed from one image must not go for the same server, or the same disk, in the same
    second. Steps (`*/5`) are moved within the step, fixed times by minutes; every minute stays every minute.
    """
    minutes = int(most.total_seconds() // 60)
    minute, hour, *rest = time.split()
    number = int.from_bytes(hashlib.sha256(f"{host}\0{job}".encode()).digest()[:8], "big")
    if minute.startswith("*/"):
        step = int(minute[2:])
        offset = number % max(1, min(step, minutes))
        return " ".join([f"{offset}-59/{step}" if offset else minute, hour, *rest])
    if minute.isdigit() and hour.isdigit():
        moved = int(hour) * 60 + int(minute) + number % max(1, minutes)
        # Never over midnight: that would be another day of the week.
        moved = min(moved, 23 * 60 + 59)
        return " ".join([str(moved % 60), str(moved // 60), *rest])
    return time


def plan_entries(
    times: Mapping[str, str],
    command: Sequence[str],
    options: Sequence[str],
    *,
    has_repository: bool,
) -> list[CronEntry]:
    """Given the time of each job, return the entries: `command`, the job's arguments and `options`.

    A job that is off is left out, and so is one that needs a repository where there is none.
    """
    return [
        CronEntry(job, times[job.setting], (*command, *job.arguments, *options))
        for job in JOBS
        if times[job.setting] != OFF and (has_repository or not job.needs_repository)
    ]


def crontab_line(entry: CronEntry, variables: Mapping[str, str], log: Log, user: str = "") -> str:
    """Return the line of a crontab for an entry; `user` is what /etc/cron.d wants in the sixth field.

    Variables stand on the line itself: a `NAME=value` line would hold for everybody's lines below it.
    Raises BaileysToolsError for what cron cannot be told.
    """
    from shlex import join, quote

    words = [f"{name}={quote(value)}" for name, value in variables.items()]
    # tee goes on when the log cannot be written, and says so; a failed redirection would stop the job itself.
    sink = f"tee -a {quote(log.path)} >/dev/null" if log.path else "logger -t baileys-tools"
    shell = " ".join([*words, join(entry.words), "2>&1 |", sink])
    require_one_line(f"{user} {shell}", "a crontab")
    if "\\" in shell:
        raise BaileysToolsError(
            f"a path with a backslash cannot be written into a crontab: {shell}", "Give it another name."
        )
    # cron ends the command at the first % that has no backslash, also between quotes.
    shell = shell.replace("%", "\\%")
    if len(shell.encode("utf-8", "surrogateescape")) > LONGEST_COMMAND:
        raise BaileysToolsError(
            f"the line for {entry.job.command} is longer than the {LONGEST_COMMAND} bytes that cron takes",
            "Write the settings into a file: baileys-tools config init",
        )
    return " ".join(filter(None, [entry.time, user, shell]))


def require_one_line(text: str, place: str) -> None:
    """Raise BaileysToolsError for a text that would be more than one line, or hide something, in a crontab or unit."""
    if not is_one_line(text):
        raise BaileysToolsError(
            f"a control character cannot be written into {place}: {printable(text)}",
            "Give what has it in its name another one.",
        )


def crontab_block(
    entries: Sequence[CronEntry], variables: Mapping[str, str], log: Log, notes: Sequence[str], user: str = ""
) -> bytes:
    """Return the marked block with all entries, as it stands in a crontab."""
    lines = [
        BEGIN.decode(),
        '# Written by "baileys-tools cron install". Change the settings (section cron), not these lines.',
        *(f"# {printable(note)}" for note in notes),
        *(crontab_line(entry, variables, log, user) for entry in entries),
        END.decode(),
    ]
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")


Ours = Callable[[bytes], bool]
"""Whether a block of a crontab is the one of the settings in force: every settings file has its own."""


def with_block(tab: bytes, block: bytes, is_ours: Ours = lambda block: True) -> bytes:
    """Given a crontab, return it with `block` where our block was, else at its end.

    A last line without its line break gets one, as crontab(1) takes no other.
    """
    parts, found = [], False
    for part, is_block in split(tab):
        if is_block and is_ours(part):
            parts += [] if found else [block]
            found = True
        else:
            parts.append(part)
    before = b"".join(parts)
    return before if found else before + (b"\n" if before and not before.endswith(b"\n") else b"") + block


def without_block(tab: bytes, is_ours: Ours = lambda block: True) -> bytes:
    return b"".join(part for part, is_block in split(tab) if not (is_block and is_ours(part)))


def blocks_in(tab: bytes) -> list[bytes]:
    """Given a crontab, return the blocks that `cron install` has written there."""
    return [part for part, is_block in split(tab) if is_block]


def split(tab: bytes) -> list[tuple[bytes, bool]]:
    """Given a crontab, return its parts in order: what others have written, and (true) each of our blocks.

    Raise BaileysToolsError when the marks do not make whole blocks: then nobody knows whose the lines are.
    """
    parts: list[tuple[bytes, bool]] = []
    begun, rest = None, 0
    start = 0
    for line in _lines(tab):
        text = line.rstrip()
        if text in (BEGIN, END):
            if (text == BEGIN) is not (begun is None):
                raise _unfit_marks()
            if begun is None:
                parts.append((tab[rest:start], False))
                begun = start
            else:
                rest = start + len(line)
                parts.append((tab[begun:rest], True))
                begun = None
        start += len(line)
    if begun is not None:
        raise _unfit_marks()
    return [*((part, is_block) for part, is_block in parts if part), (tab[rest:], False)]


def _unfit_marks() -> BaileysToolsError:
    return BaileysToolsError(
        f'the crontab has not one "{BEGIN.decode()}" with one "{END.decode()}" after it',
        "Somebody changed these marks. Take the lines out by hand (crontab -e), then install again.",
        exit_code=ExitCode.REFUSED,
    )


def _lines(tab: bytes) -> list[bytes]:
    """Lines as cron has them: only \\n ends one."""
    parts = tab.split(b"\n")
    return [part + b"\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def entries_of(block: bytes) -> list[str]:
    """Given our block, return its lines that are jobs."""
    lines = block.decode("utf-8", "surrogateescape").split("\n")
    return [line for line in lines if line and not line.startswith("#")]


def due_at(entries: Sequence[CronEntry], now: datetime) -> list[CronEntry]:
    """Given a local time, return the entries that are due in its minute."""
    minute = now.replace(second=0, microsecond=0)
    return [entry for entry in entries if parse_schedule(entry.time).latest(minute) == minute]
