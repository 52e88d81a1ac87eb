"""What surrounds a session folder: its disk, its cleanups, its backups. Of use to every pass, cheap or deep."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from baileys_tools.findings import Finding, Severity
from baileys_tools.pasted import command
from baileys_tools.sessions.rules.fullness import HealthRules
from baileys_tools.sessions.rules.surroundings import OldFolder, Snapshots, Space
from baileys_tools.units import counted, format_age, format_duration, format_size, printable, some_of

if TYPE_CHECKING:
    # The watching pays for every import at every minute.
    from baileys_tools.sessions.rules.removals import Cleaned
    from baileys_tools.sessions.rules.snapshot import SnapshotInfo
else:
    SnapshotInfo = Cleaned = object

FEW_REMOVED = 5
"""A cleanup that finds fewer files than this has nothing left to take."""

_PURGE = (
    "To give up undo and free what cleanups moved aside: "
    "BAILEYS_TOOLS_CLEANUP__UNDO_WINDOW=0 baileys-tools cleanup"
)


def old_folder_findings(company: str, folders: Sequence[OldFolder]) -> Iterator[Finding]:
    """Given what rollbacks have left of a company, with company "" of companies that are gone, yield that it is there.

    Each is a whole session in clear.
    """
    if not folders:
        return
    files = counted(sum(one.files for one in folders), "file")
    size = format_size(sum(one.size for one in folders))
    beside = [one.beside for one in folders if one.beside]
    unproven = [one.beside for one in folders if not one.run]
    where = f"beside the session folder: {some_of(beside)}" if beside else "and waits for undo"
    undo = command("baileys-tools undo --company {} --run {}", company, max(one.run for one in folders))
    yield Finding(
        "old-folder-left",
        Severity.WARNING if beside else Severity.NOTICE,
        company,
        f"a rollback has left {counted(len(folders), 'old folder')}, in clear ({files}, {size}), {where}",
        f"Nothing tells whose {some_of(unproven)} is, so nothing here touches it: look into it, and move it away."
        if unproven
        else f"To have it back: {undo}. Else it goes by itself, reset.keep after it was left.",
        {"folders": len(folders), "bytes": sum(one.size for one in folders)},
    )


def space_findings(company: str, space: Space, rules: HealthRules) -> Iterator[Finding]:
    """Given the file system of a folder, or with company "" of the sessions path, yield what runs out.

    Baileys truncates a file before it writes it (`useMultiFileAuthState`), so a full disk empties creds.json.
    """
    if space.free < rules.free_disk:
        is_bad = space.free * 10 < rules.free_disk
        yield Finding(
            "disk-low",
            Severity.CRITICAL if is_bad else Severity.WARNING,
            company,
            f"{format_size(space.free)} free on the disk of the sessions (limit {format_size(rules.free_disk)}): "
            "on a full disk the next save leaves creds.json empty",
            f"Make room: df -h, then du -xh / | sort -h | tail. {_PURGE}",
            {"free_bytes": space.free, "limit": rules.free_disk},
        )
    if space.inodes and space.free_inodes < rules.free_inodes:
        is_bad = space.free_inodes * 10 < rules.free_inodes
        yield Finding(
            "inodes-low",
            Severity.CRITICAL if is_bad else Severity.WARNING,
            company,
            f"room for {space.free_inodes:,} more files on the disk of the sessions (limit {rules.free_inodes:,})",
            f"Find the folder with the most files: df -i, then du --inodes -x / | sort -n | tail. {_PURGE}",
            {"free_inodes": space.free_inodes, "limit": rules.free_inodes},
        )


def cleanup_findings(
    company: str, counted_files: int, last: Cleaned, rules: HealthRules
) -> Iterator[Finding]:
    """Given the counted files and the last cleanup, yield whether cleanups still help a full folder."""
    if last.removed >= FEW_REMOVED or last.put_back or counted_files < rules.thresholds.warning:
        return
    yield Finding(
        "cleanups-remove-little",
        Severity.NOTICE,
        company,
        f"the last cleanup removed {counted(last.removed, 'file')} (fewer than {FEW_REMOVED}), and "
        f"{counted(counted_files, 'counted file')} stay",
        "Nothing is wrong: the rest is in use. If the number matters to you, raise the thresholds, or link the "
        "account anew at a quiet hour.",
        {"removed": last.removed, "limit": FEW_REMOVED, "counted_files": counted_files},
    )


def snapshot_findings(
    company: str,
    snapshots: Snapshots | None,
    last_activity: datetime | None,
    rules: HealthRules,
    now: datetime,
    *,
    creds_lost: bool = False,
) -> Iterator[Finding]:
    """Given what the repository has of a company (None: there is no repository), yield what is missing.

    `last_activity` is when the folder last changed: of a folder that stands still, an old snapshot is a good one.
    `creds_lost` says that the folder holds no session that a snapshot could be taken of.
    """
    if snapshots is None:
        yield Finding(
            "backup-not-configured",
            Severity.NOTICE,
            company,
            "no backup repository is configured: a lost creds.json means a QR code and lost chats",
            "Set backup.path, and run baileys-tools backup from cron.",
        )
        return
    if snapshots.trouble and snapshots.is_new:
        yield Finding(
            "backup-unreadable",
            Severity.NOTICE,
            company,
            f"the backup repository is not there yet: {printable(snapshots.trouble)}",
            f"The first backup makes it: {command('baileys-tools backup')}",
        )
        return
    if snapshots.trouble:
        yield Finding(
            "backup-unreadable",
            Severity.WARNING,
            company,
            f"the backup repository cannot be read: {printable(snapshots.trouble)}",
            "Is its disk mounted, and may this user read it? See: baileys-tools config show",
        )
        return
    newest = snapshots.newest
    backup = f"{command('baileys-tools backup --company {}', company)}"
    restore = f"{command('baileys-tools restore --company {} --dry-run', company)}"
    other_way = (
        "There is nothing to take while creds.json is lost. Old copies of the folder? baileys-tools backup "
        f"--import DIR. None? The bot has to be linked anew, which WhatsApp refuses for hours at times: "
        f"{command('baileys-tools reset --company {}', company)}"
    )
    if snapshots.failure:
        yield Finding(
            "backup-failed",
            Severity.CRITICAL,
            company,
            f"the last backup failed: {printable(snapshots.failure)}",
            (other_way if newest is None else f"First bring the session back: {restore}")
            if creds_lost
            else f"Mend that, then: {backup}",
        )
    if snapshots.damaged:
        yield Finding(
            "snapshot-damaged",
            Severity.CRITICAL,
            company,
            f"{counted(snapshots.damaged, 'snapshot')} newer than the newest whole one are damaged",
            f"Look at the disk of the repository (dmesg), then: {backup}",
            {"damaged": snapshots.damaged},
        )
    if newest is None:
        yield Finding(
            "snapshot-missing",
            Severity.WARNING,
            company,
            "there is no whole snapshot of this folder",
            other_way if creds_lost else f"Take one: {backup}",
        )
        return
    age = now - newest.taken_at
    has_changed = last_activity is not None and last_activity > newest.taken_at
    if age > rules.snapshot_max_age and has_changed and not snapshots.is_current:
        yield Finding(
            "snapshot-old",
            Severity.WARNING,
            company,
            f"the newest snapshot is {format_age(age)} old (limit {format_duration(rules.snapshot_max_age)}), and "
            "the folder has changed since",
            f"Does cron run the backup? By hand: {backup}",
            {"age_seconds": int(age.total_seconds()), "snapshot": newest.id},
        )
