"""`doctor --fix`: what can be mended on this host without touching a key's content. The plan first, then exactly it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta

from baileys_tools.config import LoadedSettings
from baileys_tools.errors import BaileysToolsError, why
from baileys_tools.host.rules.mending import (
    EntryStat,
    Mend,
    Mended,
    MendKind,
    MendOutcome,
    MendPlan,
    Unmended,
    folder_mends,
    folders_left,
    may_be_given,
    mode_mend,
)
from baileys_tools.owner import as_owner_of
from baileys_tools.place import in_place_of
from baileys_tools.sessions.names import FOLDER_FLAGS, READ_FLAGS
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.rules.keyfiles import Kind, kind_of
from baileys_tools.snapshots.repository import Repository
from baileys_tools.snapshots.rules.shelf_names import COMPANY_PREFIX
from baileys_tools.snapshots.snapshot_names import PARTIAL_PREFIX
from baileys_tools.units import counted

STALE = timedelta(days=1)
"""What no upload and no write takes."""
_PRIVATE = 0o077


def plan_mending(loaded: LoadedSettings, now: datetime) -> MendPlan:
    """Look at the host and return what is to be mended, and what is left to a person. Changes nothing."""
    found: list[Mend | Unmended] = [
        *_of_sessions(loaded),
        *_of_own_folder(loaded.settings.state.dir),
        *_of_repository(loaded.settings.backup.path, now),
        *_of_jobs(loaded, now),
    ]
    mends = [one for one in found if isinstance(one, Mend)]
    return MendPlan(mends, [one for one in found if isinstance(one, Unmended)])


def _seen(one: os.stat_result) -> EntryStat:
    return EntryStat(one.st_mode, one.st_uid, one.st_gid, one.st_nlink, one.st_dev, one.st_ino)


def _of_sessions(loaded: LoadedSettings) -> Iterator[Mend | Unmended]:
    where = loaded.settings.sessions.where
    if where is None:
        return
    owners: dict[str, tuple[int, int]] = {}
    with Root(where) as root:
        for company in root.companies(loaded.settings.sessions.multitenancy):
            if root.bases[company.base].stored is not None:
                continue
            try:
                with root.open(company) as folder:
                    status = _seen(os.fstat(folder))
                    keys = dict(_keys(folder))
            except OSError as error:
                yield Unmended(
                    company.path, f"cannot be looked at: {why(error)}", "See the line of doctor below."
                )
                continue
            owners[company.path] = (status.st_uid, status.st_gid)
            yield from folder_mends(company.id, company.path, status, keys, is_root=os.geteuid() == 0)
    yield from folders_left(owners)


def _keys(folder: int) -> Iterator[tuple[str, EntryStat]]:
    for name in os.listdir(folder):
        if kind_of(name) is not Kind.UNKNOWN:
            try:
                yield name, _seen(os.stat(name, dir_fd=folder, follow_symlinks=False))
            except FileNotFoundError:
                continue


def _of_own_folder(path: str) -> Iterator[Mend]:
    try:
        mend = mode_mend(path, _seen(os.stat(path)), _PRIVATE)
    except OSError:
        return  # doctor says what is wrong with it
    if mend is not None:
        yield mend


def _of_repository(path: str | None, now: datetime) -> Iterator[Mend | Unmended]:
    from baileys_tools.snapshots.private_folders import nearest_folder, way_to_make

    if path is None:
        return
    if not os.path.lexists(path):
        if os.access(nearest_folder(path), os.W_OK | os.X_OK):
            yield Mend(MendKind.FOLDER, path, "made, mode 700")
        else:
            yield Unmended(path, "not there, and this user cannot make it", way_to_make(path))
        return
    yield from _of_own_folder(path)
    try:
        with Repository(path) as repository:
            for shelf in ["", *(COMPANY_PREFIX + one for one in repository.companies())]:
                if number := len(_stale(repository.fd, shelf, now)):
                    place = f"{path}/{shelf}".rstrip("/")
                    said = f"{counted(number, 'file')} that a killed backup left removed ({PARTIAL_PREFIX}*)"
                    yield Mend(MendKind.LEFTOVER, place, said, name=shelf)
    except (OSError, BaileysToolsError):
        return  # doctor says what is wrong with it


def _stale(repository: int, shelf: str, now: datetime) -> list[str]:
    """Return the names in a folder of the repository that a writer has left which is long dead. Raises OSError."""
    with _opened(shelf or ".", repository) as folder:
        names = [name for name in os.listdir(folder.fd) if name.startswith(PARTIAL_PREFIX)]
        old = now.timestamp() - STALE.total_seconds()
        return [
            name for name in names if os.stat(name, dir_fd=folder.fd, follow_symlinks=False).st_mtime < old
        ]


class _opened:  # noqa: N801 - reads as a word of the `with`
    """A handle for the time of a `with`."""

    def __init__(self, name: str, around: int | None = None, flags: int = FOLDER_FLAGS) -> None:
        self.fd = os.open(name, flags, dir_fd=around)

    def __enter__(self) -> _opened:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)


def _of_jobs(loaded: LoadedSettings, now: datetime) -> Iterator[Mend]:
    from baileys_tools.host.cron_setup import is_at_work
    from baileys_tools.host.cron_status import find_jobs

    if loaded.settings.sessions.where is None or is_at_work(loaded.settings, now):
        return
    if not any(jobs.root == loaded.settings.sessions.where for jobs in find_jobs(loaded)):
        yield Mend(
            MendKind.JOBS,
            "crontab",
            "the jobs are installed, as by cron install",
            "baileys-tools cron remove",
        )


# --- doing it -----------------------------------------------------------------------------------------------


def mend_all(
    loaded: LoadedSettings, plan: MendPlan, now: datetime, install: Callable[[], object]
) -> list[Mended]:
    """Do what the plan says, each step by handle and after another look. What fails stops no other step."""
    done = []
    where = loaded.settings.sessions.where
    companies: dict[str, Company] = {}
    with ExitStack() as opened:
        root = None
        if where is not None and any(mend.company for mend in plan.mends):
            root = opened.enter_context(Root(where))
            companies = {one.path: one for one in root.companies(loaded.settings.sessions.multitenancy)}
        for mend in plan.mends:
            try:
                if mend.company:
                    assert root is not None
                    _in_session(root, companies[mend.folder], mend)
                else:
                    _elsewhere(mend, now, install)
            except OSError as error:
                done.append(Mended(mend, MendOutcome.FAILED, why(error)))
            except BaileysToolsError as error:
                done.append(Mended(mend, MendOutcome.FAILED, error.message))
            except KeyError:
                done.append(Mended(mend, MendOutcome.FAILED, "the folder has gone"))
            else:
                done.append(Mended(mend, MendOutcome.DONE))
    return done


def _in_session(root: Root, company: Company, mend: Mend) -> None:
    with root.open(company) as folder:
        if mend.kind is MendKind.OWNER:
            # Opened as the folder's owner: what they may not read is not given to them, whatever it was at the look.
            with as_owner_of(folder):
                file = _opened(mend.name, folder, READ_FLAGS)
            with file:
                _require_as_seen(file.fd, mend)
                if not may_be_given(_seen(os.fstat(file.fd)), _seen(os.fstat(folder))):
                    raise OSError("is not what it was, and stays as it is")
                os.fchown(file.fd, *mend.owner)
            return
        # With the rights of the folder's owner nothing of anybody else's changes, wherever a name leads.
        with (
            as_owner_of(folder),
            _opened(mend.name or ".", folder, READ_FLAGS if mend.name else FOLDER_FLAGS) as one,
        ):
            _require_as_seen(one.fd, mend)
            os.fchmod(one.fd, mend.mode)


def _require_as_seen(handle: int, mend: Mend) -> None:
    now = _seen(os.fstat(handle))
    if mend.seen is None or now._replace(st_nlink=0) != mend.seen._replace(st_nlink=0):
        raise OSError("has changed since it was looked at, and stays as it is")


def _elsewhere(mend: Mend, now: datetime, install: Callable[[], object]) -> None:
    if mend.kind is MendKind.JOBS:
        install()
    elif mend.kind is MendKind.FOLDER:
        with Repository(mend.path, create=True):
            pass
    elif mend.kind is MendKind.LEFTOVER:
        with (
            Repository(mend.folder) as repository,
            as_owner_of(repository.fd),
            _opened(mend.name or ".", repository.fd) as folder,
        ):
            for name in _stale(repository.fd, mend.name, now):
                os.unlink(name, dir_fd=folder.fd)
    else:
        # The operator names these folders, so a link in their place is followed: as the one who keeps it.
        with in_place_of(mend.path), _opened(mend.path, None, FOLDER_FLAGS & ~os.O_NOFOLLOW) as one:
            _require_as_seen(one.fd, mend)
            os.fchmod(one.fd, mend.mode)
