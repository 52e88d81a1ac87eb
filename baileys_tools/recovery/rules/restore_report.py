"""The result of a restore: what was planned, what was done, and the exit code that follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from baileys_tools.errors import ExitCode
from baileys_tools.sessions.rules.restore_plan import RestorePlan, RestoreRefusal
from baileys_tools.sessions.rules.snapshot import Manifest, SnapshotInfo


class RestoreStatus(StrEnum):
    """How a restore ended."""

    PLANNED = "planned"
    """Dry run: nothing was touched."""
    NOTHING_TO_DO = "nothing-to-do"
    RESTORED = "restored"


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """What a restore of one company did, or would do.

    `run` names the files set aside, for undo; None when there are none. `kept` are files that changed since
    the plan and so stayed, with what was in the way. `forced` are the objections that were overruled.
    `before` is the snapshot of the folder as it was, `old_run` the run as which it waits for undo
    where something was written into it meanwhile. `in_one_step` is
    false where the file system cannot swap folders. `earlier` says what became of an interrupted restore.
    """

    company: str
    path: str
    now: datetime
    snapshot: SnapshotInfo
    manifest: Manifest
    status: RestoreStatus
    plan: RestorePlan | None = None
    target: str | None = None
    run: str | None = None
    brought_back: Sequence[str] = ()
    set_aside: Sequence[str] = ()
    kept: Mapping[str, str] = field(default_factory=dict)
    forced: tuple[RestoreRefusal, ...] = ()
    before: SnapshotInfo | None = None
    old_run: str = ""
    in_one_step: bool = True
    earlier: str = ""

    @property
    def exit_code(self) -> ExitCode:
        return ExitCode.PARTLY_FAILED if self.kept else ExitCode.DONE
