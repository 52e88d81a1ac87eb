"""The parts that `doctor` looks at beyond the folders: copies, cron, other tools, and who is told."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from shutil import which
from typing import TYPE_CHECKING

from baileys_tools.config import LoadedSettings, Settings
from baileys_tools.errors import BaileysToolsError
from baileys_tools.host.rules.doctor import Check, critical, note, ok, warning
from baileys_tools.pasted import command
from baileys_tools.units import counted, some_of

if TYPE_CHECKING:
    from baileys_tools.bots.rules.process import ProcessFacts
    from baileys_tools.host.cron_status import Jobs


def place_checks(settings: Settings) -> Iterator[Check]:
    """Root's snapshots where a bot's user can put another folder: what comes then is that user's to read."""
    if os.geteuid() != 0 or settings.sessions.where is None or settings.backup.path is None:
        return
    from urllib.parse import urlsplit

    from baileys_tools.sessions.roots import Root
    from baileys_tools.trust import doubt_of

    copies = [urlsplit(one) for one in settings.backup.copies]
    places = [("repository", settings.backup.path)]
    places += [("copies", one.path) for one in copies if one.scheme == "file"]
    doubted = [(name, path, doubt) for name, path in places if (doubt := doubt_of(path)[0]) is not None]
    if not doubted:
        return
    with Root(settings.sessions.where) as root:
        companies = root.companies(settings.sessions.multitenancy)
    # Of a session in a database nobody can tell whose it is.
    owners = {os.lstat(one.path).st_uid if os.path.lexists(one.path) else None for one in companies}
    for name, path, doubt in doubted:
        if not owners <= {doubt.uid}:
            yield warning(
                name,
                f"others can put another folder in the place of {path}, and read what comes then: {doubt.why}",
                "Not only their own sessions go there: name a folder of root's, below folders of root's.",
            )


def copies_checks(settings: Settings) -> Iterator[Check]:
    """The places of copies: each is asked what it holds."""
    if not settings.backup.copies:
        return
    from baileys_tools.snapshots.places.copy_place import CopyPlace

    for target in settings.backup.copies:
        if lost := _lost(settings, target):
            yield warning("copies", lost, "Copies wait until it is.")
            continue
        try:
            place = CopyPlace(target, settings.copies.timeout)
            try:
                companies = place.companies()
                is_there = bool(companies) or place.is_there()
            finally:
                place.close()
        except Exception as error:  # noqa: BLE001 - each library of a place has its own
            said = error.message if isinstance(error, BaileysToolsError) else getattr(error, "strerror", None)
            said = said or type(error).__name__
            yield warning("copies", f"{target} does not answer: {said}", "Copies wait until it does.")
        else:
            shown = f"{target} answers, {counted(len(companies), 'company', 'companies')}"
            yield ok("copies", shown) if is_there else _missing_place(target)


def _lost(settings: Settings, target: str) -> str:
    from baileys_tools.snapshots.copies import lost_all
    from baileys_tools.snapshots.repository import Repository

    path = settings.backup.path
    if path is None or not os.path.isdir(path):
        return ""
    with Repository(path) as repository:
        return lost_all(repository, target)


def _missing_place(target: str) -> Check:
    from urllib.parse import urlsplit

    from baileys_tools.snapshots.private_folders import nearest_folder, way_to_make

    place = urlsplit(target)
    if place.scheme == "s3":
        return warning(
            "copies", f"{target}: there is no such bucket", "Make it: copies wait until it is there."
        )
    if place.scheme == "file" and not os.access(above := nearest_folder(place.path), os.W_OK | os.X_OK):
        said = f"{target} is not there, and you cannot make it in {above}"
        return warning("copies", said, f"Mount its disk, or have it made: {way_to_make(place.path)}")
    return note(
        "copies",
        f"{target} is not there yet",
        "The next backup with something to copy makes it. Where a disk belongs there, mount that first.",
    )


def cron_checks(loaded: LoadedSettings, now: datetime) -> Iterator[Check]:
    """Our jobs: installed, once, for these sessions, and run."""
    from baileys_tools.host.cron_setup import is_at_work, log_path
    from baileys_tools.host.cron_status import differences, find_jobs, states_of
    from baileys_tools.host.rules.cron_status import JobVerdict

    if is_at_work(loaded.settings, now):
        yield ok("cron", "`cron run` is at work")
        return
    found = list(find_jobs(loaded))
    for_root = [jobs for jobs in found if jobs.root == loaded.settings.sessions.where]
    # Two settings files may well choose different companies of one root.
    ours = [jobs for jobs in for_root if jobs.is_of(loaded)] or for_root
    for jobs in found:
        if jobs not in for_root:
            yield note("cron", f"{jobs.place}: {'; '.join(differences(jobs, loaded))}")
    if not ours:
        yield warning(
            "cron",
            "no jobs are installed: nothing happens by itself",
            command("baileys-tools cron install"),
        )
        return
    if len(ours) > 1:
        yield warning(
            "cron",
            f"the jobs are in {' and in '.join(jobs.place for jobs in ours)}: each runs twice",
            " or ".join(jobs.remove for jobs in ours),
        )
    jobs = ours[0]
    states = states_of(jobs, now)
    bad = [state for state in states if state.verdict not in (JobVerdict.OK, JobVerdict.WAITING)]
    log = log_path(jobs.loaded.settings, jobs.account)
    if bad:
        shown = ", ".join(f"{state.command} {state.verdict}" for state in bad)
        yield warning("cron", f"{jobs.place}: {shown}", f"baileys-tools cron status; {log}")
    else:
        yield ok("cron", f"{counted(len(states), 'job')} in {jobs.place}")
    for said in differences(jobs, loaded):
        yield note("cron", said, f"export BAILEYS_TOOLS_STATE_DIR={jobs.loaded.settings.state.dir}")
    yield from _pm2_checks(jobs)
    if os.path.exists(log) and os.stat(log).st_size > 50 << 20:
        yield warning("cron log", f"{log} has over 50 MB", "Read its end, then rotate it: docs/cron.md")


def _pm2_checks(jobs: Jobs) -> Iterator[Check]:
    """Whether the jobs find the PM2 that they are to ask."""
    from baileys_tools.host.cron_setup import uses_pm2

    if uses_pm2(jobs.loaded.settings) and which("pm2", path=jobs.path) is None:
        yield warning(
            "cron",
            f"the jobs find no pm2: their PATH is {jobs.path}",
            f"Where you can call pm2: {command('baileys-tools cron install')}",
        )


def process_checks(settings: Settings) -> Iterator[Check]:
    """Whether the managers of the bots' processes know them."""
    from baileys_tools.bots.asking import processes

    by_company = processes(settings, _companies(settings))
    yield from _user_checks(settings, by_company)
    seen = {facts.what: facts for facts in by_company.values()}
    yield from _all_well(
        "processes",
        ((facts.what, facts.detail) for facts in seen.values() if facts.running is None),
        "See that `process` in the settings names it as its manager does (docs/recovery.md).",
        f"{counted(len(seen), 'process', 'processes')} known to their managers" if seen else "",
    )


def _user_checks(settings: Settings, seen: Mapping[str, ProcessFacts]) -> Iterator[Check]:
    """Whether the bots' own users may write their folders, whoever looks."""
    running = {company: facts.pid for company, facts in seen.items() if facts.running and facts.pid}
    if not running or settings.sessions.where is None:
        return
    from baileys_tools.bots.process_user import what_bots_cannot_write
    from baileys_tools.sessions.roots import Root

    with Root(settings.sessions.where) as root:
        companies = root.companies(settings.sessions.multitenancy)
        for finding in what_bots_cannot_write(root, companies, running).values():
            if finding is not None:
                yield critical("owners", f"company {finding.company}: {finding.message}", finding.action)


def _all_well(
    part: str,
    troubles: Iterable[tuple[str, str]],
    remedy: str,
    well: str,
    named: Callable[[Sequence[str]], str] = some_of,
) -> Iterator[Check]:
    """Say what is wrong, each thing once for all that have it, or else that all is `well`; nothing where that is "".

    `troubles` are names with what is wrong, `named` puts names into words.
    """
    from baileys_tools.frame.show.terminal import together

    found = together(troubles)
    for why, names in found.items():
        yield warning(part, f"{named(names)}: {why}", remedy)
    if well and not found:
        yield ok(part, well)


def _companies(settings: Settings) -> list[str]:
    """Return the companies that there are; none where that cannot be told, which is said of the sessions."""
    from baileys_tools.frame.companies import ids_here

    return ids_here(settings)


def bot_api_checks(settings: Settings) -> Iterator[Check]:
    """Whether the bots' API says of each company how it is connected; what it says is the monitor's to judge."""
    from baileys_tools.bots.asking import connections
    from baileys_tools.bots.rules.connection import ConnectionState
    from baileys_tools.frame.show.terminal import companies_named

    found = connections(settings, _companies(settings))
    yield from _all_well(
        "bot API",
        ((company, one.detail) for company, one in found.items() if one.state is ConnectionState.UNKNOWN),
        "See that the bot runs, and that bot_api in the settings fits it (docs/recovery.md).",
        f"says how {counted(len(found), 'company is', 'companies are')} connected" if found else "",
        companies_named,
    )


def logs_checks(settings: Settings, now: datetime) -> Iterator[Check]:
    """Whether the bots' logs can be opened, and whether what they say of Baileys is understood."""
    if not settings.logs.files:
        return
    from baileys_tools.bots.bot_logs import logs_of
    from baileys_tools.bots.log_sources import sample_source
    from baileys_tools.bots.rules.log_report import UNREAD_SHARE

    logs = {file.label: file for company in _companies(settings) for file in logs_of(settings, company)}
    # Also those of a company whose folder is gone, or misspelt.
    for file in settings.logs.files:
        if file.company and (path := file.path_of(file.company)):
            own = file._replace(path=path)
            logs.setdefault(own.label, own)
        elif file.is_shared:
            logs.setdefault(file.label, file)
    troubles, odd, silent = [], [], 0
    for path, file in logs.items():
        try:
            found = sample_source(file, now)
        except OSError as error:
            troubles.append((path, error.strerror or str(error)))
            continue
        if found.not_read and found.not_read >= UNREAD_SHARE * (found.not_read + found.lines):
            forms = ", ".join(sorted(found.unread))
            lines = counted(found.not_read, "line")
            odd.append((path, f"{lines} of Baileys in a form that is not read: {forms}"))
        silent += not found.not_read and not found.lines
    well = f"{counted(len(logs), 'log')} can be read" if logs else ""
    if silent:
        well += f"; in {counted(silent, 'log')} no line of the last MiB speaks of Baileys (docs/logs.md)"
    yield from _all_well(
        "logs",
        troubles,
        "See that it is there and that this user may read it, or correct logs.files in the settings.",
        "" if odd else well,
    )
    yield from _all_well("logs", odd, "Have the bot write one of the forms of docs/logs.md.", "")


def notification_checks(settings: Settings, now: datetime, *, send_test: bool) -> Iterator[Check]:
    """Whether anybody is told, and with `send_test` whether it arrives."""
    from baileys_tools.alerts.channels_of import Routes, notify_warnings
    from baileys_tools.alerts.try_channels import try_channels

    for trouble in notify_warnings(settings.notify):
        yield warning("notifications", trouble, "See the section notify in docs/configuration.md")
    channels = Routes(settings).channels
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
