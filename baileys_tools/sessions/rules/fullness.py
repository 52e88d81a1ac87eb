"""Findings about how full a folder is, by the thresholds of its counted files."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import NamedTuple

from baileys_tools.findings import SEVERITY_OF_LEVEL, Finding, Severity
from baileys_tools.pasted import command
from baileys_tools.sessions.rules.counting import FileCount, count_files
from baileys_tools.sessions.rules.folder import FolderFacts
from baileys_tools.sessions.rules.keyfiles import Kind
from baileys_tools.thresholds import Level, Thresholds, level_of
from baileys_tools.units import counted

FEWEST_LID_MAPPINGS = 50
"""Below this many, LID mappings are nobody's concern however few other files there are."""


class HealthRules(NamedTuple):
    """The limits that findings compare with: what the settings say. Sizes are in bytes."""

    thresholds: Thresholds = Thresholds()
    pre_keys_kept: int = 50
    pre_key_guard: bool = True
    inactive_warning: timedelta = timedelta(days=14)
    inactive_critical: timedelta = timedelta(days=25)
    snapshot_max_age: timedelta = timedelta(hours=26)
    largest_folder: int = 150_000_000
    free_disk: int = 500_000_000
    free_inodes: int = 10_000
    cleanup_silence: timedelta = timedelta(days=3)
    of_companies: str = ""
    """What single companies have of their own, so that looks by other rules can be told."""


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Given findings, return them the worst first, equals in their order."""
    return sorted(findings, key=lambda finding: -finding.severity.rank)


def count_findings(
    company: str,
    facts: FolderFacts,
    rules: HealthRules,
    strictest_leaves: int,
    count: FileCount | None = None,
) -> Iterator[Finding]:
    """Given a listing, return what is wrong with the number of files: a level, or kinds that always stay.

    `strictest_leaves` is how many counted files even the emergency limits would leave, `count` what `count_files` says
    where it was asked.
    """
    count = count or count_files(
        facts, rules.pre_keys_kept, guard=rules.pre_key_guard, thresholds=rules.thresholds
    )
    level = level_of(count.counted, rules.thresholds)
    if level is not Level.HEALTHY:
        yield _too_many(company, count, max(count.fixed, strictest_leaves), rules.thresholds)
    mappings = len(facts.of(Kind.LID_MAPPING))
    if mappings >= FEWEST_LID_MAPPINGS and mappings * 2 > count.files:
        yield Finding(
            "mostly-lid-mappings",
            Severity.NOTICE,
            company,
            f"{mappings:,} of {count.files:,} files are LID mappings, which always stay: cleanups have little left "
            "to take",
            "Nothing is wrong. If the number matters to you, raise the thresholds, or link the account anew.",
            {"lid_mappings": mappings, "files": count.files},
        )


def _too_many(company: str, count: FileCount, stay: int, thresholds: Thresholds) -> Finding:
    """A level that even the strictest cleanup could not lower is worth a warning and nobody's sleep."""
    level = level_of(count.counted, thresholds)
    limit = limit_of(level, thresholds)
    guarded = f"; {counted(count.guarded, 'guarded pre-key')} left out" if count.guarded else ""
    learnt = f"; learnt: it usually has {thresholds.baseline:,}" if thresholds.baseline is not None else ""
    left_out = f"; {count.uncounted:,} of kinds that no rule removes left out" if count.uncounted else ""
    message = (
        f"{counted(count.counted, 'counted file')}, level {level} (limit {limit}{learnt}){guarded}{left_out}"
    )
    severity = SEVERITY_OF_LEVEL[level]
    if level_of(min(stay, count.counted), thresholds) is level:
        severity = min(severity, Severity.WARNING, key=lambda one: one.rank)
        staying = f"; {min(stay, count.counted)} of them stay whatever the limits"
        but = ": a cleanup can lower the count, but " if stay < count.counted else ", so "
        message += f"{staying}{but}no cleanup can lower the level"
        action = (
            "A working session is no worse for it. Where such folders are normal, raise the thresholds, for this "
            "company alone under companies in the settings file."
        )
    elif level is Level.WARNING:
        action = f"See what a cleanup would take: {command('baileys-tools cleanup --company {} --dry-run', company)}"
    else:
        action = f"Clean it: {command('baileys-tools cleanup --company {}', company)}"
    facts = {
        "counted_files": count.counted,
        "files": count.files,
        "guarded_pre_keys": count.guarded,
        "staying_files": min(stay, count.counted),
        "limit": limit,
        "level": level.value,
    }
    return Finding("file-count", severity, company, message, action, facts)


def limit_of(level: Level, thresholds: Thresholds) -> int:
    """Given a level above healthy, return the threshold that it passed."""
    return {
        Level.WARNING: thresholds.warning,
        Level.CRITICAL: thresholds.critical,
        Level.TRIGGER: thresholds.trigger,
        Level.EMERGENCY: thresholds.emergency,
        Level.DANGER: thresholds.danger,
    }[level]
