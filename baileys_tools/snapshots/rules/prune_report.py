"""The results of `prune`, `snapshots` and `verify`, and the exit codes that follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from baileys_tools.errors import ExitCode
from baileys_tools.sessions.rules.snapshot import Manifest, SnapshotInfo
from baileys_tools.snapshots.rules.retention import Decision


@dataclass(frozen=True, slots=True)
class CompanyPrune:
    """What pruning did, or would do, to the snapshots of one company. `trouble` says why it could not."""

    company: str
    plan: Sequence[Decision] = ()
    removed: Sequence[SnapshotInfo] = ()
    damaged: Sequence[SnapshotInfo] = ()
    locked: bool = False
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class PruneReport:
    """A whole run of `prune`."""

    repository: str
    now: datetime
    dry_run: bool
    companies: Sequence[CompanyPrune]
    sources: Mapping[str, str] = field(default_factory=dict)
    """Where the snapshots come from, of those whose name several places have: `Repository.sources`."""

    @property
    def exit_code(self) -> ExitCode:
        failed = sum(bool(company.trouble) and not company.locked for company in self.companies)
        if failed:
            return ExitCode.FAILED if failed == len(self.companies) else ExitCode.PARTLY_FAILED
        if self.companies and all(company.locked for company in self.companies):
            return ExitCode.LOCKED
        return ExitCode.WARNING if any(company.damaged for company in self.companies) else ExitCode.DONE


@dataclass(frozen=True, slots=True)
class CompanySnapshots:
    """The snapshots of one company, oldest first. `failure` is why its last backup failed, at `failed_at`.

    `company` is their shelf, see shelves.py; `source` is where they come from, "" where that is not known.
    """

    company: str
    snapshots: Sequence[SnapshotInfo] = ()
    failure: str = ""
    failed_at: str = ""
    trouble: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class SnapshotsReport:
    """What a repository holds."""

    repository: str
    now: datetime
    companies: Sequence[CompanySnapshots]
    sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def exit_code(self) -> ExitCode:
        failed = sum(bool(company.trouble) for company in self.companies)
        if failed:
            return ExitCode.FAILED if failed == len(self.companies) else ExitCode.PARTLY_FAILED
        return ExitCode.DONE


class SnapshotHealth(StrEnum):
    """What a verification found."""

    WHOLE = "whole"
    """Every byte is as it was written; with a deep verification every file in it was read as well."""
    DAMAGED = "damaged"
    NO_KEY = "no-key"
    """Encrypted, and not for the key at hand: its hash holds, its content was not looked at."""
    UNREADABLE = "unreadable"
    """The system refused to read it, or it is not for this place or version, so nothing is known."""


@dataclass(frozen=True, slots=True)
class Verified:
    """The finding on one snapshot. `manifest` is there when it was read."""

    snapshot: SnapshotInfo
    health: SnapshotHealth
    why: str = ""
    manifest: Manifest | None = None


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """A whole run of `verify`."""

    repository: str
    now: datetime
    deep: bool
    results: Sequence[Verified]
    troubles: Sequence[str] = ()
    sources: Mapping[str, str] = field(default_factory=dict)

    def count(self, health: SnapshotHealth) -> int:
        """How many were found so."""
        return sum(result.health is health for result in self.results)

    @property
    def exit_code(self) -> ExitCode:
        """The documented exit code: damage outweighs a missing key, and that what could not be read."""
        if self.count(SnapshotHealth.DAMAGED):
            return ExitCode.DAMAGED
        if self.count(SnapshotHealth.NO_KEY):
            return ExitCode.WRONG_KEY
        if self.troubles or self.count(SnapshotHealth.UNREADABLE):
            return ExitCode.PARTLY_FAILED if self.count(SnapshotHealth.WHOLE) else ExitCode.FAILED
        return ExitCode.DONE


class KeepReport(NamedTuple):
    """Which snapshot was pinned, until when its `kept_until` says, or released."""

    repository: str
    now: datetime
    snapshot: SnapshotInfo
