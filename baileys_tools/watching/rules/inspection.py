"""What is wrong with a session folder, once every file in it was looked at and read.

Pure: what `sessions/inspect_folder.py` saw goes in, an inspection with its findings comes out. The rules that a listing
is enough for are in `health.py` and part of every inspection; the others are in `inspection_rules.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple, Self

from baileys_tools.errors import ExitCode
from baileys_tools.findings import Finding, exit_code_for, worst
from baileys_tools.sessions.rules.clock import in_nanoseconds, nanoseconds
from baileys_tools.sessions.rules.counting import FileCount, count_files, is_version_7
from baileys_tools.sessions.rules.fullness import HealthRules, worst_first
from baileys_tools.sessions.rules.inspected import Elsewhere, Inspected
from baileys_tools.sessions.rules.keyfiles import Kind
from baileys_tools.thresholds import Level, level_of
from baileys_tools.units import duration_of
from baileys_tools.watching.rules.health import CREDS_LOST, cheap_findings
from baileys_tools.watching.rules.inspection_rules import TOLD_BY_CONTENT, deep_findings, evidence_of
from baileys_tools.watching.rules.verdict import (
    CompanyStatus,
    CompanyVerdict,
    verdict_of,
    worst_finding_first,
)
from baileys_tools.watching.rules.watch import SNAPSHOT_CODES

AGE_LIMITS = tuple(map(timedelta, (1, 3, 7, 14, 30)))
"""Where the columns of the age table end; the last one has no end."""


class KindRow(NamedTuple):
    """The files of one kind: how many, how large (bytes), how old, and how many of each age (`AGE_LIMITS`).

    `newest` and `oldest` are None where no file could be looked at.
    """

    kind: Kind
    files: int
    size: int
    newest: timedelta | None
    oldest: timedelta | None
    by_age: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Inspection:
    """The result of `inspect` for one company. `evidence` names the files that a finding speaks of, by its code."""

    company: str
    path: str
    now: datetime
    findings: Sequence[Finding]
    seen: Inspected | None = None
    elsewhere: Elsewhere = Elsewhere()
    rules: HealthRules = HealthRules()
    evidence: Mapping[str, Sequence[str]] = field(default_factory=dict)
    trouble: str = ""
    is_gone: bool = False

    @property
    def exit_code(self) -> ExitCode:
        """The documented exit code: 0, 4 for a warning, 5 for anything worse."""
        return exit_code_for(worst(self.findings))

    @property
    def verdict(self) -> CompanyVerdict:
        """How the company is, and why. What is wrong with the host is no fault of it."""
        own = [one for one in self.findings if one.company == self.company]
        return verdict_of(own, trouble=self.trouble, is_gone=self.is_gone)

    def with_findings(self, findings: Sequence[Finding]) -> Self:
        return replace(self, findings=findings)


def inspect(
    company: str, path: str, seen: Inspected, elsewhere: Elsewhere, rules: HealthRules, now: datetime
) -> Inspection:
    """Given all that was seen, return the inspection with its findings, the worst first."""
    evidence = evidence_of(seen, now)
    cheap = cheap_findings(
        company,
        seen.folder,
        rules,
        now,
        was_linked=elsewhere.was_linked,
        strictest_leaves=elsewhere.strictest_leaves,
    )
    creds_lost = any(finding.code in CREDS_LOST for finding in cheap)
    findings = [
        *(finding for finding in cheap if finding.code not in TOLD_BY_CONTENT),
        *deep_findings(company, seen, elsewhere, rules, evidence, now, creds_lost=creds_lost),
    ]
    return Inspection(company, path, now, worst_first(findings), seen, elsewhere, rules, evidence)


def with_what_a_pass_saw(
    found: Sequence[Finding], one: CompanyStatus, host: Sequence[Finding], *, is_here: bool
) -> list[Finding]:
    """Given what an inspection found and what a pass over the same company saw, return all of it, the worst first.

    The content of files tells more than their names, so what both speak of is the inspection's, but for snapshots:
    the pass has their whole story. `is_here`: the folder is on the disk of the sessions path, whose room is the host's.
    """
    kept = [
        finding._replace(company="") if is_here and finding.code in _OF_THE_DISK else finding
        for finding in found
        if finding.code not in {*SNAPSHOT_CODES, "backup-unreadable"}
    ]
    kept = [
        finding for finding in kept if finding.code != "file-count"
    ]  # its pass has asked for the strictest limits
    told = {finding.code for finding in kept}
    more = [
        finding
        for finding in (*one.findings, *host)
        if finding.code not in told and finding.code not in _NOT_OF_A_PASS
    ]
    return worst_finding_first([*kept, *more])


_NOT_OF_A_PASS = TOLD_BY_CONTENT | {"key-files-torn", "key-files-form", "key-files-unreadable", "state-new"}
_OF_THE_DISK = frozenset({"disk-low", "inodes-low"})


def count_of(seen: Inspected, rules: HealthRules) -> tuple[FileCount, Level]:
    """Given what was seen, return how many files count, and the level."""
    count = count_files(
        seen.folder, rules.pre_keys_kept, guard=rules.pre_key_guard, thresholds=rules.thresholds
    )
    return count, level_of(count.counted, rules.thresholds)


def baileys_version(seen: Inspected) -> str:
    """Given what was seen, return which major version of Baileys wrote it, as far as the kinds of files tell.

    Only 7 writes LID mappings, device lists and identity keys; without any of them it is 6, or a bot that has not
    talked to anybody yet, for which the answer is "".
    """
    if is_version_7(seen.folder):
        return "7"
    return "6" if seen.folder.of(Kind.SESSION) else ""


def kind_rows(seen: Inspected, now: datetime) -> list[KindRow]:
    """Given what was seen, return a row for each kind that has files, in the order of kinds."""
    now_ns = nanoseconds(now)
    limits = [in_nanoseconds(limit) for limit in AGE_LIMITS]
    rows = []
    for kind, names in seen.folder.names.items():
        stats = [seen.stats[name] for name in names if name in seen.stats]
        ages = [max(0, now_ns - one.st_mtime_ns) for one in stats]
        by_age = [0] * (len(limits) + 1)
        for age in ages:
            by_age[sum(age >= limit for limit in limits)] += 1
        rows.append(
            KindRow(
                kind,
                len(names),
                sum(one.st_size for one in stats),
                duration_of(min(ages)) if ages else None,
                duration_of(max(ages)) if ages else None,
                tuple(by_age),
            )
        )
    return rows
