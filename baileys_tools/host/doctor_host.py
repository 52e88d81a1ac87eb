"""The parts that `doctor` looks at. Each yields its lines; what is tried is tried for real, on scratch files."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from baileys_tools.config import LoadedSettings, Settings
from baileys_tools.errors import why
from baileys_tools.frame.mounts import file_system_of
from baileys_tools.frame.places import misplaced, unwise
from baileys_tools.host import host_facts as host
from baileys_tools.host.rules.doctor import (
    Check,
    clock_check,
    critical,
    lifetime_check,
    note,
    ok,
    room_check,
    warning,
)
from baileys_tools.host.rules.mending import folders_left
from baileys_tools.layouts import roots_of
from baileys_tools.owner import is_unmapped, user_name
from baileys_tools.pasted import command
from baileys_tools.sessions.holders import held_folders
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.rules.held_locks import Holder
from baileys_tools.sessions.search.hints import number_unfound
from baileys_tools.units import counted, moment_of


def settings_checks(loaded: LoadedSettings) -> Iterator[Check]:
    """Settings that are valid and still not what an operator can want."""
    from baileys_tools.config.near_misses import near_misses
    from baileys_tools.config.unread import unread_secrets
    from baileys_tools.host.config_commands import file_warnings

    settings = loaded.settings
    if loaded.config_file is None:
        yield note(
            "settings", "no settings file; flags, environment and defaults", "baileys-tools config init"
        )
    else:
        troubles = file_warnings(loaded.config_file, loaded.origin)
        yield from (warning("settings", trouble, "Then look again.") for trouble in troubles)
        if not troubles:
            yield ok("settings", loaded.config_file)
    for trouble in near_misses(os.environ):
        yield warning("environment", trouble, "Give it the name that is read: baileys-tools help environment")
    for trouble in unread_secrets(loaded):
        way_out = "What needs it fails, and nothing else does. Let this user read it, and look again."
        yield critical("secrets", trouble, way_out)
    origin = loaded.origin
    if settings.cleanup.dry_run:
        yield warning(
            "dry run",
            f"cleanup.dry_run is on ({origin['cleanup.dry_run']}): no job removes anything",
            "Take it away when the plans look right.",
        )
    if not settings.cleanup.undo_window:
        yield warning("undo", "cleanup.undo_window is 0: no cleanup can be undone", "Give it a day: 24h")
    if not settings.pre_keys.guard:
        yield warning(
            "pre-key guard",
            "pre_keys.guard is off: a freshly paired bot loses pre-keys that the server hands out",
            "Leave it on, unless you know that the account is old.",
        )
    for one in (*misplaced(loaded), *unwise(loaded)):
        yield critical(one.name, one.why, one.way_out)


def sessions_checks(loaded: LoadedSettings, now: datetime) -> Iterator[Check]:
    """The sessions path: who owns what, whether its file system has locks and leases, room, clock."""
    where = loaded.settings.sessions.where
    if where is None:
        yield critical(
            "sessions",
            "no sessions path is given",
            "sessions.path in the settings file, or BAILEYS_SESSIONS_PATH",
        )
        return
    with Root(where) as root:
        companies = root.companies(loaded.settings.sessions.multitenancy)
        held = held_folders(root, companies)
        lost = [base.path for base in root.bases if base.fd < 0 and not base.why]
        unread = [f"{base.path}: {base.why}" for base in root.bases if base.why]
        there = [
            (number, base.path)
            for number, base in enumerate(root.bases)
            if base.fd >= 0 and base.stored is None
        ]
        read_only = {base.path for base in root.bases if base.fd >= 0 and base.is_read_only}
        unfound = number_unfound(root, companies)
    for told in unread:
        yield critical("sessions", told, "What a store needs: baileys-tools help stores")
    for path in lost:
        yield critical("sessions", f"{path} is not there", f"Is it mounted? {command('ls -ld {}', path)}")
    for number, path in there:
        yield from _root_checks(path, [one for one in companies if one.base == number], path in read_only)
    if not companies:
        return
    if unfound:
        yield warning(
            "sessions",
            f"{counted(unfound, 'more session folder')} not looked after",
            command("baileys-tools sessions"),
        )
    yield clock_check(now, _newest_creds(companies), host.clock_is_synchronised())
    yield from _held_checks(loaded.settings, held, now)
    if older := [company.id for company in companies if _has_lock_of_others(company, now)]:
        yield warning(
            "other cleaners",
            f"the lock file of another program, less than a day old, in company {', '.join(older[:5])}",
            "An older script still cleans here: take it out of its cron or process manager.",
        )


def stores_checks(settings: Settings) -> Iterator[Check]:
    """Each database that was opened: what it holds, and what endangers it. `sessions_checks` tells of the others."""
    from baileys_tools.host.stores_found import stores_found

    for store in stores_found(settings):
        for warned in store.warnings if store.lines else ():
            yield warning("store", f"{store.address}: {warned}", "baileys-tools help stores")
        if store.lines and not store.warnings:
            yield ok("store", f"{store.address}: {store.lines[0]}")


def _root_checks(path: str, companies: Sequence[Company], is_read_only: bool) -> Iterator[Check]:
    if not companies:
        yield critical(
            "sessions",
            f"{path} holds no session folder",
            f"Is this the right path? {command('baileys-tools sessions --sessions {}', path)}",
        )
        return
    yield from _owner_checks(path, companies)
    if is_read_only:
        yield critical(
            "sessions",
            f"{path} is on a read-only file system: no bot can write there",
            f"Which one, and why: findmnt -T {path}; dmesg | tail",
        )
    else:
        try:
            yield from _file_system_checks(path)
        except PermissionError as error:
            yield note("locks", f"not tried: {why(error)}", "Run doctor as the user of the jobs.")
    yield _room("disk: sessions", path)
    yield from lifetime_check(path, file_system_of(path))


def _held_checks(settings: Settings, held: Mapping[str, Holder], now: datetime) -> Iterator[Check]:
    from baileys_tools.frame.held_locks import told_of_held

    for finding in told_of_held(settings, held, (), now).values():
        yield warning("company locks", f"company {finding.company}: {finding.message}", finding.action)


def _owner_checks(path: str, companies: Sequence[Company]) -> Iterator[Check]:
    uid = os.geteuid()
    owners: dict[int, list[Company]] = {}
    taken = []
    groups: dict[str, tuple[int, int]] = {}
    for company in companies:
        try:
            status = os.lstat(company.path)
            owners.setdefault(status.st_uid, []).append(company)
            groups[company.path] = (status.st_uid, status.st_gid)
            if status.st_uid != uid and _is_of(uid, company):
                taken.append(company)
        except OSError as error:
            yield warning(
                "sessions", f"{company.path}: {error.strerror}", f"Look at it: {command('ls -la {}', path)}"
            )
    foreign = {owner: theirs for owner, theirs in owners.items() if owner != uid}
    for left in folders_left(groups):
        yield warning("owners", f"{left.path} is {left.why}", left.action)
    shown = f"{path}, {counted(len(companies), 'company', 'companies')}"
    unmapped = [owner for owner in foreign if is_unmapped(owner)]
    if not foreign:
        yield ok("sessions", f"{shown}, all yours")
    elif unmapped:
        yield critical(
            "sessions",
            f"{counted(len(foreign[unmapped[0]]), 'folder')} of {shown} belong to a user that this user "
            "namespace has no number for: nothing can be done there",
            "Run on the host itself, or map that user (/etc/subuid; in a container --userns).",
        )
    elif uid == 0:
        each = [f"{len(theirs)} of {user_name(owner)}" for owner, theirs in owners.items()]
        users = f": {', '.join(each)}" if len(each) > 1 else f" of {user_name(next(iter(owners)))}"
        yield ok("sessions", f"{shown}{users}; root works there as the owner")
    elif taken:
        yield critical(
            "sessions",
            f"{counted(len(taken), 'folder')} of {shown} hold files of {user_name(uid)}, who may add none there: "
            f"{'it belongs' if len(taken) == 1 else 'they belong'} to another user",
            _give(uid, taken),
        )
    else:
        owner, theirs = next(iter(foreign.items()))
        yield critical(
            "sessions",
            f"{counted(len(theirs), 'folder')} of {shown} belong to {user_name(owner)}, and you are {user_name(uid)}",
            f"Run the jobs as the user of the bots. If that is {user_name(owner)}: "
            f"{command('sudo -u {}', user_name(owner))} baileys-tools ...; if it is you: {_give(uid, theirs)}",
        )
    if (mode := stat.S_IMODE(os.stat(path).st_mode)) & stat.S_IWOTH:
        yield warning(
            "sessions", f"everybody can write to {path} (mode {mode:o})", command("chmod o-w {}", path)
        )


MOST_NAMED = 3
"""Folders that one command names."""


def _give(uid: int, companies: Sequence[Company]) -> str:
    paths = [one.path for one in companies[:MOST_NAMED]]
    given = command(" ".join(["sudo chown -R {} --", *["{}"] * len(paths)]), user_name(uid), *paths)
    return (
        given if len(companies) <= MOST_NAMED else f"{given}, and so on (baileys-tools sessions names them)"
    )


def _is_of(uid: int, company: Company) -> bool:
    try:
        return os.lstat(os.path.join(company.path, "creds.json")).st_uid == uid
    except OSError:
        return False


def _file_system_checks(path: str) -> Iterator[Check]:
    found = host.try_file_system(path)
    if found.locks:
        yield critical(
            "locks",
            f"the file system of {path} has no locks ({found.locks})",
            "Without them nothing is cleaned there. Mount it with locks, or run the jobs where the disk is.",
        )
    else:
        yield ok("locks", "taken and refused to a second holder")
    if found.leases:
        yield note(
            "leases",
            f"the file system of {path} gives none ({found.leases})",
            "Removals are compared before and after instead; stop the bot for a large cleanup.",
        )
    else:
        yield ok("leases", "granted")


def _room(name: str, path: str) -> Check:
    found = os.statvfs(path)
    return room_check(name, found.f_bavail, found.f_blocks, found.f_favail, found.f_files)


def _newest_creds(companies: Sequence[Company]) -> datetime | None:
    times = []
    for company in companies:
        try:
            times.append(os.lstat(os.path.join(company.path, "creds.json")).st_mtime_ns)
        except OSError:
            continue
    return moment_of(max(times)) if times else None


def _has_lock_of_others(company: Company, now: datetime) -> bool:
    try:
        fd = os.open(
            os.path.join(company.path, ".cleanup.lock"),
            os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC,
        )
    except OSError:
        return False
    with open(fd, "rb") as file:
        fresh = now.timestamp() - os.fstat(file.fileno()).st_mtime < 86_400
        return fresh and b'"timestamp"' in file.read(4096)


def state_checks(settings: Settings, now: datetime) -> Iterator[Check]:
    """The state folder: can it be written, is it private, is there room."""
    from baileys_tools.state.database import open_state

    folder = settings.state.dir
    with open_state(folder, now) as state:
        trouble, durable = state.trouble, state.is_durable
    if trouble or not durable:
        yield warning(
            "state",
            trouble or f"{folder} cannot be written",
            "Cooldowns and alerts forget what was before. Make the folder yours: state.dir",
        )
        return
    mode = stat.S_IMODE(os.stat(folder).st_mode)
    if mode & 0o077:
        yield warning(
            "state", f"{folder} can be read by others (mode {mode:o})", command("chmod 700 {}", folder)
        )
    else:
        yield ok("state", folder)
    yield _room("disk: state", folder)


def repository_checks(settings: Settings) -> Iterator[Check]:
    """The backup repository: there, private, elsewhere, encrypted."""
    from baileys_tools.findings import Severity
    from baileys_tools.snapshots.repository import Repository
    from baileys_tools.snapshots.rules.backup_findings import repository_findings

    backup = settings.backup
    if backup.path is None:
        yield warning(
            "repository",
            "no backup.path: a torn creds.json means a new QR code",
            "backup.path in the settings, then: baileys-tools backup",
        )
        return
    if not os.path.isdir(backup.path):
        yield _missing_repository(backup.path)
    else:
        with Repository(backup.path) as repository:
            companies = repository.companies()
            status = os.fstat(repository.fd)
            foreign = repository.foreign_entries()
        if status.st_mode & 0o077:
            yield warning(
                "repository", f"{backup.path} can be read by others", command("chmod 700 {}", backup.path)
            )
        elif not os.access(backup.path, os.W_OK):
            yield critical(
                "repository", f"{backup.path} cannot be written", command("ls -ld {}", backup.path)
            )
        else:
            yield ok("repository", f"{backup.path}, {counted(len(companies), 'company', 'companies')}")
        if foreign:
            owner = user_name(status.st_uid)
            yield critical(
                "repository",
                f"{counted(len(foreign), 'entry', 'entries')} in {backup.path} are not {owner}'s: {foreign[0]}",
                f"What {owner} cannot read is no backup: {command('sudo chown -R {} {}', owner, backup.path)}",
            )
        yield _room("disk: backups", backup.path)
        if not backup.copies and any(
            _on_device(root.path, status.st_dev) for root in roots_of(settings.sessions.where or "")
        ):
            yield note(
                "one disk",
                "snapshots are on the disk of the sessions, and there are no copies elsewhere",
                "backup.copies in the settings: sftp://, s3:// or another mount",
            )
    yield from _encryption_checks(settings)
    for finding in repository_findings(backup.path, backup.recipients, backup.copies, backup.identity_file):
        make = warning if finding.severity is not Severity.NOTICE else note
        yield make("encryption", finding.message, finding.action)


def _missing_repository(path: str) -> Check:
    from baileys_tools.snapshots.private_folders import nearest_folder, way_to_make

    above = nearest_folder(path)
    if os.access(above, os.W_OK | os.X_OK):
        return note("repository", f"{path} is not there yet", f"{command('baileys-tools backup')} makes it")
    return critical(
        "repository", f"{path} is not there, and you cannot make it in {above}", way_to_make(path)
    )


def _on_device(path: str, device: int) -> bool:
    return os.path.isdir(path) and os.stat(path).st_dev == device


def _encryption_checks(settings: Settings) -> Iterator[Check]:
    if not settings.backup.recipients:
        return
    from baileys_tools.snapshots.encryption import Identities, Recipients

    Recipients(settings.backup.recipients).encrypt(b"a test")
    yield ok("encryption", f"to {counted(len(settings.backup.recipients), 'recipient')}, tried")
    if settings.backup.identity_file is not None:
        Identities(settings.backup.identity_file)
