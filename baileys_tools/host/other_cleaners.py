"""Finds other programs that clean the same folders."""

from __future__ import annotations

from collections.abc import Iterator

from baileys_tools.config import Settings
from baileys_tools.host import host_facts as host
from baileys_tools.host.rules.doctor import Check, ok, other_deleters, warning
from baileys_tools.layouts import roots_of
from baileys_tools.units import printable


def other_tools_checks(settings: Settings) -> Iterator[Check]:
    """Who else deletes here: jobs in the user's crontab and the system's that name a sessions path."""
    from baileys_tools.host.cron_setup import users_tabs
    from baileys_tools.host.crontab import commands_in

    if settings.sessions.where is None:
        return
    paths = [root.path for root in roots_of(settings.sessions.where) if root.store is None]
    users = {name: tab for path in paths for name, tab in users_tabs(path).items()}
    tabs = {f"the crontab of {name}": tab for name, tab in users.items()} | host.system_crontabs()
    found = 0
    for place, tab in tabs.items():
        is_script = place.startswith("/etc/cron.") and not place.startswith("/etc/cron.d/")
        lines = tab.decode("utf-8", "backslashreplace").split("\n") if is_script else commands_in(tab)
        for command in other_deleters((line for line in lines if not line.lstrip().startswith("#")), paths):
            found += 1
            shown = printable(command if len(command) < 100 else command[:97] + "...")
            yield warning(
                "other cleaners",
                f"{place} has a job that may delete session files: {shown}",
                "Take it out: it knows neither the locks nor the policy (docs/migrating.md).",
            )
    if not found:
        whose = "this user" if len(users) < 2 else ", ".join(users)
        yield ok("other cleaners", f"none in the crontabs of {whose} and the system")
