"""Systemd units for the same jobs: a hardened service and a timer each."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from baileys_tools.host.rules.cron import JOBS, CronEntry, require_one_line
from baileys_tools.schedule import Schedule, parse_schedule

_WEEKDAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")

# What root needs to work in other users' folders: leases and files that are theirs.
_ROOT_CAPABILITIES = (
    "CAP_LEASE CAP_SETUID CAP_SETGID CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_CHOWN CAP_FOWNER"
)

# Not MemoryDenyWriteExecute: `pm2` is a program for Node, which ends where it cannot make code as it runs.
_HARDENING = """\
UMask=0077
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectHostname=yes
ProtectControlGroups=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
"""


PREFIX = "baileys-tools"
"""What the names of all units begin with, and those of the first settings file have nothing more of."""


def sets_of(names: Iterable[str]) -> dict[str, list[str]]:
    """Given the names in a folder of units, return those of our timers by the prefix of their set, sorted."""
    found: dict[str, list[str]] = {}
    commands = "|".join(re.escape(job.command) for job in JOBS)
    for name in sorted(names):
        if match := re.fullmatch(rf"({PREFIX}(?:-.+?)?)-(?:{commands})\.timer", name):
            found.setdefault(match[1], []).append(name)
    return found


def own_prefix(settings: str) -> str:
    """Return the prefix of the units of another settings file than the first: its name, and what tells it apart."""
    name = settings.rpartition("/")[2]
    stem = name.rpartition(".")[0] or name
    plain = re.sub(r"[^A-Za-z0-9]+", "_", stem).strip("_")[:32]
    digest = hashlib.sha256(settings.encode("utf-8", "surrogateescape")).hexdigest()
    return f"{PREFIX}-{plain or 'settings'}_{digest[:6]}"


def units(
    entries: Sequence[CronEntry],
    variables: Mapping[str, str],
    user: str,
    writable: Sequence[str],
    prefix: str = PREFIX,
) -> dict[str, str]:
    """Return the unit files by name, which begins with `prefix`. `writable` are the folders that the jobs write to.

    4 and 5 are findings and 75 is a lock that somebody else holds: no failures of the unit.
    """
    made = {}
    words = [word for entry in entries for word in entry.words]
    for text in (user, *words, *variables, *variables.values(), *writable):
        require_one_line(text, "a unit")
    for entry in entries:
        name = f"{prefix}-{entry.job.command}"
        made[f"{name}.service"] = (
            "[Unit]\n"
            f"Description=baileys-tools {entry.job.command}\n"
            "Wants=network-online.target\n"
            "After=network-online.target\n"
            "\n[Service]\n"
            "Type=oneshot\n"
            f"User={user}\n"
            + "".join(f"Environment={_quoted(f'{key}={value}')}\n" for key, value in variables.items())
            + f"ExecStart={' '.join(_quoted(word).replace('$', '$$') for word in entry.words)}\n"
            "SuccessExitStatus=4 5 75\n"
            "TimeoutStartSec=1h\n"
            "Nice=5\n"
            + "".join(f"ReadWritePaths=-{_quoted(path)}\n" for path in writable)
            + f"CapabilityBoundingSet={_ROOT_CAPABILITIES if user == 'root' else ''}\n"
            + _HARDENING
        )
        calendars = on_calendar(parse_schedule(entry.time))
        made[f"{name}.timer"] = (
            "[Unit]\n"
            f"Description=When baileys-tools {entry.job.command} runs\n"
            "\n[Timer]\n"
            + "".join(f"OnCalendar={calendar}\n" for calendar in calendars)
            + "AccuracySec=1s\n"
            # A job that runs every few minutes has nothing to make up for.
            + f"Persistent={'no' if len(parse_schedule(entry.time).hours) == 24 else 'yes'}\n"
            "\n[Install]\n"
            "WantedBy=timers.target\n"
        )
    return made


def on_calendar(schedule: Schedule) -> list[str]:
    """Given a schedule, return it as OnCalendar lines: two where cron takes either of two kinds of days."""
    clock = f"{_series(schedule.hours, 0, 23)}:{_series(schedule.minutes, 0, 59)}:00"
    months = _series(schedule.months, 1, 12)
    every_day = f"*-{months}-* {clock}"
    weekdays = ",".join(_WEEKDAYS[day] for day in sorted(schedule.weekdays))
    dates = f"*-{months}-{_series(schedule.days, 1, 31)} {clock}"
    if len(schedule.weekdays) == 7:
        return [dates]
    if schedule.any_day or schedule.any_weekday:
        return [f"{weekdays} {dates}"]
    return [dates, f"{weekdays} {every_day}"]


def _series(numbers: Collection[int], first: int, last: int) -> str:
    ordered = sorted(numbers)
    if len(ordered) == last - first + 1:
        return "*"
    step = ordered[1] - ordered[0] if len(ordered) > 2 else 0
    if step > 1 and ordered == [*range(ordered[0], last + 1, step)]:
        return f"{ordered[0]:02}/{step}"
    return ",".join(f"{number:02}" for number in ordered)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"' if any(character in escaped for character in " \t'\"\\;") else escaped
