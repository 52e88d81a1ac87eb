"""What one run of restore has to work with, and what it asks before it acts."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from baileys_tools.bots.asking import BotSigns
from baileys_tools.errors import BaileysToolsError, ExitCode
from baileys_tools.recovery.rules.restore_report import RestoreReport, RestoreStatus
from baileys_tools.recovery.snapshot_to_restore import WholeSnapshot
from baileys_tools.sessions.rules.restore_plan import (
    Choice,
    LiveFolder,
    Mode,
    RestorePlan,
    RestoreRefusal,
    SnapshotFiles,
)
from baileys_tools.sessions.rules.snapshot import StoredFile
from baileys_tools.snapshots.encryption import Recipients
from baileys_tools.snapshots.repository import Repository


@dataclass(frozen=True, slots=True)
class RestoreOptions:
    """What the command line asked for. `wanted` names the snapshot, `target` a folder elsewhere."""

    company: str
    wanted: str = "latest"
    mode: str = Mode.REPAIR
    target: str | None = None
    keep_sessions: bool = False
    dry_run: bool = False
    force: bool = False
    yes: bool = False
    from_bak: bool = False


@dataclass(frozen=True, slots=True)
class RestoreJob:
    """What one restore is to do, with everything it needs to decide and to act."""

    options: RestoreOptions
    choice: Choice
    snapshot: WholeSnapshot
    facts: SnapshotFiles
    repository: Repository | None
    recipients: Recipients | None
    now: datetime
    agrees: Callable[[RestoreReport], bool]
    bot_signs: Callable[[], BotSigns] = BotSigns


class FolderLook(NamedTuple):
    """What is in a folder, and what the restore makes of it."""

    plan: RestorePlan
    live: LiveFolder
    contents: list[StoredFile]


def report_of(path: str, job: RestoreJob, plan: RestorePlan) -> RestoreReport:
    info, manifest = job.snapshot.info, job.snapshot.manifest
    return RestoreReport(job.options.company, path, job.now, info, manifest, RestoreStatus.PLANNED, plan=plan)


def require_no_refusal(plan: RestorePlan, *, force: bool) -> tuple[RestoreRefusal, ...]:
    standing = [refusal for refusal in plan.refusals if not (force and refusal.can_be_forced)]
    if standing:
        forceable = all(refusal.can_be_forced for refusal in standing)
        raise BaileysToolsError(
            "refused: " + "; ".join(refusal.text for refusal in standing),
            "Stop the bot first. --force goes on all the same, and so overrides "
            + ", ".join(refusal.objection for refusal in standing)
            + "."
            if forceable
            else "Nothing was changed. --target unpacks the snapshot elsewhere.",
            exit_code=ExitCode.REFUSED,
        )
    return plan.refusals


def require_agreement(job: RestoreJob, report: RestoreReport) -> None:
    if not job.agrees(report):
        raise BaileysToolsError("nothing was done", exit_code=ExitCode.REFUSED)
