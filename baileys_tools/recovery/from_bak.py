"""A copy of `creds.json` beside it as a way back: where that is lost, and the copy is whole and of the same login.

The next Baileys rotates `creds.json` to `creds.json.bak` before each save, and many programs keep the last creds that
parsed under that name or another one. It is newer than any snapshot.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from stat import S_ISREG
from typing import TYPE_CHECKING

from baileys_tools import __version__
from baileys_tools.errors import BaileysToolsError, ExitCode
from baileys_tools.recovery.rules.bak import Proof, proof_of
from baileys_tools.sessions.look import was_linked_at
from baileys_tools.sessions.reading import as_stored
from baileys_tools.sessions.rules.creds import BAK, CREDS, Creds, CredsState, creds_copies, parse_creds
from baileys_tools.sessions.rules.keyfiles import Kind
from baileys_tools.sessions.rules.looks import from_plain
from baileys_tools.sessions.rules.snapshot import (
    LARGEST_FILE,
    Account,
    Counters,
    Manifest,
    SnapshotInfo,
    StoredFile,
    read_account,
)
from baileys_tools.sessions.scan import read_regular_file
from baileys_tools.units import moment_of, printable

if TYPE_CHECKING:
    from baileys_tools.config import Settings
    from baileys_tools.sessions.roots import Company, Root
    from baileys_tools.state.database import State


@dataclass(frozen=True, slots=True)
class Bak:
    """A whole copy of `creds.json`, by its name, as the file that it would come back as."""

    name: str
    file: StoredFile
    creds: Creds
    account: Account
    counters: Counters
    proof: Proof

    def as_snapshot(self, company: str) -> tuple[SnapshotInfo, Manifest]:
        """Return it as a restore knows what it brings back from."""
        entry = self.file.entry
        taken_at = moment_of(entry.mtime_ns)
        info = SnapshotInfo(
            company, self.name, 0, taken_at, self.proof.value, entry.sha256[:16], entry.size, encrypted=False
        )
        manifest = Manifest(
            tool=f"baileys-tools {__version__}",
            host=socket.gethostname(),
            company=company,
            account=self.account,
            taken_at=taken_at,
            sequence=0,
            tag=self.proof.value,
            counts={Kind.CREDS: 1},
            counters=self.counters,
            files=1,
            bytes=entry.size,
            files_sha256="",
        )
        return info, manifest


def read_bak(folder: int, last_login: str, newest: Account | None) -> Bak | CredsState:
    """Given the handle of a session folder and what is remembered of its login, return the newest whole copy of
    `creds.json` that may be of it, or why there is none. Raises nothing.

    `last_login` is what the monitor saw last ("": nothing), `newest` whose session the newest snapshot holds.
    """
    try:
        names = creds_copies(os.listdir(folder))
    except OSError:
        return CredsState.UNREADABLE
    found = [_read(folder, name, last_login, newest) for name in names[:1] + names[1:][-MOST_COPIES:]]
    whole = [one for one in found if isinstance(one, Bak)]
    whole.sort(key=lambda one: (one.proof is not Proof.OTHER, one.file.entry.mtime_ns))
    return (
        whole[-1]
        if whole
        else next((one for one in found if isinstance(one, CredsState)), CredsState.MISSING)
    )


MOST_COPIES = 32
"""Copies that are looked at, by name the last: some bots put one aside each day, named after its time."""


def _read(folder: int, name: str, last_login: str, newest: Account | None) -> Bak | CredsState:
    try:
        seen = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if not S_ISREG(seen.st_mode) or seen.st_nlink != 1:
            return CredsState.UNREADABLE
        content = read_regular_file(folder, name, LARGEST_FILE + 1)
    except OSError:
        return CredsState.UNREADABLE
    account, creds = read_account(content), parse_creds(content)
    if isinstance(account, CredsState):
        return account
    assert isinstance(creds, Creds)  # or there were no account
    proof = proof_of(creds, account[0], last_login, newest)
    return Bak(name, as_stored(CREDS, content, seen), creds, *account, proof)


def bak_of(settings: Settings, state: State, root: Root, company: Company) -> Bak | CredsState:
    """Return the copy of `creds.json` in a company's folder with what is known of it. Raises nothing."""
    try:
        with root.open(company) as folder:
            login = _last_login(state, root.path, company, folder)
            # A snapshot is only asked where the monitor tells nothing: its key may be needed.
            newest = None if login else _newest_account(settings, root, company)
            return read_bak(folder, login, newest)
    except OSError:
        return CredsState.UNREADABLE


def require_bak(found: Bak | CredsState, company: str) -> Bak:
    """Return a copy of `creds.json` that can come back. Raises exit code 13 for any other."""
    if isinstance(found, CredsState):
        raise BaileysToolsError(
            f"company {company}: {BAK}, or what other copy of creds.json is there, is {found.value}, so it cannot be "
            "used",
            "baileys-tools snapshots lists the snapshots there are.",
            exit_code=ExitCode.REFUSED,
        )
    if found.proof is Proof.OTHER:
        raise BaileysToolsError(
            f"company {company}: {printable(found.name)} belongs to another login ({found.account.masked}) than this "
            "folder had last",
            "WhatsApp accepts only the newest pairing of a device. Nothing was changed.",
            exit_code=ExitCode.REFUSED,
        )
    return found


def _last_login(state: State, root_path: str, company: Company, folder: int) -> str:
    from baileys_tools.frame.companies import kept_looks

    plain = kept_looks(state, root_path).looks.get(company.id)
    look = from_plain(company.id, plain) if plain is not None else None
    return look.login if look is not None and was_linked_at(look, folder) else ""


def _newest_account(settings: Settings, root: Root, company: Company) -> Account | None:
    if settings.backup.path is None or not os.path.isdir(settings.backup.path):
        return None
    from baileys_tools.snapshots.encryption import Identities
    from baileys_tools.snapshots.of_session import snapshots_of_this_session
    from baileys_tools.snapshots.repository import Repository

    identity = settings.backup.identity_file
    try:
        with Repository(settings.backup.path) as repository:
            newest = snapshots_of_this_session(repository, root, company)[-1:]
            identities = Identities(identity) if identity is not None else None
            for info in newest:
                with repository.reading(info, identities) as reader:
                    return reader.manifest.account
    except (BaileysToolsError, OSError):
        return None
    return None
