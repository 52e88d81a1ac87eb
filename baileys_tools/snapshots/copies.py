"""Copies of snapshots elsewhere: SFTP, S3 or a mounted disk, all by fsspec.

A snapshot is copied once it is published, under a temporary name where the place can rename, read back and
compared with the hash in its name. What fails waits for the next run. Of the snapshots here none is changed; one that
turns out to be damaged is not sent, and marked as any verification marks it.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from baileys_tools.errors import BaileysToolsError, why
from baileys_tools.sessions.rules.snapshot import SnapshotInfo
from baileys_tools.snapshots.archive import DamagedSnapshot
from baileys_tools.snapshots.copies_memory import (
    STATE,
    Known,
    Memory,
    copying_alone,
    read_memory,
    write_memory,
)
from baileys_tools.snapshots.places.copy_place import ArrivedDamaged, CopyPlace, WrongFolder
from baileys_tools.snapshots.private_folders import RepositoryLocked
from baileys_tools.snapshots.repository import Repository
from baileys_tools.snapshots.rules.backup_report import CopyResult
from baileys_tools.snapshots.rules.copies import is_ahead, missing_there, surplus_there, whole_there
from baileys_tools.snapshots.rules.retention import Retention
from baileys_tools.snapshots.rules.shelf_names import COMPANY_PREFIX

LIST_EVERY = timedelta(days=1)
"""How long it is taken on trust that the folder of a company on a server still has what it once had."""

_OF_ONE_COMPANY = (
    ArrivedDamaged,
    WrongFolder,
    FileNotFoundError,
    FileExistsError,
    NotADirectoryError,
    IsADirectoryError,
    PermissionError,
)
"""What says nothing about the rest of a place. All else ends the visit, as each try may be a long wait."""


# --- sending ------------------------------------------------------------------------------------------------


def send_copies(
    repository: Repository, targets: Sequence[str], policy: Retention, timeout: timedelta, now: datetime
) -> list[CopyResult] | None:
    """Bring each place up to date with the repository, by its own retention; return what was done there.

    None when another run is at it: then nothing is known of the places.
    Each run lists a folder on a disk, and of a server which companies have a folder there; what is in the folders of a
    server, where there is nothing to send, once a day. No trouble is raised: it is part of the result, and the next run
    tries again.
    """
    with copying_alone(repository) as alone:
        if not alone:
            return None
        try:
            local, unlisted = list_here(repository)
        except OSError as error:
            return [CopyResult(target, trouble=f"the repository: {error.strerror}") for target in targets]
        remembered = read_memory(repository)
        state = {target: remembered.get(target) or Memory({}, 0) for target in targets}
        results = []
        for target in targets:
            memory = state[target]
            # A clock that went back makes it due as well.
            is_due = not 0 <= now.timestamp() - memory.listed_at < LIST_EVERY.total_seconds()
            result, has_looked = _send_to(
                repository, target, local, memory.known, policy, timeout, look_at_all=is_due
            )
            if is_due and has_looked:
                state[target] = memory._replace(listed_at=now.timestamp())
            results.append(replace(result, trouble="; ".join(filter(None, [result.trouble, unlisted]))))
        if any(result.sent or result.removed or result.gone for result in results) or state != remembered:
            with suppress(OSError):
                # Without it the next run only looks again what is there.
                write_memory(repository, state)
        return results


def list_here(repository: Repository) -> tuple[dict[str, list[SnapshotInfo]], str]:
    """Return the snapshots here by company, and what to say of the companies that cannot be listed, or ""."""
    local = {}
    unlisted = []
    for company in repository.companies():
        try:
            local[company] = repository.snapshots(company)
        except OSError as error:
            path = os.path.join(repository.path, COMPANY_PREFIX + company)
            unlisted.append(f"{path} cannot be listed ({error.strerror}), and nothing in it is copied")
    return local, first_of(unlisted)


def _send_to(
    repository: Repository,
    target: str,
    local: Mapping[str, list[SnapshotInfo]],
    known: Known,
    policy: Retention,
    timeout: timedelta,
    *,
    look_at_all: bool,
) -> tuple[CopyResult, bool]:
    """Return what was done, and whether all that was due could be listed."""
    missing = {
        company: len(missing_there(infos, [], known.get(company, set()), policy))
        for company, infos in local.items()
    }
    if trouble := _lost_all(repository, target, known):
        return CopyResult(target, waiting=sum(missing.values()), trouble=trouble), False
    look_at_all = look_at_all or urlsplit(target).scheme == "file"
    due = {company: infos for company, infos in local.items() if missing[company] or (look_at_all and infos)}
    if not due and not any(known.values()):
        return CopyResult(target), True
    is_awaited = bool(due)
    visit = _Visit(repository, known, policy, missing)
    ended = ""
    try:
        place = CopyPlace(target, timeout)
        try:
            if not look_at_all:
                due |= {company: local[company] for company in _wiped(place, known) if local.get(company)}
            visit.bring_up_to_date(place, due)
        finally:
            with suppress(Exception):
                place.close()
    except Exception as error:  # noqa: BLE001 (each library has its own; none may spoil the local snapshot)
        # Where all was known to be there, a server that is away for a while is no news.
        ended = in_words(error) if is_awaited else ""
    return visit.result(target, ended), not ended and not visit.troubles


def _wiped(place: CopyPlace, known: Known) -> list[str]:
    """Return the companies that had copies at a place and have no folder there any more."""
    try:
        there = place.companies()
    except _OF_ONE_COMPANY:
        return []  # some may enter the folders and not list them
    return [company for company, files in known.items() if files and company not in there]


class _Visit:
    """What a run does at one place, and what has come of it so far. What hits one company stops no other."""

    def __init__(
        self, repository: Repository, known: Known, policy: Retention, waiting: dict[str, int]
    ) -> None:
        self._repository = repository
        self._known = known
        self._policy = policy
        self._waiting = waiting
        """How many snapshots the place still lacks, by company."""
        self._sent = 0
        self._removed = 0
        self._gone = 0
        self._ahead: list[str] = []
        self._damaged: list[SnapshotInfo] = []
        self.troubles: dict[str, str] = {}
        """The first trouble of each company that had one."""

    def bring_up_to_date(self, place: CopyPlace, due: Mapping[str, list[SnapshotInfo]]) -> None:
        """Send what the companies lack there, then apply the retention. Raises what ends the visit."""
        there: dict[str, list[SnapshotInfo]] = {}
        ranked: list[tuple[int, SnapshotInfo]] = []
        for company, infos in due.items():
            with self._of_one(company):
                found = place.snapshots(company, tidy_for=self._repository)
                if is_ahead(found, infos):
                    self._ahead.append(company)
                    continue
                had = self._known.get(company, set())
                self._known[company] = whole_there(infos, found)
                missing = missing_there(infos, found, self._known[company], self._policy)
                self._gone += sum(info.file in had for info in missing)
                self._waiting[company] = len(missing)
                ranked += enumerate(reversed(missing))
                there[company] = found
        # The newest of every company first: whatever stops the visit, it does so after what is worth most.
        for _, info in sorted(ranked, key=lambda one: one[0]):
            has_arrived = False
            with self._of_one(info.company):
                has_arrived = self._send(place, info)
            if not has_arrived:
                # Nothing goes there for one that did not come.
                there.pop(info.company, None)
        for company, found in there.items():
            with self._of_one(company):
                surplus = surplus_there(due[company], found, self._policy)
                if surplus:
                    place.require_elsewhere(self._repository, company)
                for info in surplus:
                    place.remove(info)
                    self._known[company].discard(info.file)
                    self._removed += 1

    def result(self, target: str, ended: str) -> CopyResult:
        """Return what has come of it. `ended` is what ended the visit early, or ""."""
        said = [ended] if ended else []
        if self._ahead:
            more = f" and {len(self._ahead) - 1:,} more" if len(self._ahead) > 1 else ""
            said.append(
                f"it has later snapshots of company {self._ahead[0]}{more} than there are here, as when a host was "
                f"set up anew. Take them in first (backup --import {target}), or give this host a folder of its own "
                "there"
            )
        if self.troubles:
            said.append(first_of([f"company {company}: {text}" for company, text in self.troubles.items()]))
        return CopyResult(
            target,
            self._sent,
            self._removed,
            sum(self._waiting.values()),
            "; ".join(said),
            self._damaged,
            self._gone,
        )

    def _send(self, place: CopyPlace, info: SnapshotInfo) -> bool:
        # First, as a key of S3 is written over where it is.
        if not self._is_whole(info):
            return False
        place.send(self._repository, info)
        self._known[info.company].add(info.file)
        self._sent += 1
        self._waiting[info.company] -= 1
        return True

    def _is_whole(self, info: SnapshotInfo) -> bool:
        """Whether a snapshot here can be sent. One that is damaged is marked, and waits no more."""
        try:
            try:
                self._repository.verify_hash(info)
            except DamagedSnapshot:
                with self._repository.writing(info.company) as writer:
                    self._damaged.append(writer.mark_damaged(info))
            else:
                return True
        except FileNotFoundError:
            pass  # removed or marked since it was listed, maybe on the way to another place
        except RepositoryLocked as lock:
            self.troubles.setdefault(info.company, f"snapshot {info.id} is damaged here, and {lock.message}")
            return False
        except OSError as error:
            said = f"snapshot {info.id} cannot be read or marked as damaged here: {error.strerror}"
            self.troubles.setdefault(info.company, said)
            return False
        self._waiting[info.company] -= 1
        return False

    @contextmanager
    def _of_one(self, company: str) -> Iterator[None]:
        try:
            yield
        except _OF_ONE_COMPANY as error:
            self.troubles.setdefault(company, in_words(error))


def _lost_all(repository: Repository, target: str, known: Known) -> str:
    """Return what to say of a folder on a disk that held snapshots and is missing or empty now, "" for any other.

    An unmounted disk looks so. To send them again would fill the disk below.
    """
    parts = urlsplit(target)
    if parts.scheme != "file" or not any(known.values()):
        return ""
    try:
        is_empty = not os.listdir(parts.path)
    except FileNotFoundError:
        is_empty = True
    except OSError:
        return ""
    if not is_empty:
        return ""
    return (
        f"nothing is left in {parts.path}: is its disk mounted? Where the copies are gone for good, remove "
        f"{os.path.join(repository.path, STATE)}, and the next backup sends them again"
    )


def lost_all(repository: Repository, target: str) -> str:
    """Return what to say of a place that is known to have had snapshots and has nothing now, "" for any other."""
    memory = read_memory(repository).get(target)
    return _lost_all(repository, target, memory.known) if memory is not None else ""


def first_of(texts: Sequence[str]) -> str:
    """Return the first of some texts, with how many more there are; "" for none."""
    return f"{texts[0]} (and {len(texts) - 1:,} more)" if len(texts) > 1 else "".join(texts)


def in_words(error: Exception) -> str:
    """Return what went wrong with a place, in words that fit a line."""
    if isinstance(error, BaileysToolsError):
        return f"{error.message}. {error.hint}" if error.hint else error.message
    text = " ".join(why(error).split()) or type(error).__name__
    return text[:200]
