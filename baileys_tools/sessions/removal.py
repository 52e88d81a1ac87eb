"""Removes planned files under a running bot without losing a write of it.

Each file is checked again at the moment of effect, by handle. Where the kernel offers a write lease, a bot
that opens the file while it is being moved has to wait, and the lease tells us so: the file goes back before
the bot goes on. Baileys opens by path, truncates and writes (`Utils/use-multi-file-auth-state.js`:
`writeFile`), so without this a write can land in a file that has just lost its name: plain `unlink` against a
running writer lost 5 % of its writes.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Mapping

from baileys_tools.sessions.names import OWN_FOLDER, READ_FLAGS
from baileys_tools.sessions.quarantine import LEASE_PROBE, REMOVING_PREFIX, make_run_folder, put_back
from baileys_tools.sessions.rules.folder import FileStat
from baileys_tools.sessions.rules.keyfiles import REMOVABLE, companions_of, key_of, kind_of
from baileys_tools.sessions.rules.removals import Outcome, Removals
from baileys_tools.sessions.scan import exists

_OUT_OF_SPACE = {errno.ENOSPC, errno.EDQUOT}
NO_LEASES = {
    errno.EACCES,
    errno.EPERM,
    errno.EINVAL,
    errno.ENOSYS,
    errno.ENOLCK,
    errno.ENOTTY,
    errno.EOPNOTSUPP,
}
_SET_LEASE: int | None = getattr(fcntl, "F_SETLEASE", None)
_GET_LEASE: int | None = getattr(fcntl, "F_GETLEASE", None)


def ignore_lease_breaks() -> None:
    """A broken lease is announced by SIGIO, which would end the process: whoever takes one asks instead."""
    import signal  # 2 ms that a run which takes no lease need not pay
    import threading

    if threading.current_thread() is not threading.main_thread():
        return  # only the main thread may, and has done so before it started others
    signal.signal(signal.SIGIO, signal.SIG_IGN)


class NoQuarantine(OSError):
    """There is no place to move files to, so none is removed. The text says why."""


class FolderRemover:
    """Removes files from one session folder, into the quarantine of `run`, or for good when `run` is None.

    On a full disk there may be no room for a quarantine. Then the files go for good as well, or where
    `always_undoable`, NoQuarantine is raised. Needs the company's lock. Closed by `with`.
    """

    def __init__(self, folder: int, run: str | None, *, always_undoable: bool = False) -> None:
        self._folder = folder
        self._run = run
        self._always_undoable = always_undoable
        self._quarantine: int | None = None
        self._device = os.fstat(folder).st_dev
        self._leases: bool | None = None
        self._for_good: set[str] = set()
        self.removals = Removals()
        ignore_lease_breaks()

    def __enter__(self) -> FolderRemover:
        return self

    def __exit__(self, *_: object) -> None:
        if self._quarantine is not None:
            os.close(self._quarantine)

    def remove_unit(self, unit: Mapping[str, FileStat]) -> None:
        """Remove the files of a unit in order; when one has to stay, so do those after it.

        What became of a key is said once, whatever files it consists of.
        """
        stays = False
        outcomes = self.removals.outcomes
        for name, planned in unit.items():
            outcome = Outcome.WITH_UNIT if stays else self._remove(name, planned)
            stays = outcome not in (Outcome.REMOVED, Outcome.ALREADY_GONE)
            key = key_of(name)
            before = outcomes.get(key, Outcome.ALREADY_GONE)
            # What of it stays outweighs what went before, and that what was gone already.
            if before is Outcome.ALREADY_GONE or (
                before is Outcome.REMOVED and outcome is not Outcome.ALREADY_GONE
            ):
                outcomes[key] = outcome
        if self._for_good:
            gone = [key for key in self._for_good if outcomes.get(key) is Outcome.REMOVED]
            self.removals.without_undo += len(gone) if self._run is not None else 0
            self._for_good.clear()

    def _remove(self, name: str, planned: FileStat) -> Outcome:
        # Whatever a plan says.
        if kind_of(name) not in REMOVABLE:
            raise AssertionError(f"{name} must never be removed and was planned for removal")
        try:
            outcome = Outcome.CHANGED if self._has_companion(name) else self._move_out(name, planned)
        except NoQuarantine:
            raise
        except OSError as error:
            self.removals.errors[name] = error.strerror or str(error)
            return Outcome.FAILED
        if outcome is Outcome.REMOVED:
            self.removals.bytes_freed += planned.st_size
        return outcome

    def _move_out(self, name: str, planned: FileStat) -> Outcome:
        try:
            fd = os.open(name, READ_FLAGS, dir_fd=self._folder)
        except FileNotFoundError:
            return Outcome.ALREADY_GONE
        except OSError as error:
            if error.errno == errno.ELOOP:
                return Outcome.CHANGED  # a symbolic link has taken the name
            if error.errno == errno.EWOULDBLOCK:
                return Outcome.IN_USE  # somebody else holds a lease on it
            raise
        try:
            leased = self._lease(fd)
            if leased is None:
                return Outcome.IN_USE
            if not leased:
                self.removals.leases = False
            if not self._is_as_planned(fd, planned):
                return Outcome.CHANGED
            return self._take_name(name, fd, planned, leased=leased)
        finally:
            os.close(fd)  # ends the lease: a bot that waits goes on

    def _lease(self, fd: int) -> bool | None:
        """As `_take_write_lease`, but where no file gets one none is asked for: EAGAIN is not always a bot's."""
        leased = _take_write_lease(fd) if self._leases is not False else False
        if leased is None and self._leases is None:
            self._leases = _may_be_offered(self._folder)
            return None if self._leases else False
        return leased

    def _is_as_planned(self, fd: int, planned: FileStat) -> bool:
        now = os.fstat(fd)
        return (
            stat.S_ISREG(now.st_mode)
            and now.st_nlink == 1
            and now.st_dev == self._device
            and (now.st_size, now.st_mtime_ns, now.st_ino)
            == (planned.st_size, planned.st_mtime_ns, planned.st_ino)
        )

    def _take_name(self, name: str, fd: int, planned: FileStat, *, leased: bool) -> Outcome:
        """Move the checked file aside, look again, and either let it go or put it back."""
        place, new_name = self._destination(name)
        try:
            place, new_name = self._rename(name, place, new_name)
        except FileNotFoundError:
            return Outcome.ALREADY_GONE
        outcome = Outcome.FAILED
        try:
            moved = os.stat(new_name, dir_fd=place, follow_symlinks=False)
            if (
                moved.st_ino != planned.st_ino
                or not self._is_as_planned(fd, planned)
                or self._has_companion(name)
            ):
                outcome = Outcome.CHANGED
            elif leased and fcntl.fcntl(fd, _GET_LEASE) != fcntl.F_WRLCK:  # type: ignore[arg-type]
                outcome = Outcome.IN_USE
            else:
                outcome = Outcome.REMOVED
        finally:
            if outcome is not Outcome.REMOVED:
                put_back(new_name, place, name, self._folder)
        if outcome is Outcome.REMOVED and place == self._folder:
            os.unlink(new_name, dir_fd=place)
            self._for_good.add(key_of(name))
        return outcome

    def _rename(self, name: str, place: int, new_name: str) -> tuple[int, str]:
        """Give the file its new name, and return that. On a full disk a quarantine may have no room for one more name;
        then it gets one in its own folder, where the old name makes room, and goes for good.
        """
        try:
            os.rename(name, new_name, src_dir_fd=self._folder, dst_dir_fd=place)
        except OSError as error:
            if error.errno not in _OUT_OF_SPACE or place == self._folder or self._always_undoable:
                raise
            place, new_name = self._folder, REMOVING_PREFIX + name
            os.rename(name, new_name, src_dir_fd=self._folder, dst_dir_fd=place)
        return place, new_name

    def _has_companion(self, name: str) -> bool:
        """Whether a companion that the plan did not know stands beside a key: a bot that finds the key gone goes on
        with what the companion holds, an older state of it (measured: every message to and from such a contact fails).
        """
        return key_of(name) == name and any(exists(one, self._folder) for one in companions_of(name))

    def _destination(self, name: str) -> tuple[int, str]:
        """Return the folder and the name that a file is moved to: quarantine, or a name to be unlinked."""
        if self._run is not None and self._quarantine is None:
            try:
                self._quarantine = make_run_folder(self._folder, self._run)
            except OSError as error:
                if self._always_undoable or error.errno not in _OUT_OF_SPACE:
                    raise NoQuarantine(
                        f"cannot make the quarantine {OWN_FOLDER}: {error.strerror}"
                    ) from error
                # On a full disk something has to go before a folder can be made.
        if self._quarantine is None:
            return self._folder, REMOVING_PREFIX + name
        return self._quarantine, name


def _may_be_offered(folder: int) -> bool:
    """Whether a file that nobody else has open gets a write lease here. A doubt is a yes, and keeps the files.

    NFS 4 says EAGAIN, as of a file that is in use, of any that the server gave no delegation for (Linux
    `fs/nfs/nfs4proc.c`: `nfs4_add_lease`). Needs the company's lock.
    """
    try:
        # For reading, as the others are opened; and so no indexer is told of a file that was written.
        fd = os.open(LEASE_PROBE, READ_FLAGS | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=folder)
        try:
            return _take_write_lease(fd) is True
        finally:
            os.unlink(LEASE_PROBE, dir_fd=folder)
            os.close(fd)
    except OSError:
        return True


def _take_write_lease(fd: int) -> bool | None:
    """Take a write lease; return whether it is held, False where there are none, None when a bot has it open."""
    if _SET_LEASE is None:
        return False
    try:
        fcntl.fcntl(fd, _SET_LEASE, fcntl.F_WRLCK)
    except OSError as error:
        if error.errno == errno.EAGAIN:
            return None
        if error.errno in NO_LEASES:
            return False
        raise
    return True
