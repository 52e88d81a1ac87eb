"""A private working copy of one session in a store: a folder for as long as a command looks, and empty afterwards.

Everything that this tool knows of folders holds for it. What a command changes in it becomes a change of the store only
by `settle`: each record where it is as it was read, else not. The quarantine stays on this host, so a removal can be
undone before the store has ever heard of it.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from itertools import chain
from typing import NamedTuple

from baileys_tools.kernel_lock import take_now
from baileys_tools.sessions.rules.folder import FolderFacts
from baileys_tools.sessions.rules.records import CREDS, NoValue
from baileys_tools.sessions.scan import exists, is_own, read_regular_file
from baileys_tools.sessions.stored.beside import LARGEST, read_beside, write_beside
from baileys_tools.sessions.stored.rules.ages import FirstSeen, ages
from baileys_tools.sessions.stored.rules.facts import facts_of
from baileys_tools.sessions.stored.rules.files import Files, Misfit, as_files, change_of
from baileys_tools.sessions.stored.rules.halves import is_half, note_of
from baileys_tools.stores.cells import (
    LARGEST_VALUE,
    MOST_RECORDS,
    TOO_MANY,
    HalfChanged,
    Store,
    StoreTrouble,
)
from baileys_tools.stores.rules.mapping import RedisMap, SqlMap
from baileys_tools.stores.rules.rows import Cell, Change, Unit
from baileys_tools.units import some_of

_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Moved(StoreTrouble):
    """Records of a store have changed since they were read, so nothing was written."""


class Settled(NamedTuple):
    """What became of changes: the names of files whose units were made, and of those that stayed as they were."""

    made: frozenset[str]
    kept: frozenset[str]


class WorkingCopy:
    """The files of a session of a store, in an open folder of ours. Filled at once; `settle` writes back."""

    def __init__(
        self,
        store: Store,
        mapped: SqlMap | RedisMap,
        tenant: str,
        around: int,
        entry: str,
        stamp: str = "",
    ) -> None:
        """`stamp` is what told the state of the session before it is read, "" where nobody asked."""
        self.store = store
        self.stamp = stamp
        self.mapped = mapped
        self.tenant = tenant
        self._around = around
        self._entry = entry
        self.files: Files = as_files((), mapped)
        self.cells: list[Cell] = []
        self.is_half_changed = False
        self._times_read: Mapping[str, int] = {}
        self._unwritten: set[str] = set()
        self._written: dict[str, tuple[int, int, int]] = {}
        self._forgotten: set[str] = set()

    @property
    def misfits(self) -> Sequence[Misfit]:
        """Rows of the session that no client can read, or that nobody knows."""
        return self.files.misfits

    def fill(self, folder: int, *, unwritten: bool = False) -> None:
        """Read the session, and write its files into an empty folder of ours; or hold them as `unwritten` until one is
        asked for. Raises StoreTrouble, OSError."""
        _wipe(folder)
        cells = []
        for cell in self.store.cells(self.tenant):
            cells.append(cell)
            if len(cells) > MOST_RECORDS:
                raise StoreTrouble(TOO_MANY)
        self.files = as_files(cells, self.mapped)
        self.cells = [cell for cell in cells if cell.type]
        note = read_beside(self._around, f"{self._entry}.half")
        self.is_half_changed = bool(note) and is_half(note, cells)
        known = self._first_seen()
        times, seen = ages(self.files.cells, known, time.time_ns())
        self._times_read = times
        self._unwritten = {*times}
        if not unwritten:
            self.write_out(folder)
        if seen is not known:
            self._write_beside("seen", seen.text())
        # Whoever has lost its creds is in no list of the store, and is to be found for an undo.
        if not exists(f"{self._entry}.tenant", self._around):
            self._write_beside("tenant", self.tenant)

    def write_out(self, folder: int, names: Iterable[str] | None = None) -> None:
        """Have files of the session stand in its folder, all of them without `names`. Raises OSError."""
        for name in [*self._unwritten] if names is None else names:
            if name in self._unwritten:
                self._written[name] = _write(folder, name, self.files.content[name], self._times_read[name])
                self._unwritten.remove(name)

    def facts(self, pre_keys_kept: int, *, unused: bool) -> FolderFacts | None:
        """Return what a scan of the folder would, as long as not all files stand in it; else None."""
        if not self._unwritten:
            return None
        return facts_of(self.files.content, self.files.kinds, self._times_read, pre_keys_kept, unused=unused)

    def in_memory(self, name: str) -> bytes | None:
        """Return the content of a file that does not stand in the folder yet, None for any other."""
        return self.files.content[name] if name in self._unwritten else None

    def weights(self) -> dict[str, tuple[int, int]] | None:
        """Return size and mtime (ns) of the files, as long as not all of them stand in the folder; else None."""
        if not self._unwritten:
            return None
        return {name: (len(content), self._times_read[name]) for name, content in self.files.content.items()}

    def locked(self) -> AbstractContextManager[None]:
        """Hold the session in its store. Raises StoreLocked, StoreTrouble."""
        return self.store.locked(self.tenant)

    # --- what a command has changed ---

    def changed(self) -> dict[str, bytes | None]:
        """Return the files that are not as they were read: their content, None for those that are gone."""
        with self.opened() as folder:
            names = [name for name in os.listdir(folder) if not is_own(name)]
            found: dict[str, bytes | None] = {}
            for name in names:
                seen = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if self._written.get(name) == (seen.st_ino, seen.st_mtime_ns, seen.st_size):
                    continue
                content = read_regular_file(folder, name, LARGEST_VALUE)
                if self.files.content.get(name) != content:
                    found[name] = content
            gone = self._written.keys() - names
        found |= dict.fromkeys(gone, None)
        return {name: content for name, content in found.items() if name not in self._forgotten}

    def settle(self, units: Sequence[Sequence[str]] = (), *, whole: bool = False) -> Settled:
        """Make the store hold what the folder holds by now. `units` are names that go together; others go one by one.

        With `whole`, all of it or nothing: raises Moved where a record is not as it was read. Raises StoreTrouble for
        a store that refuses, and for a file that cannot stand in it: then nothing was written.
        """
        changed = self.changed()
        times = self._times(changed)
        grouped = [[name for name in unit if name in changed] for unit in units]
        in_units = {name for unit in grouped for name in unit}
        # Creds last: a session without its keys is worse than keys without their session.
        rest = sorted(changed.keys() - in_units, key=lambda name: (name == CREDS, name))
        grouped = [unit for unit in grouped if unit] + [[name] for name in rest]
        wanted: list[Unit] = [
            [self._change(name, changed[name], times.get(name)) for name in unit] for unit in grouped
        ]
        wanted = self._with_expiries(grouped, wanted)
        with self._noted(wanted if whole else ()):
            done = self.store.change(self.tenant, wanted, whole=whole) if wanted else []
        if whole and not all(done):
            raise Moved("its records have changed since they were read, so nothing was written: try again")
        made = frozenset(
            name for unit, is_made in zip(grouped, done, strict=True) if is_made for name in unit
        )
        self.forget(made)
        return Settled(made, frozenset(changed) - made)

    @contextmanager
    def _noted(self, units: Sequence[Unit]) -> Iterator[None]:
        """Keep a note of what a store that does not change at once may leave half done, while it is at it."""
        note = "" if self.store.abilities.atomic else note_of(chain.from_iterable(units))
        if note:
            self._write_beside("half", note)
        try:
            yield
        except HalfChanged:
            raise
        except StoreTrouble:
            self._remove_beside("half")
            raise
        self._remove_beside("half")

    def _with_expiries(self, names: Sequence[Sequence[str]], units: Sequence[Unit]) -> list[Unit]:
        """Remember when the store itself would have taken what goes; return the changes, what comes back with that."""
        flat = [*zip(chain.from_iterable(names), chain.from_iterable(units), strict=True)]
        going = [(name, change) for name, change in flat if change.after is None]
        known = self._expiries()
        if going:
            found = self.store.expiries(self.tenant, [change for _, change in going])
            now = {name: ns for (name, _), ns in zip(going, found, strict=True) if ns is not None}
            # What has gone by now would have gone in the store as well.
            kept = {name: ns for name, ns in known.items() if ns > time.time_ns()}
            if now or kept != known:
                self._write_beside("expires", json.dumps(kept | now, separators=(",", ":")))
        coming = {name: known.get(name) for name, change in flat if change.before is None}
        return [
            [
                change._replace(expires_ns=coming[name]) if change.before is None else change
                for name, change in zip(unit_names, unit, strict=True)
            ]
            for unit_names, unit in zip(names, units, strict=True)
        ]

    def _expiries(self) -> dict[str, int]:
        try:
            plain = json.loads(read_regular_file(self._around, f"{self._entry}.expires", LARGEST))
            return {str(name): int(ns) for name, ns in plain.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def _change(self, name: str, content: bytes | None, written_ns: int | None) -> Change:
        try:
            change = change_of(name, content, self.files.cells.get(name), self.mapped, written_ns)
        except NoValue:
            raise StoreTrouble(
                f"{name} is no JSON that a client reads, so the store cannot have it"
            ) from None
        if change is None:
            raise StoreTrouble(f"{name} is no record of Baileys, and a store holds nothing else")
        return change

    def _times(self, names: Mapping[str, object]) -> dict[str, int]:
        found = {}
        with self.opened() as folder:
            for name in names:
                with suppress(FileNotFoundError):
                    found[name] = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime_ns
        return found

    @contextmanager
    def opened(self) -> Iterator[int]:
        """Yield the handle of the folder by its name, as a rollback puts another one in its place."""
        folder = os.open(
            self._entry, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._around
        )
        try:
            yield folder
        finally:
            os.close(folder)

    def forget(self, names: Iterable[str]) -> None:
        """Have files that were not settled, and whose fate is told, no longer count as changes."""
        self._forgotten |= {*names}

    def require_unmoved(self) -> None:
        """Raise Moved where the store no longer holds what was read from it."""
        now = as_files(self.store.cells(self.tenant, afresh=True), self.mapped)
        if {name: cell.text for name, cell in now.cells.items()} != {
            name: cell.text for name, cell in self.files.cells.items()
        }:
            raise Moved("its records have changed since they were read: somebody writes there")

    def require_settled(self) -> None:
        """Raise StoreTrouble where a command has changed what nobody has written back."""
        if left := self.changed():
            raise StoreTrouble(
                f"this command cannot change a session in a store yet, and nothing was changed there "
                f"(it would have been {some_of(sorted(left))})"
            )

    def wipe(self) -> None:
        """Leave no key in the clear behind but what the quarantine has."""
        with suppress(FileNotFoundError), self.opened() as folder:
            _wipe(folder)

    # --- ages ---

    def _first_seen(self) -> FirstSeen:
        try:
            return FirstSeen.of_text(read_regular_file(self._around, f"{self._entry}.seen", LARGEST).decode())
        except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            # A lost memory makes everything young, and nothing is removed by age too early.
            return FirstSeen(secrets.token_bytes(16))

    def _remove_beside(self, ending: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(f"{self._entry}.{ending}", dir_fd=self._around)

    def _write_beside(self, ending: str, text: str) -> None:
        write_beside(self._around, f"{self._entry}.{ending}", text)


def _write(folder: int, name: str, content: bytes, written_ns: int) -> tuple[int, int, int]:
    fd = os.open(name, _WRITE, 0o600, dir_fd=folder)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(fd, view) :]
        os.utime(fd, ns=(written_ns, written_ns))
        seen = os.fstat(fd)
    finally:
        os.close(fd)
    return seen.st_ino, seen.st_mtime_ns, seen.st_size


def _wipe(folder: int) -> None:
    for name in os.listdir(folder):
        if not is_own(name):
            os.unlink(name, dir_fd=folder)


@contextmanager
def alone(around: int, entry: str, seconds: float = 60.0) -> Iterator[None]:
    """Hold the working copy of a session against other commands of this host: one at a time fills the folder.

    Raises OSError (EWOULDBLOCK) where another takes longer than that.
    """
    fd = os.open(f"{entry}.open", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=around)
    try:
        until = time.monotonic() + seconds
        while not take_now(fd):
            if time.monotonic() > until:
                raise OSError(
                    errno.EWOULDBLOCK,
                    "another command of this host works on this session for over a minute",
                )
            time.sleep(0.05)
        yield
    finally:
        os.close(fd)
