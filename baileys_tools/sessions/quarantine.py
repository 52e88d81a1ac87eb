"""Where removed files wait to be wanted back.

`<folder>/.baileys-tools/quarantine/<run>/<name>`: the same file, moved, so content, age and mode are as they
were. Beside it `<run>.alone` names the memories of it that stood without a key of the bot's, where there are any. A
file that was being removed when the process died stands in the folder as `.baileys-tools-removing-<name>`; the next run
puts it back.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

from baileys_tools.owner import as_owner_of
from baileys_tools.sessions.names import OWN_FOLDER, READ_FLAGS
from baileys_tools.sessions.rules.keyfiles import REMOVABLE, Kind, kind_of
from baileys_tools.sessions.scan import exists, in_own_folder, open_inside, own_folder

QUARANTINE = "quarantine"
REMOVING_PREFIX = f"{OWN_FOLDER}-removing-"
LEASE_PROBE = f"{OWN_FOLDER}-lease"
"""An empty file that a removal has for a moment, to see whether it gets a lease."""

_ALONE = ".alone"
_LARGEST_NOTE = 2**20

_OF_A_REPAIR = "-r"
_RUN_ID = rf"(\d{{8}}T\d{{6}})Z-[0-9a-f]{{6}}(?:{_OF_A_REPAIR})?"


def new_run_id(now: datetime, *, of_a_repair: bool = False) -> str:
    """Given the time, return the name of a run: its start in UTC, the millisecond, and something random.

    So names sort by time. That of a repair, or of any other restore, says so at its end.
    """
    return run_name(now, os.urandom(2).hex()[:3], of_a_repair=of_a_repair)


def run_name(now: datetime, ending: str, *, of_a_repair: bool = False) -> str:
    """As `new_run_id`, with three hexadecimal digits that are given."""
    run = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{now.microsecond // 1000:03}{ending}"
    return run + _OF_A_REPAIR if of_a_repair else run


def is_of_a_repair(run: str) -> bool:
    """Given the name of a run, say whether a restore has made it."""
    return run.endswith(_OF_A_REPAIR)


def run_started(run: str) -> datetime | None:
    """Given the name of a run, return when it started, or None if it is no run's name."""
    match = re.fullmatch(_RUN_ID, run)
    if match is None:
        return None
    try:
        return datetime.fromisoformat(f"{match[1]}Z")  # strptime is an import of 2 ms more
    except ValueError:
        return None


def run_milliseconds(run: str) -> int | None:
    """Given the name of a run, return the milliseconds since 1970 at which it started, None if it is no run's name."""
    started, milliseconds = run_started(run), run[17:20]
    if started is None or not (milliseconds.isascii() and milliseconds.isdigit()):
        return None
    return int(started.timestamp()) * 1_000 + int(milliseconds)


def make_folder(name: str, parent: int) -> int:
    """Given a name and the handle of its parent, return the handle of that folder, made 0700 if need be.

    It belongs to the parent's owner. Raises OSError.
    """
    with suppress(FileExistsError), as_owner_of(parent):
        os.mkdir(name, 0o700, dir_fd=parent)
    return open_inside(name, parent)


def make_run_folder(folder: int, run: str) -> int:
    """Given the handle of a session folder, return the handle of the quarantine folder of a run."""
    own = make_folder(OWN_FOLDER, folder)
    try:
        quarantine = make_folder(QUARANTINE, own)
    finally:
        os.close(own)
    try:
        return make_folder(run, quarantine)
    finally:
        os.close(quarantine)


def note_alone(folder: int, run: str | None, memories: Sequence[str]) -> None:
    """Note beside the quarantine of a run which memories stand without a key of the bot's, before they go.

    Where that cannot be noted, `undo` leaves them there, which costs no message.
    """
    if run is None or not memories:
        return
    with suppress(OSError):
        os.close(make_run_folder(folder, run))
        with open_quarantine(folder) as quarantine:
            assert quarantine is not None
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            with as_owner_of(quarantine):
                fd = os.open(f"{run}{_ALONE}", flags, 0o600, dir_fd=quarantine)
            with open(fd, "wb") as file:
                file.write("\n".join(memories).encode())


def stood_alone(folder: int, run: str) -> frozenset[str]:
    """Return the memories that stood without a key of the bot's before a run, as far as it has noted that."""
    with suppress(OSError), open_quarantine(folder) as quarantine:
        if quarantine is not None:
            with open(os.open(f"{run}{_ALONE}", READ_FLAGS, dir_fd=quarantine), "rb") as file:
                return frozenset(file.read(_LARGEST_NOTE).decode(errors="replace").split("\n"))
    return frozenset()


@contextmanager
def open_quarantine(folder: int) -> Iterator[int | None]:
    """Yield the handle of the quarantine of a session folder, None when there is none. Raises OSError."""
    with in_own_folder(QUARANTINE, folder) as quarantine:
        yield quarantine


@contextmanager
def open_run(quarantine: int, run: str) -> Iterator[int]:
    """Yield the handle of one run in a quarantine. Raises OSError."""
    fd = open_inside(run, quarantine)
    try:
        yield fd
    finally:
        os.close(fd)


def list_runs(quarantine: int) -> list[tuple[str, datetime]]:
    """Given a quarantine, return its runs and when they started, oldest first."""
    with os.scandir(quarantine) as entries:
        folders = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    runs = ((name, run_started(name)) for name in folders)
    return sorted((name, started) for name, started in runs if started is not None)


def newest_run(folder: int) -> datetime | None:
    """Given the handle of a session folder, return when the newest cleanup began that its quarantine shows."""
    with suppress(OSError), open_quarantine(folder) as quarantine:
        if quarantine is not None:
            return max((started for _, started in list_runs(quarantine)), default=None)
    return None


def mend(folder: int) -> list[str]:
    """Put back what an interrupted run left half removed, and return the names.

    Two things can be left: a file under the name of a removal in progress, and a quarantined file that the
    bot went on to write (it had opened it before the move). Both return where nothing newer stands.
    """
    mended = []
    for name in os.listdir(folder):
        if name == LEASE_PROBE:
            os.unlink(name, dir_fd=folder)
        live_name = name.removeprefix(REMOVING_PREFIX)
        if live_name == name or not is_quarantinable(live_name, name, folder):
            continue
        if put_back(name, folder, live_name, folder):
            mended.append(live_name)
        else:
            # The bot has made the file anew: the removal is all that was left to do.
            os.unlink(name, dir_fd=folder)
    with open_quarantine(folder) as quarantine:
        if quarantine is None:
            return mended
        for run, started in list_runs(quarantine):
            with open_run(quarantine, run) as fd:
                # A repair sets aside what is broken, and that may have been written a moment before.
                since = None if is_of_a_repair(run) else started
                mended += [
                    name for name in _unfinished(fd, since, folder) if put_back(name, fd, name, folder)
                ]
    return mended


def is_quarantinable(live_name: str, name: str, place: int) -> bool:
    """Whether an entry is what a removal leaves: a plain file of a kind that a rule removes."""
    if kind_of(live_name) not in REMOVABLE:
        return False
    return stat.S_ISREG(os.stat(name, dir_fd=place, follow_symlinks=False).st_mode)


def _unfinished(run: int, since: datetime | None, folder: int) -> list[str]:
    """Return what does not belong in a quarantine: written since it came, or still in its old place as well.

    Pre-keys are written once and removed at any age, so theirs says nothing; whatever else a cleanup removed was
    at least a day old. `since` None: the age of no file says anything.
    """
    limit = None if since is None else int(since.timestamp()) * 1_000_000_000
    found = []
    with os.scandir(run) as entries:
        for entry in entries:
            if not is_quarantinable(entry.name, entry.name, run):
                continue
            seen = entry.stat(follow_symlinks=False)
            is_rewritten = (
                limit is not None and seen.st_mtime_ns >= limit and kind_of(entry.name) is not Kind.PRE_KEY
            )
            is_in_both = seen.st_nlink > 1 and exists(entry.name, folder)
            if is_rewritten or is_in_both:
                found.append(entry.name)
    return found


def put_back(name: str, source: int, live_name: str, folder: int) -> bool:
    """Move a file back into its folder unless another stands there already; return whether it is there.

    By hard link, which never replaces anything; without hard links by a look and a rename.
    """
    try:
        os.link(name, live_name, src_dir_fd=source, dst_dir_fd=folder, follow_symlinks=False)
    except FileExistsError:
        if not _is_same_file(name, source, live_name, folder):
            return False
        # The link of an earlier try that died here.
    except FileNotFoundError:
        raise
    except OSError:
        if exists(live_name, folder):
            return False
        os.rename(name, live_name, src_dir_fd=source, dst_dir_fd=folder)
        return True
    os.unlink(name, dir_fd=source)
    return True


def _is_same_file(name: str, source: int, live_name: str, folder: int) -> bool:
    one = os.stat(name, dir_fd=source, follow_symlinks=False)
    other = os.stat(live_name, dir_fd=folder, follow_symlinks=False)
    return (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)


class Purge:
    """What leaving the quarantine freed; `errors` has the system's word for each file that would not go."""

    __slots__ = ("errors", "files", "size")

    def __init__(self, files: int = 0, size: int = 0) -> None:
        self.files = files
        self.size = size
        self.errors: dict[str, str] = {}

    def add(self, other: Purge) -> None:
        """Count in what another purge of the same folder freed."""
        self.files += other.files
        self.size += other.size
        self.errors |= other.errors


def waits_since(run: str, started: datetime, parent: int, now: datetime, *, begin: bool = False) -> datetime:
    """Given a run's name, when that says it started, and the folder it is in, return since when it waits.

    A name from the future is of a clock that was ahead, or of somebody else; then it is the time at which the kernel
    saw its folder change. Where that is in the future as well, `begin` has it wait from now on. Raises OSError.
    """
    if started <= now:
        return started
    with open_run(parent, run) as fd:
        changed = datetime.fromtimestamp(os.fstat(fd).st_ctime, UTC)
        if changed > now and begin:
            with suppress(OSError):
                os.utime(fd)
    return changed


def purge(folder: int, now: datetime, undo_window: timedelta) -> Purge:
    """Remove quarantined runs that have waited for longer than `undo_window`."""
    done = Purge()
    with open_quarantine(folder) as quarantine:
        if quarantine is None:
            return done
        for run, started in list_runs(quarantine):
            if now - waits_since(run, started, quarantine, now, begin=True) > undo_window:
                with open_run(quarantine, run) as fd:
                    _empty(fd, done)
    remove_empty_folders(folder)
    return done


def due_for_purge(folder: int, now: datetime, undo_window: timedelta) -> Purge:
    """Return what `purge` would remove."""
    due = Purge()
    with open_quarantine(folder) as quarantine:
        if quarantine is None:
            return due
        for run, started in list_runs(quarantine):
            if now - waits_since(run, started, quarantine, now) > undo_window:
                with open_run(quarantine, run) as fd, os.scandir(fd) as entries:
                    sizes = [entry.stat(follow_symlinks=False).st_size for entry in entries]
                due.files += len(sizes)
                due.size += sum(sizes)
    return due


def _empty(run: int, done: Purge) -> None:
    with os.scandir(run) as found:
        entries = list(found)
    for entry in entries:
        try:
            size = entry.stat(follow_symlinks=False).st_size
            os.unlink(entry.name, dir_fd=run)
        except OSError as error:
            done.errors[entry.name] = error.strerror or str(error)
        else:
            done.files += 1
            done.size += size


def remove_empty_folders(folder: int) -> None:
    """Take down the quarantine of a session folder, as far as it is empty."""
    with open_quarantine(folder) as quarantine:
        if quarantine is None:
            return
        for run, _ in list_runs(quarantine):
            with suppress(OSError):
                os.rmdir(run, dir_fd=quarantine)
        left = set(os.listdir(quarantine))
        for name in left:
            if name.endswith(_ALONE) and name.removesuffix(_ALONE) not in left:
                with suppress(OSError):
                    os.unlink(name, dir_fd=quarantine)
    remove_own_folder(QUARANTINE, folder)


def remove_own_folder(name: str, folder: int) -> None:
    """Take down a folder in our own one of a session folder, and that one too, as far as they are empty."""
    with suppress(OSError), own_folder(folder) as own:
        if own is not None:
            os.rmdir(name, dir_fd=own)
    with suppress(OSError):
        os.rmdir(OWN_FOLDER, dir_fd=folder)
