"""What a place of copies has, lacks and has lost, by the retention that holds there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from baileys_tools.errors import ExitCode
from baileys_tools.sessions.rules.snapshot import SnapshotInfo
from baileys_tools.snapshots.rules.retention import Decision, Retention, plan_retention


def is_ahead(there: Sequence[SnapshotInfo], local: Sequence[SnapshotInfo]) -> bool:
    """Whether a place has snapshots later than all here: by their numbers those here would count as old."""
    return max((info.order for info in there), default=(False, 0)) > max(info.order for info in local)


def missing_there(
    local: Sequence[SnapshotInfo], there: Sequence[SnapshotInfo], names: set[str], policy: Retention
) -> list[SnapshotInfo]:
    """The local snapshots that a place does not have and whose retention would keep them, oldest first."""
    kept = {decision.snapshot.file for decision in _plan(local, there, policy) if decision.keep}
    return [info for info in local if not info.damaged and info.file in kept and info.file not in names]


def surplus_there(
    local: Sequence[SnapshotInfo], there: Sequence[SnapshotInfo], policy: Retention
) -> list[SnapshotInfo]:
    """The snapshots of a place that its retention does not keep."""
    doomed = {decision.snapshot.file for decision in _plan(local, there, policy) if not decision.keep}
    return [info for info in there if info.file in doomed]


def _plan(
    local: Sequence[SnapshotInfo], there: Sequence[SnapshotInfo], policy: Retention
) -> Sequence[Decision]:
    union = {info.file: info for info in (*there, *local) if not info.damaged}
    return plan_retention(list(union.values()), policy)


def whole_there(local: Sequence[SnapshotInfo], there: Sequence[SnapshotInfo]) -> set[str]:
    """The files of a place that have the size they have here: one that was cut off has its name alone."""
    sizes = {info.file: info.size for info in local}
    return {info.file for info in there if info.size == sizes.get(info.file, info.size)}


@dataclass(frozen=True, slots=True)
class CompanyCopies:
    """The copies of one company at one place, as they were found.

    `gone` are those of `missing` that had been there, `cut_off` those of which a part is there. `damaged` are copies
    that were read and do not fit the hash in their name, `read` is how many were read. `ahead`: the place has later
    snapshots than there are here. `trouble` says why it could not be looked at.
    """

    company: str
    there: int = 0
    missing: Sequence[SnapshotInfo] = ()
    gone: int = 0
    cut_off: int = 0
    read: int = 0
    damaged: Sequence[SnapshotInfo] = ()
    ahead: bool = False
    trouble: str = ""

    @property
    def is_well(self) -> bool:
        return not (self.missing or self.damaged or self.ahead or self.trouble)


def found_there(
    company: str,
    local: Sequence[SnapshotInfo],
    there: Sequence[SnapshotInfo],
    known: set[str],
    policy: Retention,
) -> CompanyCopies:
    """Given the snapshots of a company here and at a place, and those `known` to have been there, compare them."""
    if local and is_ahead(there, local):
        return CompanyCopies(company, len(there), ahead=True)
    whole = whole_there(local, there)
    missing = missing_there(local, there, whole, policy) if local else []
    lost = [info for info in missing if info.file in known]
    names = {info.file for info in there}
    return CompanyCopies(company, len(there), missing, len(lost), sum(info.file in names for info in missing))


@dataclass(frozen=True, slots=True)
class PlaceCopies:
    """One place: its companies, or why it could not be looked at."""

    target: str
    companies: Sequence[CompanyCopies] = ()
    trouble: str = ""

    def count(self, what: str) -> int:
        """Return the sum of a field of its companies, or of the lengths of one that is a list."""
        values = [getattr(one, what) for one in self.companies]
        return sum(value if isinstance(value, int) else len(value) for value in values)

    @property
    def is_well(self) -> bool:
        """Whether it has all that it is to have, as far as was looked."""
        return not self.trouble and all(one.is_well for one in self.companies)


@dataclass(frozen=True, slots=True)
class CopiesReport:
    """What `copies check` found. `read` says whether the newest copies were read back.

    `is_kept` is False where another run was sending copies: then what was found missing is not remembered.
    """

    repository: str
    now: datetime
    places: Sequence[PlaceCopies]
    read: bool = False
    is_kept: bool = True

    @property
    def exit_code(self) -> ExitCode:
        """The documented exit code: 1 no place could be looked at, 3 some could not, 11 damage, 4 something is
        missing."""
        lost = sum(bool(one.trouble) for one in self.places)
        if lost:
            return ExitCode.FAILED if lost == len(self.places) else ExitCode.PARTLY_FAILED
        if any(one.count("damaged") for one in self.places):
            return ExitCode.DAMAGED
        return ExitCode.DONE if all(one.is_well for one in self.places) else ExitCode.WARNING
