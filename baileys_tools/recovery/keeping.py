"""Keeps a folder as it was in the repository, before something takes its place."""

import os
import socket
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from baileys_tools import __version__
from baileys_tools.errors import UsageError
from baileys_tools.place import make_private_folder
from baileys_tools.recovery.restore_job import (
    FolderLook,
    RestoreJob,
    report_of,
    require_agreement,
    require_no_refusal,
)
from baileys_tools.recovery.rules.restore import plan_restore
from baileys_tools.recovery.rules.restore_report import RestoreReport, RestoreStatus
from baileys_tools.sessions.repair import fit
from baileys_tools.sessions.rollback import write_plain_folder
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.rules.creds import Creds
from baileys_tools.sessions.rules.keyfiles import sort_by_kind
from baileys_tools.sessions.rules.restore_plan import CREDS, Action, LiveFolder
from baileys_tools.sessions.rules.snapshot import (
    BEFORE_TAG,
    Account,
    Counters,
    Manifest,
    SnapshotInfo,
    StoredFile,
    may_be_stored,
)
from baileys_tools.snapshots.encryption import Recipients
from baileys_tools.snapshots.repository import Repository
from baileys_tools.snapshots.shelves import shelf_to_fill


def require_room(target: str) -> None:
    """Raise UsageError where something stands at a target. What is above it is made with it."""
    try:
        taken = not target or os.path.islink(target) or bool(os.listdir(target))
    except FileNotFoundError:
        return
    except NotADirectoryError:
        taken = True
    if taken:
        raise UsageError(f"--target {target} is not empty", "Name a folder that is not there yet.")


def keep_what_was(look: FolderLook, company: Company, job: RestoreJob) -> SnapshotInfo | None:
    """Put the folder as it is into the repository, whole or not; None for an empty one.

    Raises OSError or RepositoryLocked, and then the folder is not touched.
    """
    live = look.live
    account = live.account if isinstance(live.account, Account) else job.facts.account
    assert job.repository is not None  # a rollback has one
    return store_as_it_is(job.repository, job.recipients, company, live, look.contents, account, job.now)


def store_as_it_is(
    repository: Repository,
    recipients: Recipients | None,
    company: Company,
    live: LiveFolder,
    contents: Sequence[StoredFile],
    account: Account,
    now: datetime,
) -> SnapshotInfo | None:
    """Put the files of a folder into the repository, whole or not, as what was before a restore or a reset."""
    files = [file for file in contents if may_be_stored(file.entry.name)]
    if not sum(file.entry.size for file in files):
        return None
    kinds = sort_by_kind(file.entry.name for file in files)
    creds = live.creds if isinstance(live.creds, Creds) else None
    manifest = Manifest(
        tool=f"baileys-tools {__version__}",
        host=socket.gethostname(),
        company=company.id,
        account=account,
        taken_at=now,
        sequence=0,
        tag=BEFORE_TAG,
        counts={kind: len(names) for kind, names in kinds.items()},
        counters=Counters(creds.next_pre_key_id, creds.first_unuploaded_pre_key_id) if creds else Counters(),
        files=0,
        bytes=0,
        files_sha256="",
    )
    shelf = shelf_to_fill(repository, company.id, company.place, account, force=False)
    with repository.writing(shelf.name) as writer:
        return writer.publish(manifest, files, recipients)


def make_session_folder(root: Root, company: Company, job: RestoreJob) -> RestoreReport:
    """Restore a company whose folder is gone: it is made anew, in one step."""
    path = company.path
    signs = job.bot_signs()
    live = LiveFolder(bot_signs=signs.running, bot_is_off=signs.is_off, off_since=signs.off_since)
    plan = plan_restore(live, job.facts, job.choice, job.now)
    report = report_of(path, job, plan)
    if job.options.dry_run:
        return report
    report = replace(report, forced=require_no_refusal(plan, force=job.options.force))
    require_agreement(job, report)
    names = plan.named(Action.BRING_BACK)
    files = [fit(job.snapshot.files[name], plan.next_pre_key_id) for name in names]
    way = os.path.dirname(company.place)
    if root.bases[company.base].fd >= 0 and not os.path.isdir(way):
        # A lost host has nothing on the way; the bot's user has to get through as through what is above.
        make_private_folder(way, os.fstat(root.bases[company.base].fd).st_mode & 0o777)
    # On another host the snapshot's user is nobody, or somebody else.
    here = job.snapshot.manifest.host == socket.gethostname()
    knows_owner = here and job.snapshot.files[CREDS].entry.uid != 0
    if knows_owner:
        write_plain_folder(path, files)
    else:
        like = root.bases[company.base].fd
        if like >= 0:
            write_plain_folder(path, files, like=like)
        else:
            around = os.open(os.path.dirname(company.place), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                write_plain_folder(path, files, like=around)
            finally:
                os.close(around)
    return replace(report, status=RestoreStatus.RESTORED, brought_back=names)
