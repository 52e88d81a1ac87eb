"""The two ends of a move: a target that is a folder or a store, and what it takes to fill it, read it and empty it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from baileys_tools.config.root_kinds import ROOTS
from baileys_tools.errors import BaileysToolsError, ExitCode, UsageError
from baileys_tools.layouts import RootSpec, StoreSpec
from baileys_tools.place import open_place
from baileys_tools.sessions.names import FOLDER_FLAGS
from baileys_tools.sessions.reading import read_session
from baileys_tools.sessions.rollback import write_plain_folder
from baileys_tools.sessions.rules.records import CREDS, NoValue
from baileys_tools.sessions.rules.snapshot import StoredFile
from baileys_tools.sessions.scan import is_own
from baileys_tools.sessions.stored.rules.files import as_files, change_of
from baileys_tools.stores.cells import StoreLocked, StoreTrouble
from baileys_tools.stores.opening import open_store
from baileys_tools.stores.rules.mapping import SqlMap, mapping_of
from baileys_tools.units import quoted

_NOT_IN_JSONB = re.compile(
    rb"\\u0000|\\ud[89ab][0-9a-f]{2}(?!\\ud[c-f][0-9a-f]{2})|(?<!\\ud[89ab][0-9a-f]{2})\\ud[c-f][0-9a-f]{2}"
)


class Destination(Protocol):
    """Where a session goes. `preset` names its layout, "" for a folder. `is_atomic`: all of it changes at once."""

    shown: str
    is_atomic: bool
    preset: str
    is_store: bool

    def read(self) -> dict[str, bytes]:
        """Return the files that stand there. Raises OSError."""

    def fill(self, files: Sequence[StoredFile]) -> None:
        """Write them, all or none, where none of them stands. Raises OSError, BaileysToolsError."""

    def empty(self, files: Mapping[str, bytes]) -> None:
        """Take back what `fill` has written, as long as it is still so. Raises OSError."""

    def owner(self) -> str:
        """Return which worker of the bot's program holds the session there, "" where none does. Raises OSError."""

    def require_held(self) -> None:
        """Raise OSError where what holds the session there was lost meanwhile."""


class FolderTarget:
    """A folder that is not there yet, or is empty."""

    preset = ""
    is_store = False
    is_atomic = True

    def __init__(self, path: str) -> None:
        self.shown = self._path = path
        if not os.path.isdir(os.path.dirname(path)):
            raise UsageError(f"--to: the folder around {path} is not there", "Make it, as the bot's user.")
        if os.path.lexists(os.path.join(os.path.dirname(path), CREDS)):
            raise UsageError(f"--to: {path} is in a session folder", "Name a folder of its own.")

    def read(self) -> dict[str, bytes]:
        """As `Destination.read`: of a session everything but what this tool keeps there."""
        try:
            with self._opened() as folder:
                return _contents(folder)
        except FileNotFoundError:
            return {}

    def fill(self, files: Sequence[StoredFile]) -> None:
        """As `Destination.fill`: under another name, and renamed."""
        write_plain_folder(self._path, files)

    def empty(self, files: Mapping[str, bytes]) -> None:
        """As `Destination.empty`."""
        with self._opened() as folder:
            if _contents(folder) == files:
                for name in (CREDS, *(one for one in files if one != CREDS)):
                    os.unlink(name, dir_fd=folder)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """Open the folder, with no link in its place, where `fill` would make it. Raises OSError."""
        around, name = os.path.split(self._path)
        parent = open_place(around)
        try:
            folder = os.open(name, FOLDER_FLAGS, dir_fd=parent)
        finally:
            os.close(parent)
        try:
            yield folder
        finally:
            os.close(folder)

    def owner(self) -> str:
        """As `Destination.owner`."""
        return ""

    def require_held(self) -> None:
        """As `Destination.require_held`."""


def _contents(folder: int) -> dict[str, bytes]:
    names = [name for name in os.listdir(folder) if not is_own(name)]
    if CREDS not in names:
        return dict.fromkeys(names, b"")
    return {file.entry.name: file.content for file in read_session(folder).files}


class StoreTarget:
    """A session of a store, by what it is called there."""

    is_store = True

    def __init__(self, spec: StoreSpec, tenant: str) -> None:
        self.preset = spec.preset
        self._mapped = mapping_of(spec)
        if isinstance(self._mapped, SqlMap) and self._mapped.is_of_one and "*" not in spec.address:
            tenant = ""
        self.shown = f"{spec.address}#{tenant}" if tenant else spec.address
        self._store = open_store(spec)
        self.is_atomic = self._store.abilities.atomic
        self._tenant = tenant

    def read(self) -> dict[str, bytes]:
        """As `Destination.read`."""
        return dict(as_files(self._store.cells(self._tenant, afresh=True), self._mapped).content)

    def fill(self, files: Sequence[StoredFile]) -> None:
        """As `Destination.fill`: in one transaction, or keys first and creds last."""
        unit = []
        for file in files:
            try:
                change = change_of(file.entry.name, file.content, None, self._mapped, file.entry.mtime_ns)
            except NoValue:
                raise StoreTrouble(f"{file.entry.name} is no JSON that a client reads") from None
            assert change is not None, file.entry.name
            unit.append(change)
        self._refuse_what_no_column_holds(files)
        if not all(self._store.change(self._tenant, [unit], whole=True)):
            raise StoreTrouble(
                f"{self.shown}: somebody else has written there meanwhile, and nothing was written"
            )

    def _refuse_what_no_column_holds(self, files: Sequence[StoredFile]) -> None:
        """jsonb takes neither NUL nor half a pair of surrogates, and its error would not say whose they are."""
        codec = getattr(self._mapped, "codec", "")
        if not codec.startswith("jsonb"):
            return
        for file in files:
            if _NOT_IN_JSONB.search(file.content.lower()):
                raise StoreTrouble(f"{file.entry.name} has a character that jsonb cannot hold")

    def empty(self, files: Mapping[str, bytes]) -> None:
        """As `Destination.empty`."""
        found = as_files(self._store.cells(self._tenant, afresh=True), self._mapped)
        if found.content != files:
            raise StoreTrouble(f"{self.shown} has been written to since, and is left as it is")
        changes = [change_of(name, None, found.cells[name], self._mapped) for name in files]
        self._store.change(self._tenant, [[one for one in changes if one is not None]], whole=True)

    def owner(self) -> str:
        """As `Destination.owner`."""
        return self._store.owner(self._tenant)

    def require_held(self) -> None:
        """As `Destination.require_held`."""
        self._store.require_held(self._tenant)

    def claimed(self) -> AbstractContextManager[None]:
        """Keep the workers of the bot's program away. Raises StoreLocked, StoreTrouble."""
        return self._store.claimed(self._tenant)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the session there. Raises exit code 75."""
        try:
            with self._store.locked(self._tenant):
                yield
        except StoreLocked as lock:
            raise BaileysToolsError(f"{self.shown} is locked by {lock}", exit_code=ExitCode.LOCKED) from None


def target_of(
    place: Mapping[str, str], tenant: str, roots: Sequence[RootSpec], cwd: str
) -> FolderTarget | StoreTarget:
    """Given --to and what goes with it, as the settings say a root, return the target. A store of the settings needs no
    preset.

    Raises UsageError, StoreTrouble.
    """
    given = {key: value for key, value in place.items() if value}
    to, preset = given["store"], given.get("preset", "")
    if "://" not in to:
        if given.keys() > {"store"}:
            raise UsageError("--preset goes with the address of a store", "A folder needs none.")
        return FolderTarget(os.path.normpath(os.path.join(cwd, to)))
    known = next((root.store for root in roots if root.store is not None and root.store.address == to), None)
    if known is not None and not preset:
        return StoreTarget(known, tenant)
    try:
        (root,) = ROOTS.read([given], lambda path: os.path.join(cwd, path))
    except ValueError as error:
        raise UsageError(
            f"--to: {error}", "--preset NAME says how the store is laid out; or put it into sessions.roots."
        ) from None
    assert root.store is not None
    if not preset:
        raise UsageError(f"--to {quoted(to)}: --preset is missing")
    return StoreTarget(root.store, tenant)
