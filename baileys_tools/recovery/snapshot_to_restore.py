"""Which snapshot a restore takes, read and verified as a whole."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from baileys_tools.errors import BaileysToolsError, ExitCode
from baileys_tools.pasted import command
from baileys_tools.sessions.faults import say_why
from baileys_tools.sessions.live import is_whole, owned_by_content
from baileys_tools.sessions.rules.creds import Creds, CredsState, parse_creds
from baileys_tools.sessions.rules.keyfiles import Kind, kind_of
from baileys_tools.sessions.rules.restore_plan import CREDS, SnapshotFiles
from baileys_tools.sessions.rules.snapshot import Account, Manifest, SnapshotInfo, StoredFile, read_account
from baileys_tools.snapshots.archive import DamagedSnapshot
from baileys_tools.snapshots.encryption import Identities
from baileys_tools.snapshots.repository import Repository
from baileys_tools.snapshots.rules.shelf_names import name_of
from baileys_tools.snapshots.shelves import of_another_place, shelf_at


@dataclass(frozen=True, slots=True)
class WholeSnapshot:
    """A snapshot that was read from its first to its last byte, with its files by name."""

    info: SnapshotInfo
    manifest: Manifest
    files: Mapping[str, StoredFile]


def read_snapshot(
    repository: Repository, shelf: str, wanted: str, identity: str | None, place: str = ""
) -> WholeSnapshot:
    """Find and verify a snapshot on a shelf, or on that of a place, of a company of this name.

    Raises exit code 10, 11 or 12; nothing of any folder was touched.
    """
    try:
        if place:
            own = shelf_at(repository, shelf, place)
            if own.beside and not repository.has_shelf(own.name):
                raise of_another_place(repository, shelf, place, own.beside)
            shelf = own.name
        info = repository.find(shelf, wanted)
    except OSError as error:
        raise BaileysToolsError(
            f"cannot list the snapshots of company {name_of(shelf)} in {repository.path}: {say_why(error)}"
        ) from error
    if info.damaged:
        raise DamagedSnapshot(info.file, "a verification has found that before")
    identities = Identities(identity) if identity is not None else None
    try:
        with repository.reading(info, identities) as reader:
            files = {file.entry.name: file for file in reader.files()}
            return WholeSnapshot(info, reader.manifest, files)
    except OSError as error:
        raise BaileysToolsError(
            f"cannot read the snapshot {info.file}: {say_why(error)}", _another(repository, info)
        ) from error


def _another(repository: Repository, unreadable: SnapshotInfo) -> str:
    """Return which snapshot can be read instead, the newest: root's files are no reason to go without."""
    company = name_of(unreadable.company)
    for info in reversed(repository.snapshots(unreadable.company)):
        if info.good and info.file != unreadable.file:
            with suppress(OSError, DamagedSnapshot), repository.opened(info):
                return (
                    f"The newest one that can be read is {info.id}: "
                    f"{command('baileys-tools restore --company {} {} --dry-run', company, info.id)}"
                )
    return "baileys-tools doctor looks at whose the repository is."


def facts_of(snapshot: WholeSnapshot, newest: Account | None) -> SnapshotFiles:
    """Return what a plan needs of a snapshot. Raises exit code 13 when it holds no session."""
    creds_file = snapshot.files.get(CREDS)
    account = CredsState.MISSING if creds_file is None else read_account(creds_file.content)
    creds = None if creds_file is None else parse_creds(creds_file.content)
    if isinstance(account, CredsState) or not isinstance(creds, Creds):
        why = account if isinstance(account, CredsState) else CredsState.UNREADABLE
        raise BaileysToolsError(
            f"the snapshot {snapshot.info.id} holds no usable creds.json ({why})",
            "Choose another one, or unpack it with --target.",
            exit_code=ExitCode.REFUSED,
        )
    # Baileys would take a file that is not whole for missing, so bringing it back mends nothing.
    whole = {
        name: file
        for name, file in snapshot.files.items()
        if kind_of(name) is Kind.UNKNOWN or is_whole(file.content) is not False
    }
    return SnapshotFiles(
        id=snapshot.info.id,
        taken_at=snapshot.manifest.taken_at,
        entries={name: file.entry for name, file in whole.items()},
        creds=creds,
        account=account[0],
        newest_account=newest,
        owned_by_content=owned_by_content(
            {name: file.content for name, file in whole.items() if kind_of(name) is Kind.SENDER_KEY}
        ),
    )


def newest_account(repository: Repository, snapshot: WholeSnapshot, identity: str | None) -> Account | None:
    """Return whose session the newest snapshot holds, None when it cannot be read."""
    newest = [info for info in repository.snapshots(snapshot.info.company) if info.good][-1:]
    if not newest or newest[0].file == snapshot.info.file:
        return snapshot.manifest.account
    try:
        identities = Identities(identity) if identity is not None else None
        with repository.reading(newest[0], identities) as reader:
            return reader.manifest.account
    except (BaileysToolsError, OSError):
        return None
