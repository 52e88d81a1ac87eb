"""A root that is a store: its sessions as companies, and the working copy of each while it is open."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Container, Iterable, Iterator, Set
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from baileys_tools.errors import BaileysToolsError
from baileys_tools.layouts import RootSpec
from baileys_tools.place import make_private_folder
from baileys_tools.sessions.names import FOLDER_FLAGS, JOURNAL, OWN_FOLDER, STAGE
from baileys_tools.sessions.scan import exists_in_own_folder
from baileys_tools.sessions.search.way import Company, natural_order
from baileys_tools.sessions.stored import copies
from baileys_tools.sessions.stored.beside import keep_listed, listed_before
from baileys_tools.sessions.stored.rules.tenants import told_of_nameless, told_of_twins, twins
from baileys_tools.sessions.stored.settling import forget_what_stands, take_back_returning
from baileys_tools.sessions.stored.working import WorkingCopy, alone
from baileys_tools.stores.cells import Abilities, StoreTrouble, dangers_of
from baileys_tools.stores.opening import open_store
from baileys_tools.stores.rules.mapping import layout_name, mapping_of
from baileys_tools.units import is_one_line, quoted

if TYPE_CHECKING:
    from baileys_tools.stores.cells import Store


class StoredRoot:
    """The sessions of one store. A connection is of the process that made it: forked workers make their own."""

    def __init__(self, spec: RootSpec, earlier: Iterable[RootSpec] = ()) -> None:
        """`earlier` are the roots before it: one of another layout in the same database can have a tenant of the same
        id, which is another session."""
        assert spec.store is not None
        self.spec = spec.store
        self.name = spec.name
        self._home = spec.path
        self.mapped = mapping_of(spec.store)
        self._address = spec.store.address
        for one in earlier:
            if one.store is not None and one.store.address == self.spec.address and one.path != spec.path:
                self._address = f"{self.spec.address}/{layout_name(self.mapped)}"
        self._store: Store | None = None
        self._pid = 0
        self._tenants: dict[str, str] = {}
        self._nameless: list[str] = []
        self._unread: set[str] = set()
        self._stamps: dict[str, str] = {}
        self._at_work: dict[str, WorkingCopy] = {}

    @property
    def store(self) -> Store:
        """The open store. Raises StoreTrouble."""
        if self._store is None or self._pid != os.getpid():
            try:
                self._store = open_store(self.spec)
            except BaileysToolsError as error:
                raise StoreTrouble(f"{error.message}. {error.hint}".strip()) from None
            self._pid = os.getpid()
        return self._store

    @property
    def abilities(self) -> Abilities:
        """What the store can do. Raises StoreTrouble."""
        return self.store.abilities

    def companies(
        self, number: int, known: Container[str] = ()
    ) -> tuple[list[Company], list[tuple[str, str]]]:
        """Return the sessions of the store in natural order, and what is called as no company can be, with why.

        One that has lost its creds is in no list of the store: it is one where something of it waits here to be undone,
        and where it was `known` by its id.
        """
        found, passed = [], []
        tenants = self._listed()
        self._unread = {*tenants}
        for tenant in [*tenants, *self._lost({*tenants}, known)]:
            name = self._name(tenant)
            if "/" in name or not name.strip() or not is_one_line(name):
                passed.append((tenant, "a name that no company can have"))
                continue
            entry = self.entry_of(tenant)
            place = f"{self._address}#{tenant}" if tenant else self._address
            found.append(Company(name, entry, place, number, False, place))
        self._nameless = [tenant for tenant, _ in passed]
        return sorted(found, key=lambda one: natural_order(one.id)), passed

    def _listed(self) -> list[str]:
        """Return the tenants of the store. What had to be asked for that is kept for whoever lists them next."""
        with self._at_home() as home:
            before = listed_before(home)
            found = dict(before)
            tenants = self.store.tenants(found)
            if found != before:
                # Another command keeps as good a one, and a disk that is full or read-only stops no listing.
                with suppress(OSError), alone(home, "listed", 0):
                    keep_listed(home, found)
        return tenants

    @contextmanager
    def _at_home(self) -> Iterator[int]:
        home = os.open(self._home, FOLDER_FLAGS)
        try:
            yield home
        finally:
            os.close(home)

    def _lost(self, standing: Set[str], known: Container[str]) -> list[str]:
        found = []
        listed = {self.entry_of(tenant) for tenant in standing}
        with suppress(OSError):
            for name in os.listdir(self._home):
                entry, _, ending = name.partition(".")
                if ending != "tenant" or entry in listed:
                    continue
                with open(os.path.join(self._home, name), encoding="utf-8", errors="surrogateescape") as file:
                    tenant = file.read()
                waits = os.path.isdir(os.path.join(self._home, entry, OWN_FOLDER))
                if (waits or self._name(tenant) in known) and self.entry_of(tenant) == entry:
                    found.append(tenant)
        return found

    def _name(self, tenant: str) -> str:
        if self.name:
            return self.name.replace("{1}", tenant)
        return tenant or os.path.splitext(os.path.basename(self.spec.address))[0] or "session"

    def entry_of(self, tenant: str) -> str:
        """Return what the working copy of a session is called, and remember whose that is."""
        entry = hashlib.sha256(tenant.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        self._tenants[entry] = tenant
        return entry

    @contextmanager
    def open(self, company: Company, around: int, *, unwritten: bool = False) -> Iterator[int]:
        """Yield the handle of a filled working copy; at the end all is written back that was settled, and no key stays.

        With `unwritten`, its files are in memory only, for what asks `copies`. Raises StoreTrouble for a store that
        cannot be read, and where something was changed that is not settled.
        """
        entry = company.entry
        if entry in self._at_work:
            fd = os.open(entry, FOLDER_FLAGS, dir_fd=around)
            try:
                if not unwritten:
                    self._at_work[entry].write_out(fd)
                yield fd
            finally:
                os.close(fd)
            return
        with alone(around, entry):
            make_folder(entry, around)
            fd = os.open(entry, FOLDER_FLAGS, dir_fd=around)
            tenant = self._tenants[entry]
            # What was asked before this reading; for the next one it would be too old.
            stamp = self._stamps.pop(tenant, "")
            copy = WorkingCopy(self.store, self.mapped, tenant, around, entry, stamp)
            self._at_work[entry] = copy
            try:
                _give_up(fd)
                copy.fill(fd, unwritten=unwritten)
                self._require_some(copy)
                take_back_returning(copy, fd)
                forget_what_stands(copy, fd)
                with copies.known(fd, copy):
                    yield fd
                copy.require_settled()
            finally:
                del self._at_work[entry]
                os.close(fd)
                copy.wipe()

    def _require_some(self, copy: WorkingCopy) -> None:
        """Raise StoreTrouble for a session of which a listing has seen creds, and of which no record is found."""
        if copy.tenant in self._unread and not copy.files.content and not copy.misfits:
            raise StoreTrouble(
                f"{quoted(copy.tenant)} is listed there, and no record of it can be read, not even its creds: they are "
                "no text, or its id is a number in a column without a type, or it has gone just now"
            )
        self._unread.discard(copy.tenant)

    def stamps(self, companies: Iterable[Company]) -> dict[str, str]:
        """As `StoredSessions.stamps`."""
        tenants = {company.id: self._tenants[company.entry] for company in companies}
        try:
            found = self.store.stamps([*tenants.values()])
        except OSError:
            found = {}  # whoever reads a session says why
        self._stamps = {one: hashlib.sha256(told.encode()).hexdigest() for one, told in found.items()}
        return {
            company: self._stamps[tenant] for company, tenant in tenants.items() if tenant in self._stamps
        }

    def told(self) -> str:
        """Return what the store is and can do, in words: of which layout, whose times, how it is locked."""
        abilities = self.abilities
        layout = f"preset {self.spec.preset}" if self.spec.preset else "a mapping of one's own"
        return (
            f"{layout}; time: {abilities.time}; atomic: {'yes' if abilities.atomic else 'no'}; undo: on this host; "
            f"lock: {abilities.lock}; live probe: {abilities.live_probe}"
        )

    def dangers(self) -> list[str]:
        """Return what endangers all sessions of the store, in words; that it cannot be asked is such a thing."""
        return dangers_of(self.store)

    def doubled(self) -> str:
        """Return in words which tenants are there twice, of those last listed."""
        return told_of_twins(twins(sorted(self._tenants.values())))

    def nameless(self) -> str:
        """Return in words which tenants are called as no company can be, of those last listed."""
        return told_of_nameless(self._nameless)

    def close(self) -> None:
        """Give the connection back."""
        if self._store is not None and self._pid == os.getpid():
            self._store.close()
        self._store = None


def make_folder(name: str, around: int) -> None:
    """Make a private folder where there is none."""
    try:
        os.mkdir(name, 0o700, dir_fd=around)
    except FileExistsError:
        return


def _give_up(folder: int) -> None:
    """Forget the repair of a working copy that died: the store has all of it by now, or nothing."""
    if not exists_in_own_folder(STAGE, folder) and not exists_in_own_folder(JOURNAL, folder):
        return
    from baileys_tools.sessions.repair import discard_stage
    from baileys_tools.sessions.staging import read_journal

    if (read_journal(folder) or {}).get("mode") != "rollback":
        discard_stage(folder)


def open_stored(spec: RootSpec, earlier: Iterable[RootSpec] = ()) -> tuple[int, StoredRoot]:
    """Given a root that is a store, and those before it, return the open folder of its working copies, and its
    sessions. Raises OSError."""
    stored = StoredRoot(spec, earlier)
    _ = stored.store
    make_private_folder(spec.path)
    return os.open(spec.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC), stored
