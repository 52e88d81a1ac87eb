"""The parts that `doctor` looks at beyond the folders: copies, cron, other tools, and who is told."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from shutil import which

from baileys_tools.config import LoadedSettings, Settings
from baileys_tools.domain.doctor import Check, ok, other_deleters, warning
from baileys_tools.errors import BaileysToolsError
from baileys_tools.integrations import host
from baileys_tools.units import counted, printable


def copies_checks(settings: Settings) -> Iterator[Check]:
    """The places of copies: each is asked what it holds."""
    if not settings.backup.copies:
        return
    from baileys_tools.snapshots.copies import Place

    for target in settings.backup.copies:
        try:
            place = Place(target, settings.copies.timeout)
            try:
                companies = place.companies()
            finally:
                place.close()
        except Exception as error:  # noqa: BLE001 - each library of a place has its own
            said = error.message if isinstance(error, BaileysToolsError) else type(error).__name__
            yield warning("copies", f"{target} does not answer: {said}", "Copies wait until it does.")
        else:
            yield ok("copies", f"{target} answers, {counted(len(companies), 'company', 'companies')}")


def cron_checks(loaded: LoadedSettings, now: datetime) -> Iterator[Check]:
    """Our jobs: installed, and run."""
    from baileys_tools.commands.cron import log_path, read_tab
    from baileys_tools.commands.cron_run import is_at_work
    from baileys_tools.commands.cron_status import LIST_TIMERS, has_timers, states_of
    from baileys_tools.domain.cron import split
    from baileys_tools.domain.cron_status import Verdict

    settings = loaded.settings
    if is_at_work(settings, now):
        yield ok("cron", "`cron run` is at work")
        return
    own = split(_own_tab())[1]
    system = split(read_tab(system=True) or b"")[1]
    if not own and not system:
        if has_timers():
            yield ok("cron", f"systemd timers: {LIST_TIMERS}")
            return
        yield warning(
            "cron", "no jobs are installed: nothing happens by itself", "baileys-tools cron install"
        )
        return
    if own and system:
        yield warning(
            "cron",
            "the jobs are in your crontab and in /etc/cron.d: each runs twice",
            "baileys-tools cron remove, here or with --system",
        )
    states = states_of(own or system, loaded, now, system=not own)
    bad = [state for state in states if state.verdict in (Verdict.FAILED, Verdict.MISSED)]
    if bad:
        shown = ", ".join(f"{state.command} {state.verdict}" for state in bad)
        yield warning("cron", shown, f"baileys-tools cron status; {log_path(settings)}")
    else:
        yield ok("cron", f"{counted(len(states), 'job')} installed")
    log = log_path(settings)
    if os.path.exists(log) and os.stat(log).st_size > 50 << 20:
        yield warning("cron log", f"{log} has over 50 MB", "Read its end, then rotate it: docs/cron.md")


def _own_tab() -> bytes:
    """The user's crontab; nothing where there is no crontab program, as in a container."""
    from baileys_tools.commands.cron import read_tab

    return (read_tab(system=False) or b"") if which("crontab") else b""


def other_tools_checks(settings: Settings) -> Iterator[Check]:
    """Who else deletes here: jobs in the user's crontab and the system's that name the sessions path."""
    from baileys_tools.integrations.crontab import commands_in

    sessions = settings.sessions.path
    if sessions is None:
        return
    tabs = {"your crontab": _own_tab(), **host.system_crontabs()}
    found = 0
    for place, tab in tabs.items():
        is_script = place.startswith("/etc/cron.") and not place.startswith("/etc/cron.d/")
        lines = tab.decode("utf-8", "backslashreplace").split("\n") if is_script else commands_in(tab)
        for command in other_deleters(
            (line for line in lines if not line.lstrip().startswith("#")), sessions
        ):
            found += 1
            shown = printable(command if len(command) < 100 else command[:97] + "...")
            yield warning(
                "other cleaners",
                f"{place} has a job that may delete session files: {shown}",
                "Take it out: it knows neither the locks nor the policy (docs/migrating.md).",
            )
    if not found:
        yield ok("other cleaners", "none in the crontabs of this user and the system")


def notification_checks(settings: Settings, now: datetime, *, send_test: bool) -> Iterator[Check]:
    """Whether anybody is told, and with `send_test` whether it arrives."""
    from baileys_tools.commands.channels import channels_of, notify_warnings
    from baileys_tools.commands.notify_test import try_channels

    for trouble in notify_warnings(settings.notify):
        yield warning("notifications", trouble, "See the section notify in docs/configuration.md")
    channels = channels_of(settings.notify)
    if not channels:
        yield warning(
            "notifications",
            "no channel: nobody is told when a session is in trouble",
            "NOTIFICATION_WEBHOOK, TELEGRAM_BOT_TOKEN with TELEGRAM_CHAT_ID, or notify.urls",
        )
    elif not send_test:
        names = ", ".join(channel.name for channel in channels)
        yield ok("notifications", f"{names}; try them with --send-test")
    else:
        for result in try_channels(settings.notify, channels, now):
            if result.trouble:
                yield warning(
                    "notifications", f"{result.name}: {result.trouble}", "baileys-tools notify test"
                )
            else:
                yield ok("notifications", f"{result.name}: delivered")
