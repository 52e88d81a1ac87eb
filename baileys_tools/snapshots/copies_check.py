"""`copies check`: does each place have what it is to have? Looked at now, and not when the next day is over."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from baileys_tools.config import LoadedSettings, require_backup_path
from baileys_tools.errors import ExitCode, UsageError
from baileys_tools.frame.command_line import CommandLine
from baileys_tools.frame.places import settings_in_force
from baileys_tools.frame.record import recorded
from baileys_tools.sessions.rules.snapshot import SnapshotInfo
from baileys_tools.snapshots.copies import in_words, list_here, lost_all
from baileys_tools.snapshots.copies_memory import Known, Memory, copying_alone, read_memory, write_memory
from baileys_tools.snapshots.places.copy_place import CopyPlace
from baileys_tools.snapshots.prune import retention_of
from baileys_tools.snapshots.repository import Repository
from baileys_tools.snapshots.rules.copies import (
    CompanyCopies,
    CopiesReport,
    PlaceCopies,
    found_there,
    whole_there,
)
from baileys_tools.snapshots.rules.retention import Retention
from baileys_tools.snapshots.snapshot_names import HASH_LENGTH


def copies_check_command(given: CommandLine, *, read: bool) -> ExitCode:
    """Given the command line, look at each place, print the result once, and return the exit code."""
    loaded = settings_in_force(given.flags, given.config)
    now = datetime.now(UTC)
    with recorded("copies check", loaded.settings, now, quiet=given.quiet, is_pinged=False) as run:
        report = check_copies(loaded, now, read=read)
        run.ended(report.exit_code, places=len(report.places))
    if given.as_json:
        from baileys_tools.snapshots.show.copies_text import copies_json

        print(copies_json(report))
    elif not (given.quiet and report.exit_code is ExitCode.DONE):
        from baileys_tools.frame.show.terminal import Style
        from baileys_tools.snapshots.show.copies_text import copies_text

        print(copies_text(report, Style()), file=sys.stderr if given.quiet else sys.stdout)
    return report.exit_code


def check_copies(loaded: LoadedSettings, now: datetime, *, read: bool) -> CopiesReport:
    """Compare the repository with each place of `backup.copies`; with `read` read the newest copies back.

    Nothing is sent or removed. What is missing is remembered, so that the next backup sends it.
    """
    settings = loaded.settings
    path = require_backup_path(loaded)
    if not settings.backup.copies:
        raise UsageError(
            "no place of copies is given",
            "backup.copies in the settings file, such as sftp://backup@host/srv/bots (baileys-tools help backups)",
        )
    policy, timeout = retention_of(settings.copies), settings.copies.timeout
    with Repository(path) as repository, copying_alone(repository) as alone:
        local, unlisted = list_here(repository)
        remembered = read_memory(repository)
        memory = {target: remembered.get(target) or Memory({}, 0) for target in settings.backup.copies}
        places = [
            _place(repository, target, local, memory[target].known, policy, timeout, read=read)
            for target in settings.backup.copies
        ]
        if unlisted:
            places = [PlaceCopies(one.target, one.companies, one.trouble or unlisted) for one in places]
        if alone:
            with suppress(OSError):
                # A repository that cannot be written is told of by whoever writes to it.
                write_memory(repository, remembered | memory)
    return CopiesReport(path, now, places, read, alone)


def _place(
    repository: Repository,
    target: str,
    local: Mapping[str, Sequence[SnapshotInfo]],
    known: Known,
    policy: Retention,
    timeout: timedelta,
    *,
    read: bool,
) -> PlaceCopies:
    """Return what is at a place; `known` becomes what it has. What hits one company stops no other."""
    if trouble := lost_all(repository, target):
        return PlaceCopies(target, trouble=trouble)
    companies: list[CompanyCopies] = []
    try:
        place = CopyPlace(target, timeout)
        try:
            for company, infos in local.items():
                try:
                    there = place.snapshots(company)
                except OSError as error:
                    companies.append(CompanyCopies(company, trouble=in_words(error)))
                    if isinstance(error, TimeoutError | ConnectionError):
                        raise
                    continue
                found = found_there(company, infos, there, known.get(company, set()), policy)
                if not found.ahead:
                    known[company] = whole_there(infos, there)
                companies.append(_read_back(place, found, infos, there) if read else found)
        finally:
            with suppress(Exception):
                place.close()
    except Exception as error:  # noqa: BLE001 - each library of a place has its own
        return PlaceCopies(target, companies, in_words(error))
    return PlaceCopies(target, companies)


def _read_back(
    place: CopyPlace, found: CompanyCopies, local: Sequence[SnapshotInfo], there: Sequence[SnapshotInfo]
) -> CompanyCopies:
    """Read the newest whole copy and compare it with the hash in its name. Raises what ends the visit."""
    from dataclasses import replace

    whole = whole_there(local, there)
    newest = max((info for info in there if info.file in whole), key=lambda info: info.order, default=None)
    if newest is None:
        return found
    digest = hashlib.sha256()
    try:
        for chunk in place.fetch(newest):
            digest.update(chunk)
    except PermissionError as error:
        return replace(found, trouble=in_words(error))
    fits = digest.hexdigest()[:HASH_LENGTH] == newest.sha256
    return replace(found, read=1, damaged=() if fits else (newest,))
