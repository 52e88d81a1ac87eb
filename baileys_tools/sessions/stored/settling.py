"""What commands changed in a working copy, written back: a removal once it can be undone, an undo once it is kept."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from baileys_tools.sessions.names import OWN_FOLDER
from baileys_tools.sessions.quarantine import (
    list_runs,
    make_run_folder,
    open_quarantine,
    open_run,
    put_back,
    remove_empty_folders,
)
from baileys_tools.sessions.rules.keyfiles import Kind, key_id_of, kind_of, parse_sender_key
from baileys_tools.sessions.rules.removals import Outcome, Removals
from baileys_tools.sessions.rules.undo import UndoReason
from baileys_tools.sessions.scan import in_own_folder, open_inside, read_regular_file
from baileys_tools.sessions.stored.working import WorkingCopy
from baileys_tools.stores.cells import LARGEST_VALUE

RETURNING = "returning"
"""Below `.baileys-tools`: what an undo is about to bring back, kept until the store has it."""

Undone = tuple[dict[str, UndoReason], dict[str, str]]


def settle_removals(
    copy: WorkingCopy, folder: int, run: str | None, units: Sequence[Sequence[str]], removals: Removals
) -> None:
    """Have a store remove what a cleanup has taken out of the working copy, each unit whole or not at all.

    The quarantine is on the disk before the store is asked. What the bot has written meanwhile stays in the store, and
    in `removals` as changed. Raises StoreTrouble; then what the store had not removed yet is still there.
    """
    _sync_run(folder, run)
    gone = [name for name, outcome in removals.outcomes.items() if outcome is Outcome.REMOVED]
    if not gone:
        return
    settled = copy.settle(units)
    for name in gone:
        if name in settled.kept:
            removals.outcomes[name] = Outcome.CHANGED
            removals.bytes_freed -= len(copy.files.content.get(name, b""))
    if settled.kept and run is not None:
        _put_back(folder, run, settled.kept)
    copy.forget(settled.kept)


def _put_back(folder: int, run: str, names: frozenset[str]) -> None:
    """What stays in the store is no removal to be undone."""
    with open_quarantine(folder) as quarantine:
        if quarantine is None or run not in dict(list_runs(quarantine)):
            return
        with open_run(quarantine, run) as waiting:
            for name in names:
                with suppress(OSError):
                    put_back(name, waiting, name, folder)


def _sync_run(folder: int, run: str | None) -> None:
    if run is None:
        return
    with open_quarantine(folder) as quarantine:
        if quarantine is None or run not in dict(list_runs(quarantine)):
            return
        with open_run(quarantine, run) as waiting:
            _sync_all(waiting)
        os.fsync(quarantine)


def _sync_all(folder: int) -> None:
    """Wait until a folder and all files in it are on the disk."""
    _each(folder, _begin_to_write)
    _each(folder, os.fsync)
    os.fsync(folder)


def _each(folder: int, do: Callable[[int], None]) -> None:
    for name in os.listdir(folder):
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        try:
            do(fd)
        finally:
            os.close(fd)


def _begin_to_write(fd: int) -> None:
    """Have the kernel write a file out and not wait for it. Once all are on their way, the first that is waited for
    takes the others with it: one commit of the disk's journal, where each file by itself makes one, and a bot that
    writes to the same disk waits for each.
    """
    if hasattr(os, "posix_fadvise"):
        with suppress(OSError):
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)


# --- undo -----------------------------------------------------------------------------------------------------


@contextmanager
def settle_undo(copy: WorkingCopy, folder: int, run: str) -> Iterator[Callable[..., Undone]]:
    """Yield what takes the outcome of an undo in the working copy and has the store hold what came back.

    Until the store has it, what comes back waits beside the quarantine: a run that is killed loses nothing.
    """
    _set_aside(folder, run)
    settled = False

    def settle(reasons: Mapping[str, UndoReason], errors: Mapping[str, str]) -> Undone:
        nonlocal settled
        back = [name for name, reason in reasons.items() if reason is UndoReason.BACK]
        found = copy.settle(_by_group(back))
        settled = True
        told = {
            name: UndoReason.NEWER_STANDS if reason is UndoReason.BACK and name in found.kept else reason
            for name, reason in reasons.items()
        }
        _return(folder, run, found.kept)
        copy.forget(found.kept)
        return told, dict(errors)

    try:
        yield settle
    except BaseException:
        if not settled:
            take_back_returning(copy, folder)
            copy.forget(frozenset(copy.changed()))
        raise


def _by_group(names: Sequence[str]) -> list[list[str]]:
    """Return those that go together: the keys of a group, and the memory of who has the bot's own."""
    groups: dict[str, list[str]] = {}
    for name in names:
        kind = kind_of(name)
        if kind is Kind.SENDER_KEY:
            groups.setdefault(parse_sender_key(name).group, []).append(name)
        elif kind is Kind.SENDER_KEY_MEMORY:
            groups.setdefault(key_id_of(name, kind), []).append(name)
    return list(groups.values())


def _set_aside(folder: int, run: str) -> None:
    with open_quarantine(folder) as quarantine:
        if quarantine is None or run not in dict(list_runs(quarantine)):
            return
        with _opened(OWN_FOLDER, folder) as own, open_run(quarantine, run) as waiting:
            _remove(own, RETURNING)
            os.mkdir(RETURNING, 0o700, dir_fd=own)
            with _opened(RETURNING, own) as returning:
                os.mkdir(run, 0o700, dir_fd=returning)
                with _opened(run, returning) as beside:
                    for name in os.listdir(waiting):
                        _copy(name, waiting, beside)
                    _sync_all(beside)


@contextmanager
def _opened(name: str, around: int) -> Iterator[int]:
    fd = open_inside(name, around)
    try:
        yield fd
    finally:
        os.close(fd)


def _copy(name: str, source: int, target: int) -> None:
    content = read_regular_file(source, name, LARGEST_VALUE)
    seen = os.stat(name, dir_fd=source, follow_symlinks=False)
    fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=target)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
    os.utime(name, ns=(seen.st_atime_ns, seen.st_mtime_ns), dir_fd=target)


def _return(folder: int, run: str, names: frozenset[str]) -> None:
    """Put what the store did not take back into the quarantine, and forget the rest."""
    with in_own_folder(RETURNING, folder) as returning:
        if returning is None:
            return
        if names:
            into = make_run_folder(folder, run)
            try:
                with _opened(run, returning) as beside:
                    for name in names:
                        with suppress(FileNotFoundError):
                            os.rename(name, name, src_dir_fd=beside, dst_dir_fd=into)
            finally:
                os.close(into)
    with _opened(OWN_FOLDER, folder) as own:
        _remove(own, RETURNING)


def take_back_returning(copy: WorkingCopy, folder: int) -> None:
    """Put what an undo that died was about to bring back into its quarantine again, but for what the store has.

    Raises OSError, StoreTrouble.
    """
    with in_own_folder(RETURNING, folder) as returning:
        runs = [] if returning is None else os.listdir(returning)
    for run in runs:
        with in_own_folder(f"{RETURNING}", folder) as returning:
            assert returning is not None
            beside = os.open(
                run, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=returning
            )
            try:
                waits = frozenset(
                    name
                    for name in os.listdir(beside)
                    if copy.files.content.get(name) != read_regular_file(beside, name, LARGEST_VALUE)
                )
            finally:
                os.close(beside)
        _return(folder, run, waits)


def forget_what_stands(copy: WorkingCopy, folder: int) -> None:
    """Take out of the quarantines what the store still has as it was: who set it aside died, or was refused, before the
    store was asked to remove it. Raises OSError."""
    with open_quarantine(folder) as quarantine:
        if quarantine is None or copy.is_half_changed:
            return
        for run, _ in list_runs(quarantine):
            with open_run(quarantine, run) as waiting:
                for name in copy.files.content.keys() & os.listdir(waiting):
                    if read_regular_file(waiting, name, LARGEST_VALUE) == copy.files.content[name]:
                        os.unlink(name, dir_fd=waiting)
    remove_empty_folders(folder)


def _remove(own: int, name: str) -> None:
    with suppress(FileNotFoundError):
        shutil.rmtree(name, dir_fd=own)
